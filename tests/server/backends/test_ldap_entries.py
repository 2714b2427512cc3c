"""From attributes to the properties of the GAL."""

import pytest

from eas_server.backends.ldap.entries import directory_entry, full_attributes, order, raw_entry, smtp_address
from eas_server.backends.ldap.settings import ACTIVE_DIRECTORY, INETORGPERSON
from eas_server.model.directory import EntryKind


def test_an_entry_of_active_directory() -> None:
    raw = raw_entry(
        "CN=Bob,DC=example,DC=com",
        [
            ("objectClass", [b"top", b"person", b"user"]),
            ("displayName", [b"Bob Berg"]),
            ("mail", [b"bob@example.com"]),
            (
                "proxyAddresses",
                [b"smtp:b@example.com", b"SMTP:Bob@example.com", b"X500:/o=x/cn=bob@x", b"sip:bob@example.com"],
            ),
            ("sAMAccountName", [b"bob"]),
            ("company", [b"Example"]),
            ("userCertificate", [b"one", b"two"]),
            ("thumbnailPhoto", [b"picture"]),
        ],
    )
    bob = directory_entry(raw, ACTIVE_DIRECTORY)
    assert (bob.kind, bob.email, bob.addresses) == (EntryKind.PERSON, "bob@example.com", ("b@example.com",))
    assert (bob.alias, bob.company, bob.picture) == ("bob", "Example", b"picture")
    assert bob.user_certificates == (b"one", b"two")


@pytest.mark.parametrize(("classes", "kind"), [([b"GROUP"], EntryKind.GROUP), ([b"contact"], EntryKind.PERSON)])
def test_the_kind_follows_from_the_object_classes(classes: list[bytes], kind: EntryKind) -> None:
    assert directory_entry(raw_entry("cn=x", [("objectclass", classes)]), ACTIVE_DIRECTORY).kind is kind


def test_certificates_under_two_options_count_once() -> None:
    raw = raw_entry(
        "cn=x",
        [
            ("userCertificate;binary", [b"one", b"two"]),
            ("usercertificate", [b"two", b"three"]),
            ("userSMIMECertificate;binary", [b"chain"]),
        ],
    )
    entry = directory_entry(raw, INETORGPERSON)
    assert entry.user_certificates == (b"one", b"two", b"three")
    assert entry.smime_certificates == (b"chain",)


def test_certificates_are_asked_for_in_both_ways() -> None:
    assert {
        "userCertificate",
        "userCertificate;binary",
        "userSMIMECertificate",
        "userSMIMECertificate;binary",
    } <= set(full_attributes(INETORGPERSON))


def test_of_several_addresses_the_alias_names_the_primary_one() -> None:
    values = [b"z@example.com", b"bob@example.com", b"a@example.com"]
    named = raw_entry("cn=x", [("mail", values), ("uid", [b"Bob"])])
    assert directory_entry(named, INETORGPERSON).email == "bob@example.com"
    assert directory_entry(named, INETORGPERSON).addresses == ("z@example.com", "a@example.com")
    unnamed = raw_entry("cn=x", [("mail", values)])
    assert directory_entry(unnamed, INETORGPERSON).email == "a@example.com"


def test_text_that_is_not_utf8_is_shown_as_well_as_it_can_be() -> None:
    raw = raw_entry("cn=x", [("cn", [b"M\xfcller"]), ("title", [b"  "]), ("mail", [b"no address"])])
    entry = directory_entry(raw, INETORGPERSON)
    assert (entry.display_name, entry.title, entry.email) == ("M\ufffdller", "", "")


def test_without_a_name_the_address_is_shown() -> None:
    raw = raw_entry("cn=x", [("mail", [b"x@example.com"])])
    assert directory_entry(raw, INETORGPERSON).display_name == "x@example.com"
    assert order(raw, INETORGPERSON.attributes) == ("x@example.com", "x@example.com", "cn=x")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("a@b.c", "a@b.c"),
        ("SMTP:a@b.c", "a@b.c"),
        ("x400:c=us;a@b", ""),
        ("smtp:", ""),
        ("nobody", ""),
        ("", ""),
    ],
)
def test_smtp_addresses(text: str, address: str) -> None:
    assert smtp_address(text) == address
