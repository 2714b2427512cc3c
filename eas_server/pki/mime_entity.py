"""A MIME entity split into its header fields and its body, byte for byte, without a MIME parser.

Clients mix line ends (Nine sends CRLF header lines and a bare LF before the body), so both count as line ends here,
each where it stands, and the body is never touched.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from itertools import pairwise

from eas_server.pki.hostile import declared

_HEADER_END = re.compile(rb"(?:^|\r?\n)\r?\n")
_BASE64_LINE_BYTES = 57  # 76 characters, RFC 2045 6.8
_MAX_BOUNDARY = 200  # RFC 2046 5.1.1 allows 70; some mailers write more


class EntityError(ValueError):
    """Not a MIME entity of the kind that was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """`content_type` is lower-case ("multipart/signed"); `parameters` have lower-case names."""

    content_type: str
    parameters: dict[str, str]
    encoding: str
    body: bytes


def split(entity: bytes) -> Entity:
    """Header fields and body of `entity`. Raises EntityError where the header cannot be read."""
    with declared(EntityError, "not a MIME entity"):
        end = _HEADER_END.search(entity)
        header, body = (entity, b"") if end is None else (entity[: end.end()], entity[end.end() :])
        fields: Message = BytesHeaderParser().parsebytes(header)
        parameters = fields.get_params(failobj=[])[1:]
        return Entity(
            content_type=fields.get_content_type(),
            parameters={name.lower(): _text(value) for name, value in parameters},
            encoding=str(fields.get("Content-Transfer-Encoding", "7bit")).strip().lower(),
            body=body,
        )


def decoded_body(entity: Entity) -> bytes:
    """The body without its transfer encoding, for the binary types of S/MIME. Raises EntityError."""
    if entity.encoding != "base64":
        return entity.body
    try:
        return base64.b64decode(entity.body)
    except binascii.Error as error:
        raise EntityError(f"the body is not base64: {error}") from error


def parts(entity: Entity) -> list[bytes]:
    """The parts of a multipart entity, exactly: without the line end that belongs to the delimiter (RFC 2046, 5.1.1).

    Raises EntityError where there is no usable boundary or no closing delimiter.
    """
    boundary = entity.parameters.get("boundary", "")
    if not 0 < len(boundary) <= _MAX_BOUNDARY:
        raise EntityError("no usable boundary")
    name = re.escape(boundary.encode("utf-8", "surrogateescape"))
    delimiters = list(re.finditer(rb"^--" + name + rb"(--)?[ \t]*\r?$", entity.body, re.MULTILINE))
    found = []
    for opening, closing in pairwise(delimiters):
        if opening.group(1):
            break
        found.append(_without_line_end(entity.body[opening.end() + 1 : closing.start()]))
    if not found or not any(delimiter.group(1) for delimiter in delimiters):
        raise EntityError("the multipart is not complete")
    return found


def wrapped_base64(data: bytes) -> bytes:
    """Base64 in CRLF lines of 76 characters, with a final line end."""
    lines = (data[at : at + _BASE64_LINE_BYTES] for at in range(0, len(data), _BASE64_LINE_BYTES))
    return b"".join(base64.b64encode(line) + b"\r\n" for line in lines)


def canonical(content: bytes) -> bytes:
    """`content` with every bare CR or LF made CRLF: the form that signatures are made over (RFC 8551, 3.1.1)."""
    return re.sub(rb"\r\n|\r|\n", b"\r\n", content)


def _without_line_end(part: bytes) -> bytes:
    if part.endswith(b"\r\n"):
        return part[:-2]
    return part[:-1] if part.endswith(b"\n") else part


def _text(value: str | tuple[str | None, str | None, str]) -> str:
    return value if isinstance(value, str) else value[2]
