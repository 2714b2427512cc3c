"""From what a server says about an entry to a DirectoryEntry."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from eas_server.backends.ldap.settings import AttributeMap, Layout
from eas_server.backends.words import fold
from eas_server.model.directory import DirectoryEntry, EntryKind

OBJECT_CLASS: Final = "objectClass"
_BINARY: Final = ";binary"
_SMTP: Final = "smtp:"


@dataclass(frozen=True, slots=True)
class RawEntry:
    """An entry as it was read: values by attribute name in lower case, without options (`;binary`, `;lang-de`)."""

    dn: str
    values: Mapping[str, tuple[bytes, ...]]

    def octets(self, attributes: Iterable[str]) -> tuple[bytes, ...]:
        """All values of all these attributes, each once."""
        return tuple(dict.fromkeys(value for name in attributes for value in self.values.get(name.lower(), ())))

    def texts(self, attributes: Iterable[str]) -> tuple[str, ...]:
        """The same as text, without those that are empty."""
        decoded = (value.decode("utf-8", "replace").strip() for value in self.octets(attributes))
        return tuple(text for text in decoded if text)

    def text(self, attributes: Iterable[str]) -> str:
        """The first value of the first attribute that has one."""
        return next(iter(self.texts(attributes)), "")


def raw_entry(dn: str, attributes: Iterable[tuple[str, Iterable[bytes]]]) -> RawEntry:
    """Values that came under several options of an attribute are put together, each once."""
    values: dict[str, dict[bytes, None]] = {}
    for description, octets in attributes:
        name = description.partition(";")[0].lower()
        values.setdefault(name, {}).update(dict.fromkeys(octets))
    return RawEntry(dn, {name: tuple(each) for name, each in values.items()})


def light_attributes(layout: Layout) -> tuple[str, ...]:
    """What is needed to count, order and expand entries."""
    names = layout.attributes
    return _once((OBJECT_CLASS, *names.display_name, *names.email, *names.alias))


def certificate_attributes(layout: Layout) -> tuple[str, ...]:
    """Certificates are asked for with and without `;binary`: OpenLDAP gives userCertificate only with it (RFC 4523
    2.1), and keeps userSMIMECertificate under the name it was written with.
    """
    names = (*layout.attributes.user_certificates, *layout.attributes.smime_certificates)
    return _once((*names, *(name + _BINARY for name in names)))


def full_attributes(layout: Layout) -> tuple[str, ...]:
    """What is needed for a DirectoryEntry."""
    names = layout.attributes
    texts = (
        *(*names.display_name, *names.email, *names.addresses, *names.alias, *names.first_name, *names.last_name),
        *(*names.title, *names.company, *names.department, *names.office),
        *(*names.phone, *names.home_phone, *names.mobile_phone),
    )
    return _once((OBJECT_CLASS, *texts, *names.picture, *certificate_attributes(layout)))


def directory_entry(raw: RawEntry, layout: Layout) -> DirectoryEntry:
    """The entry in the words of the GAL."""
    names = layout.attributes
    email = primary_address(raw, names)
    return DirectoryEntry(
        key=raw.dn,
        kind=EntryKind.GROUP if is_group(raw, layout) else EntryKind.PERSON,
        display_name=display_name(raw, names),
        email=email,
        addresses=_other_addresses(raw, names, email),
        alias=raw.text(names.alias),
        first_name=raw.text(names.first_name),
        last_name=raw.text(names.last_name),
        title=raw.text(names.title),
        company=raw.text(names.company),
        department=raw.text(names.department),
        office=raw.text(names.office),
        phone=raw.text(names.phone),
        home_phone=raw.text(names.home_phone),
        mobile_phone=raw.text(names.mobile_phone),
        picture=next(iter(raw.octets(names.picture)), b""),
        user_certificates=raw.octets(names.user_certificates),
        smime_certificates=raw.octets(names.smime_certificates),
    )


def is_group(raw: RawEntry, layout: Layout) -> bool:
    """Told by the object classes."""
    classes = {each.lower() for each in raw.texts((OBJECT_CLASS,))}
    return not classes.isdisjoint(each.lower() for each in layout.group_classes)


def display_name(raw: RawEntry, names: AttributeMap) -> str:
    """The name to show; the address where there is none."""
    return raw.text(names.display_name) or primary_address(raw, names)


def order(raw: RawEntry, names: AttributeMap) -> tuple[str, str, str]:
    """The sort key: by display name; the others make the order the same each time."""
    return fold(display_name(raw, names)), primary_address(raw, names).casefold(), raw.dn


def primary_address(raw: RawEntry, names: AttributeMap) -> str:
    """The address to write to. Empty where there is none.

    The values of an attribute have no order (RFC 4511 4.1.7; OpenLDAP makes use of that): of several, the one whose
    local part is the alias counts, or else the first in the alphabet.
    """
    addresses = sorted(filter(None, map(smtp_address, raw.texts(names.email))), key=str.casefold)
    alias = raw.text(names.alias).casefold()
    named = (address for address in addresses if address.partition("@")[0].casefold() == alias)
    return next(named, next(iter(addresses), ""))


def smtp_address(text: str) -> str:
    """An SMTP address without the `smtp:` of proxyAddresses; empty for what is none (x500:, sip:)."""
    address = text[len(_SMTP) :] if text[: len(_SMTP)].lower() == _SMTP else text
    return address if "@" in address and ":" not in address else ""


def _other_addresses(raw: RawEntry, names: AttributeMap, email: str) -> tuple[str, ...]:
    seen = {email.casefold(), ""}
    others: list[str] = []
    for text in raw.texts((*names.email, *names.addresses)):
        address = smtp_address(text)
        if address.casefold() not in seen:
            seen.add(address.casefold())
            others.append(address)
    return tuple(others)


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
