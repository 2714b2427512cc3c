"""What the lab PKI consists of, as declared in one TOML file: authorities, people, and what ValidateCert says of each.

Names of entries are names of files and parts of URLs; durations are days from the making of the lab.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from eas_server.pki.certificate import EMAIL_PROTECTION, KeyUse
from eas_server.pki.lab import Purpose

DOMAIN: Final = "example.com"

_NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_OID: Final = re.compile(r"[0-2](\.[0-9]+)+")
_MAX_STATUS: Final = 17


class PlanError(ValueError):
    """The file declares something that cannot be made; the text names the key."""


class LabKey(StrEnum):
    """Kinds of keys."""

    RSA_1024 = "rsa1024"
    RSA_2048 = "rsa2048"
    EC_P256 = "p256"


class CrlPoint(StrEnum):
    """What is behind the CRL distribution point of a certificate."""

    NONE = "none"
    """It has none."""
    FULL = "full"
    """The CRL of its issuer."""
    DELTA = "delta"
    """A CRL with a delta CRL beside it ([RFC 5280] 5.2.4)."""
    INDIRECT = "indirect"
    """A CRL that another authority issues for its issuer ([RFC 5280] 5.2.5, indirectCRL)."""
    STALE = "stale"
    """A CRL whose successor is overdue."""
    DOWN = "down"
    """Nothing but HTTP 503."""


class Responder(StrEnum):
    """What is behind the OCSP URL of a certificate."""

    NONE = "none"
    """It has none."""
    ON = "on"
    """A responder that knows the certificate."""
    UNKNOWN = "unknown"
    """A responder that does not know it."""
    DOWN = "down"
    """Nothing but HTTP 503."""


class Revoked(StrEnum):
    """Where it is told that a certificate was revoked, in the words of CRL reasons where everywhere."""

    NO = ""
    KEY_COMPROMISE = "keyCompromise"
    AUTHORITY_COMPROMISE = "cACompromise"
    AFFILIATION_CHANGED = "affiliationChanged"
    SUPERSEDED = "superseded"
    CESSATION = "cessationOfOperation"
    DELTA_ONLY = "delta only"
    """Since the last full CRL: in the delta CRL alone."""
    RELEASED = "released"
    """On hold in the full CRL, and released by the delta CRL (removeFromCRL)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What authorities and people have in common."""

    name: str
    """Common name."""
    issuer: str = ""
    """Name of the entry of the authority; "": self-signed."""
    key: LabKey = LabKey.EC_P256
    from_days: int = -30
    to_days: int = 800
    extended_key_usage: tuple[str, ...] = ()
    """Dotted OIDs; none: the extension is left out."""
    revoked: Revoked = Revoked.NO
    crl: CrlPoint = CrlPoint.FULL
    ocsp: Responder = Responder.ON
    issuer_url: bool = True
    """AuthorityInfoAccess says where the issuer's certificate is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityPlan(Declared):
    """An authority."""

    trusted: bool = False
    """A root of the trust store."""
    is_authority: bool = True
    """What basicConstraints says."""
    path_length: int | None = None
    usage: tuple[KeyUse, ...] = (KeyUse.KEY_CERT_SIGN, KeyUse.CRL_SIGN)
    permitted: tuple[str, ...] = ()
    """Mail domains that name constraints permit; none: no constraints."""
    crl_signer: str = ""
    """The authority that issues its indirect CRL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonPlan(Declared):
    """A certificate of a person, and what is to be said of it."""

    wrong: str = ""
    """In words; "": nothing."""
    status: tuple[int, int]
    """Of ValidateCert with CheckCRL 0 and with 1, when the certificate alone is presented."""
    addresses: tuple[str, ...]
    account: str = ""
    """The account of the demonstration that it belongs to; "": it has an entry of its own in the directory."""
    purpose: Purpose = Purpose.BOTH
    usage: tuple[KeyUse, ...] = ()
    """KeyUsage as it is; none: what follows from `purpose`."""
    extended_key_usage: tuple[str, ...] = (EMAIL_PROTECTION,)
    is_authority: bool = False
    """What basicConstraints says."""
    digest: str = "sha256"
    """Of the signature: "sha1" or "sha256"."""
    tampered: bool = False
    """One bit of the signature is wrong."""
    critical: str = ""
    """A critical extension of this OID, which nobody knows."""
    no_revocation: bool = False
    """noRevAvail, [RFC 9608]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole file, in its order."""

    authorities: Mapping[str, AuthorityPlan]
    people: Mapping[str, PersonPlan]

    def entries(self) -> Iterator[tuple[str, Declared]]:
        """Authorities, then people."""
        yield from self.authorities.items()
        yield from self.people.items()

    def issued_by(self, authority: str) -> Iterator[tuple[str, Declared]]:
        """The entries that an authority issued, itself left out."""
        return ((name, each) for name, each in self.entries() if each.issuer == authority)


def directory_address(name: str, person: PersonPlan) -> str:
    """The address of the directory's entry that a certificate is published in; it may not be in the certificate."""
    own = [address for address in person.addresses if address.endswith(f"@{DOMAIN}")]
    return person.account or (own[0] if own else f"{name}@{DOMAIN}")


