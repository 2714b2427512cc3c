"""From the body of a request to its type."""

from collections.abc import Callable
from typing import Any, TypeVar

from protocol import wbxml
from protocol.elements import Buffer
from protocol.errors import MalformedWbxml
from protocol.http import CommandLine
from protocol.schema import load
from protocol.versions import ProtocolVersion

T = TypeVar("T")


def wbxml_reader(
    cls: type[T], *, empty: Callable[[], T] | None = None
) -> Callable[[Buffer, CommandLine, ProtocolVersion], Any]:
    """A reader of WBXML bodies; `empty` makes the request that an empty body stands for, where one may be empty."""

    def read(body: Buffer, _: CommandLine, __: ProtocolVersion) -> T:
        if not body:
            if empty is None:
                raise MalformedWbxml("", "the body is empty")
            return empty()
        return load(cls, wbxml.decode(body))

    return read
