"""The ways up from a certificate to a root, of which there may be several, at a bounded cost.

A path ends at a root of the administrator's or where it can go no further; both are results. Nothing is judged here but
the signatures, which tell one issuer of a name from another.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import lru_cache
from itertools import islice
from typing import Final

from eas_server.model.trust import TrustCollection
from eas_server.pki.certificate import CertificateError
from eas_server.pki.profile import Profile, profile
from eas_server.pki.signatures import Budget, Link, OutOfBudget, link

MAX_PATH: Final = 12
"""Certificates in one path, both ends included; real ones have three or four."""
MAX_PATHS: Final = 16
"""Paths looked at for one certificate."""
MAX_POOL: Final = 512
MAX_POOL_BYTES: Final = 1024 * 1024
"""Certificates of strangers that may stand in between, and their octets together."""
MAX_SIGNATURES: Final = 96
"""Signatures checked to find the paths of one certificate."""


def fresh_budget() -> Budget:
    """What the answer to one certificate may cost."""
    return Budget(signatures=MAX_SIGNATURES, paths=MAX_PATHS)


class End(Enum):
    """Where a path ends."""

    ROOT = "a root that the administrator trusts"
    SELF_SIGNED = "a root that nobody here trusts"
    NO_ISSUER = "the issuer's certificate is not at hand"
    LOOP = "the certificates issued each other"
    TOO_LONG = "the path is too long"
    GIVEN_UP = "it would cost too much to go on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """`certificates` from the one in question upwards. `links[i]` is the signature of `certificates[i]` by the next."""

    certificates: tuple[Profile, ...]
    links: tuple[Link, ...]
    end: End

    @property
    def trusted(self) -> bool:
        """It ends at a trusted root."""
        return self.end is End.ROOT

    @property
    def top(self) -> Profile:
        """The last certificate that was found."""
        return self.certificates[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """All paths that were found, the most promising first; never empty. `exhausted`: there may have been more."""

    found: tuple[Path, ...]
    exhausted: bool = False

    @property
    def complete(self) -> bool:
        """One of them ends at a trusted root, signature by signature."""
        return any(path.trusted and all(fits is Link.GOOD for fits in path.links) for path in self.found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Certificates by the names of their subjects; which of them are trusted roots, and which of the administrator at
    all (DER)."""

    by_subject: Mapping[str, Sequence[Profile]] = field(default_factory=dict)
    roots: frozenset[bytes] = frozenset()
    own: frozenset[bytes] = frozenset()


def pool_of(trust: TrustCollection, strangers: Iterable[bytes]) -> Pool:
    """What paths may be built of: the administrator's certificates, and others up to MAX_POOL and MAX_POOL_BYTES.

    Unreadable ones are left out: what they are missing from is a chain that was not created correctly.
    """
    own = _own(trust)
    by_subject = {subject: list(found) for subject, found in own.by_subject.items()}
    for stranger in _readable(_bounded(dict.fromkeys(strangers))):
        if stranger.der not in own.own:
            by_subject.setdefault(stranger.subject, []).append(stranger)
    return Pool(by_subject=by_subject, roots=own.roots, own=own.own)


@lru_cache(maxsize=64)
def _own(trust: TrustCollection) -> Pool:
    by_subject: dict[str, list[Profile]] = {}
    for each in _readable(dict.fromkeys((*trust.roots, *trust.intermediates))):
        by_subject.setdefault(each.subject, []).append(each)
    roots = frozenset(trust.roots)
    return Pool(by_subject=by_subject, roots=roots, own=roots | frozenset(trust.intermediates))


def _bounded(ders: Iterable[bytes]) -> Iterator[bytes]:
    room = MAX_POOL_BYTES
    for der in islice(ders, MAX_POOL):
        room -= len(der)
        if room < 0:
            return
        yield der


def _readable(ders: Iterable[bytes]) -> Iterator[Profile]:
    for der in ders:
        with suppress(CertificateError):
            yield profile(der)


def build_paths(leaf: Profile, pool: Pool, now: datetime, budget: Budget) -> Paths:
    """Every path from `leaf`, depth first, likelier issuers first, until the budget is spent."""
    found: list[Path] = []
    waiting: list[tuple[tuple[Profile, ...], tuple[Link, ...]]] = [((leaf,), ())]
    try:
        while waiting and len(found) < budget.paths:
            chain, links = waiting.pop()
            end, steps = _step(chain, pool, now, budget)
            if end is not None:
                found.append(Path(certificates=chain, links=links, end=end))
            waiting.extend(((*chain, issuer), (*links, fits)) for issuer, fits in reversed(steps))
    except OutOfBudget:
        waiting.append(((leaf,), ()))
    budget.paths -= len(found)
    if not found:
        found.append(Path(certificates=(leaf,), links=(), end=End.GIVEN_UP))
    return Paths(found=tuple(sorted(found, key=_promise)), exhausted=bool(waiting))


Steps = Sequence[tuple[Profile, Link]]


def _step(chain: tuple[Profile, ...], pool: Pool, now: datetime, budget: Budget) -> tuple[End | None, Steps]:
    """How the path ends here, or who may have issued its last certificate."""
    top = chain[-1]
    if top.der in pool.roots:
        return End.ROOT, ()
    if top.self_issued and link(top, top, budget) is Link.GOOD:
        return End.SELF_SIGNED, ()
    named = [issuer for issuer in pool.by_subject.get(top.issuer, ()) if _may_have_issued(issuer, top)]
    if not named:
        return End.NO_ISSUER, ()
    if len(chain) >= MAX_PATH:
        return End.TOO_LONG, ()
    seen = {(each.subject, each.public_key) for each in chain}
    fresh = [issuer for issuer in named if (issuer.subject, issuer.public_key) not in seen]
    if not fresh:
        return End.LOOP, ()
    steps = [(issuer, link(top, issuer, budget)) for issuer in sorted(fresh, key=lambda each: _rank(each, pool, now))]
    good = [step for step in steps if step[1] is Link.GOOD]
    return None, good or steps[:1]  # an issuer that did not sign it shows at least what is wrong


def _may_have_issued(issuer: Profile, subject: Profile) -> bool:
    """Not where the key identifiers contradict each other ([RFC 5280] 4.2.1.1)."""
    wanted, there = subject.certificate.authority_key_id, issuer.certificate.subject_key_id
    return wanted is None or there is None or wanted == there


def _rank(issuer: Profile, pool: Pool, now: datetime) -> tuple[bool, bool, bool, bool, float, str]:
    certificate = issuer.certificate
    return (
        issuer.der not in pool.roots,
        issuer.der not in pool.own,
        not issuer.basic_constraints,
        not certificate.valid_at(now),
        -certificate.not_before.timestamp(),
        certificate.sha256,
    )


def _promise(path: Path) -> tuple[int, int]:
    broken = sum(fits is not Link.GOOD for fits in path.links)
    return (list(End).index(path.end), broken)
