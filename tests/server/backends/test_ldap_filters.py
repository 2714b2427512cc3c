"""What is typed stays a value: in filters and in DNs."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eas_server.backends.ldap import filters
from eas_server.backends.ldap.connection import ldap3
from eas_server.backends.ldap.dn import dn_key, member_dn
from eas_server.backends.ldap.settings import ACTIVE_DIRECTORY, INETORGPERSON

AND, OR, NOT, EQUAL, SUBSTRING, PRESENT = range(1, 7)
_KIND = {1: AND, 2: OR, 3: NOT, 8: PRESENT, 9: SUBSTRING, 10: EQUAL}


def parsed(text: str) -> Any:
    """The filter as ldap3 sends it: nested tuples of kind, attribute and octets."""
    from ldap3.operation.search import parse_filter
    from ldap3.protocol.convert import prepare_filter_for_sending

    def shape(node: Any) -> Any:
        kind = _KIND[node.tag]
        if node.elements:
            return (kind, *(shape(each) for each in node.elements))
        given = [node.assertion[name] for name in ("value", "initial", "any", "final") if name in node.assertion]
        flat = [each for value in given for each in (value if isinstance(value, list) else [value])]
        values = [prepare_filter_for_sending(value) for value in flat]
        return (kind, node.assertion["attr"], *values)

    root = parse_filter(text, None, False, True, None, False)
    return shape(root.elements[0])


@given(st.text())
@example("*)(uid=*")
@example(" \x85 ")
@example("\\2a")
@example("\0")
def test_an_equality_has_the_typed_octets(text: str) -> None:
    filter_ = filters.equals(("mail", "uid"), (text,))
    octets = text.encode("utf-8", "replace")
    assert parsed(filter_) == (OR, (EQUAL, "mail", octets), (EQUAL, "uid", octets))


@given(st.text(min_size=1).filter(lambda text: filters.words(text) != ()))
@example("a*)(uid=*)) b")
def test_each_word_becomes_one_condition(text: str) -> None:
    wanted = filters.words(text)
    filter_ = filters.both("(a=b)", filters.begins(INETORGPERSON, wanted, inner_words=True))
    conditions = parsed(filter_)[2:] if len(wanted) == 1 else parsed(filter_)[2][1:]
    assert len(conditions) == len(wanted)
    for word, condition in zip(wanted, conditions, strict=True):
        octets = word.encode("utf-8", "replace")
        starts = [(SUBSTRING, name, octets) for name in INETORGPERSON.anr_attributes]
        names = ("displayName", "cn", "givenName", "sn", "o", "physicalDeliveryOfficeName")
        inner = [(SUBSTRING, name, sign + octets) for name in names for sign in (b" ", b"-")]
        assert condition == (OR, *starts, *inner)


@given(st.text())
def test_words_are_few_and_visible(text: str) -> None:
    wanted = filters.words(text)
    assert len(wanted) <= filters.MAX_WORDS
    assert all(word and all(map(filters.is_visible, word)) for word in wanted)


def test_proxy_addresses_have_a_prefix() -> None:
    assert filters.equals(("proxyAddresses",), ("a@b.c",)) == "(proxyAddresses=smtp:a@b.c)"
    begins = filters.begins(ACTIVE_DIRECTORY, ("a",), inner_words=False)
    assert "(proxyAddresses=smtp:a*)" in begins


def test_nothing_wanted_is_nobody() -> None:
    assert filters.equals((), ("x",)) == filters.NOBODY
    assert parsed(filters.NOBODY) == (NOT, (PRESENT, "objectClass"))


@given(st.text(min_size=1).filter(str.strip))
@example("alice,ou=people")
@example("#04")
@example(" a ")
@example("a\\ ")
@example("\\")
@example("a+b=c")
def test_a_value_stays_one_value_of_a_dn(text: str) -> None:
    kept = text.encode("utf-8", "replace").decode()
    dn = f"uid={filters.escape_dn_value(text)},ou=people,dc=example"
    rdns = ldap3.utils.dn.parse_dn(dn)
    assert [rdn[0] for rdn in rdns] == ["uid", "ou", "dc"]
    assert [rdn[2] for rdn in rdns] == [",", ",", ""]
    assert dn_key(dn) == ((f"uid={kept.casefold()}",), ("ou=people",), ("dc=example",))


@pytest.mark.parametrize(
    "spelling",
    [
        "uid=bob,ou=People,dc=example",
        "UID=Bob, OU=people , DC=Example",
        "uid=\\62ob,ou=people,dc=example",
        "uid=b\\ob,ou=people,dc=example",
    ],
)
def test_spellings_of_a_dn(spelling: str) -> None:
    assert dn_key(spelling) == dn_key("uid=bob,ou=people,dc=example")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cn=a\\,b,dc=c", "cn=a,b,dc=c"),
        ("cn=a\\+b=c,dc=d", "cn=a+b=c,dc=d"),
        ("cn=a,dc=c", "cn=a,dc=d"),
        ("cn=a\\ ,dc=c", "cn=a,dc=c"),
    ],
)
def test_different_dns(one: str, other: str) -> None:
    assert dn_key(one) != dn_key(other)


def test_several_assertions_have_no_order() -> None:
    assert dn_key("cn=a+uid=b,dc=c") == dn_key("UID=b + CN=a,dc=c")
    assert dn_key("cn=\\c3\\bc") == dn_key("cn=Ü")


@pytest.mark.parametrize(
    ("value", "dn"),
    [
        ("uid=bob,dc=c", "uid=bob,dc=c"),
        ("uid=bob,dc=c#'0101'B", "uid=bob,dc=c"),
        ("uid=bob,dc=c#''B", "uid=bob,dc=c"),
        ("uid=bob#'x'B,dc=c", "uid=bob#'x'B,dc=c"),
    ],
)
def test_unique_member_may_have_bits(value: str, dn: str) -> None:
    assert member_dn(value) == dn
