"""`eas-server seed`: the embedded store as one file declares it."""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from eas_server.cli.opening import (
    Failed,
    administered,
    config_option,
    failures,
    in_store,
    read_config,
    tell_embedded_only,
)
from eas_server.cli.printing import count
from eas_server.config_reading import Wrong

if TYPE_CHECKING:
    from eas_server.backends.sqlite import Store
    from eas_server.cli.seed_file import SeedFile
    from eas_server.cli.seed_plan import Action
    from eas_server.config import Config

_TOGETHER: Final = 64
"""Messages that are added at once: the store puts them into few transactions."""


@click.command(
    epilog="""\b
Examples:
  eas-server seed world.toml --dry-run
  eas-server seed world.toml
  eas-server seed world.toml --config world.toml
"""
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@config_option
def seed(config_path: Path, file: Path, dry_run: bool) -> None:
    """Have the store hold what FILE declares: users, people, groups, folders, messages, certificates (docs/seed.md).

    All of FILE is checked before anything is done. What is there already stays: to seed a second time changes
    nothing, and what FILE does not name is left alone. Sections of the configuration may stand in FILE, too, where
    the configuration includes it (`include = ["FILE"]`), or is it. A server may be running.
    """
    with failures():
        config = read_config(config_path)
        declared = _read(file, config_path)
    if config.directory.kind == "ldap":
        tell_embedded_only(config)

    async def work(config: "Config", store: "Store") -> int:
        try:
            actions = await _plan(config, store, declared)
            if dry_run:
                for action in actions:
                    click.echo(f"would {action.says}")
            else:
                await _carry_out(actions)
        except Wrong as wrong:
            raise Failed(f"{file}: {wrong.key}: {wrong.reason}") from None
        return len(actions)

    number = in_store(config_path, work)
    if dry_run:
        click.echo(f"{count(number, 'change', 'changes')} to make", err=True)
    else:
        click.echo(f"{count(number, 'change', 'changes')} made" if number else "All is as declared: nothing to do")


def _read(file: Path, config_path: Path) -> "SeedFile":
    """The seed, if what it has of the configuration is in force. Raises ConfigError, Failed."""
    from eas_server.cli.seed_file import read_seed

    found = read_seed(file)
    if found.config_sections and not _is_in_force(file, config_path):
        sections = ", ".join(found.config_sections)
        raise Failed(
            f"{file}: {sections}: no section of a seed. Where it is one of the configuration, the server has to "
            f'find it, too: write include = ["{file}"] at the top of {config_path}, or use --config {file}'
        )
    return found


def _is_in_force(file: Path, config_path: Path) -> bool:
    from eas_server.config_include import included, parsed

    if file.resolve() == config_path.resolve():
        return True
    text = config_path.read_text(encoding="utf-8")
    return any(each.resolve() == file.resolve() for each, _ in included(parsed(text, config_path), config_path))


async def _plan(config: "Config", store: "Store", declared: "SeedFile") -> "list[Action]":
    from eas_server.cli.seed_certificates import plan_certificates
    from eas_server.cli.seed_messages import plan_mailboxes
    from eas_server.cli.seed_plan import Ground, plan_people
    from eas_server.cli.seed_trust import plan_trust

    ground = Ground(
        store=store,
        world=administered(store),
        seed=declared.seed,
        domains=config.settings.domains,
        base=declared.path.parent,
        published_chain=config.smime.published_chain,
    )
    actions = await plan_people(ground)
    actions += await plan_certificates(ground)
    actions += await plan_trust(ground)
    return [*actions, *await plan_mailboxes(ground, config.lmtp.max_message_bytes)]


async def _carry_out(actions: "Sequence[Action]") -> None:
    with click.progressbar(length=len(actions), label="Seeding", file=sys.stderr) as bar:
        for batch in _batches(actions):
            await asyncio.gather(*(action.do() for action in batch))
            bar.update(len(batch))


def _batches(actions: "Sequence[Action]") -> "Iterator[list[Action]]":
    """The actions in their order; those that may be done at once, together."""
    for alone, run in groupby(actions, key=lambda action: action.alone):
        listed = list(run)
        size = 1 if alone else _TOGETHER
        for at in range(0, len(listed), size):
            yield listed[at : at + size]


COMMAND = seed
