"""`eas-server token`: what opens the administration API."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from eas_server.administration import tokens
from eas_server.cli.arguments import yes_option
from eas_server.cli.opening import config_option, failures, json_option, read_config, write_private
from eas_server.cli.printing import print_json

if TYPE_CHECKING:
    from eas_server.config import Config


@click.group(name="token")
def token_group() -> None:
    """Make, list and end tokens of the administration API.

    A program sends its token with each request: `Authorization: Bearer TOKEN`. The log names the token with all that
    was done with it. The server keeps digests alone: a token that is lost is made anew.
    """


@token_group.command(
    epilog="""\b
Examples:
  eas-server token add monitoring
  eas-server token add portal --out portal.token
"""
)
@click.argument("name")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the token to this new file, for its owner only, and do not print it.",
)
@config_option
def add(config_path: Path, name: str, out: Path | None) -> None:
    """Make a token with the name NAME, and print it, this once.

    The first one opens the API: a server that runs already has to be started again.
    """
    with failures():
        config = read_config(config_path)
        first = not tokens.read(config.administration.tokens)
        token = tokens.add(config.administration.tokens, name)
        if out is not None:
            write_private(out, f"{token}\n".encode())
    click.echo(token if out is None else f"The token is in {out}")
    if first:
        click.echo(f"note: restart the server; the API is then at {_url(config)}", err=True)


@token_group.command("list")
@json_option
@config_option
def list_(config_path: Path, as_json: bool) -> None:
    """List the names of all tokens."""
    with failures():
        names = sorted(tokens.read(read_config(config_path).administration.tokens))
    if as_json:
        print_json(names)
        return
    for name in names:
        click.echo(name)


@token_group.command(
    epilog="""\b
Examples:
  eas-server token remove portal --yes
"""
)
@click.argument("name")
@yes_option
@config_option
def remove(config_path: Path, name: str, yes: bool) -> None:
    """End the token NAME, from the next request on."""
    with failures():
        config = read_config(config_path)
        if not yes:
            click.confirm(f"End the token {name}?", abort=True)
        tokens.remove(config.administration.tokens, name)
    click.echo(f"Ended {name}")


def _url(config: "Config") -> str:
    section = config.administration
    host = f"[{section.address}]" if ":" in section.address else section.address
    return f"{'https' if section.tls else 'http'}://{host}:{section.port or 'PORT'}/v1/openapi.json"


COMMAND = token_group
