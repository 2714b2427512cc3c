"""Drafts, text messages and read receipts through a real server, in every version."""

import asyncio

import pytest

from eas_server.lab.device import MIME, octets_of
from eas_server.model.mail import FolderType
from protocol import schema
from protocol.client import ITEM_OPERATIONS
from protocol.commands import item_operations, ping, sync
from protocol.elements import Inline
from protocol.items.airsyncbase import AddAttachment, Attachment, Attachments, Body, BodyType, DeleteAttachment, Method
from protocol.items.email import Email, Flag, FlagStatus
from protocol.schema import EMPTY
from protocol.versions import SUPPORTED, V14_0, V16_0

VERSIONS = pytest.mark.parametrize("version", SUPPORTED, ids=str)
NEW = pytest.mark.parametrize("version", [version for version in SUPPORTED if version >= V16_0], ids=str)
PICTURE = bytes(range(256)) * 500
BOTH = (sync.Options(item_class="Email"), sync.Options(item_class="SMS"))


async def settled(device):
    assert await device.provision()
    return await device.folders()


def text(data):
    return Body(type=BodyType.PLAIN, data=data)


def adding(email, client_id="d1", **more):
    return sync.Add(client_id=client_id, application_data=schema.dump(email), **more)


def changing(server_id, email, **more):
    return sync.Change(server_id=server_id, application_data=schema.dump(email), **more)


def attached(data):
    attachments = schema.load(Email, data).attachments
    return [one for one in attachments.changes if isinstance(one, Attachment)]


@NEW
async def test_draft_from_the_first_word_to_the_sent_message(world, version):
    phone = world.device("alice", version)
    tablet = world.device("alice", version, device_id="device2")
    bob = world.device("bob", version, device_id="device3")
    ours, theirs, his = await settled(phone), await settled(tablet), await settled(bob)
    drafts = ours[FolderType.DRAFTS]
    for device, folders in ((phone, ours), (tablet, theirs), (bob, his)):
        await device.catch_up(folders[FolderType.DRAFTS])
        await device.catch_up(folders[FolderType.SENT_ITEMS])
        await device.catch_up(folders[FolderType.INBOX])
    waiting = asyncio.create_task(tablet.wait(drafts))
    await asyncio.sleep(0.2)
    first = Email(to=world.address("bob"), subject="Hollidays", body=text("Dear Bob,\r\n"))
    news = await phone.catch_up(drafts, adding(first))
    (made,) = news.responses
    assert (made.status, news.commands) == (sync.Status.SUCCESS, [])
    assert (await asyncio.wait_for(waiting, 10)).status == ping.Status.CHANGES
    (seen,) = (await tablet.catch_up(drafts)).added.values()
    assert (seen.subject, seen.is_draft, seen.to) == ("Hollidays", True, world.address("bob"))
    picture = AddAttachment(client_id="p", method=Method.NORMAL, content=PICTURE, display_name="Urlaub ☀.png")
    note = AddAttachment(client_id="n", method=Method.NORMAL, content=b"note", display_name="note.txt")
    news = await tablet.catch_up(
        drafts, changing(made.server_id, Email(subject="Holidays", attachments=Attachments(changes=(note, picture))))
    )
    assert [response.status for response in news.responses] == [sync.Status.SUCCESS]
    (told,) = news.commands
    references = {one.client_id: one.file_reference for one in attached(told.application_data)}
    wanted = item_operations.Fetch(store="Mailbox", file_reference=references["p"])
    answer = await tablet.call(ITEM_OPERATIONS, item_operations.Request(operations=(wanted,)))
    (fetched,) = answer.take().responses.fetched
    assert fetched.status == item_operations.Status.SUCCESS
    (change,) = (await phone.catch_up(drafts)).commands
    assert schema.load(Email, change.application_data).subject == "Holidays"
    gone = Attachments(changes=(DeleteAttachment(file_reference=references["n"]),))
    people = {"to": world.address("bob"), "bcc": world.address("carol")}
    news = await phone.catch_up(drafts, changing(made.server_id, Email(**people, attachments=gone), send=EMPTY))
    assert (news.responses, news.commands) == ([], [sync.Delete(server_id=made.server_id)])
    assert (await tablet.catch_up(drafts)).commands == [sync.Delete(server_id=made.server_id)]
    (received,) = (await bob.catch_up(his[FolderType.INBOX])).added.values()
    assert (received.subject, received.bcc, octets_of(received)) == ("Holidays", None, b"Dear Bob,\r\n")
    (file,) = attached(schema.dump(received))
    assert (file.display_name, file.estimated_data_size) == ("Urlaub ☀.png", len(PICTURE))
    (sent,) = (await tablet.catch_up(theirs[FolderType.SENT_ITEMS])).added.values()
    assert (sent.bcc, sent.read, sent.is_draft) == (world.address("carol"), True, None)
    carol = world.device("carol", version, device_id="device4")
    hers = await settled(carol)
    (hidden,) = (await carol.catch_up(hers[FolderType.INBOX])).added.values()
    assert hidden.received_as_bcc is True


