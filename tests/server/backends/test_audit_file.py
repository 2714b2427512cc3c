"""The audit trail in files: rotation, full disks, slow disks, crashes, what strangers write into it."""

import errno
import json
import os
import stat
import threading
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas_server.audit import InvalidLine, Wanted, event_of, line_of, log_fields
from eas_server.backends import audit_file
from eas_server.backends.audit_file import AuditFile, AuditSettings, follow_trail, read_trail
from eas_server.model.audit import AuditKind
from eas_server.web.log import TextFormatter, logging
from tests.contract.auditing import event

LARGE = AuditSettings()
SMALL = AuditSettings(max_file=2000, files=3)


def kept(folder, torn=pytest.fail):
    return list(read_trail(folder, Wanted(), torn))


async def noted(folder, events, settings=LARGE):
    with closing(AuditFile(folder, settings)) as audit:
        for each in events:
            audit.note(each)
            await audit.settled()


async def test_only_the_owner_can_read_it(tmp_path):
    await noted(tmp_path / "audit", [event()])
    assert stat.S_IMODE((tmp_path / "audit").stat().st_mode) == 0o700
    for path in (tmp_path / "audit").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_nothing_is_made_before_there_is_an_event(tmp_path):
    await noted(tmp_path / "audit", [])
    assert list(tmp_path.iterdir()) == []
    assert kept(tmp_path / "audit") == []


async def test_files_are_put_aside_and_removed(tmp_path):
    events = [event(number) for number in range(100)]
    await noted(tmp_path, events, SMALL)
    names = sorted(path.name for path in tmp_path.glob("audit*"))
    assert names == ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2", "audit.jsonl.3"]
    assert all(path.stat().st_size <= SMALL.max_file for path in tmp_path.glob("audit*"))
    found = kept(tmp_path)
    assert found == events[-len(found) :]
    assert len(found) > 30
    await noted(tmp_path, [event(100)], AuditSettings(max_file=10, files=1))
    assert sorted(path.name for path in tmp_path.glob("audit*")) == ["audit.jsonl", "audit.jsonl.1"]
    await noted(tmp_path, [event(101)], AuditSettings(max_file=10, files=0))
    assert kept(tmp_path) == [event(101)]


async def test_an_event_larger_than_a_file_is_kept(tmp_path):
    await noted(tmp_path, [event(1), event(2, domains=("x" * 400,) * 50), event(3)], SMALL)
    assert [each.details["number"] for each in kept(tmp_path)] == [1, 2, 3]


async def test_a_trail_goes_on_after_a_restart_and_after_a_crash(tmp_path):
    await noted(tmp_path, [event(1)])
    with (tmp_path / "audit.jsonl").open("ab") as file:
        file.write(b'{"time":"2026-')
    await noted(tmp_path, [event(2)])
    torn = []
    assert kept(tmp_path, lambda: torn.append(1)) == [event(1), event(2)]
    assert torn == [1]


