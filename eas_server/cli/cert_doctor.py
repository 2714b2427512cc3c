"""`eas-server cert doctor`: what is known of a person's certificates, which one wins, and why the others lost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eas_server.cli.arguments import ADDRESS
from eas_server.cli.certificate_verdicts import Judged, Rules, candidates_of, judge, rules_of, usage
from eas_server.cli.opening import Failed, config_option, in_store, json_option
from eas_server.cli.printing import Json, day, exactly, print_json
from eas_server.cli.terminal import printable
from eas_server.model.certificates import Harvested, HarvestScope
from eas_server.model.directory import DirectoryEntry
from eas_server.model.trust import TrustCollection
from eas_server.pki.certificate import ParsedCertificate
from eas_server.pki.outlook import outlook_choice
from eas_server.pki.validation import validate
from eas_server.pki.verdict import Purpose, Verdict

if TYPE_CHECKING:
    from eas_server.backends.sqlite import Store
    from eas_server.config import Config

SHOWN_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """A certificate with what this server makes of it; `verdict`: None for what is no certificate."""

    judged: Judged
    verdict: Verdict | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All about one person."""

    entry: DirectoryEntry
    source: str
    """Where the entry comes from: the embedded directory, or LDAP."""
    examined: Sequence[Examined]
    outlook: ParsedCertificate | None
    trusts_anything: bool
    disputed: Sequence[Harvested] = ()
    """Out of signed mail, and not served: another authority's certificate was known first."""

    @property
    def served(self) -> ParsedCertificate | None:
        """The certificate that phones are given first."""
        return next((each.judged.certificate for each in self.examined if each.judged.rank == 1), None)


@click.command(
    epilog="""\b
Examples:
  eas-server cert doctor bob@example.com
  eas-server cert doctor bob@example.com --json
"""
)
@click.argument("address", type=ADDRESS)
@json_option
@config_option
def doctor(config_path: Path, address: str, as_json: bool) -> None:
    """Tell what the directory holds for ADDRESS, which certificate phones are given, and why not the others.

    Says of each whether its chain is trusted here, and where a client that reads the directory itself (Outlook) would
    choose another one. The directory is the one that phones see: the embedded one or LDAP. Exit status 1 where phones
    get no certificate.
    """
    now = datetime.now(UTC)

    async def work(config: "Config", store: "Store") -> Findings:
        from eas_server.backends.system_trust import SystemTrust

        settings = config.settings.smime
        entry, source = await _entry(config, store, address)
        trust = await SystemTrust(store.trust, lambda: settings).collection(address.rpartition("@")[2].lower())
        harvested: Sequence[Harvested] = ()
        if config.settings.harvest.scope is not HarvestScope.OFF:
            harvested = await store.harvested.known(None, [each.lower() for each in entry.all_addresses])
        return examine(entry, source, trust, now, rules_of(config.settings), harvested)

    found = in_store(config_path, work)
    if as_json:
        print_json(_json(found))
    else:
        for line in report(found):
            click.echo(printable(line))
    if found.served is None:
        click.get_current_context().exit(1)


async def _entry(config: "Config", store: "Store", address: str) -> tuple[DirectoryEntry, str]:
    """The entry as phones see it. Raises Failed where there is none, or more than one."""
    from eas_server.backends.ldap import LdapDirectory, LdapPool

    if config.directory.kind == "ldap" and config.ldap is not None:
        pool = LdapPool(config.ldap)
        try:
            found, source = await LdapDirectory(pool).resolve(address, 2), "LDAP"
        finally:
            await pool.close()
    else:
        found, source = await store.directory.resolve(address, 2), "the embedded directory"
    if len(found.entries) != 1:
        raise Failed(f"{address}: {'nobody has' if not found.entries else 'more than one has'} it in {source}")
    return found.entries[0], source


