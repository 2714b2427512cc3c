"""Who is in the Active Directory of the tests."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from eas_server.model.directory import DirectoryEntry
from fixtures.directory.make import PICTURE, Line, ldif_line
from tests.contract.people import ALL, PEOPLE, TEAM

BASE: Final = "DC=ad,DC=example,DC=test"
PEOPLE_DN: Final = f"OU=People,{BASE}"
GROUPS_DN: Final = f"OU=Groups,{BASE}"
CROWD_DN: Final = f"OU=Crowd,{BASE}"
ADMIN: Final = f"CN=Administrator,CN=Users,{BASE}"
ADMIN_PASSWORD: Final = "Passw0rd!x"
SERVICE: Final = "eas@ad.example.test"
SERVICE_DN: Final = f"CN=eas,CN=Users,{BASE}"
SERVICE_PASSWORD: Final = "service-secret"
PKI: Final = Path(__file__).parents[2] / "fixtures" / "pki"

CROWD: Final = 2000
BIG: Final = 1600
"""Members of the big group: more than the 1,500 values that Active Directory gives at once."""
LOCKOUT: Final = 3
"""Wrong passwords that lock an account."""

NORMAL: Final = 0x200
DISABLED: Final = 0x2
LONG_AGO: Final = str((2020 - 1601) * 365 * 24 * 3600 * 10_000_000)
"""A moment of 2019 or 2020 in the format of accountExpires: 100 nanoseconds since 1601."""

ALICE: Final = DirectoryEntry(
    key="", display_name="Alice", email="alice@example.com", addresses=("a.liddell@example.com",)
)
BOB: Final = DirectoryEntry(key="", display_name="bob", email="bob@example.com")
CAROL: Final = DirectoryEntry(key="", display_name="carol", email="carol@example.com")
STRANGER: Final = DirectoryEntry(key="", display_name="x@example.org", email="x@example.org", alias="x")


def dn(email: str) -> str:
    return f"CN={email},{PEOPLE_DN}"


def group_dn(email: str) -> str:
    return f"CN={email},{GROUPS_DN}"


def password_value(password: str) -> bytes:
    """As unicodePwd takes it."""
    return f'"{password}"'.encode("utf-16-le")


def person(entry: DirectoryEntry, password: str = "", *more: Line, control: int = NORMAL) -> list[Line]:
    """A user; `alias` becomes uid, which need not be unique as sAMAccountName does."""
    local = entry.email.partition("@")[0]
    lines: list[Line] = [
        ("dn", dn(entry.email)),
        ("changetype", "add"),
        ("objectClass", "user"),
        ("sAMAccountName", local),
        ("uid", entry.alias),
        ("userPrincipalName", entry.email),
        ("displayName", entry.display_name),
        ("mail", entry.email),
        ("proxyAddresses", f"SMTP:{entry.email}"),
        *(("proxyAddresses", f"smtp:{address}") for address in entry.addresses),
        ("proxyAddresses", f"sip:{entry.email}"),
        ("givenName", entry.first_name),
        ("sn", entry.last_name),
        ("physicalDeliveryOfficeName", entry.office),
        ("telephoneNumber", entry.phone),
        ("thumbnailPhoto", entry.picture),
        *(("userCertificate", certificate) for certificate in entry.user_certificates),
        *(("userSMIMECertificate", certificate) for certificate in entry.smime_certificates),
        ("unicodePwd", password_value(password) if password else b""),
        ("userAccountControl", str(control if password else control | DISABLED)),
        *more,
    ]
    return [line for line in lines if line[1]]


def instead(lines: Sequence[Line], name: str, value: str) -> list[Line]:
    """The same with another value of one attribute."""
    return [(each, value) if each == name else (each, old) for each, old in lines]


def service() -> list[Line]:
    """Who the server signs in as; without mail."""
    return [
        ("dn", SERVICE_DN),
        ("changetype", "add"),
        ("objectClass", "user"),
        ("sAMAccountName", "eas"),
        ("userPrincipalName", SERVICE),
        ("unicodePwd", password_value(SERVICE_PASSWORD)),
        ("userAccountControl", str(NORMAL)),
    ]


def group(entry: DirectoryEntry, members: Iterable[str]) -> list[Line]:
    """A distribution group; `members` are DNs."""
    local = entry.email.partition("@")[0]
    return [
        ("dn", group_dn(entry.email)),
        ("changetype", "add"),
        ("objectClass", "group"),
        ("sAMAccountName", f"group-{local}"),
        ("displayName", entry.display_name),
        ("mail", entry.email),
        *((("info", entry.alias),) if entry.alias else ()),
        *(("member", each) for each in members),
    ]


def unit(name: str) -> list[Line]:
    return [("dn", name), ("changetype", "add"), ("objectClass", "organizationalUnit")]


def domain() -> list[Line]:
    """Passwords need no complexity here, and three wrong ones lock."""
    lines: list[Line] = [("dn", BASE), ("changetype", "modify")]
    for name, value in (("minPwdLength", 0), ("pwdProperties", 0), ("minPwdAge", 0), ("lockoutThreshold", LOCKOUT)):
        lines += [("replace", name), (name, str(value)), ("-", "")]
    return lines


def named(local: str, display_name: str) -> DirectoryEntry:
    return DirectoryEntry(key="", display_name=display_name, email=f"{local}@example.com")


def crowd() -> list[list[Line]]:
    """Contacts, which cost a directory less than accounts do."""
    return [
        [
            ("dn", f"CN=Crowd {number},{CROWD_DN}"),
            ("changetype", "add"),
            ("objectClass", "contact"),
            ("displayName", f"Crowd {CROWD - number:04}"),
            ("mail", f"crowd{number}@example.com"),
        ]
        for number in range(CROWD)
    ]


def accounts() -> Sequence[list[Line]]:
    """Those of the contract suites, and those that may not sign in."""
    return (
        service(),
        person(
            ALICE,
            "wonderland",
            ("title", "Engineer"),
            ("company", "Liddell Ltd"),
            ("department", "Research"),
            ("homePhone", "+49 30 2001"),
            ("mobile", "+49 170 3001"),
            ("thumbnailPhoto", PICTURE),
            ("userCertificate", (PKI / "alice.der").read_bytes()),
            ("userSMIMECertificate", (PKI / "alice.usersmime").read_bytes()),
        ),
        person(BOB, "builder"),
        person(CAROL),
        person(STRANGER),
        *(person(each) for each in PEOPLE),
        person(named("disabled", "Gone Disabled"), "secret", control=NORMAL | DISABLED),
        person(named("expired", "Gone Expired"), "secret", ("accountExpires", LONG_AGO)),
        person(named("change", "Gone Change"), "secret", ("pwdLastSet", "0")),
        person(named("locked", "Gone Locked"), "secret"),
        # the mail address of one is the userPrincipalName of the other
        instead(person(named("first", "Same First"), "secret"), "mail", "same@example.com"),
        instead(person(named("second", "Same Second"), "secret"), "userPrincipalName", "same@example.com"),
    )


def groups() -> Sequence[list[Line]]:
    """Those of the contract suites, and a big one."""
    return (
        group(TEAM, (dn("alice@example.com"), dn("bob@example.com"), dn("x@example.org"))),
        group(ALL, (group_dn("team@example.com"), dn("Zoe@example.com"), dn("alice@example.com"))),
        [
            ("dn", group_dn("team@example.com")),
            ("changetype", "modify"),
            ("add", "member"),
            ("member", group_dn("all@example.com")),
            ("-", ""),
        ],
        group(named("big", "Big"), (f"CN=Crowd {number},{CROWD_DN}" for number in range(BIG))),
    )


def content() -> str:
    """All of it as changes in LDIF."""
    units = (unit(PEOPLE_DN), unit(GROUPS_DN), unit(CROWD_DN))
    return "\n".join(map(_record, (domain(), *units, *accounts(), *crowd(), *groups())))


def _record(lines: Iterable[Line]) -> str:
    return "".join("-\n" if name == "-" else ldif_line(name, value) for name, value in lines)