@NEW
async def test_mime_draft_comes_back_as_it_went(world, version):
    phone, tablet = world.device("alice", version), world.device("alice", version, device_id="device2")
    drafts = (await settled(phone))[FolderType.DRAFTS]
    await settled(tablet)
    await phone.catch_up(drafts)
    letter = world.letter("As it is", body="caf\u00e9 \r\n")
    body = Body(type=BodyType.MIME, data=Inline(letter))
    (made,) = (await phone.catch_up(drafts, adding(Email(body=body)))).responses
    (found,) = (await tablet.catch_up(drafts, options=MIME)).added.values()
    assert octets_of(found) == letter
    failing = await tablet.catch_up(drafts, changing(made.server_id, Email(to="nobody"), send=EMPTY), options=MIME)
    assert [response.status for response in failing.responses] == [183]
    news = await tablet.catch_up(drafts, changing(made.server_id, Email(), send=EMPTY), options=MIME)
    assert news.commands == [sync.Delete(server_id=made.server_id)]


@VERSIONS
async def test_mail_is_added_nowhere_else(world, version):
    phone = world.device("alice", version)
    folders = await settled(phone)
    types = [FolderType.INBOX, FolderType.SENT_ITEMS, FolderType.OUTBOX]
    for type_ in types if version >= V16_0 else [*types, FolderType.DRAFTS]:
        await phone.catch_up(folders[type_])
        news = await phone.catch_up(folders[type_], adding(Email(to=world.address("bob"), body=text("x"))))
        assert [response.status for response in news.responses] == [sync.Status.CONVERSION_ERROR]


@VERSIONS
async def test_text_messages(world, version):
    phone, tablet = world.device("alice", version), world.device("alice", version, device_id="device2")
    inbox = (await settled(phone))[FolderType.INBOX]
    await settled(tablet)
    options = BOTH if version >= V14_0 else (sync.Options(),)
    await phone.catch_up(inbox, options=options)
    sms = Email(to="[MOBILE:+1555]", sender='"Bob" [MOBILE:+1556]', body=text("On my way"), read=False)
    (made,) = (await phone.catch_up(inbox, adding(sms, item_class="SMS"), options=options)).responses
    assert (await tablet.catch_up(inbox)).added == {}
    if version < V14_0:
        assert made.status == sync.Status.CONVERSION_ERROR
        return
    assert (made.status, made.item_class) == (sync.Status.SUCCESS, "SMS")
    (found,) = (await tablet.catch_up(inbox, options=BOTH)).added.values()
    assert (found.sender, found.message_class, octets_of(found)) == (
        '"Bob" [MOBILE:+1556]',
        "IPM.Note.Mobile.SMS",
        b"On my way",
    )
    assert (await tablet.catch_up(inbox)).commands == [sync.SoftDelete(server_id=made.server_id)]


@VERSIONS
async def test_read_receipt(world, version):
    alice, bob = world.device("alice", version), world.device("bob", version, device_id="device2")
    ours, his = await settled(alice), await settled(bob)
    await bob.catch_up(his[FolderType.INBOX])
    letter = world.letter("Read me", sender="bob", to="alice")
    await bob.send(f"Disposition-Notification-To: {world.address('bob')}\r\n".encode() + letter)
    (name,) = (await alice.catch_up(ours[FolderType.INBOX])).added
    flag = Flag(status=FlagStatus.ACTIVE, flag_type="Flag for follow up")
    await alice.catch_up(ours[FolderType.INBOX], changing(name, Email(flag=flag)))
    assert (await bob.catch_up(his[FolderType.INBOX])).added == {}
    for read in (True, False, True):
        await alice.catch_up(ours[FolderType.INBOX], changing(name, Email(read=read)))
    (receipt,) = (await bob.catch_up(his[FolderType.INBOX])).added.values()
    assert (receipt.subject, receipt.message_class) == ("Read: Read me", "REPORT.IPM.NOTE.IPNRN")
    assert receipt.sender.endswith(f"<{world.address('alice')}>")
