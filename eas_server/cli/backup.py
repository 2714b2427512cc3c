"""`eas-server backup`: a copy of the store while the server runs."""

from datetime import UTC, datetime
from pathlib import Path

import click

from eas_server.cli.opening import Failed, Misconfigured, config_option, failures, read_config
from eas_server.cli.printing import size


@click.command(
    name="backup",
    epilog="""\b
Examples:
  eas-server backup /var/backups/eas-server.db
  eas-server backup /var/backups/
""",
)
@click.argument("path", type=click.Path(path_type=Path))
@config_option
def backup(config_path: Path, path: Path) -> None:
    """Copy the store to the new file PATH, or into the folder PATH under a name with the time.

    The server may run: the copy is the store as it is at one moment, with mail, accounts, the directory, devices and
    the outgoing queue. It appears under its name when it is whole. The configuration and the keys of TLS and of the
    lab's authority are not in it.
    """
    from eas_server.backends.sqlite import backup as copy

    target = path / f"eas-server-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db" if path.is_dir() else path
    with failures():
        config = read_config(config_path)
        if not config.store.path.is_file():
            raise Misconfigured(f"{config.store.path}: there is no store yet, so there is nothing to copy")
        if not target.parent.is_dir():
            raise Failed(f"{target.parent}: there is no such folder: make it first")
        try:
            copy(config.store.path, target)
        except FileExistsError:
            raise Failed(f"{target} is there already: name a new file, or a folder") from None
    click.echo(f"{config.store.path} is copied to {target} ({size(target.stat().st_size)})")


COMMAND = backup
