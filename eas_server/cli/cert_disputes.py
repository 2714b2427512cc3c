"""`eas-server cert disputes`: certificates out of signed mail that stand against each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from eas_server.cli.opening import Failed, config_option, in_store, json_option
from eas_server.cli.printing import Json, day, exactly, print_json, print_table
from eas_server.cli.terminal import printable
from eas_server.model.certificates import Harvested
from eas_server.pki.certificate import parse_cached
from eas_server.pki.harvesting import disputes as stands_against

if TYPE_CHECKING:
    from eas_server.backends.sqlite import Store
    from eas_server.config import Config

SHOWN_DIGITS: Final = 16
MIN_DIGITS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """A certificate that is not served, and those of the same address that are known besides."""

    disputed: Harvested
    others: Sequence[Harvested]


@click.command(
    epilog="""\b
Examples:
  eas-server cert disputes
  eas-server cert disputes --forget 1f0c9be27a61
"""
)
@click.option("--forget", metavar="FINGERPRINT", help="Drop this certificate, the one that is served or the other.")
@json_option
@config_option
def disputes(config_path: Path, forget: str | None, as_json: bool) -> None:
    """List certificates out of signed mail that are not served, for another authority's was known first and is valid.

    It may be a new start of the person's, or somebody else: ask. The next signed message settles it after --forget.
    FINGERPRINT is the beginning of the SHA-256.
    """

    async def work(config: "Config", store: "Store") -> list[Dispute]:
        found = await _disputes(store)
        if forget is not None:
            await _forget(store, found, forget.strip().lower().replace(":", ""))
        return found

    found = in_store(config_path, work)
    if forget is not None:
        click.echo("Forgotten")
    elif as_json:
        print_json([_json(each) for each in found])
    else:
        print_table(
            ("ADDRESS", "NOT SERVED", "ISSUER", "SEEN BY", "FIRST SEEN", "AGAINST"), [_row(each) for each in found]
        )


async def _disputes(store: "Store") -> list[Dispute]:
    """The disputes as they stand now: an expired certificate stands against nothing."""
    now = datetime.now(UTC)
    found: list[Dispute] = []
    for each in await store.harvested.disputed():
        known = await store.harvested.known(None, [each.address])
        others = [other for other in known if not other.disputed and _against(each, other, now)]
        found.append(Dispute(disputed=each, others=others))
    return found


def _against(disputed: Harvested, other: Harvested, now: datetime) -> bool:
    return stands_against(disputed.certificate, [other.certificate], now) is not None


async def _forget(store: "Store", found: Sequence[Dispute], digits: str) -> None:
    if len(digits) < MIN_DIGITS:
        raise click.UsageError(f"FINGERPRINT is at least {MIN_DIGITS} hexadecimal digits, as they are shown")
    known = {each.fingerprint for dispute in found for each in (dispute.disputed, *dispute.others)}
    meant = [fingerprint for fingerprint in known if fingerprint.startswith(digits)]
    if len(meant) != 1:
        raise Failed(
            "no certificate in dispute has that fingerprint" if not meant else "several have it: give more of it"
        )
    await store.harvested.forget(meant[0])


def _row(dispute: Dispute) -> tuple[str, ...]:
    each = dispute.disputed
    return (
        each.address,
        each.fingerprint[:SHOWN_DIGITS],
        printable(parse_cached(each.certificate).issuer),
        each.user,
        day(each.first_seen),
        ", ".join(dict.fromkeys(other.fingerprint[:SHOWN_DIGITS] for other in dispute.others)),
    )


def _json(dispute: Dispute) -> dict[str, Json]:
    each = dispute.disputed
    return {
        "address": each.address,
        "sha256": each.fingerprint,
        "issuer": parse_cached(each.certificate).issuer,
        "seen_by": each.user,
        "first_seen": exactly(each.first_seen),
        "last_seen": exactly(each.last_seen),
        "against": list(dict.fromkeys(other.fingerprint for other in dispute.others)),
    }