def read_plan(text: str) -> Plan:
    """Read the file. Raises PlanError."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PlanError(str(error)) from None
    _expect(not found.keys() - {"authorities", "people"}, "only [authorities] and [people] are known")
    authorities = {name: _authority(name, each) for name, each in _tables(found, "authorities")}
    people = {name: _person(name, each) for name, each in _tables(found, "people")}
    plan = Plan(authorities=MappingProxyType(authorities), people=MappingProxyType(people))
    _check(plan)
    return plan


def _tables(found: Mapping[str, Any], section: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    section_table = found.get(section, {})
    _expect(isinstance(section_table, dict), f"{section}: must be a table")
    for name, each in section_table.items():
        _expect(isinstance(each, dict), f"{section}.{name}: must be a table")
        _expect(_NAME.fullmatch(name) is not None, f"{section}.{name}: a name is made of a-z, 0-9 and -")
        yield name, each


def _authority(name: str, found: Mapping[str, Any]) -> AuthorityPlan:
    return AuthorityPlan(**_values(f"authorities.{name}", found, AuthorityPlan))


def _person(name: str, found: Mapping[str, Any]) -> PersonPlan:
    values = _values(f"people.{name}", found, PersonPlan)
    values.setdefault("addresses", (f"{name}@{DOMAIN}",))
    _expect("status" in values, f"people.{name}.status: is missing")
    return PersonPlan(**values)


def _values(key: str, found: Mapping[str, Any], cls: type[Declared]) -> dict[str, Any]:
    known = {each.name for each in fields(cls)}
    _expect("name" in found, f"{key}.name: is missing")
    values = {}
    for name, value in found.items():
        _expect(name in known, f"{key}.{name}: is unknown")
        values[name] = _value(f"{key}.{name}", name, value)
    return values


_ENUMS: Final[Mapping[str, type[StrEnum]]] = {
    "key": LabKey,
    "revoked": Revoked,
    "crl": CrlPoint,
    "ocsp": Responder,
    "purpose": Purpose,
}
_NUMBERS: Final = frozenset({"from_days", "to_days", "path_length"})
_SWITCHES: Final = frozenset({"issuer_url", "trusted", "is_authority", "tampered", "no_revocation"})
_LISTS: Final = frozenset({"extended_key_usage", "permitted", "addresses"})


def _value(key: str, name: str, value: object) -> object:
    if name in _ENUMS:
        return _member(key, _ENUMS[name], value)
    if name in _NUMBERS:
        _expect(type(value) is int, f"{key}: must be a number")
    elif name in _SWITCHES:
        _expect(type(value) is bool, f"{key}: must be true or false")
    elif name == "status":
        fits = isinstance(value, list) and [type(each) for each in value] == [int, int]
        _expect(fits and all(1 <= each <= _MAX_STATUS for each in _list(value)), f"{key}: must be two Status values")
        return tuple(_list(value))
    elif name == "usage":
        return tuple(_member(key, KeyUse, each) for each in _texts(key, value))
    elif name in _LISTS:
        return tuple(_texts(key, value))
    else:
        _expect(isinstance(value, str), f"{key}: must be text")
    return value


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(key: str, value: object) -> list[str]:
    _expect(isinstance(value, list) and all(isinstance(each, str) for each in value), f"{key}: must be a list of texts")
    return _list(value)


def _member(key: str, members: type[StrEnum], value: object) -> StrEnum:
    choices = [each.value for each in members]
    _expect(value in choices, f"{key}: must be one of {', '.join(map(repr, choices))}")
    return members(str(value))


def _check(plan: Plan) -> None:
    """What entries say of each other."""
    seen: set[str] = set()
    for name, each in plan.entries():
        _expect(name not in seen, f"{name}: is there twice")
        _expect(not each.issuer or each.issuer in plan.authorities, f"{name}.issuer: no authority {each.issuer!r}")
        # an issuer stands before what it issued: so they are made in order, and there is no loop
        _expect(not each.issuer or each.issuer in seen, f"{name}.issuer: {each.issuer!r} has to stand before")
        _expect(each.from_days < each.to_days, f"{name}.to_days: must be more than from_days")
        _expect(all(map(_OID.fullmatch, each.extended_key_usage)), f"{name}.extended_key_usage: must be dotted OIDs")
        seen.add(name)
    for name, authority in plan.authorities.items():
        signer = authority.crl_signer
        _expect(not signer or signer in plan.authorities, f"{name}.crl_signer: no authority {signer!r}")
    for name, person in plan.people.items():
        _expect(bool(person.issuer), f"{name}.issuer: is missing")
        _expect(person.digest in ("sha1", "sha256"), f"{name}.digest: must be 'sha1' or 'sha256'")
        rsa = plan.authorities[person.issuer].key is not LabKey.EC_P256
        _expect(person.digest == "sha256" or rsa, f"{name}.digest: 'sha1' needs an issuer with an RSA key")
        _expect(not person.critical or _OID.fullmatch(person.critical) is not None, f"{name}.critical: must be an OID")
        indirect = person.crl is CrlPoint.INDIRECT
        _expect(
            not indirect or bool(plan.authorities[person.issuer].crl_signer),
            f"{name}.crl: its issuer has no crl_signer",
        )


def _expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise PlanError(otherwise)
