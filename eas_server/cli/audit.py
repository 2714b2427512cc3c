"""`eas-server audit`: the audit trail."""

import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from eas_server.audit import Wanted, fields_of, line_of
from eas_server.cli.arguments import USER
from eas_server.cli.opening import Failed, config_option, failures, read_config
from eas_server.cli.printing import count
from eas_server.cli.terminal import printable, shown
from eas_server.model.audit import AuditEvent, AuditKind

_LOOK_SECONDS: Final = 0.25
_AGO: Final = re.compile(r"([0-9]{1,6})([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_ALWAYS: Final = frozenset({"time", "kind", "user"})


class Moment(click.ParamType[datetime]):
    """An instant, or how long ago it was."""

    name = "moment"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """See ParamType."""
        if isinstance(value, datetime):
            return value
        try:
            ago = _AGO.fullmatch(value)
            if ago is not None:
                return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            moment = datetime.fromisoformat(value)
        except (ValueError, OverflowError):
            self.fail(f"{shown(value)} is neither a time (2026-11-23, 2026-11-23T12:00) nor an age (90m, 24h, 7d)")
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


MOMENT: Final = Moment()


@click.command(
    epilog="""\b
Examples:
  eas-server audit --since 24h --kind refused
  eas-server audit --user alice@example.com --since 2026-11-01 --json
  eas-server audit --follow
"""
)
@click.option("--user", type=USER, help="Of this user alone.")
@click.option("--since", type=MOMENT, help="From then on: 2026-11-23, 2026-11-23T12:00 (UTC), 90m, 24h, 7d.")
@click.option("--until", type=MOMENT, help="Before then.")
@click.option(
    "--kind",
    "kinds",
    type=click.Choice([kind.value for kind in AuditKind]),
    multiple=True,
    help="Of this kind alone; may be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one event a line, for programs.")
@click.option("--follow", is_flag=True, help="Show what comes from now on, until Ctrl-C.")
@config_option
def audit(
    config_path: Path,
    user: str | None,
    since: datetime | None,
    until: datetime | None,
    kinds: tuple[str, ...],
    as_json: bool,
    follow: bool,
) -> None:
    """Show who sent which class of message where, which certificates were served, and which were not good.

    Of messages nothing is kept but their class, how many recipients they had, and in which mail domains. It can be read
    while the server runs.
    """
    if follow and (since is not None or until is not None):
        raise click.UsageError("--follow shows what comes from now on: it takes neither --since nor --until")
    wanted = Wanted(user=user, since=since, until=until, kinds=frozenset(map(AuditKind, kinds)))
    with failures():
        config = read_config(config_path)
        from eas_server.backends.audit_file import FOLDER, follow_trail, read_trail

        folder = config.store.path.parent / FOLDER
        if follow:
            _print(follow_trail(folder, wanted, lambda: time.sleep(_LOOK_SECONDS)), as_json)
        if not config.audit.enabled and not folder.is_dir():
            raise Failed("no audit trail is kept: set audit.enabled = true")
        torn: list[None] = []
        _print(read_trail(folder, wanted, lambda: torn.append(None)), as_json)
    if torn:
        click.echo(f"note: {count(len(torn), 'line', 'lines')} could not be read", err=True)


def _print(events: Iterable[AuditEvent], as_json: bool) -> None:
    for event in events:
        click.echo(line_of(event).decode("ascii").rstrip("\n") if as_json else _line(event))


def _line(event: AuditEvent) -> str:
    """An event for people."""
    fields = fields_of(event)
    told = [f"{fields['time']}  {fields['kind']:<8}  {printable(fields.get('user', '-')) or '-'}"]
    told += [f"{name}={_shown(value)}" for name, value in fields.items() if name not in _ALWAYS]
    return "  ".join(told)


def _shown(value: str | int | bool | list[str]) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = printable(",".join(value) if isinstance(value, list) else str(value))
    return f'"{text}"' if " " in text else text


COMMAND = audit
