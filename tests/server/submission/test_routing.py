"""Where mail goes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas_server.submission.routing import is_address, normal_address, route


async def test_local_remote_and_nowhere(store: Any):
    found = await route(
        ["Bob@EXAMPLE.com", "bob", "dora@elsewhere.test", "ghost@example.com", "a b@elsewhere.test", "ghost"],
        store.accounts,
        ["example.com"],
    )
    assert dict(found.local) == {"bob@example.com": "Bob@example.com"}
    assert found.remote == ("dora@elsewhere.test",)
    assert [(u.address, u.code) for u in found.unroutable] == [
        ("ghost@example.com", "5.1.1"),
        ("a b@elsewhere.test", "5.1.3"),
    ]
    assert found.unresolved == ("ghost",)


async def test_groups_are_expanded_once(store: Any):
    found = await route(["team@example.com", "bob@example.com", "TEAM@example.com"], store.accounts, ["example.com"])
    assert set(found.local) == {"alice@example.com", "bob@example.com"}
    assert found.remote == ("dora@elsewhere.test",)


async def test_domains_may_be_international(store: Any):
    found = await route(["x@BÜCHER.example"], store.accounts, ["bücher.example"])
    assert found.unroutable[0].address == "x@xn--bcher-kva.example"


@pytest.mark.parametrize(
    "address",
    ["a@b", "first.last+tag@mail.example.com", '"a b"@example.com', "jürgen@xn--bcher-kva.example", "a@[192.0.2.1]"],
)
def test_good_addresses(address: str):
    assert is_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "@",
        "a@",
        "@b",
        "a@b c",
        "a@b>",
        "a@-b",
        "a\r\n@b",
        "a@b\nRCPT TO:<x@y>",
        "a@b\0",
        '"a\r\n"@b',
        "a@" + "b" * 400,
    ],
)
def test_bad_addresses(address: str):
    assert not is_address(address)


@given(st.text(max_size=60))
def test_an_address_never_breaks_out_of_a_command(text: str):
    address = normal_address(text)
    if is_address(address):
        assert not set("\r\n\0<> ") & set(address.rpartition("@")[2])
        assert not set("\r\n\0") & set(address)
