"""Reads headers and query, and remembers what was read: a phone sends the same ones with every request."""

from functools import lru_cache
from typing import Final

from protocol.errors import MalformedRequest
from protocol.headers import (
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    ACCEPT_MULTIPART,
    CONTENT_ENCODING,
    CONTENT_TYPE,
    POLICY_KEY,
    PROTOCOL_VERSION,
    USER_AGENT,
    RequestHeaders,
    parse_headers,
)
from protocol.http import CommandLine, parse_query

Told = tuple[tuple[bytes, bytes], ...]
"""The headers of a request that the protocol knows, names in lower case. Without Authorization: it is not kept."""

_REMEMBERED: Final = 4096
_AUTHORIZATION: Final = b"authorization"
_NAMES: Final = frozenset(
    name.lower().encode("ascii")
    for name in (
        ACCEPT_ENCODING,
        ACCEPT_LANGUAGE,
        ACCEPT_MULTIPART,
        CONTENT_ENCODING,
        CONTENT_TYPE,
        POLICY_KEY,
        PROTOCOL_VERSION,
        USER_AGENT,
    )
)


def split(headers: list[tuple[bytes, bytes]]) -> tuple[str, Told]:
    """The Authorization header as text ("" for none), and the others that matter. Raises MalformedRequest."""
    authorization = b""
    told = []
    for pair in headers:
        name = pair[0]
        if name in _NAMES:
            told.append(pair)
        elif name == _AUTHORIZATION:
            if authorization not in (b"", pair[1]):
                raise MalformedRequest("", "the header Authorization is there twice, with different values")
            authorization = pair[1]
    return authorization.decode("latin-1"), tuple(told)


headers_of = lru_cache(_REMEMBERED)(parse_headers)
"""`parse_headers` of a Told."""


@lru_cache(_REMEMBERED)
def line_of(query: bytes, headers: RequestHeaders, refused: frozenset[str]) -> CommandLine:
    """What query and headers say together. Raises MalformedRequest.

    `refused` are the quirks that are not let pass now (`protocol.quirks`): another reading is remembered for others.
    """
    del refused
    return parse_query(query).with_headers(headers)
