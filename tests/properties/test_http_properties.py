"""What is written can be read again, and nothing but MalformedRequest comes of garbage."""

import base64
import string

from hypothesis import example, given
from hypothesis import strategies as st

from protocol.errors import MalformedRequest
from protocol.http import (
    CommandLine,
    CommandName,
    build_base64_query,
    build_plain_query,
    parse_basic,
    parse_headers,
    parse_query,
    plain_headers,
)
from protocol.multipart import Multipart, parse
from protocol.versions import ProtocolVersion

LETTERS = string.ascii_letters + string.digits
readable = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="".join(map(chr, [*range(32), 127]))),
    min_size=1,
    max_size=60,
)
optional = st.none() | readable
lines = st.builds(
    CommandLine,
    command=st.sampled_from(CommandName),
    user=optional,
    device_id=st.text(LETTERS, min_size=1, max_size=32),
    device_type=readable,
    version=st.sampled_from(ProtocolVersion),
    policy_key=st.none() | st.integers(0, 2**32 - 1),
    locale=st.integers(0, 2**16 - 1),
    attachment_name=optional,
    collection_id=optional,
    collection_name=optional,
    item_id=optional,
    long_id=optional,
    parent_id=optional,
    occurrence=optional,
    save_in_sent=st.booleans(),
    accept_multipart=st.booleans(),
)


@given(lines)
def test_base64_query(line):
    query = build_base64_query(line)
    assert parse_query(query) == line
    assert parse_query(query.encode()) == line


@given(lines)
def test_plain_query_with_its_headers(line):
    headers = parse_headers((name.encode(), value.encode()) for name, value in plain_headers(line))
    found = parse_query(build_plain_query(line)).with_headers(headers)
    assert found == CommandLine(**{name: getattr(line, name) for name in CommandLine.__slots__} | {"locale": None})


@given(st.binary(max_size=80) | st.text(max_size=80) | st.binary(max_size=80).map(base64.b64encode))
@example(base64.b64encode(b"\x8d\x00\x09\x04\x01a\x00\x00\x07\x00"))
def test_garbage_is_malformed(query):
    try:
        line = parse_query(query)
    except MalformedRequest:
        return
    assert not any(ord(c) < 32 or ord(c) == 127 for c in f"{line.command}{line.user}{line.device_id}{line.device_type}")


@given(
    st.binary(max_size=60)
    | st.text(max_size=60)
    | st.binary(max_size=60).map(lambda b: b"Basic " + base64.b64encode(b))
)
def test_garbage_is_no_credentials(header):
    try:
        found = parse_basic(header)
    except MalformedRequest:
        return
    assert found
    assert all(credentials.user for credentials in found)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"ms-asprotocolversion", b"x-ms-policykey", b"Accept-Encoding", b"authorization"])
            | st.binary(max_size=10),
            st.binary(max_size=20),
        ),
        max_size=5,
    )
)
def test_garbage_is_no_header(headers):
    try:
        parse_headers(headers)
    except MalformedRequest:
        return


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=6))
def test_multipart(parts):
    body = Multipart(parts)
    octets = b"".join(body)
    assert len(octets) == body.size
    assert [bytes(part) for part in parse(octets)] == parts


@given(
    st.binary(max_size=60)
    | st.lists(st.integers(0, 40), max_size=9).map(lambda n: b"".join(i.to_bytes(4, "little") for i in n))
)
def test_garbage_is_no_multipart(octets):
    try:
        parts = parse(octets)
    except MalformedRequest:
        return
    assert sum(map(len, parts)) <= len(octets)