def examine(
    entry: DirectoryEntry,
    source: str,
    trust: TrustCollection,
    now: datetime,
    rules: Rules,
    harvested: Sequence[Harvested] = (),
) -> Findings:
    """What there is to say about an entry at an instant."""
    candidates = candidates_of(entry, rules, harvested)
    others = tuple(dict.fromkeys(der for each in candidates for der in (each.der, *each.chain)))

    @cache
    def path(certificate: ParsedCertificate) -> Verdict:
        return validate(certificate.der, chain=others, trust=trust, when=now, purpose=Purpose.ENCRYPT_TO)

    judged = judge(entry, now, rules, harvested=harvested, path=path)
    return Findings(
        entry=entry,
        source=source,
        examined=[
            Examined(judged=each, verdict=None if each.certificate is None else path(each.certificate))
            for each in judged
        ],
        disputed=[each for each in harvested if each.disputed],
        outlook=outlook_choice(entry.user_certificates, entry.smime_certificates, now),
        trusts_anything=bool(trust.roots),
    )


def report(found: Findings) -> Iterator[str]:
    """The findings as lines for people."""
    entry = found.entry
    yield f"{entry.display_name} <{entry.email}> in {found.source}"
    yield (
        f"userCertificate: {_values(len(entry.user_certificates))},"
        f" userSMIMECertificate: {_values(len(entry.smime_certificates))}"
    )
    for each in found.examined:
        yield ""
        yield from _lines(each, trusts_anything=found.trusts_anything)
    for disputed in found.disputed:
        yield ""
        yield f"{disputed.fingerprint[:SHOWN_DIGITS]}  not served: in dispute, another authority's was known first"
        yield f"  in signed mail to {disputed.user}, first seen {day(disputed.first_seen)}"
    yield ""
    yield from _conclusion(found)


def _values(number: int) -> str:
    return "no value" if not number else "1 value" if number == 1 else f"{number} values"


def _lines(each: Examined, *, trusts_anything: bool) -> Iterator[str]:
    judged, certificate = each.judged, each.judged.certificate
    yield f"{judged.fingerprint[:SHOWN_DIGITS]}  {judged.verdict}"
    yield f"  in {', '.join(judged.sources)}"
    if certificate is None:
        return
    yield f"  {usage(certificate)}; valid {day(certificate.not_before)} to {day(certificate.not_after)}"
    yield f"  names {', '.join(certificate.emails) or 'no address'}; issued by {certificate.issuer}"
    if each.verdict is not None and trusts_anything:
        yield f"  chain: {each.verdict.reason}"


def _conclusion(found: Findings) -> Iterator[str]:
    served, outlook = found.served, found.outlook
    if served is None:
        yield "Phones get no certificate for this person: nobody can encrypt to it."
    else:
        yield f"Phones get {served.sha256[:SHOWN_DIGITS]}."
    if outlook is not None and (served is None or outlook.der != served.der):
        yield (
            f"Clients that read the directory themselves (Outlook) would take {outlook.sha256[:SHOWN_DIGITS]}:"
            " publish one certificate in both attributes, and take the others away"
        )
    if not found.trusts_anything:
        yield "No authority is trusted here, so chains were not judged: `eas-server trust import` brings some."


def _json(found: Findings) -> dict[str, Json]:
    def named(certificate: ParsedCertificate | None) -> str | None:
        return None if certificate is None else certificate.sha256

    return {
        "address": found.entry.email,
        "source": found.source,
        "served": named(found.served),
        "outlook": named(found.outlook),
        "certificates": [_certificate_json(each) for each in found.examined],
        "disputed": [each.fingerprint for each in found.disputed],
    }


def _certificate_json(each: Examined) -> dict[str, Json]:
    certificate = each.judged.certificate
    told: dict[str, Json] = {
        "sha256": each.judged.fingerprint,
        "rank": each.judged.rank,
        "verdict": each.judged.verdict,
        "attributes": list(each.judged.sources),
        "chain": None if each.verdict is None else each.verdict.status.value,
        "explanation": [] if each.verdict is None else list(each.verdict.explain()),
    }
    return told if certificate is None else {**told, "not_after": exactly(certificate.not_after)}
