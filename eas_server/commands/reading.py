"""From the body of a request to its type."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from protocol import wbxml
from protocol.codepages import tag
from protocol.elements import Buffer, Element
from protocol.errors import MalformedWbxml, MalformedXml
from protocol.http import CommandLine
from protocol.schema import load
from protocol.versions import V14_1, ProtocolVersion

T = TypeVar("T")

_RIGHTS: Final = tag("RightsManagement:RightsManagementSupport").page
_TO_RIGHTS: Final = bytes((0x00, _RIGHTS))
"""SWITCH_PAGE to RightsManagement: documents without these octets have nothing of it."""


def wbxml_reader(
    cls: type[T], *, empty: Callable[[], T] | None = None
) -> Callable[[Buffer, CommandLine, ProtocolVersion], Any]:
    """A reader of WBXML bodies; `empty` makes the request that an empty body stands for, where one may be empty."""

    def read(body: Buffer, _: CommandLine, version: ProtocolVersion) -> T:
        if not body:
            if empty is None:
                raise MalformedWbxml("", "the body is empty")
            return empty()
        document = wbxml.decode(body)
        if version < V14_1 and _TO_RIGHTS in bytes(body):
            _refuse_rights(document, "")
        return load(cls, document)

    return read


def _refuse_rights(element: Element, path: str) -> None:
    """A version without rights management takes its elements for an invalid body (MS-ASRM_R357, R418)."""
    where = f"{path}/{element.tag.name}"
    if element.tag.page == _RIGHTS:
        raise MalformedXml(where, "is not known in this version")
    for child in element.children:
        _refuse_rights(child, where)
