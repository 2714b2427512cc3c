"""Whatever well-formed request comes, in any version: an answer that the protocol has, by the schema, and no bug.

Not a single answer here is known in advance. What is checked: nothing is logged as a failure of the server, every
status of HTTP is one that [MS-ASHTTP] and [MS-ASCMD] name, and every document that goes out holds by its schema.
"""

import asyncio
import base64
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eas_server.backends.memory import MemoryStore
from eas_server.commands import kept_items
from eas_server.commands.context import Ports
from eas_server.commands.registry import load_commands
from eas_server.delivery.steps import deliver_through
from eas_server.main import build_app
from eas_server.model.blob import MemoryBlob
from eas_server.model.mail import FolderType, ItemClass, NewMessage
from eas_server.notify import ChangeNotifier
from eas_server.render.mime import index_message
from eas_server.web.auth import SignIn
from eas_server.web.settings import Live, WebSettings
from protocol import wbxml
from protocol.client import COMMANDS
from protocol.codepages import tag
from protocol.commands import find
from protocol.elements import Element
from protocol.http import PATH, CommandName
from protocol.versions import SUPPORTED, V14_0, ProtocolVersion
from protocol.xmltext import to_xml
from tests.properties.request_shapes import DATES, MAIL, NASTY, Shapes
from tests.schemas import SCHEMAS, assert_valid
from tests.server.commands.support import ALICE, NOW

EXAMPLES: Final = 500
REQUESTS: Final = {name: command.request for name, command in COMMANDS.items()} | {CommandName.FIND: find.Request}
NAMES: Final = sorted(REQUESTS)
MAIL_COMMANDS: Final = ("SendMail", "SmartReply", "SmartForward")
STATUSES: Final = {200, 400, 401, 403, 404, 413, 449, 500, 501, 503, 507}
PASSWORD: Final = "secret"
ZONE: Final = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}END:VCALENDAR\r\n"
EVENT: Final = ZONE.format(
    "BEGIN:VEVENT\r\nUID:weekly\r\nDTSTART:20261123T090000Z\r\nDTEND:20261123T100000Z\r\nRRULE:FREQ=WEEKLY;COUNT=20\r\n"
    "SUMMARY:Weekly\r\nORGANIZER:mailto:alice@example.com\r\nATTENDEE:mailto:bob@example.com\r\nEND:VEVENT\r\n"
)
TASK: Final = ZONE.format(
    "BEGIN:VTODO\r\nUID:t\r\nSUMMARY:Buy\r\nDUE:20261124T090000Z\r\nRRULE:FREQ=DAILY\r\nEND:VTODO\r\n"
)
NOTE: Final = ZONE.format("BEGIN:VJOURNAL\r\nUID:n\r\nSUMMARY:Note\r\nDESCRIPTION:text\r\nEND:VJOURNAL\r\n")
CONTACT: Final = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c\r\nFN:Bob\r\nN:B;Bob;;;\r\nEMAIL:bob@example.com\r\nEND:VCARD\r\n"
LETTER: Final = (
    "From: bob@example.com\r\nTo: alice@example.com\r\nSubject: Lunch\r\nMessage-ID: <1@example.com>\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>Now?</p>\r\n--b\r\n"
    "Content-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment\r\n\r\nx\r\n--b--\r\n"
)
INVITATION: Final = (
    "From: bob@example.com\r\nTo: alice@example.com\r\nSubject: Come\r\n"
    "Content-Type: text/calendar; method=REQUEST\r\n\r\n"
    + EVENT.replace("UID:weekly", "UID:other").replace("BEGIN:VEVENT", "METHOD:REQUEST\r\nBEGIN:VEVENT", 1)
)


class FixedClock:
    def now(self) -> Any:
        return NOW


