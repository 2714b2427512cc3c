"""`eas-server …`: a module a command or group of commands, imported only when it is asked for."""

import importlib
import importlib.util
from typing import Final

import click

COMMANDS: Final = {
    "serve": "Run the server.",
    "user": "Add, list and remove users; set passwords.",
    "group": "Mail groups.",
    "device": "See, block and forget devices.",
    "cert": "Issue, import, publish and list certificates.",
    "trust": "Whose certificates are trusted: import, list, export and remove roots and intermediates.",
    "audit": "Who sent what class of message where, which certificates were served, which were not good.",
    "smime": "Look into signed and encrypted messages; verify signatures.",
    "policy": "See policies, and assign them to users and groups.",
    "calendar": "Who sees what of a calendar, and who gets meeting mail for another.",
    "oof": "Who is out of office, and what people are answered.",
    "seed": "Fill the store from one declared file.",
    "token": "What opens the administration API.",
    "quirk": "See and switch the oddities of clients that are let pass.",
    "require-tls": "Refuse plain HTTP, or take it from where it is safe.",
    "deliver": "Put a message from standard input into a mailbox.",
    "decode": "Show WBXML as readable XML.",
    "backup": "Copy the store while the server runs.",
    "restore": "Bring a backup back.",
    "queue": "See and retry outgoing mail.",
    "demo": "A server with sample data, and the main job acted out against it.",
}
"""Every subcommand `NAME` is `COMMAND` of `eas_server.cli.NAME` (a hyphen is an underscore there); those without a
module are left out."""


class _Lazy(click.Group):
    """Imports a subcommand when it is run or asked for its help, not to list it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        del ctx
        return [name for name in COMMANDS if importlib.util.find_spec(_module(name)) is not None]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The subcommand of that name."""
        if name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(_module(name)).COMMAND
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in the help, without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(ctx)])


def _module(name: str) -> str:
    return f"{__name__}.{name.replace('-', '_')}"


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="eas-server")
def main() -> None:
    """An Exchange ActiveSync server with S/MIME at its heart."""
