"""Each quirk is let pass, unless it is switched off for the client at hand."""

import base64
import contextvars
from collections.abc import Callable
from typing import Any

import pytest

from protocol import quirks, schema, wbxml
from protocol.codepages import tag
from protocol.elements import Element
from protocol.errors import MalformedRequest, MalformedWbxml, MalformedXml
from protocol.headers import parse_basic
from protocol.http import is_device_id, parse_query
from protocol.items.calendar import Calendar
from protocol.quirks import NONE_REFUSED, QUIRKS, Switch, refused_to, tolerates


def without(quirk: quirks.Quirk, work: Callable[[], Any]) -> Any:
    """What `work` gives where the quirk is not let pass."""

    def run() -> Any:
        quirks.refuse(frozenset({quirk.name}))
        assert not tolerates(quirk)
        return work()

    result = contextvars.copy_context().run(run)
    assert tolerates(quirk), "another task is not touched"
    return result


def test_all_are_let_pass_at_first():
    assert all(tolerates(quirk) for quirk in QUIRKS.values())
    assert refused_to({}, device_type="iPhone", user_agent="x", version="16.1") == NONE_REFUSED


SWITCHES = {
    "on": (Switch(), True),
    "off": (Switch(on=False), False),
    "its type": (Switch(clients=("iPh*",)), True),
    "in any case": (Switch(clients=("IPHONE",)), True),
    "its agent": (Switch(clients=("apple-*",)), True),
    "another": (Switch(clients=("Android*", "SAMSUNG*")), False),
    "excepted": (Switch(except_clients=("Apple-iPhone*",)), False),
    "excepted among its kind": (Switch(clients=("iPhone",), except_clients=("Apple-iPhone*",)), False),
    "another is excepted": (Switch(except_clients=("Android*",)), True),
    "its version": (Switch(versions=("14.1", "16.1")), True),
    "another version": (Switch(versions=("14.1",)), False),
    "off and named": (Switch(on=False, clients=("iPhone",)), False),
    "no pattern of Python": (Switch(clients=(".*",)), False),
}


@pytest.mark.parametrize(("switch", "passes"), SWITCHES.values(), ids=SWITCHES)
def test_a_switch_by_client_and_version(switch, passes):
    refused = refused_to(
        {"FIND_AT_14_1": switch}, device_type="iPhone", user_agent="Apple-iPhone15C2/2101.1", version="16.1"
    )
    assert ("FIND_AT_14_1" not in refused) is passes


def test_before_the_request_line_is_read_the_version_says_nothing():
    switches = {"QUERY_WITHOUT_USER": Switch(versions=("14.1",)), "LATIN1_CREDENTIALS": Switch(clients=("Outlook/*",))}
    assert refused_to(switches, user_agent="Outlook/16.0") == NONE_REFUSED
    assert refused_to(switches, user_agent="Apple") == {"LATIN1_CREDENTIALS"}


def test_the_query():
    plain = b"Cmd=Sync&DeviceId=d&DeviceType=iPhone"
    assert parse_query(plain).user is None
    with pytest.raises(MalformedRequest, match="no User"):
        without(quirks.QUERY_WITHOUT_USER, lambda: parse_query(plain))
    assert without(quirks.QUERY_WITHOUT_USER, lambda: parse_query(b"User=alice&" + plain)).user == "alice"
    assert is_device_id("a-b")
    assert not without(quirks.DEVICE_ID_PUNCTUATION, lambda: is_device_id("a-b"))
    assert without(quirks.DEVICE_ID_PUNCTUATION, lambda: is_device_id("ab12"))


def test_the_base64_query():
    octets = bytes((161, 0, 9, 4, 4)) + b"Nine" + bytes((0, 6)) + b"iPhone"
    query = base64.b64encode(octets)
    assert parse_query(query).device_id == "Nine"
    other = without(quirks.BASE64_QUERY_DEVICE_ID_ASCII, lambda: parse_query(query))
    assert other.device_id == b"Nine".hex().upper()
    bare = query.rstrip(b"=")
    assert bare != query
    assert parse_query(bare) == parse_query(query)
    with pytest.raises(MalformedRequest, match="padding"):
        without(quirks.BASE64_QUERY_ALPHABET, lambda: parse_query(bare))
    assert without(quirks.BASE64_QUERY_ALPHABET, lambda: parse_query(query)) == parse_query(query)


def test_credentials():
    header = "Basic " + base64.b64encode("alice:pässwörd".encode("latin-1")).decode()
    (reading,) = parse_basic(header)
    assert reading.password == "pässwörd"
    with pytest.raises(MalformedRequest):
        without(quirks.LATIN1_CREDENTIALS, lambda: parse_basic(header))


def test_an_unknown_page():
    whole = wbxml.encode(Element(tag("Ping:Ping"), [Element(tag("Ping:Status"), "1")])).join()
    strange = whole[:-1] + bytes((0x00, 0xFE, 0x45, 0x03)) + b"x\0" + bytes((0x01, 0x01))
    assert len(wbxml.decode(strange).children) == 1
    with pytest.raises(MalformedWbxml, match="unknown page"):
        without(quirks.UNKNOWN_PAGE_SKIPPED, lambda: wbxml.decode(strange))
    known = whole[:-1] + bytes((0x7F, 0x03)) + b"x\0" + bytes((0x01, 0x01))
    assert len(without(quirks.UNKNOWN_PAGE_SKIPPED, lambda: wbxml.decode(known)).children) == 1


def test_dates():
    mixed = Element(tag("AirSync:ApplicationData"), [Element(tag("Calendar:StartTime"), "2026-11-23T12:00:00.000Z")])
    right = Element(tag("AirSync:ApplicationData"), [Element(tag("Calendar:StartTime"), "20261123T120000Z")])
    assert schema.load(Calendar, mixed).start_time == schema.load(Calendar, right).start_time
    with pytest.raises(MalformedXml, match="other form"):
        without(quirks.MIXED_DATE_FORMS, lambda: schema.load(Calendar, mixed))
    without(quirks.MIXED_DATE_FORMS, lambda: schema.load(Calendar, right))
