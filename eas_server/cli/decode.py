"""`eas-server decode`."""

import sys
from typing import BinaryIO, Final

import click

from protocol import multipart, wbxml
from protocol.errors import MalformedRequest
from protocol.xmltext import dump, to_xml

MAX_TEXT: Final = 2000
SHOWN_OCTETS: Final = 64
_NUMBER: Final = 4
"""Octets of a number in the header of a multipart body; each part has two."""


@click.command(name="decode")
@click.argument("file", type=click.File("rb"))
@click.option("--lines", is_flag=True, help="A line for each element, as in fixtures/wbxml, instead of XML.")
@click.option("--full", is_flag=True, help=f"Long texts whole, not their first {MAX_TEXT} characters.")
def decode(file: BinaryIO, lines: bool, full: bool) -> None:
    """Show a WBXML document, or a multipart answer with its parts, as readable XML.

    FILE is the body of a request or answer as it was captured; "-" reads standard input.
    """
    octets = file.read()
    try:
        text = described(octets, lines=lines, max_text=None if full else MAX_TEXT)
    except MalformedRequest as error:
        raise click.ClickException(f"{getattr(file, 'name', 'input')}: {error}") from None
    # values that are not UTF-8 came as surrogates; a terminal takes no such thing
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")


def described(octets: bytes, *, lines: bool = False, max_text: int | None = MAX_TEXT) -> str:
    """A body as text. Raises MalformedRequest."""
    if not is_multipart(octets):
        return _document(octets, lines, max_text)
    first, *others = multipart.parse(octets)
    shown = [_document(bytes(first), lines, max_text)]
    for number, part in enumerate(others, 1):
        content = bytes(part)
        whole = len(content) <= SHOWN_OCTETS or max_text is None
        begin = content if whole else content[:SHOWN_OCTETS]
        shown.append(f"<!-- part {number}: {len(content)} octets: {begin!r}{'' if whole else '…'} -->")
    return "\n".join(shown)


def is_multipart(octets: bytes) -> bool:
    """Whether a body is a multipart one: its count of parts is followed by the offset that the count asks for."""
    if len(octets) < 3 * _NUMBER:
        return False
    count = int.from_bytes(octets[:_NUMBER], "little")
    offset = int.from_bytes(octets[_NUMBER : 2 * _NUMBER], "little")
    return count > 0 and offset == _NUMBER + 2 * _NUMBER * count


def _document(octets: bytes, lines: bool, max_text: int | None) -> str:
    root = wbxml.decode(octets)
    return dump(root).rstrip("\n") if lines else to_xml(root, max_text=max_text).rstrip("\n")


COMMAND = decode
