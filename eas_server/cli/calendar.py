"""`eas-server calendar`: who sees what of a calendar, and who gets meeting mail for another."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from eas_server.administration import users
from eas_server.administration.texts import user_name
from eas_server.cli.arguments import USER
from eas_server.cli.opening import administered, config_option, in_store, json_option
from eas_server.cli.printing import print_json, print_properties
from eas_server.model.preferences import CalendarRight, CalendarRights, Delegates

if TYPE_CHECKING:
    from eas_server.backends.sqlite import Store
    from eas_server.config import Config

_RIGHTS: Final = click.Choice([right.value for right in CalendarRight])


@click.group(name="calendar")
def calendar_group() -> None:
    """See and set who sees what of a user's calendar, and who gets the user's meeting mail."""


@calendar_group.command()
@click.argument("user", type=USER)
@json_option
@config_option
def show(config_path: Path, user: str, as_json: bool) -> None:
    """Show the rights to the calendar of USER, and the user's delegates."""

    async def work(config: "Config", store: "Store") -> tuple[CalendarRights, Delegates]:
        del config
        owner = await users.user_id(store.admin, user)
        preferences = store.preferences
        return await preferences.preference(owner, CalendarRights), await preferences.preference(owner, Delegates)

    rights, delegates = in_store(config_path, work)
    if as_json:
        print_json(
            {
                "default": rights.default.value,
                "others": {name: right.value for name, right in rights.others.items()},
                "delegates": list(delegates.users),
                "only": delegates.only,
            }
        )
        return
    print_properties(
        [
            ("Everybody", rights.default.value),
            *((name, right.value) for name, right in sorted(rights.others.items())),
            ("Delegates", ", ".join(delegates.users)),
            ("Meeting mail", ("to the delegates alone" if delegates.only else "to both") if delegates.users else ""),
        ]
    )


class _Right(click.ParamType[tuple[str, CalendarRight | None]]):
    """`USER=RIGHT`, or `USER=` for no right of the own."""

    name = "user=right"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, CalendarRight | None]:
        """See ParamType."""
        name, equals, right = str(value).rpartition("=")
        try:
            found = CalendarRight(right) if right else None
            if equals:
                return user_name(name), found
        except ValueError:
            pass
        known = ", ".join(each.value for each in CalendarRight)
        return self.fail(f'must be a user and one of {known}: "bob@example.com=read"', param, ctx)


@calendar_group.command(
    epilog="""\b
Examples:
  eas-server calendar rights alice@example.com --default none
  eas-server calendar rights alice@example.com --for bob@example.com=read --for carol@example.com=
"""
)
@click.argument("user", type=USER)
@click.option("--default", type=_RIGHTS, help="What everybody sees who has no right of the own.")
@click.option(
    "--for",
    "others",
    type=_Right(),
    multiple=True,
    metavar="USER=RIGHT",
    help='What one user sees; "USER=" takes that right away again. Repeatable.',
)
@config_option
def rights(
    config_path: Path, user: str, default: str | None, others: tuple[tuple[str, CalendarRight | None], ...]
) -> None:
    """Set who sees what of the calendar of USER: none, free-busy or read. What is not named stays."""
    if default is None and not others:
        raise click.UsageError("name --default or --for: what is to change?")
    given = CalendarRight(default) if default else None
    in_store(config_path, lambda _, store: users.set_calendar_rights(administered(store), user, given, dict(others)))
    click.echo(f"Changed the rights to the calendar of {user}")


@calendar_group.command(
    epilog="""\b
Examples:
  eas-server calendar delegates alice@example.com bob@example.com
  eas-server calendar delegates alice@example.com bob@example.com --only
  eas-server calendar delegates alice@example.com
"""
)
@click.argument("user", type=USER)
@click.argument("delegates", type=USER, nargs=-1, metavar="[DELEGATE]...")
@click.option("--only", is_flag=True, help="The delegates alone get the meeting mail, and not USER too.")
@config_option
def delegates(config_path: Path, user: str, delegates: tuple[str, ...], only: bool) -> None:
    """Have each DELEGATE get the meeting mail of USER; with no DELEGATE, nobody else does."""
    in_store(config_path, lambda _, store: users.set_delegates(administered(store), user, delegates, only=only))
    click.echo(f"Meeting mail of {user} goes to {', '.join(delegates) if delegates else 'nobody else'}")


COMMAND = calendar_group
