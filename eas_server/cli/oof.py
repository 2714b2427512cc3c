"""`eas-server oof`: who is out of office, and what people are answered meanwhile."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from eas_server.administration import users
from eas_server.cli.arguments import USER
from eas_server.cli.opening import Failed, config_option, in_store, json_option
from eas_server.cli.printing import exactly, moment, print_json, print_properties
from eas_server.model.preferences import AutomaticReply, OofState, OutOfOffice

if TYPE_CHECKING:
    from eas_server.backends.sqlite import Store
    from eas_server.config import Config
    from protocol.commands.oof import NewSettings

_AUDIENCES: Final = {"internal": "Inside", "known": "Contacts outside", "unknown": "Others outside"}
_STATES: Final = {OofState.DISABLED: "off", OofState.GLOBAL: "on", OofState.TIME_BASED: "at times"}


@click.group(name="oof")
def oof_group() -> None:
    """See and set who is out of office, and what people are answered meanwhile.

    Users do this on their devices; here it can be done for somebody who cannot.
    """


@oof_group.command()
@click.argument("user", type=USER)
@json_option
@config_option
def show(config_path: Path, user: str, as_json: bool) -> None:
    """Show whether USER is out of office, and the messages."""

    async def work(config: "Config", store: "Store") -> OutOfOffice:
        del config
        return await store.preferences.preference(await users.user_id(store.admin, user), OutOfOffice)

    found = in_store(config_path, work)
    start, end = (found.start, found.end) if found.state is OofState.TIME_BASED else (None, None)
    replies: dict[str, AutomaticReply] = {name: getattr(found, name) for name in _AUDIENCES}
    if as_json:
        print_json(
            {
                "state": _STATES[found.state],
                "from": exactly(start) if start else None,
                "until": exactly(end) if end else None,
                **{
                    name: {"enabled": reply.enabled, "text": reply.text, "html": reply.html}
                    for name, reply in replies.items()
                },
            }
        )
        return
    print_properties(
        [
            ("Out of office", _STATES[found.state]),
            ("From", moment(start) if start else ""),
            ("Until", moment(end) if end else ""),
            *((_AUDIENCES[name], reply.text if reply.enabled else "") for name, reply in replies.items()),
        ]
    )


class _Moment(click.ParamType[datetime]):
    """A day or a moment; without a time zone it is UTC."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """See ParamType."""
        try:
            found = datetime.fromisoformat(str(value))
        except ValueError:
            return self.fail('must be a day or a time: "2026-12-24" or "2026-12-24T17:00+01:00"', param, ctx)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


@oof_group.command(
    epilog="""\b
Examples:
  eas-server oof on alice@example.com --internal "Back on Monday."
  eas-server oof on alice@example.com --external "Please write to bob@example.com." --from 2026-12-24 --until 2027-01-02
"""
)
@click.argument("user", type=USER)
@click.option("--internal", metavar="TEXT", help="What people inside are answered.")
@click.option("--external", metavar="TEXT", help="What people outside are answered.")
@click.option(
    "--contacts", metavar="TEXT", help="And those of them who are among the contacts of USER, if not the same."
)
@click.option("--from", "start", type=_Moment(), metavar="TIME", help="When it begins: a day, or a time (UTC).")
@click.option("--until", "end", type=_Moment(), metavar="TIME", help="When it ends; with --from only.")
@config_option
def on(
    config_path: Path,
    user: str,
    internal: str | None,
    external: str | None,
    contacts: str | None,
    start: datetime | None,
    end: datetime | None,
) -> None:
    """Let people who write to USER be answered that USER is away; "" for a message ends it for those people.

    Messages that are not named stay as they are. Each sender is answered once.
    """
    from protocol.commands.oof import NewSettings, OofMessage
    from protocol.schema import EMPTY

    texts = {"internal": internal, "known": external if contacts is None else contacts, "unknown": external}
    messages = tuple(
        OofMessage(**{name: EMPTY}, enabled="1" if text else "0", reply_message=text, body_type="Text")
        for name, text in texts.items()
        if text is not None
    )
    timed = start is not None or end is not None
    _change(
        config_path, user, NewSettings(oof_state=2 if timed else 1, start_time=start, end_time=end, messages=messages)
    )
    click.echo(f"{user} is out of office{' at that time' if timed else ''}")


@oof_group.command()
@click.argument("user", type=USER)
@config_option
def off(config_path: Path, user: str) -> None:
    """Let nobody be answered for USER any more. The messages stay for the next time."""
    from protocol.commands.oof import NewSettings

    _change(config_path, user, NewSettings(oof_state=0))
    click.echo(f"{user} is not out of office")


def _change(config_path: Path, user: str, new: "NewSettings") -> None:
    """As a device of the user would. Raises Failed."""
    from eas_server.backends.sqlite import SystemClock
    from eas_server.commands.out_of_office import changed, check, stamped
    from eas_server.errors import CommandError

    def change(stored: OutOfOffice) -> OutOfOffice:
        return stamped(stored, changed(stored, new), SystemClock().now())

    async def work(config: "Config", store: "Store") -> None:
        del config
        owner = await users.user_id(store.admin, user)
        await store.preferences.change_preference(owner, OutOfOffice, change)

    try:
        check(new)
        in_store(config_path, work)
    except CommandError as error:
        raise Failed(f"nothing was changed: {error.reason}") from None


COMMAND = oof_group
