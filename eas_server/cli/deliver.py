"""`eas-server deliver`: a message from standard input into mailboxes, for a mail server's pipe."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from eas_server.cli.opening import config_option
from eas_server.errors import ConfigError, Unavailable
from eas_server.submission.incoming import Outcome

if TYPE_CHECKING:
    from eas_server.config import Config

TEMPORARY: Final = os.EX_TEMPFAIL
"""75: try again later."""
_STATUS: Final = {
    Outcome.UNKNOWN: os.EX_NOUSER,
    Outcome.LOOP: os.EX_UNAVAILABLE,
    Outcome.FULL: TEMPORARY,
    Outcome.UNAVAILABLE: TEMPORARY,
}


def exit_status(outcomes: Sequence[Outcome]) -> int:
    """0 where all was delivered; 75 where something may be delivered later; else the reason of the first refusal."""
    failed = [_STATUS[outcome] for outcome in outcomes if outcome is not Outcome.DELIVERED]
    if not failed:
        return os.EX_OK
    return TEMPORARY if TEMPORARY in failed else failed[0]


@click.command(name="deliver")
@config_option
@click.option("-f", "--sender", default="", help="The envelope sender (Return-Path); none for reports.")
@click.argument("recipients", nargs=-1, required=True, metavar="RECIPIENT...")
def COMMAND(config_path: Path, sender: str, recipients: tuple[str, ...]) -> None:  # noqa: N802 — what `cli` looks for
    """Put a message from standard input into the mailboxes of RECIPIENT...

    The message is stored octet by octet as it comes. A running server notices it and wakes the devices that wait.

    Exit status, as a mail server's pipe expects: 0 delivered, 65 the message is too large or empty, 67 no such
    mailbox, 69 mail loop, 75 try again later, 78 the configuration is wrong.
    """
    try:
        status = _deliver(config_path, sender, recipients)
    except ConfigError as error:
        click.echo(str(error), err=True)
        status = os.EX_CONFIG
    except (Unavailable, OSError) as error:
        click.echo(f"not delivered now: {error}", err=True)
        status = TEMPORARY
    sys.exit(status)


def _deliver(config_path: Path, sender: str, recipients: tuple[str, ...]) -> int:
    from eas_server.config import load

    config = load(config_path)
    limit = config.lmtp.max_message_bytes
    content = sys.stdin.buffer.read(limit + 1)
    if not content or len(content) > limit:
        click.echo("the message is empty" if not content else f"the message is larger than {limit} octets", err=True)
        return os.EX_DATAERR
    outcomes = asyncio.run(_into_store(config, sender, recipients, content))
    for recipient, outcome in zip(recipients, outcomes, strict=True):
        if outcome is not Outcome.DELIVERED:
            click.echo(f"{recipient}: {outcome.value}", err=True)
    return exit_status(outcomes)


async def _into_store(config: "Config", sender: str, recipients: tuple[str, ...], content: bytes) -> list[Outcome]:
    from eas_server.backends.sqlite import SystemClock, open_store
    from eas_server.main import delivering
    from eas_server.render.mime import index_message
    from eas_server.submission.incoming import Envelope, Incoming, IncomingPorts
    from eas_server.submission.trace import server_name

    clock = SystemClock()
    async with open_store(config.store.path, clock=clock) as store:
        submission = delivering(config, store, store.submission)
        ports = IncomingPorts(accounts=store.accounts, submission=submission, clock=clock, index=index_message)
        host = server_name(config.server.external_url, recipients[0])
        incoming = Incoming(ports, host=host, domains=config.settings.domains)
        envelope = Envelope(sender=sender, recipients=recipients, content=memoryview(content), protocol="local")
        return await incoming.deliver(envelope)
