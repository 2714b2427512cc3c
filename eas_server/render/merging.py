"""What an item is after a client's Change ([MS-ASCMD] 2.2.3.24, 2.2.3.180 Supported)."""

from dataclasses import fields, replace
from typing import Any, Final, TypeVar

from eas_server.render.contentlines import clean
from protocol.codepages import tag as find_tag
from protocol.elements import Tag
from protocol.items.contacts import Contact
from protocol.items.notes import Note
from protocol.items.tasks import Task
from protocol.schema import EMPTY
from protocol.versions import ProtocolVersion

T = TypeVar("T", Contact, Note, Task)
_BODY = "body"


TAGS: Final = {
    cls: {f.name: find_tag(f.metadata["element"].tag) for f in fields(cls) if f.name != _BODY}
    for cls in (Contact, Note, Task)
}
"""The tag of each field of an item class, by name; without the body, which is never deleted by being absent."""


def merged(
    current: T,
    change: T,
    *,
    version: ProtocolVersion,
    supported: frozenset[Tag] | None = None,
    kept: frozenset[str] = frozenset(),
) -> T:
    """The item as it shall be: what the change says, and of the rest what being absent does not delete.

    An absent property is deleted (MS-ASCMD_R879), unless it is one of `kept`, or the version does not have it, or it is
    ghosted: not among the `supported` ones (R5908, R5911; None: the client named none and all count as supported,
    R5906). An empty element clears. The body of the change stands as it is; absent, it is None.
    """
    values: dict[str, Any] = {}
    for name, tag in TAGS[type(current)].items():
        new = getattr(change, name)
        if new is not None:
            values[name] = _filled(new)
        elif name in kept or version not in tag.versions or (supported is not None and tag not in supported):
            values[name] = getattr(current, name)
        else:
            values[name] = None
    return replace(change, **values)


def _filled(value: object) -> object:
    """None for an empty value; texts without what XML cannot hold."""
    if isinstance(value, str):
        return clean(value) or None
    if isinstance(value, tuple):
        return tuple(map(clean, value)) or None
    return None if value is EMPTY or value == b"" else value
