"""What ResolveRecipients makes of the certificates of a directory entry, as the administrator is told it."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from eas_server.model.certificates import Harvested, ServedCertificates, Source
from eas_server.model.directory import DirectoryEntry
from eas_server.model.settings import Settings
from eas_server.pki.certificate import ParsedCertificate
from eas_server.pki.directory_blobs import certificates_of
from eas_server.pki.select import Candidate, Judge, Reason, Selection, any_path, select


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A certificate of an entry, or a value in which none was found (`certificate` is None)."""

    fingerprint: str
    """SHA-256 in lower-case hexadecimal digits."""
    sources: tuple[str, ...]
    """The attributes that it stands in."""
    certificate: ParsedCertificate | None
    rank: int | None
    """1 for the one that is served first; None for one that is not served."""
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the configuration says about the choice."""

    served: ServedCertificates = field(default_factory=ServedCertificates)
    require_address_match: bool = True
    secondary_addresses: bool = True

    def addresses(self, entry: DirectoryEntry) -> frozenset[str]:
        """The addresses of a person that a certificate may name."""
        return frozenset(entry.all_addresses if self.secondary_addresses else (entry.email,))


def rules_of(settings: Settings) -> Rules:
    """The rules of a server."""
    return Rules(
        served=settings.served,
        require_address_match=settings.recipients.require_address_match,
        secondary_addresses=settings.smime.secondary_addresses,
    )


def candidates_of(entry: DirectoryEntry, rules: Rules, harvested: Sequence[Harvested] = ()) -> list[Candidate]:
    """The certificates in the sources that count; of those in dispute none does."""
    found = certificates_of(entry.user_certificates, entry.smime_certificates)
    found += [
        Candidate(der=each.certificate, source=Source.HARVESTED, chain=each.chain)
        for each in harvested
        if not each.disputed
    ]
    return [candidate for candidate in found if candidate.source in rules.served.sources]


def judge(
    entry: DirectoryEntry, now: datetime, rules: Rules, *, harvested: Sequence[Harvested] = (), path: Judge = any_path
) -> list[Judged]:
    """The certificates of an entry, and of signed mail, those that are served in front, best first.

    `path`: what is known of their paths; at first these are not looked at.
    """
    candidates = candidates_of(entry, rules, harvested)
    selection = select(
        candidates,
        addresses=rules.addresses(entry),
        now=now,
        require_address_match=rules.require_address_match,
        rules=rules.served,
        judge=path,
    )
    return [*_served(selection, candidates, rules), *_refused(selection, candidates)]


def reason_against(certificate: ParsedCertificate, entry: DirectoryEntry, now: datetime, rules: Rules) -> Reason | None:
    """Why one certificate would not be served for an entry, its path aside; None: it would."""
    selection = select(
        [Candidate(der=certificate.der)],
        addresses=rules.addresses(entry),
        now=now,
        require_address_match=rules.require_address_match,
        rules=rules.served,
        judge=any_path,
    )
    return selection.refused[0].reason if selection.refused else None


def values_with(entry: DirectoryEntry, fingerprint: str) -> dict[str, list[bytes]]:
    """The values of an entry that hold a certificate whose fingerprint begins so, by the whole fingerprint."""
    values = [(value, certificates_of([value], ())) for value in entry.user_certificates]
    values += [(value, certificates_of((), [value])) for value in entry.smime_certificates]
    found: dict[str, list[bytes]] = {}
    for value, candidates in values:
        for candidate in candidates:
            whole = _fingerprint(candidate)
            if whole.startswith(fingerprint):
                found.setdefault(whole, []).append(value)
    return found


def usage(certificate: ParsedCertificate) -> str:
    """What the certificate's key may be used for."""
    uses = [name for name, may in (("sign", certificate.may_sign()), ("encrypt", certificate.may_encrypt())) if may]
    if certificate.is_ca:
        return "authority"
    return ", ".join(uses) if certificate.may_protect_mail() else "not for mail"


def _served(selection: Selection, candidates: list[Candidate], rules: Rules) -> Iterator[Judged]:
    marked = {candidate.der for candidate in candidates if candidate.preferred}
    for rank, certificate in enumerate(selection.chosen, 1):
        if rank == 1:
            verdict = "served first"
        elif selection.chosen[0].der in marked and certificate.der not in marked:
            verdict = "served after the first, which its owner marked as the one to encrypt to"
        elif (first := _first_source(selection.chosen[0], candidates, rules)) is not _first_source(
            certificate, candidates, rules
        ):
            verdict = f"served after the first, which is in {first}"
        else:
            verdict = "served after the first, which is newer"
        yield Judged(
            fingerprint=certificate.sha256,
            sources=_sources(certificate.der, candidates),
            certificate=certificate,
            rank=rank,
            verdict=verdict,
        )


def _refused(selection: Selection, candidates: list[Candidate]) -> Iterator[Judged]:
    for refused in selection.refused:
        detail = f" ({refused.detail})" if refused.detail else ""
        yield Judged(
            fingerprint=_fingerprint(refused.candidate),
            sources=_sources(refused.candidate.der, candidates),
            certificate=refused.certificate,
            rank=None,
            verdict=f"not served: {refused.reason}{detail}",
        )


def _first_source(certificate: ParsedCertificate, candidates: list[Candidate], rules: Rules) -> Source:
    """The one that its place in the order comes from."""
    of_it = {candidate.source for candidate in candidates if candidate.der == certificate.der}
    return next(source for source in rules.served.sources if source in of_it)


def _sources(der: bytes, candidates: list[Candidate]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(candidate.source.value for candidate in candidates if candidate.der == der))


def _fingerprint(candidate: Candidate) -> str:
    return hashlib.sha256(candidate.der).hexdigest()
