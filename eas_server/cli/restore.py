"""`eas-server restore`: a backup takes the place of the store, while no server runs."""

from pathlib import Path

import click

from eas_server.cli.arguments import FILE, yes_option
from eas_server.cli.opening import Misconfigured, NotNow, config_option, failures, read_config
from eas_server.errors import StoreUnavailable


@click.command(
    name="restore",
    epilog="""\b
Examples:
  systemctl stop eas-server
  eas-server restore /var/backups/eas-server.db
  systemctl start eas-server
""",
)
@click.argument("path", type=FILE)
@yes_option
@config_option
def restore(config_path: Path, path: Path, yes: bool) -> None:
    """Put the backup in PATH in the place of the store. Stop the server first.

    The backup is checked before anything is changed. What came after it is lost; devices fetch their folders anew.
    Exit status 75 while a server or another command uses the store.
    """
    from eas_server.backends.sqlite import restore as put_back

    with failures():
        config = read_config(config_path)
        store = config.store.path
        if not store.parent.is_dir():
            raise Misconfigured(f"{store.parent}: there is no such folder: make it for the store, or set store.path")
        if store.exists() and store.samefile(path):
            raise Misconfigured(f"{path} is the store itself")
        if store.exists() and not yes:
            click.confirm(f"{store} is there, and what is in it will be lost. Restore {path}?", abort=True)
        try:
            put_back(path, store)
        except StoreUnavailable as error:
            raise NotNow(f"{error}: stop the server, and try again") from None
    click.echo(f"{store} is now what {path} holds")


COMMAND = restore
