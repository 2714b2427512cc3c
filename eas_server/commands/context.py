"""What a handler is given and what it may answer."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from eas_server.commands.busy_times import BusyTimes
from eas_server.commands.guesses import Guesses
from eas_server.commands.last_finds import LastFinds
from eas_server.commands.last_searches import LastSearches
from eas_server.commands.last_syncs import LastSyncs
from eas_server.commands.recent_verdicts import RecentVerdicts
from eas_server.interfaces import (
    Accounts,
    Audit,
    Authenticator,
    ChangeNotifier,
    Directory,
    DocumentLibrary,
    FolderStore,
    HarvestedCertificates,
    MailStore,
    MailSubmission,
    Preferences,
    RevocationSource,
    SearchesMail,
    StateStore,
    TrustStore,
)
from eas_server.model.device import Device
from eas_server.model.directory import Account
from eas_server.model.settings import Settings
from protocol.elements import Buffer, Octets
from protocol.errors import MalformedRequest
from protocol.http import CommandLine, CommandName
from protocol.versions import ProtocolVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The adapters of this server."""

    folders: FolderStore
    mail: MailStore
    search: SearchesMail
    state: StateStore
    accounts: Accounts
    directory: Directory
    submission: MailSubmission
    preferences: Preferences
    notifier: ChangeNotifier
    last_syncs: LastSyncs = field(default_factory=LastSyncs)
    documents: DocumentLibrary | None = None
    """None: there is no document library here."""
    authenticator: Authenticator | None = None
    """Who may ask the document library with the rights of another account."""
    trust: TrustStore | None = None
    """None: nobody's certificates are trusted."""
    revocation: RevocationSource | None = None
    """None: nothing is fetched about certificates."""
    harvested: HarvestedCertificates | None = None
    """None: signed mail tells nothing about its senders' certificates."""
    audit: Audit | None = None
    """None: no trail is kept."""
    guesses: Guesses = field(default_factory=Guesses)
    last_finds: LastFinds = field(default_factory=LastFinds)
    last_searches: LastSearches = field(default_factory=LastSearches)
    busy_times: BusyTimes = field(default_factory=BusyTimes)
    recent_verdicts: RecentVerdicts = field(default_factory=RecentVerdicts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One request, as a handler sees it: who asks, in which version, when, and the ports."""

    ports: Ports
    settings: Settings
    account: Account
    device: Device
    version: ProtocolVersion
    line: CommandLine
    now: datetime
    request_id: str
    secure: bool = False
    """TLS all the way from the client, or up to a declared proxy."""
    languages: tuple[str, ...] = ()
    """What the client wants to read, best first, in lower case: `de-at`, `de`."""
    accept_multipart: bool = False
    """The client takes a multipart answer to ItemOperations ([MS-ASHTTP] 2.2.1.1.2.3)."""
    gone: Callable[[], Awaitable[None]]
    """Returns when the client has closed the connection; only for handlers that wait."""
    stopping: asyncio.Event
    """Set when the server stops: whoever waits answers now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer that is more than a typed response."""

    response: object | None = None
    """A declared response; None with no `body`: an empty answer."""
    body: "Any" = None
    """Finished octets (`size`, iterable of bytes | Octets) instead of a response."""
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command as the endpoint dispatches it."""

    name: CommandName
    read: Callable[[Buffer, CommandLine, ProtocolVersion], Any]
    """Body -> typed request. Raises MalformedRequest. Most are made by `wbxml_reader`."""
    handle: Callable[[Any, Context], Awaitable[object | Reply | None]]
    """Typed request -> typed response, a Reply, or None for an empty answer. Raises CommandError, Unavailable,
    StoreFull; and MalformedRequest where the second stage of reading happens in it."""
    refuse: Callable[[MalformedRequest, ProtocolVersion], object | None]
    """The command's own answer to a well-formed document of the wrong shape; None: the common Status says it."""
    fail: Callable[[int, ProtocolVersion], object | None]
    """The command's response with nothing but a (common or own) global Status."""
    gated: bool = True
    """Whether the policy key is checked before it ([MS-ASPROV] 3.1.5.2)."""


__all__ = ["Command", "Context", "Octets", "Ports", "Reply"]
