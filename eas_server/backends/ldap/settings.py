"""What an administrator says about an LDAP directory."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal
from urllib.parse import urlsplit

Attributes = tuple[str, ...]
"""LDAP attribute names, the most telling first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeMap:
    """From which LDAP attributes each property of a directory entry comes: the first one with a value gives it.

    Of `addresses`, `user_certificates` and `smime_certificates` all values of all attributes count.
    """

    display_name: Attributes
    email: Attributes
    addresses: Attributes
    alias: Attributes
    first_name: Attributes
    last_name: Attributes
    title: Attributes
    company: Attributes
    department: Attributes
    office: Attributes
    phone: Attributes
    home_phone: Attributes
    mobile_phone: Attributes
    picture: Attributes
    user_certificates: Attributes
    smime_certificates: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a kind of directory lays out its entries; every field has a setting of the same name that overrides it."""

    attributes: AttributeMap
    person_filter: str
    group_filter: str
    group_classes: Attributes
    anr_attributes: Attributes
    member_attributes: Attributes
    login_attributes: Attributes
    dn_attribute: str


INETORGPERSON: Final = Layout(
    attributes=AttributeMap(
        display_name=("displayName", "cn"),
        email=("mail",),
        addresses=("mail",),
        alias=("uid", "cn"),
        first_name=("givenName",),
        last_name=("sn",),
        title=("title",),
        company=("o",),
        department=("departmentNumber", "ou"),
        office=("physicalDeliveryOfficeName", "roomNumber"),
        phone=("telephoneNumber",),
        home_phone=("homePhone",),
        mobile_phone=("mobile",),
        picture=("jpegPhoto", "thumbnailPhoto"),
        user_certificates=("userCertificate",),
        smime_certificates=("userSMIMECertificate",),
    ),
    person_filter="(objectClass=inetOrgPerson)",
    group_filter="(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup))",
    group_classes=("groupOfNames", "groupOfUniqueNames", "posixGroup"),
    anr_attributes=("displayName", "cn", "givenName", "sn", "uid", "mail", "o", "physicalDeliveryOfficeName"),
    member_attributes=("member", "uniqueMember", "memberUid"),
    login_attributes=("uid", "mail"),
    dn_attribute="entryDN",
)

ACTIVE_DIRECTORY: Final = Layout(
    attributes=AttributeMap(
        display_name=("displayName", "cn"),
        email=("mail",),
        addresses=("proxyAddresses",),
        alias=("mailNickname", "sAMAccountName"),
        first_name=("givenName",),
        last_name=("sn",),
        title=("title",),
        company=("company",),
        department=("department",),
        office=("physicalDeliveryOfficeName",),
        phone=("telephoneNumber",),
        home_phone=("homePhone",),
        mobile_phone=("mobile",),
        picture=("thumbnailPhoto", "jpegPhoto"),
        user_certificates=("userCertificate",),
        smime_certificates=("userSMIMECertificate",),
    ),
    person_filter="(&(objectCategory=person)(|(objectClass=user)(objectClass=contact)))",
    group_filter="(objectClass=group)",
    group_classes=("group",),
    anr_attributes=(
        *("displayName", "name", "givenName", "sn", "sAMAccountName", "mailNickname", "mail", "proxyAddresses"),
        *("company", "physicalDeliveryOfficeName"),
    ),
    member_attributes=("member",),
    login_attributes=("sAMAccountName", "userPrincipalName", "mail"),
    dn_attribute="distinguishedName",
)

_LAYOUTS: Final[Mapping[str, Layout]] = MappingProxyType(
    {"inetorgperson": INETORGPERSON, "active-directory": ACTIVE_DIRECTORY}
)
CERTIFICATE_SYNTAX: Final = frozenset({"usercertificate", "cacertificate"})
"""Attributes (in lower case) of the syntax Certificate (RFC 4523 2.1)."""
_SCHEMES: Final = ("ldap", "ldaps")
_USER: Final = "{user}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LdapSettings:
    """The keys of the section `[ldap]`, described for the administrator in `docs/ldap.md`.

    Raises ValueError, with the name of the key, for what cannot work.
    """

    uris: tuple[str, ...]
    """The servers, `ldap://host[:port]` or `ldaps://host[:port]`: the first that answers is used."""
    base_dn: str
    """Below this entry people and groups are searched for."""
    bind_dn: str = ""
    """Who the server signs in as for searches; empty: anonymous."""
    bind_password: str = field(default="", repr=False)
    bind_password_file: str = ""
    """A file that holds the password (line ends at its end do not count); instead of `bind_password`."""
    start_tls: bool = False
    """Switch `ldap://` connections to TLS before anything else is said."""
    ca_file: str = ""
    """PEM certificates of the authorities to trust; empty: those of the system."""
    verify: bool = True
    """Check the server's certificate and its name. False is for experiments."""
    allow_cleartext: bool = False
    """Let passwords and searches go unencrypted to a server on another host."""
    connect_timeout: float = 3.0
    """Seconds for a connection with its TLS handshake, per address of the server."""
    receive_timeout: float = 10.0
    """Seconds to wait for the next octets of an answer."""
    operation_timeout: float = 15.0
    """Seconds that a request may take in all, waiting for a free connection and fail-over included."""
    retry_after: float = 10.0
    """Seconds for which a server that failed is left alone."""
    pool_size: int = 8
    """How many connections are used at once, for searches and sign-ins together."""
    page_size: int = 500
    """How many entries to ask for at once (simple paged results, RFC 2696)."""
    max_matches: int = 2000
    """How many matches of a query are looked at to order them; beyond, the server's estimate is the total."""
    max_members: int = 5000
    """How many members of a group are read, nested groups included."""
    layout: Literal["inetorgperson", "active-directory"] = "inetorgperson"
    """Where the defaults of the following keys come from."""
    attributes: Mapping[str, Attributes] = field(default_factory=lambda: MappingProxyType({}))
    """Property of the GAL (the field names of AttributeMap) to LDAP attributes."""
    person_filter: str = ""
    group_filter: str = ""
    group_classes: Attributes = ()
    """Object classes by which a group is told from a person."""
    anr_attributes: Attributes = ()
    """Where the words of a query are looked for (as the beginning of a value)."""
    inner_words: bool = True
    """Look at the beginning of every word of a name, not of the first one only; wants substring indexes."""
    member_attributes: Attributes = ()
    """The attributes of groups that name the members: by DN, or by uid (memberUid)."""
    dn_attribute: str = ""
    """An attribute that equals the DN, to read many entries at once; "none": read them one by one."""
    sign_in: Literal["search", "template", "upn"] = "search"
    """Search for the user and bind as what was found; fill `user_dn_template`; bind as `user@upn_domain`."""
    login_attributes: Attributes = ()
    """What may be typed as user name: attributes that equal it (sign_in = "search" or "upn")."""
    user_dn_template: str = ""
    """For sign_in = "template": `uid={user},ou=people,dc=example,dc=com`."""
    upn_domain: str = ""
    """For sign_in = "upn": the domain of a name that is typed without one."""
    domains: tuple[str, ...] = ()
    """Domains (mail or NetBIOS) that may be typed with a user name; empty: any."""
    account_attribute: str = "mail"
    """The attribute that names the local mailbox. Users must not be able to write it themselves."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        self._check_servers()
        self._check_numbers()
        self._check_names()

    def _check_servers(self) -> None:
        if not self.uris:
            raise ValueError("uris: name at least one server, for example ldaps://ldap.example.com")
        for uri in self.uris:
            parts = urlsplit(uri)
            if parts.scheme not in _SCHEMES or not parts.netloc or parts.path.strip("/"):
                raise ValueError(f"uris: {uri!r} is not of the form ldaps://host[:port]")
            encrypted = parts.scheme != "ldap" or self.start_tls
            if not (encrypted or self.allow_cleartext or _is_loopback(parts.hostname or "")):
                raise ValueError(f"uris: {uri!r} is not encrypted; use ldaps://, start_tls or allow_cleartext")
        if self.bind_dn and not (self.bind_password or self.bind_password_file):
            raise ValueError("bind_password: is missing for bind_dn")

    def _check_numbers(self) -> None:
        for name in ("connect_timeout", "receive_timeout", "operation_timeout", "retry_after"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: must be more than 0 seconds")
        for name in ("pool_size", "page_size", "max_matches", "max_members"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: must be at least 1")

    def _check_names(self) -> None:
        known = {each.name for each in fields(AttributeMap)}
        if unknown := sorted(set(self.attributes) - known):
            raise ValueError(f"attributes: {unknown[0]!r} is none of {', '.join(sorted(known))}")
        if self.sign_in == "template" and _USER not in self.user_dn_template:
            raise ValueError("user_dn_template: must contain {user}")
        for name in ("person_filter", "group_filter"):
            value = getattr(self, name)
            if value and not (value.startswith("(") and value.endswith(")") and value.count("(") == value.count(")")):
                raise ValueError(f"{name}: {value!r} is not a filter in parentheses")

    def effective_layout(self) -> Layout:
        """The layout with the keys that are set."""
        layout = _LAYOUTS[self.layout]
        names = {each.name for each in fields(Layout)} - {"attributes"}
        chosen = {name: value for name in names if (value := getattr(self, name))}
        attributes = replace(layout.attributes, **{name: tuple(value) for name, value in self.attributes.items()})
        return replace(layout, attributes=attributes, **chosen)

    def password(self) -> str:
        """The password for `bind_dn`. Raises OSError or UnicodeDecodeError for a file that cannot be read."""
        if self.bind_password_file:
            return Path(self.bind_password_file).read_text(encoding="utf-8").rstrip("\r\n")
        return self.bind_password


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