async def test_a_full_disk_stops_nothing_and_is_told(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(audit_file, "_RETRY_SECONDS", 0.0)
    write, full = os.write, True

    def half(descriptor, octets):
        if not full:
            return write(descriptor, octets)
        write(descriptor, bytes(octets)[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(audit_file.os, "write", half)
    with closing(AuditFile(tmp_path, AuditSettings())) as audit:
        for number in range(3):
            audit.note(event(number))
            await audit.settled()
        assert kept(tmp_path) == []
        assert (tmp_path / "audit.jsonl").stat().st_size == 0
        full = False
        audit.note(event(3))
        await audit.settled()
    lost, last = kept(tmp_path)
    assert (lost.kind, lost.details, last) == (AuditKind.LOST, {"events": 3}, event(3))
    assert [record.message for record in caplog.records if "audit trail" in record.message] == [
        "the audit trail cannot be written, mail goes on without it: [Errno 28] No space left on device"
    ]


async def test_a_slow_disk_holds_nobody_up(tmp_path, monkeypatch):
    going, begun = threading.Event(), threading.Event()
    sync = os.fsync

    def slow(descriptor):
        begun.set()
        assert going.wait(30)
        sync(descriptor)

    monkeypatch.setattr(audit_file.os, "fsync", slow)
    with closing(AuditFile(tmp_path, AuditSettings(max_waiting=5))) as audit:
        audit.note(event(0))
        assert begun.wait(30)
        for number in range(1, 21):  # none of these waits: the thread is busy
            audit.note(event(number))
        going.set()
        await audit.settled()
        audit.note(event(21))
        await audit.settled()
    numbers = [each.details.get("number") for each in kept(tmp_path) if each.kind is not AuditKind.LOST]
    lost = [each.details["events"] for each in kept(tmp_path) if each.kind is AuditKind.LOST]
    assert (numbers, lost) == ([0, 1, 2, 3, 4, 5, 21], [15])


async def test_what_waits_is_written_at_the_end(tmp_path):
    audit = AuditFile(tmp_path, AuditSettings())
    for number in range(1000):
        audit.note(event(number))
    audit.close()
    assert len(kept(tmp_path)) == 1000


async def test_two_servers_write_one_trail(tmp_path):
    one, two = (AuditFile(tmp_path, AuditSettings(max_file=5000, files=50)) for _ in range(2))
    for number in range(200):
        one.note(event(number))
        two.note(event(number))
    one.close()
    two.close()
    assert sorted(each.details["number"] for each in kept(tmp_path)) == sorted([*range(200)] * 2)


async def test_following_sees_all_that_comes(tmp_path):
    """Over the change of files, too, and nothing that was there before."""
    await noted(tmp_path, [event(1)])
    batches = iter([[event(2)], [event(number) for number in range(3, 60)], []])

    with closing(AuditFile(tmp_path, SMALL)) as audit:

        def pause():
            batch = next(batches, None)
            if batch is None:
                raise KeyboardInterrupt
            for each in batch:
                audit.note(each)
            done = threading.Event()
            audit._waiting.put(done.set)
            assert done.wait(30)

        found = []

        def follow():
            for each in follow_trail(tmp_path, Wanted(), pause):
                found.append(each.details["number"])  # noqa: PERF401 — the generator ends by an exception

        with pytest.raises(KeyboardInterrupt):
            follow()
    assert found[:1] == [2]
    assert found == sorted(found)
    assert found[-1] == 59


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=20),
        st.one_of(st.text(), st.integers(), st.booleans(), st.lists(st.text(), max_size=3).map(tuple)),
        max_size=5,
    )
)
def test_any_event_is_one_line(details):
    line = line_of(event(0, **{"x": "y"}) if not details else _with(details))
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert line.isascii()
    assert all(octet >= 0x20 for octet in line[:-1])
    event_of(line)


def _with(details):
    noted = event()
    object.__setattr__(noted, "details", details)
    return noted


def test_details_cannot_pose_as_who_did_it():
    forged = event_of(line_of(_with({"user": "mallory@example.com", "kind": "served", "time": "1970"})))
    assert (forged.user, forged.kind) == (event().user, AuditKind.SENT)


def test_long_texts_are_cut():
    assert len(line_of(_with({"a": "x" * 100_000, "b": ("y" * 100_000,) * 2}))) < 5000


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"{", b"null", b'{"time":1}', b'{"time":"2026-01-01"}', b"\xff", b"[" * 9999]
)
def test_what_is_no_event_is_told_so(line):
    with pytest.raises((InvalidLine, ValueError, RecursionError)):
        event_of(line)


def test_a_line_of_the_log_cannot_be_forged():
    record = logging.LogRecord("eas_server.audit", logging.INFO, "", 0, "audit", None, None)
    record.fields = log_fields(event(domains=("evil.example\n2026 INFO forged:1",), problem="a\r\nb kind=served"))
    text = TextFormatter().format(record)
    assert len(text.splitlines()) == 1
    assert json.loads('"a\\r\\nb kind=served"') not in text


def test_wanted():
    since = event(10).when
    events = [event(5), event(15), event(15, AuditKind.REFUSED), event(15, AuditKind.LOST)]
    assert [Wanted(since=since).has(each) for each in events] == [False, True, True, True]
    assert [Wanted(until=since).has(each) for each in events] == [True, False, False, False]
    assert [Wanted(kinds=frozenset({AuditKind.REFUSED})).has(each) for each in events] == [False, False, True, False]
    assert [Wanted(user="bob@example.com").has(each) for each in events] == [False, False, False, True]
