"""A store with people in it, and all steps around its mail."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from eas_server.backends.sqlite.store import Store, open_store
from eas_server.commands import send_mail
from eas_server.delivery.steps import deliver_through
from eas_server.interfaces import MailSubmission
from eas_server.model.blob import read
from eas_server.model.directory import DirectoryEntry
from eas_server.model.ids import UserId
from eas_server.model.mail import FolderType, Item
from eas_server.model.settings import Answered, Settings
from eas_server.model.view import NO_LIMIT, TOP
from eas_server.notify import ChangeNotifier
from eas_server.render.mime import index_message
from eas_server.submission.incoming import Envelope, Incoming, IncomingPorts, Outcome
from protocol.commands.compose_mail import PRESENT
from protocol.commands.send_mail import Request
from protocol.elements import Opaque
from protocol.schema import dump
from tests.server.commands.mailbox import CHEAP, FixedClock
from tests.server.commands.support import Bench

DOMAIN = "example.com"
HOST = "mail.example.com"


@dataclass
class House:
    """alice, bob and carol, the group team of the three, and mail that goes through all steps."""

    store: Store
    clock: FixedClock
    notifier: ChangeNotifier
    submission: MailSubmission = field(init=False)
    sent: int = 0
    answered: Answered = Answered.EVERYBODY

    def __post_init__(self) -> None:
        """With all steps."""
        self.submission = deliver_through(
            self.store.submission,
            folders=self.store.folders,
            mail=self.store.mail,
            search=self.store.mail,
            accounts=self.store.accounts,
            preferences=self.store.preferences,
            host=HOST,
            domains=(DOMAIN,),
            answered=lambda: self.answered,
        )

    async def bench(self, name: str = "alice", **changes: Any) -> Bench:
        """A device of somebody's."""
        account = await self.store.accounts.account(user(name))
        assert account is not None
        return Bench(
            folders=self.store.folders,
            state=self.store.state,
            notifier=self.notifier,
            mail=self.store.mail,
            search=self.store.mail,
            accounts=self.store.accounts,
            directory=self.store.directory,
            submission=self.submission,
            preferences=self.store.preferences,
            account=account,
            now=self.clock.moment,
            **{"settings": Settings(domains=(DOMAIN,)), **changes},
        )

    async def send(self, bench: Bench, octets: bytes, *, save: bool = True) -> None:
        """SendMail, from 14.0 on."""
        self.sent += 1
        request = Request(client_id=str(self.sent), save_in_sent_items=PRESENT if save else None, mime=Opaque(octets))
        at = replace(bench, now=self.clock.moment)
        assert await at.run_tree(send_mail.COMMAND, dump(request)) is None

    async def comes(self, octets: bytes, sender: str, *recipients: str) -> None:
        """Mail from elsewhere."""
        ports = IncomingPorts(
            accounts=self.store.accounts, submission=self.submission, clock=self.clock, index=index_message
        )
        incoming = Incoming(ports, host=HOST, domains=(DOMAIN,))
        envelope = Envelope(sender=sender, recipients=recipients, content=memoryview(octets), protocol="LMTP")
        assert set(await incoming.deliver(envelope)) == {Outcome.DELIVERED}

    async def items(self, name: str, folder: FolderType = FolderType.INBOX) -> list[Item]:
        """What is in a folder, newest first."""
        found = next(each for each in await self.store.folders.folders(user(name)) if each.type is folder)
        entries = await self.store.mail.page(user(name), found.id, below=TOP, not_before=NO_LIMIT, limit=1000)
        return list(await self.store.mail.fetch(user(name), found.id, [entry.id for entry in entries]))

    async def subjects(self, name: str) -> list[str]:
        """The subjects in an inbox, sorted."""
        return sorted(item.index.subject for item in await self.items(name))

    async def outgoing(self) -> list[tuple[str, tuple[str, ...], bytes]]:
        """What waits for other servers: sender, recipients, octets."""
        queued = await self.store.queue.due(self.clock.moment, 100)
        return [
            (each.forwarding.sender, each.forwarding.recipients, await read(each.forwarding.content)) for each in queued
        ]


def user(name: str) -> UserId:
    """The id of a local user."""
    return UserId(f"{name}@{DOMAIN}")


def mail(subject: str, *, sender: str = "bob@example.com", to: str = "alice@example.com", **fields: str) -> bytes:
    """A plain message; further fields by their names with `_` for `-`."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join(
        [
            f"From: {sender}",
            f"To: {to}",
            f"Subject: {subject}",
            f"Message-ID: <{subject.replace(' ', '.')}@elsewhere.test>",
            *lines,
            "",
            "Hello.\r\n",
        ]
    ).encode()


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    """Opens one."""
    notifier, clock = ChangeNotifier(), FixedClock()
    async with open_store(folder / "store.sqlite", notifier=notifier, clock=clock, hash_cost=CHEAP) as store:
        for name in ("alice", "bob", "carol"):
            await store.admin.add_user(f"{name}@{DOMAIN}", None)
        members = [f"{name}@{DOMAIN}" for name in ("alice", "bob", "carol")]
        await store.admin.add_group(DirectoryEntry(key="", display_name="Team", email=f"team@{DOMAIN}"), members)
        yield House(store=store, clock=clock, notifier=notifier)
