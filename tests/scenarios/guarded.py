"""A server with rights management behind a declared proxy, and devices that reach it over TLS or without."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eas_server.lab.device import News
from eas_server.lab.transport import HttpResponse, Transport
from eas_server.model.mail import FolderType
from protocol import schema
from protocol.client import (
    FOLDER_SYNC,
    ITEM_OPERATIONS,
    SEND_MAIL,
    SMART_FORWARD,
    SMART_REPLY,
    HttpRequest,
    QueryForm,
)
from protocol.codepages import tag
from protocol.commands import folder_sync, item_operations, send_mail, smart_forward, smart_reply, sync
from protocol.commands.compose_mail import PRESENT, Source
from protocol.elements import Element, Opaque
from protocol.items.airsyncbase import BodyPreference, BodyType
from protocol.items.email import Email
from protocol.versions import V16_1, ProtocolVersion
from tests.scenarios.server import Server, ValidatedDevice, World

CONFIDENTIAL = "e6f0a6a4-1b5f-4c0c-9d4e-000000000001"
SILENT = "e6f0a6a4-1b5f-4c0c-9d4e-000000000002"
OPEN = "e6f0a6a4-1b5f-4c0c-9d4e-000000000003"
KEPT = "e6f0a6a4-1b5f-4c0c-9d4e-000000000004"
ATTACHED = "e6f0a6a4-1b5f-4c0c-9d4e-000000000005"
REPLY_ALL = "e6f0a6a4-1b5f-4c0c-9d4e-000000000006"
LEGAL = "e6f0a6a4-1b5f-4c0c-9d4e-000000000007"
NO_RESTRICTION = "00000000-0000-0000-0000-000000000000"
UNKNOWN = "e6f0a6a4-1b5f-4c0c-9d4e-00000000ffff"
TEMPLATES = f"""
[[rights.templates]]
id = "{{{CONFIDENTIAL.upper()}}}"
name = "Confidential"
description = "Recipients read it and answer its sender."
reply_allowed = true
license_days = 7
names = {{ de = "Vertraulich" }}
descriptions = {{ de = "Nur lesen und antworten." }}

[[rights.templates]]
id = "{SILENT}"
name = "Silent"
description = "Recipients read it."

[[rights.templates]]
id = "{OPEN}"
name = "Open"
description = "Everything is allowed."
edit_allowed = true
reply_allowed = true
reply_all_allowed = true
forward_allowed = true
extract_allowed = true
print_allowed = true
export_allowed = true
programmatic_access_allowed = true

[[rights.templates]]
id = "{KEPT}"
name = "Kept"
description = "Everything save to take the protection off."
edit_allowed = true
reply_allowed = true
reply_all_allowed = true
forward_allowed = true

[[rights.templates]]
id = "{ATTACHED}"
name = "Attached"
description = "It goes on as it is."
forward_allowed = true

[[rights.templates]]
id = "{REPLY_ALL}"
name = "Everybody"
description = "Who answers, answers all."
reply_all_allowed = true

