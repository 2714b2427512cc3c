"""An operation of the API: where it is, what goes in and out, and who carries it out. All of them make up the API."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from eas_server.administration import texts
from eas_server.administration.ports import Administered
from eas_server.errors import Unfit
from eas_server.web.in_force import InForce
from eas_server.web.trace import Traces

T = TypeVar("T")

PREFIX: Final = "/v1"
CREATED: Final = 201
OK: Final = 200
NO_CONTENT: Final = 204


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The server that is administered."""

    world: Administered
    in_force: InForce
    traces: Traces


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to an operation."""

    site: Site
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    """An instance of the operation's `body`; None where it has none."""

    @property
    def world(self) -> Administered:
        """What is administered."""
        return self.site.world

    @property
    def user(self) -> str:
        """The user of the path. Raises Unfit."""
        return taken("user", texts.user_name, self.path["user"])

    @property
    def group(self) -> str:
        """The group of the path. Raises Unfit."""
        return taken("group", texts.address, self.path["group"])

    @property
    def device(self) -> str:
        """The device of the path."""
        return self.path["device"]


def taken(field_: str, read: Callable[[str], T], value: str) -> T:
    """What `read` makes of a value. Raises Unfit, which names the field."""
    try:
        return read(value)
    except ValueError as error:
        raise Unfit(field_, str(error)) from None


Handle = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """An answer that is no JSON."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation."""

    method: str
    path: str
    """Behind PREFIX; parameters in braces."""
    name: str
    """What the description and the log call it."""
    summary: str
    handle: Handle
    body: type | None = None
    answer: Any = None
    """The type of the answer; None: there is none."""
    status: int = OK
    query: Mapping[str, str] = field(default_factory=dict)
    """Parameters of the query, and what they mean; all are optional."""

    @property
    def tag(self) -> str:
        """What the operation is about: the first part of its path."""
        return self.path.split("/")[1]
