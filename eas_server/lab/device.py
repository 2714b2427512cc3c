"""A device that knows the usual dialogues: provision, folders, sync round by round, send, wait for news."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from eas_server.lab.transport import Session
from eas_server.model.mail import FolderType
from protocol import schema
from protocol.client import FOLDER_SYNC, PING, PROVISION, SEND_MAIL, SYNC, Answer, Unexpected, compose
from protocol.commands import folder_sync, ping, provision, send_mail, settings, sync
from protocol.elements import Element, Inline
from protocol.items.airsyncbase import BodyPreference, BodyType
from protocol.items.email import Email

MIME: Final = (sync.Options(mime_support=2, body_preferences=(BodyPreference(type=BodyType.MIME),)),)
"""Whole messages, as they are."""
TEXT: Final = (sync.Options(body_preferences=(BodyPreference(type=BodyType.PLAIN, truncation_size=500),)),)
"""The beginning of the text: what a list shows."""
WINDOW: Final = 100
MAX_ROUNDS: Final = 1000

ClientCommand: TypeAlias = sync.Add | sync.Change | sync.Delete | sync.Fetch
ServerCommand: TypeAlias = sync.ServerAdd | sync.Change | sync.Delete | sync.SoftDelete


@dataclass(slots=True)
class News:
    """What one or several rounds of Sync brought."""

    commands: list[ServerCommand] = field(default_factory=list)
    responses: list[sync.CommandResponse] = field(default_factory=list)
    rounds: int = 0

    @property
    def added(self) -> Mapping[str, Email]:
        """New messages by ServerId."""
        return {
            command.server_id: message(command.application_data)
            for command in self.commands
            if isinstance(command, sync.ServerAdd)
        }


def message(application_data: Element) -> Email:
    """A message of an answer."""
    return schema.load(Email, application_data)


def octets_of(found: Email) -> bytes:
    """The body of a message as octets: those of the MIME for a body of that type."""
    data = found.body.data if found.body is not None else None
    if isinstance(data, Inline):
        return bytes(data.octets) if isinstance(data.octets, (bytes, bytearray, memoryview)) else b""
    return (data or "").encode("utf-8", "surrogateescape")


class Device(Session):
    """One device. Each method raises Unexpected for an answer that is not the usual one."""

    async def provision(self) -> int:
        """Both phases; gives the policy key."""
        self.client.policy_key = 0
        details = settings.DeviceDetails(model="Lab", os="Lab 1.0", friendly_name=self.client.device_id)
        first = await self.call(PROVISION, self.client.ask_for_policy(details))
        _policy_of(first)
        second = await self.call(PROVISION, self.client.acknowledge_policy())
        _policy_of(second)
        return self.client.policy_key or 0

    async def folders(self) -> Mapping[FolderType, str]:
        """The folders as they are new to this device: ids by type, the first one of each."""
        answer = await self.call(FOLDER_SYNC, folder_sync.Request(sync_key="0"))
        response = answer.take()
        if response.status != folder_sync.Status.SUCCESS or response.changes is None:
            raise Unexpected(answer, "no folders")
        found: dict[FolderType, str] = {}
        for add in response.changes.adds:
            found.setdefault(FolderType(add.type), add.server_id)
        return found

    async def round(
        self,
        collection_id: str,
        *commands: ClientCommand,
        options: tuple[sync.Options, ...] = TEXT,
        window: int = WINDOW,
    ) -> tuple[News, bool]:
        """One round in one collection, beginning with key 0 where the device has none; tells whether more waits."""
        starts = collection_id not in self.client.sync_keys
        asked = self.client.collection(
            collection_id,
            *commands,
            options=options,
            window_size=window,
            get_changes=None if starts else True,
        )
        answer = await self.call(SYNC, sync.Request(collections=sync.Collections(collections=(asked,))))
        if answer.ok and answer.response is None:
            return News(rounds=1), False
        collection = _collection_of(answer)
        news = News(rounds=1)
        if collection.commands is not None:
            news.commands += collection.commands.commands
        if collection.responses is not None:
            news.responses += collection.responses.responses
        return news, starts or collection.more_available is not None

    async def catch_up(
        self,
        collection_id: str,
        *commands: ClientCommand,
        options: tuple[sync.Options, ...] = TEXT,
        window: int = WINDOW,
    ) -> News:
        """Rounds until there is no more."""
        news, more = await self.round(collection_id, *commands, options=options, window=window)
        while more and news.rounds < MAX_ROUNDS:
            further, more = await self.round(collection_id, options=options, window=window)
            news.commands += further.commands
            news.responses += further.responses
            news.rounds += 1
        return news

    async def send(self, mime: bytes, *, client_id: str | None = None, save: bool = True) -> Answer[send_mail.Response]:
        """SendMail. Raises Unexpected unless the answer is the empty one of success."""
        answer = await self.call(SEND_MAIL, compose(mime, client_id or secrets.token_hex(16), save=save))
        if not answer.ok or answer.response is not None:
            raise Unexpected(answer, "the message was not taken")
        return answer

    async def wait(self, *collection_ids: str, seconds: int = 600) -> ping.Response:
        """Ping: wait for news of messages in these collections."""
        folders = tuple(ping.Folder(id=each, item_class="Email") for each in collection_ids)
        answer = await self.call(PING, ping.Request(heartbeat_interval=seconds, folders=folders))
        return answer.take()


def _policy_of(answer: Answer[provision.Response]) -> None:
    response = answer.take()
    statuses = [policy.status for policy in response.policies or ()]
    if response.status != provision.Status.SUCCESS or statuses != [provision.PolicyStatus.SUCCESS]:
        raise Unexpected(answer, f"policies with Status {statuses}")


def _collection_of(answer: Answer[sync.Response]) -> sync.CollectionResponse:
    response = answer.take()
    collections = response.collections.collections if response.collections is not None else ()
    statuses = [collection.status for collection in collections]
    if statuses != [sync.Status.SUCCESS]:
        raise Unexpected(answer, f"collections with Status {statuses}")
    return collections[0]
