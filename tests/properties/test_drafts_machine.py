"""Two devices that write drafts, lose answers and ask again, hold in the end what the store holds."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from eas_server.model.ids import CollectionId
from eas_server.model.mail import FolderType
from protocol.commands.sync import Add, AddResponse, Change, ChangeResponse, Conflict, Delete, Options, ServerAdd
from protocol.items.airsyncbase import AddAttachment, Attachment, Attachments, Body, BodyType, DeleteAttachment, Method
from protocol.items.email import Email
from protocol.schema import EMPTY, dump, load
from tests.server.commands.mailbox import Mailbox, Phone, mailbox

STEPS = 40
WORDS = ("one", "two", "three", "four")


@dataclass(frozen=True)
class Held:
    """What a device holds of a draft."""

    subject: str
    text: str
    read: bool
    files: tuple[str, ...]


def held(email: Email) -> Held:
    body = email.body.data if email.body is not None else ""
    attachments = email.attachments.changes if email.attachments is not None else ()
    names = tuple(str(one.display_name) for one in attachments if isinstance(one, Attachment))
    return Held(email.subject or "", str(body or "").rstrip(), bool(email.read), names)


@dataclass
class Writer:
    """A device that writes drafts."""

    phone: Phone
    dice: random.Random
    drafts: dict[str, Email] = field(default_factory=dict)
    counter: int = 0
    pending: tuple[str, list[Any]] | None = None
    """A request that got no answer: the key, and what was asked."""

    async def step(self) -> None:
        """Something new, or what was lost once more."""
        if self.pending is not None and self.pending[0] == self.phone.key and self.dice.random() < 0.7:
            commands = self.pending[1]
        else:
            commands = [self._command() for _ in range(self.dice.randrange(3))]
        self.pending = None
        lose = self.dice.random() < 0.3
        answer = await self.phone.ask(
            *commands, lose=True, options=Options(conflict=Conflict.CLIENT_WINS), window_size=3
        )
        if lose:
            self.pending = (self.phone.key, commands)
        elif answer is not None:
            self._take(commands, answer)

    def _command(self) -> Any:
        self.counter += 1
        name = self.dice.choice(sorted(self.drafts)) if self.drafts else None
        kind = self.dice.choice(["add", "change", "change", "file", "unfile", "state", "delete", "send"])
        words = self.dice.choice(WORDS)
        if kind == "add" or name is None:
            email = Email(subject=words, body=Body(type=BodyType.PLAIN, data=words), to="bob@example.com", read=True)
            return Add(client_id=f"c{self.counter}", application_data=dump(email))
        if kind == "delete":
            return Delete(server_id=name)
        if kind == "send":
            return Change(server_id=name, send=EMPTY, application_data=dump(Email()))
        return Change(server_id=name, application_data=dump(self._changed(kind, name, words)))

    def _changed(self, kind: str, name: str, words: str) -> Email:
        attachments = self.drafts[name].attachments
        files = [one for one in attachments.changes if isinstance(one, Attachment)] if attachments else []
        if kind == "file":
            added = AddAttachment(
                client_id=f"f{self.counter}",
                method=Method.NORMAL,
                content=words.encode(),
                display_name=f"{self.phone.bench.device_id}-{self.counter}",
            )
            return Email(attachments=Attachments(changes=(added,)))
        if kind == "unfile" and files:
            gone = DeleteAttachment(file_reference=self.dice.choice(files).file_reference)
            return Email(attachments=Attachments(changes=(gone,)))
        if kind == "state":
            return Email(read=self.dice.random() < 0.5)
        return Email(subject=words, body=Body(type=BodyType.PLAIN, data=words * 2))

    def _take(self, commands: list[Any], answer: Any) -> None:
        """What the device itself did, and then what it is told."""
        responses = answer.responses.responses if answer.responses else ()
        failed = {r.server_id for r in responses if isinstance(r, ChangeResponse) and r.status != 1}
        made = {r.client_id: r.server_id for r in responses if isinstance(r, AddResponse)}
        for command in commands:
            if isinstance(command, Add):
                self.drafts[str(made[command.client_id])] = load(Email, command.application_data)
            elif isinstance(command, Delete):
                self.drafts.pop(command.server_id, None)
            elif command.send is None and command.server_id in self.drafts and command.server_id not in failed:
                self._apply(command.server_id, load(Email, command.application_data))
        for command in answer.commands.commands if answer.commands else ():
            if isinstance(command, Delete):
                self.drafts.pop(command.server_id)
            elif isinstance(command, ServerAdd):
                self.drafts[command.server_id] = load(Email, command.application_data)
            else:
                self._told(command.server_id, load(Email, command.application_data))
        self.phone.key = answer.sync_key

    def _apply(self, name: str, change: Email) -> None:
        now = self.drafts[name]
        gone = {
            one.file_reference
            for one in (change.attachments.changes if change.attachments else ())
            if isinstance(one, DeleteAttachment)
        }
        kept = tuple(
            one
            for one in (now.attachments.changes if now.attachments else ())
            if isinstance(one, Attachment) and one.file_reference not in gone
        )
        self.drafts[name] = with_news(now, change, Attachments(changes=kept) if kept else None)

    def _told(self, name: str, news: Email) -> None:
        whole = news.subject is not None
        self.drafts[name] = news if whole else with_news(self.drafts[name], news, self.drafts[name].attachments)


def with_news(now: Email, news: Email, attachments: Attachments | None) -> Email:
    return Email(
        subject=now.subject if news.subject is None else news.subject,
        body=now.body if news.body is None else news.body,
        read=now.read if news.read is None else news.read,
        attachments=attachments,
    )


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with mailbox(tmp_path) as made:
        await made.store.admin.add_user("bob@example.com", None)
        yield made


@pytest.mark.parametrize("seed", range(12))
async def test_devices_converge(box: Mailbox, seed: int) -> None:
    dice = random.Random(seed)
    user = box.bench.account.user
    folder = next(f.id for f in await box.store.folders.folders(user) if f.type is FolderType.DRAFTS)
    writers = [Writer(box.phone(f"device{n}", CollectionId(folder)), dice) for n in (1, 2)]
    for writer in writers:
        await writer.phone.ask()
    for _ in range(STEPS):
        await dice.choice(writers).step()
    for writer in writers:
        while answer := await writer.phone.ask(lose=True):
            writer._take([], answer)
    fresh = box.phone("fresh", CollectionId(folder))
    await fresh.all()
    truth = {name: held(email) for name, email in fresh.items.items()}
    for writer in writers:
        assert {name: held(email) for name, email in writer.drafts.items()} == truth
