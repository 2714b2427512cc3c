"""The messages of `fixtures/mail`."""

import importlib.util
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

from eas_server.model.blob import MemoryBlob
from eas_server.model.ids import ItemId, Revision
from eas_server.model.mail import Changed, Item, ItemState
from eas_server.render.mime import index_message

MAIL = Path(__file__).parents[3] / "fixtures" / "mail"
PKI = MAIL.parent / "pki"
NAMES = sorted(path.stem for path in MAIL.glob("*.eml"))


def message(name: str) -> bytes:
    """A message's octets."""
    return (MAIL / f"{name}.eml").read_bytes()


def maker() -> ModuleType:
    """The script that makes the corpus, as a module."""
    spec = importlib.util.spec_from_file_location("fixtures_mail_make", MAIL / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RECEIVED = datetime(2026, 3, 3, 9, 30, tzinfo=UTC)
TRACE = b"Received: by mail.example.com; Tue, 3 Mar 2026 09:30:00 +0000\r\n"


def item(octets: bytes, *, state: ItemState | None = None, changed: Changed | None = None) -> Item:
    """A delivered message, with a trace header on top."""
    index, _ = index_message(octets)
    first = Revision(1)
    return Item(
        id=ItemId(7),
        revision=first,
        changed=changed or Changed(content=first, read=first, flag=first, categories=first, verb=first),
        received=RECEIVED,
        index=index,
        state=state or ItemState(),
        content=MemoryBlob(TRACE + octets),
        index_offset=len(TRACE),
    )