class Bugs(logging.Handler):
    """What the server logs as its own failure."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(record)


@dataclass
class Place:
    """A server in memory, with two accounts and an item of each kind, and a device that has synced all of it."""

    app: Any
    names: list[str]

    async def ask(
        self, command: str, version: ProtocolVersion, body: bytes, also: str = ""
    ) -> tuple[int, dict[bytes, bytes], bytes]:
        """One request; whoever waits finds that the client has gone. `also`: more of the query."""
        sent = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            return sent.pop() if sent else {"type": "http.disconnect"}

        told: list[Any] = []

        async def send(event: Any) -> None:
            told.append(event)

        authorization = base64.b64encode(f"{ALICE.user}:{PASSWORD}".encode())
        headers = [
            (b"host", b"localhost"),
            (b"authorization", b"Basic " + authorization),
            (b"ms-asprotocolversion", str(version).encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        is_mail = command in MAIL_COMMANDS and version < V14_0
        headers.append((b"content-type", b"message/rfc822" if is_mail else b"application/vnd.ms-sync.wbxml"))
        query = f"Cmd={command}&User={ALICE.user}&DeviceId=shape{str(version).replace('.', '')}&DeviceType=Test{also}"
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "scheme": "https",
            "path": PATH,
            "raw_path": PATH.encode(),
            "query_string": query.encode(),
            "headers": headers,
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 443),
            "extensions": {},
        }
        await self.app(scope, receive, send)
        if not told:
            return 0, {}, b""
        body = b"".join(event.get("body", b"") for event in told[1:])
        return told[0]["status"], dict(told[0]["headers"]), body


async def place() -> Place:
    """A new one."""
    notifier, clock = ChangeNotifier(), FixedClock()
    store = MemoryStore(notifier)
    await store.admin.add_user(str(ALICE.user), PASSWORD)
    await store.admin.add_user("bob@example.com", PASSWORD)
    submission = deliver_through(
        store.submission,
        folders=store.folders,
        mail=store.mail,
        search=store.mail,
        accounts=store.accounts,
        preferences=store.preferences,
        host="example.com",
        domains=("example.com",),
    )
    ports = Ports(
        folders=store.folders,
        mail=store.mail,
        search=store.mail,
        state=store.state,
        accounts=store.accounts,
        directory=store.directory,
        submission=submission,
        preferences=store.preferences,
        notifier=notifier,
    )
    stopping = asyncio.Event()
    live = Live(WebSettings())
    sign_in = SignIn(store.authenticator, live, stopping, lambda: 0.0)
    made = Place(build_app(ports, load_commands(), sign_in, live, clock, stopping), [])
    await _fill(store, made)
    return made


async def _fill(store: MemoryStore, made: Place) -> None:
    kept = {
        FolderType.CALENDAR: (ItemClass.CALENDAR, EVENT),
        FolderType.TASKS: (ItemClass.TASKS, TASK),
        FolderType.NOTES: (ItemClass.NOTES, NOTE),
        FolderType.CONTACTS: (ItemClass.CONTACTS, CONTACT),
    }
    names = ["RI", "0", "1:1:0", "alice@example.com", "bob@example.com", "Mailbox", "GAL", "Lunch", "Email", "Calendar"]
    for folder in await store.folders.folders(ALICE.user):
        names += [folder.id, f"{folder.id}:1", f"{folder.id}:1"]
        if folder.type in kept:
            item_class, text = kept[folder.type]
            new = kept_items.new_item(item_class, text.encode())
            await store.mail.add(ALICE.user, folder.id, new)
        elif folder.type in (FolderType.INBOX, FolderType.DRAFTS):
            for letter in (LETTER, INVITATION):
                index, words = index_message(letter.encode(), received=NOW)
                content = MemoryBlob(letter.encode())
                received = NOW - timedelta(hours=1)
                await store.mail.add(
                    ALICE.user, folder.id, NewMessage(content=content, index=index, text=words, received=received)
                )
    made.names = names


async def _synced(made: Place, version: ProtocolVersion) -> list[str]:
    """The keys that a device of this version gets."""
    keys: list[str] = []

    async def ask(command: str, root: Element) -> None:
        _, _, body = await made.ask(command, version, wbxml.encode(root).join())
        if body:
            keys.extend(each.text for each in wbxml.decode(body).walk() if each.tag.name == "SyncKey")

    await ask("FolderSync", Element(tag("FolderHierarchy:FolderSync"), [Element(tag("FolderHierarchy:SyncKey"), "0")]))
    for round_ in range(2):
        for number in ("1", "2", "7", "8", "9"):
            key = "0" if round_ == 0 else keys[1 + ("1", "2", "7", "8", "9").index(number)]
            collection = [Element(tag("AirSync:SyncKey"), key), Element(tag("AirSync:CollectionId"), number)]
            root = Element(tag("AirSync:Sync"), [
                Element(tag("AirSync:Collections"), [Element(tag("AirSync:Collection"), collection)])
            ])  # fmt: skip
            await ask("Sync", root)
    return keys


@pytest.mark.requirement("MS-ASCMD_R4815", "MS-ASHTTP_R188")
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(NAMES), version=st.sampled_from(SUPPORTED), seed=st.integers(0, 2**40))
async def test_whatever_comes(name: str, version: ProtocolVersion, seed: int) -> None:
    made = await place()
    shapes = Shapes(seed, [*made.names, *await _synced(made, version)])
    root = shapes.request(REQUESTS[name])
    bugs, logger = Bugs(), logging.getLogger("eas_server")
    logger.addHandler(bugs)
    try:
        for _ in range(2):  # the second time, what the first one did is there
            status, _, body = await made.ask(name, version, wbxml.encode(root).join())
            assert not bugs.found, f"{to_xml(root)}\n{bugs.found[0].getMessage()} {bugs.found[0].exc_info}"
            assert status in STATUSES or status == 0, to_xml(root)
            assert status != 500 or version < V14_0, to_xml(root)
            if status == 200 and body and body[:2] == b"\x03\x01" and SCHEMAS.exists():
                assert_valid(wbxml.decode(body), name)
    finally:
        logger.removeHandler(bugs)


@pytest.mark.requirement("MS-ASHTTP_R188")
@settings(max_examples=EXAMPLES // 2, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    name=st.sampled_from(("GetAttachment", "GetHierarchy", "SendMail", "SmartReply", "SmartForward", "Sync")),
    version=st.sampled_from(SUPPORTED),
    given=st.dictionaries(
        st.sampled_from(("AttachmentName", "CollectionId", "ItemId", "LongId", "Occurrence", "SaveInSent", "ParentId")),
        st.sampled_from((*NASTY, *DATES, "1", "1:1", "1:2", "1:1:0", "1:1:9", "9:1", "RI:1", "T", "999:1:0")),
    ),
    body=st.sampled_from((*MAIL, b"\x03\x01\x6a\x00")),
)
async def test_whatever_the_query_says(name: str, version: ProtocolVersion, given: dict[str, str], body: bytes) -> None:
    made = await place()
    also = "".join(f"&{key}={quote(text, errors='surrogatepass')}" for key, text in given.items())
    bugs, logger = Bugs(), logging.getLogger("eas_server")
    logger.addHandler(bugs)
    try:
        status, headers, answer = await made.ask(name, version, b"" if name.startswith("Get") else body, also)
        assert not bugs.found, f"{name} {also}\n{bugs.found[0].getMessage()} {bugs.found[0].exc_info}"
        assert status in STATUSES, also
        assert status != 500 or version < V14_0, also
        if answer and headers.get(b"content-type") == b"application/vnd.ms-sync.wbxml" and SCHEMAS.exists():
            assert_valid(wbxml.decode(answer), name)
    finally:
        logger.removeHandler(bugs)
