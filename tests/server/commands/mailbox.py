"""A mailbox in the embedded store, and a device that syncs one folder of it, for tests of handlers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from eas_server.backends.sqlite.passwords import HashCost
from eas_server.backends.sqlite.store import Store, open_store
from eas_server.commands import sync
from eas_server.model.blob import MemoryBlob
from eas_server.model.ids import CollectionId, DeviceId, UserId
from eas_server.model.mail import NewMessage
from eas_server.notify import ChangeNotifier
from eas_server.render.mime import index_message
from protocol.commands.sync import (
    Change,
    ClientCommands,
    Collection,
    CollectionResponse,
    Collections,
    Delete,
    Options,
    Request,
    Response,
    ServerAdd,
    SoftDelete,
)
from protocol.items.email import Email
from protocol.schema import load
from tests.server.commands.support import ALICE, NOW, Bench

INBOX = CollectionId("1")
CHEAP = HashCost(passes=1, kibibytes=8, lanes=1)


class FixedClock:
    """A clock that tests move."""

    def __init__(self, now: datetime = NOW) -> None:
        self.moment = now

    def now(self) -> datetime:
        """The moment set."""
        return self.moment


@asynccontextmanager
async def mailbox(folder: Path, **changes: Any) -> AsyncIterator["Mailbox"]:
    """A store with alice's account, and a bench over it."""
    notifier = ChangeNotifier()
    async with open_store(folder / "store.sqlite", notifier=notifier, clock=FixedClock(), hash_cost=CHEAP) as store:
        await store.admin.add_user(str(ALICE.user), None)
        bench = Bench(
            folders=store.folders,
            state=store.state,
            notifier=notifier,
            mail=store.mail,
            search=store.mail,
            accounts=store.accounts,
            directory=store.directory,
            submission=store.submission,
            preferences=store.preferences,
            **changes,
        )
        yield Mailbox(store, bench)


def message(subject: str, body: str = "Hello.\r\n", **headers: str) -> bytes:
    """A plain message."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(
        [
            "From: Bob <bob@example.com>",
            "To: alice@example.com",
            f"Subject: {subject}",
            "Message-ID: <" + subject.replace(" ", ".") + "@example.com>",
            "Content-Type: text/plain; charset=utf-8",
            *lines,
            "",
            body,
        ]
    ).encode()


@dataclass
class Mailbox:
    """Alice's mailbox."""

    store: Store
    bench: Bench

    async def deliver(
        self,
        octets: bytes,
        *,
        age: timedelta = timedelta(),
        folder: CollectionId = INBOX,
        user: UserId = ALICE.user,
    ) -> int:
        """Put a message into a folder; gives its number."""
        received = self.bench.now - age
        index, text = index_message(octets, received=received)
        entry = await self.store.mail.add(
            user,
            folder,
            NewMessage(content=MemoryBlob(octets), index=index, text=text, received=received),
        )
        return int(entry.id)

    def phone(self, device: str = "device1", folder: CollectionId = INBOX) -> "Phone":
        """A device of alice's."""
        return Phone(replace(self.bench, device_id=DeviceId(device)), folder)


@dataclass
class Phone:
    """A device that syncs one folder. `items`: what it holds, by ServerId."""

    bench: Bench
    folder: CollectionId
    key: str = "0"
    items: dict[str, Email] = field(default_factory=dict)
    answer: CollectionResponse | None = None

    async def ask(self, *commands: Any, lose: bool = False, request: dict[str, Any] | None = None, **asked: Any) -> Any:
        """Sync once; None for an empty answer, the Response where it has a global Status."""
        if "options" in asked and isinstance(asked["options"], Options):
            asked["options"] = (asked["options"],)
        collection = Collection(
            sync_key=asked.pop("sync_key", self.key),
            collection_id=self.folder,
            commands=ClientCommands(commands=commands) if commands else None,
            **asked,
        )
        whole = Request(collections=Collections(collections=(collection,)), **(request or {}))
        response: Response | None = await self.bench.run(sync.COMMAND, whole)
        if response is None or response.collections is None:
            return response
        (answer,) = response.collections.collections
        if not lose:
            self._take(answer)
        return answer

    async def all(self, **asked: Any) -> int:
        """Sync from the start until nothing is left; gives the number of answers."""
        rounds = 0
        while True:
            answer = await self.ask(**asked)
            if answer is None:
                return rounds
            rounds += 1

    def _take(self, answer: CollectionResponse) -> None:
        self.answer = answer
        assert answer.sync_key is not None
        self.key = answer.sync_key
        for command in answer.commands.commands if answer.commands else ():
            if isinstance(command, ServerAdd):
                assert command.server_id not in self.items
                self.items[command.server_id] = load(Email, command.application_data)
            elif isinstance(command, Change):
                assert command.application_data is not None
                news = load(Email, command.application_data)
                told = {name: value for name in news.__slots__ if (value := getattr(news, name)) is not None}
                self.items[command.server_id] = replace(self.items[command.server_id], **told)
            elif isinstance(command, (Delete, SoftDelete)):
                del self.items[command.server_id]
