"""`eas-server queue`: mail that waits for the smart host."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eas_server.administration import queue
from eas_server.cli.arguments import yes_option
from eas_server.cli.opening import config_option, in_store, json_option
from eas_server.cli.printing import Json, count, exactly, moment, print_json, print_table, size
from eas_server.interfaces import Queued

if TYPE_CHECKING:
    from eas_server.backends.sqlite import Store
    from eas_server.config import Config


@click.group(name="queue")
def queue_group() -> None:
    """See, retry and remove mail that waits for the smart host.

    A running server tries again by itself, less and less often, and in the end reports to the sender what cannot be
    delivered (docs/mail.md).
    """


@queue_group.command("list")
@json_option
@config_option
def list_(config_path: Path, as_json: bool) -> None:
    """List the messages that wait, those whose next attempt is nearest first."""

    async def work(config: "Config", store: "Store") -> tuple[Sequence[Queued], bool]:
        return await queue.waiting(store.queue), bool(config.smtp.host)

    listed, has_host = in_store(config_path, work)
    if as_json:
        print_json([_json(queued) for queued in listed])
        return
    print_table(
        ("ID", "SINCE", "ATTEMPTS", "SIZE", "SENDER", "RECIPIENTS"),
        [
            (
                str(queued.id),
                moment(queued.queued),
                str(queued.attempts),
                size(queued.forwarding.content.size),
                queued.forwarding.sender,
                ", ".join(queued.forwarding.recipients),
            )
            for queued in listed
        ],
    )
    click.echo(count(len(listed), "message", "messages"), err=True)
    if listed and not has_host:
        click.echo("note: no smart host is configured (smtp.host, see docs/mail.md)", err=True)


@queue_group.command(
    epilog="""\b
Examples:
  eas-server queue retry 12 15
  eas-server queue retry --all
"""
)
@click.argument("ids", type=int, nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="All messages of the queue.")
@config_option
def retry(config_path: Path, ids: tuple[int, ...], everything: bool) -> None:
    """Try the messages with these IDs as soon as the server looks at its queue, within seconds (smtp.poll)."""
    if bool(ids) == everything:
        raise click.UsageError("name messages by their IDs, as `eas-server queue list` shows them, or --all")
    now = datetime.now(UTC)

    async def work(config: "Config", store: "Store") -> int:
        del config
        chosen = await queue.chosen(store.queue, ids)
        await queue.retry(store.queue, chosen, now)
        return len(chosen)

    click.echo(f"{count(in_store(config_path, work), 'message', 'messages')} will be tried now")


@queue_group.command(
    epilog="""\b
Examples:
  eas-server queue remove 12
"""
)
@click.argument("ids", type=int, nargs=-1, required=True, metavar="ID...")
@yes_option
@config_option
def remove(config_path: Path, ids: tuple[int, ...], yes: bool) -> None:
    """Remove the messages with these IDs. They are not sent, and their senders are not told."""

    async def check(config: "Config", store: "Store") -> Sequence[Queued]:
        del config
        return await queue.chosen(store.queue, ids)

    chosen = in_store(config_path, check)
    if not yes:
        click.confirm(f"Remove {count(len(chosen), 'message', 'messages')} for good?", abort=True)

    async def work(config: "Config", store: "Store") -> None:
        del config
        await queue.remove(store.queue, chosen)

    in_store(config_path, work)
    click.echo(f"Removed {count(len(chosen), 'message', 'messages')}")


def _json(queued: Queued) -> dict[str, Json]:
    return {
        "id": queued.id,
        "user": queued.user,
        "sender": queued.forwarding.sender,
        "recipients": list(queued.forwarding.recipients),
        "octets": queued.forwarding.content.size,
        "since": exactly(queued.queued),
        "attempts": queued.attempts,
    }


COMMAND = queue_group