[[rights.templates]]
id = "{LEGAL}"
name = "Legal"
description = "It belongs to the lawyers."
content_owner = "legal@example.com"
"""
READS = (sync.Options(body_preferences=(BodyPreference(type=BodyType.PLAIN),), rights_management=True),)
BLIND = (sync.Options(body_preferences=(BodyPreference(type=BodyType.PLAIN),)),)
REFUSES = (sync.Options(body_preferences=(BodyPreference(type=BodyType.PLAIN),), rights_management=False),)
WHOLE = (sync.Options(mime_support=2, body_preferences=(BodyPreference(type=BodyType.MIME),), rights_management=True),)


def guarded_server(folder: Path, more: str = TEMPLATES) -> Server:
    """A server with these templates whose proxy is this machine."""
    server = Server(folder, more)
    text = server.config.read_text()
    server.config.write_text(text.replace("[server]\n", '[server]\ntrusted_proxies = ["127.0.0.1"]\n', 1))
    return server


class Through(Transport):
    """The proxy: it says how the client came, and hands on what headers the test gives."""

    def __init__(self, port: int, scheme: str, headers: Sequence[tuple[str, str]]) -> None:
        super().__init__("127.0.0.1", port)
        self._headers = (("X-Forwarded-Proto", scheme), *headers)

    async def send(self, request: HttpRequest) -> HttpResponse:
        """See Transport."""
        return await super().send(replace(request, headers=(*request.headers, *self._headers)))


@dataclass
class Person:
    """A device of somebody, with the folders that it knows."""

    device: ValidatedDevice
    world: World
    name: str
    folders: dict[FolderType, str]

    @property
    def inbox(self) -> str:
        """Its CollectionId."""
        return self.folders[FolderType.INBOX]

    async def news(
        self, options: tuple[sync.Options, ...] = READS, folder: FolderType = FolderType.INBOX
    ) -> dict[str, Email]:
        """What is new, by ServerId."""
        news: News = await self.device.catch_up(self.folders[folder], options=options)
        return dict(news.added)

    async def newest(
        self, options: tuple[sync.Options, ...] = READS, folder: FolderType = FolderType.INBOX
    ) -> tuple[str, Email]:
        """The only new message."""
        (found,) = (await self.news(options, folder)).items()
        return found

    def letter(self, to: str, subject: str = "Plans", body: str = "The secret is 42.\r\n", cc: str = "") -> bytes:
        """A plain message, with an attachment."""
        people = ", ".join(self.world.address(name) for name in to.split(","))
        copies = f"Cc: {', '.join(self.world.address(name) for name in cc.split(','))}\r\n" if cc else ""
        return (
            f"From: {self.world.address(self.name)}\r\nTo: {people}\r\n{copies}Subject: {subject}\r\n"
            "Date: Mon, 23 Nov 2026 12:00:00 +0000\r\n"
            f"Message-ID: <{secrets.token_hex(8)}@{self.world.domain}>\r\n"
            'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
            f"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n"
            '--b\r\nContent-Type: application/pdf; name="plan.pdf"\r\n'
            'Content-Disposition: attachment; filename="plan.pdf"\r\n\r\nthe plan itself\r\n--b--\r\n'
        ).encode()

    async def send(self, mime: bytes, template: str | None = None) -> int | None:
        """SendMail; the Status, None for success."""
        answer = await self.device.call(
            SEND_MAIL,
            send_mail.Request(
                client_id=secrets.token_hex(16), save_in_sent_items=PRESENT, mime=Opaque(mime), template_id=template
            ),
        )
        return None if answer.response is None else answer.take().status

    async def reply(self, server_id: str, mime: bytes, template: str | None = None, *, whole: bool = False) -> Any:
        """SmartReply; the Status, None for success."""
        request = smart_reply.Request(
            client_id=secrets.token_hex(16),
            source=Source(folder_id=self.inbox, item_id=server_id),
            save_in_sent_items=PRESENT,
            replace_mime=PRESENT if whole else None,
            mime=Opaque(mime),
            template_id=template,
        )
        answer = await self.device.call(SMART_REPLY, request)
        return None if answer.response is None else answer.take().status

    async def forward(self, server_id: str, mime: bytes, template: str | None = None, *, whole: bool = False) -> Any:
        """SmartForward; the Status, None for success."""
        request = smart_forward.Request(
            client_id=secrets.token_hex(16),
            source=Source(folder_id=self.inbox, item_id=server_id),
            save_in_sent_items=PRESENT,
            replace_mime=PRESENT if whole else None,
            mime=Opaque(mime),
            template_id=template,
        )
        answer = await self.device.call(SMART_FORWARD, request)
        return None if answer.response is None else answer.take().status

    async def fetch(self, *, multiparts: bool = False, **wanted: Any) -> item_operations.Fetched:
        """One Fetch of ItemOperations."""
        request = item_operations.Request(operations=(item_operations.Fetch(store="Mailbox", **wanted),))
        response = (await self.device.call(ITEM_OPERATIONS, request, multiparts=multiparts)).take()
        assert response.status == item_operations.Status.SUCCESS
        assert response.responses is not None
        (fetched,) = response.responses.fetched
        return fetched


def fetch_options(rights: bool | None = True, **more: Any) -> item_operations.FetchOptions:
    """Options of a Fetch."""
    return item_operations.FetchOptions(
        body_preferences=(BodyPreference(type=BodyType.PLAIN),), rights_management=rights, **more
    )


def email_in(properties: Element) -> Email:
    """Properties of ItemOperations or Search as a message."""
    return schema.load(Email, Element(tag("AirSync:ApplicationData"), properties.content))


def names_of(email: Email) -> list[str]:
    """The names of its attachments."""
    changes = email.attachments.changes if email.attachments else ()
    return [change.display_name for change in changes if getattr(change, "display_name", None)]


def text_of(email: Email) -> str:
    """Its text."""
    assert email.body is not None
    assert isinstance(email.body.data, str)
    return email.body.data


async def person(
    world: World,
    name: str,
    version: ProtocolVersion = V16_1,
    *,
    scheme: str = "https",
    headers: Sequence[tuple[str, str]] = (),
    query: QueryForm = QueryForm.PLAIN,
    device_id: str = "",
) -> Person:
    """A device that has signed in and knows its folders."""
    device = world.device(name, version, device_id=device_id or f"{name}phone", query=query)
    device.transport = Through(world.server.port, scheme, headers)
    world._transports.append(device.transport)
    answer = (await device.call(FOLDER_SYNC, folder_sync.Request(sync_key="0"))).take()
    assert answer.changes is not None
    folders = {FolderType(add.type): add.server_id for add in reversed(answer.changes.adds)}
    return Person(device, world, name, folders)
