"""SendMail and SmartForward on the stores: what is in the mailboxes afterwards."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eas_server.backends.sqlite import open_store
from eas_server.commands import send_mail, smart_forward
from eas_server.model.directory import Account
from eas_server.model.ids import UserId, server_id
from eas_server.model.mail import FolderType, Verb
from eas_server.render.mime import index_message
from protocol.commands import smart_forward as forward_types
from protocol.commands.compose_mail import PRESENT, Source
from protocol.commands.send_mail import Request
from protocol.elements import Opaque
from protocol.http import CommandLine
from protocol.status import CommonStatus
from protocol.versions import V12_1
from tests.server.commands.composing import Bench
from tests.server.submission.support import FixedClock, fill, inbox, octets

MIME = (
    b"From: alice@example.com\r\nTo: bob@example.com, x@elsewhere.test\r\nBcc: carol@example.com\r\nSubject: s\r\n"
    b"Date: Wed, 04 Mar 2026 05:00:00 +0000\r\nMessage-ID: <1@phone>\r\n\r\n8-bit \xff\x00 and mixed\nends\r\n"
)
VISIBLE = MIME.replace(b"Bcc: carol@example.com\r\n", b"")


def bench_of(store: Any) -> Bench:
    return Bench(
        submission=store.submission,
        accounts=store.accounts,
        directory=store.directory,
        folders=store.folders,
        mail=store.mail,
    )


async def test_each_has_the_right_copy(store: Any, clock: FixedClock):
    bench = bench_of(store)
    request = Request(client_id="1", save_in_sent_items=PRESENT, mime=Opaque(MIME))
    assert await bench.ask(send_mail.COMMAND, request) is None
    assert await bench.ask(send_mail.COMMAND, request) == CommonStatus.MESSAGE_PREVIOUSLY_SENT
    for name in ("bob", "carol"):
        (item,) = await inbox(store, name)
        above, below = await octets(item)
        assert below == VISIBLE
        assert b"bcc" not in above.lower()
        assert item.index == replace(index_message(VISIBLE)[0], received_as_bcc=name == "carol")
    (sent,) = await inbox(store, "alice", FolderType.SENT_ITEMS)
    assert await octets(sent) == (b"", MIME)
    assert sent.state.read
    (queued,) = await store.queue.due(clock.now(), 10)
    assert queued.forwarding.recipients == ("x@elsewhere.test",)


@pytest.mark.requirement("MS-ASCMD_R954", "MS-ASCMD_R4850")
async def test_a_client_id_used_again_for_another_message_is_sent(store: Any):
    bench = bench_of(store)
    for octets_ in (MIME, MIME + b"other"):
        assert await bench.ask(send_mail.COMMAND, Request(client_id="1", mime=Opaque(octets_))) is None
    assert len(await inbox(store, "bob")) == 2


async def test_a_repetition_at_12_1_is_not_delivered_twice(store: Any):
    bench = bench_of(store)
    for _ in range(2):
        assert await bench.post(send_mail.COMMAND, MIME, V12_1, CommandLine(command="SendMail")) is None
    assert len(await inbox(store, "bob")) == 1


async def test_a_forwarded_message_is_marked(store: Any):
    bench = bench_of(store)
    await bench.ask(send_mail.COMMAND, Request(client_id="1", save_in_sent_items=PRESENT, mime=Opaque(MIME)))
    (sent,) = await inbox(store, "alice", FolderType.SENT_ITEMS)
    folders = await store.folders.folders(UserId("alice@example.com"))
    folder = next(f for f in folders if f.type is FolderType.SENT_ITEMS)
    source = Source(folder_id=folder.id, item_id=server_id(folder.id, sent.id))
    own = b"To: bob@example.com\r\nMIME-Version: 1.0\r\n\r\nlook\r\n"
    request = forward_types.Request(client_id="2", source=source, mime=Opaque(own))
    assert await bench.ask(smart_forward.COMMAND, request) is None
    (sent,) = await inbox(store, "alice", FolderType.SENT_ITEMS)
    assert sent.state.verb is Verb.FORWARD
    _, below = await octets((await inbox(store, "bob"))[-1])
    assert b"carol" not in below  # the Bcc of the sent copy


async def test_a_full_mailbox_does_not_stop_the_others(store: Any):
    bench = bench_of(store)
    large = MIME + b"x" * 3000
    assert await bench.ask(send_mail.COMMAND, Request(client_id="1", mime=Opaque(large))) is None
    assert await inbox(store, "bob") == []
    assert len(await inbox(store, "carol")) == 1


async def test_the_queue_outlives_the_server(tmp_path: Path, clock: FixedClock):
    async with open_store(tmp_path / "store.db", clock=clock) as store:
        await fill(store, {})
        await bench_of(store).ask(send_mail.COMMAND, Request(client_id="1", mime=Opaque(MIME)))
    async with open_store(tmp_path / "store.db", clock=clock) as store:
        (queued,) = await store.queue.due(clock.now(), 10)
        assert queued.forwarding.sender == "alice@example.com"
        account = await store.accounts.account(queued.user)
        assert isinstance(account, Account)
