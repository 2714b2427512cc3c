"""A sealed message gives nothing of its content away, whatever it is made of, and everybody can read the seal."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from eas_server.commands.protected_mail import sealed
from eas_server.model.blob import MemoryBlob, read
from eas_server.model.ids import ItemId, Revision
from eas_server.model.mail import Changed, Item, ItemState
from eas_server.model.rights import Protection, RightsTemplate
from eas_server.render.mime import index_message
from eas_server.render.rights import NOTICE, SEALED_NAME

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TEMPLATE = RightsTemplate(id="e6f0a6a4-1b5f-4c0c-9d4e-000000000001", name="n", description="d")
PROTECTION = Protection(template=TEMPLATE, owner="alice@example.com", since=NOW)
SECRET = b"S3CR3T"
FIRST = Revision(1)

LINES = st.sampled_from(
    [
        b"Subject: Plans",
        b"From: alice@example.com",
        b"Content-Type: text/plain",
        b"Content-Type: multipart/mixed;\r\n boundary=b",
        b"Content-Type: multipart/mixed; boundary==_protected",
        b"content-type : text/html",
        b"MIME-Version: 1.0",
        b"Content-Transfer-Encoding: base64",
        b"Content-Disposition: attachment; filename=x",
        b"X-Long: " + b"x" * 2000,
        b"Subject: \xff\xfe",
        b"nonsense without a colon",
        SECRET + b" without a colon",
        b"Note: " + SECRET,
        b"X-Comment: x\r\n " + SECRET,
        b" folded",
        b"Nul: \0",
    ]
)
BODIES = st.lists(
    st.sampled_from([SECRET, b"\r\n", b"\n", b"--b\r\n", b"--=_protected\r\n", b"\r\n\r\n", b"text", b"\0"])
)


@given(st.lists(LINES), st.sampled_from([b"\r\n", b"\n"]), BODIES, st.sampled_from([b"", b"Received: x\r\n"]))
def test_a_seal_tells_nothing(lines: list[bytes], eol: bytes, body: list[bytes], above: bytes) -> None:
    head = b"".join(line + eol for line in lines)
    octets = head + eol + b"".join(body)
    index, _ = index_message(octets)
    item = Item(
        id=ItemId(1),
        revision=FIRST,
        changed=Changed(content=FIRST, read=FIRST, flag=FIRST, categories=FIRST, verb=FIRST),
        received=NOW,
        index=replace(index, protection=PROTECTION),
        state=ItemState(),
        content=MemoryBlob(above + octets),
        index_offset=len(above),
    )
    shut = asyncio.run(sealed(item))
    content = asyncio.run(read(shut.content))
    assert SECRET not in content
    assert content.startswith(above)
    assert shut.inside is item
    assert shut.index.message_class == "IPM.Note"
    assert shut.index.preview.startswith(NOTICE[:100])
    assert [attachment.name for attachment in shut.index.attachments] == [SEALED_NAME]
    assert shut.index.size == len(content) - len(above)
