"""An index as text, for comparison by machine and by eye; `python -m tests.server.render.golden` writes them all."""

from collections.abc import Iterator
from dataclasses import MISSING, fields

from eas_server.model.mail import Attachment, MessageIndex, TextPart
from eas_server.render import contents, text
from eas_server.render.mime import index_message
from tests.server.render import corpus


def describe(octets: bytes) -> str:
    """The index of a message and its text."""
    index, _ = index_message(octets)
    return "\n".join([*_fields(index), "---", _text(index, octets), ""])


def _fields(value: MessageIndex | TextPart | Attachment, indent: str = "") -> Iterator[str]:
    for field in fields(value):
        held = getattr(value, field.name)
        if (field.default is not MISSING and held == field.default) or field.name == "preview":
            continue
        if isinstance(held, TextPart):
            yield f"{indent}{field.name}:"
            yield from _fields(held, indent + "  ")
        elif isinstance(held, tuple) and held and isinstance(held[0], Attachment):
            for attachment in held:
                yield f"{indent}attachment:"
                yield from _fields(attachment, indent + "  ")
        else:
            yield f"{indent}{field.name}: {held.hex() if isinstance(held, bytes) else held!r}"


def _text(index: MessageIndex, octets: bytes) -> str:
    part = index.plain or index.html
    if part is None:
        return ""
    shown = contents.part_text(part, octets[part.start : part.end], html=part is index.html)
    return text.plain_from_html(shown) if part is index.html else shown


if __name__ == "__main__":
    for name in corpus.NAMES:
        (corpus.MAIL / f"{name}.txt").write_text(describe(corpus.message(name)), "utf-8", newline="")
