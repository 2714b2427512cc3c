"""What was acknowledged survives the death of the process, at any moment."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from eas_server.backends.sqlite import open_store
from eas_server.model.blob import read
from eas_server.model.ids import CollectionId, ItemId
from eas_server.model.view import NO_LIMIT, TOP
from tests.contract.samples import ALICE

WRITER = """
import asyncio, sys
from pathlib import Path
from eas_server.backends.sqlite import open_store
from eas_server.model.blob import MemoryBlob
from eas_server.model.ids import CollectionId
from tests.contract.samples import ALICE, message

async def deliver(store, worker):
    number = 0
    while True:
        text = f"{worker}-{number}"
        body = MemoryBlob(text.encode() + b"." * (2_000_000 if number % 10 == 9 else 20_000))
        entry = await store.mail.add(ALICE, CollectionId("1"), message(text, content=body))
        print(entry.id, text, flush=True)
        number += 1

async def main():
    async with open_store(Path(sys.argv[1])) as store:
        await asyncio.gather(*(deliver(store, worker) for worker in range(4)))

asyncio.run(main())
"""
ACKNOWLEDGED = 60


def kill_while_writing(path: Path) -> dict[ItemId, str]:
    """What a process that was killed had acknowledged."""
    program = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    )
    assert program.stdout is not None
    lines = [program.stdout.readline() for _ in range(ACKNOWLEDGED)]
    os.kill(program.pid, signal.SIGKILL)
    lines += program.stdout.readlines()
    program.stdout.close()
    assert program.wait() == -signal.SIGKILL
    whole = [line.split() for line in lines if line.endswith("\n")]
    return {ItemId(int(number)): text for number, text in whole}


async def test_every_acknowledged_message_survives_kill_9(path: Path) -> None:
    acknowledged = kill_while_writing(path)
    assert len(acknowledged) >= ACKNOWLEDGED
    async with open_store(path) as store:
        inbox = CollectionId("1")
        for item in await store.mail.fetch(ALICE, inbox, list(acknowledged)):
            text = acknowledged.pop(item.id)
            assert item.index.subject == text
            assert (await read(item.content, 0, len(text) + 1)) == text.encode() + b"."
            assert len(await read(item.content)) == item.content.size
        assert acknowledged == {}
        entries = await store.mail.page(ALICE, inbox, below=TOP, not_before=NO_LIMIT, limit=10_000)
        changes = await store.mail.changes(ALICE, inbox, 0)
        assert {entry.id for entry in entries} == {entry.id for entry in changes.entries}
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
