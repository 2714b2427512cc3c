"""A client that we did not write, over all classes: contacts, events, tasks, notes, drafts, Find, automatic replies."""

import asyncio
import time
from email.message import EmailMessage

import pytest
from pyactivesync import Contact, ContactChange, FolderType, OofState

from eas_server.backends.sqlite import open_store
from eas_server.commands import kept_items
from eas_server.lab.folder import STORE
from eas_server.model.ids import CollectionId, UserId
from eas_server.model.mail import ItemClass
from tests.integration import pyclients
from tests.integration.pyclients import ALICE, BOB, folder, synced

demo = pytest.fixture(scope="module")(pyclients.demo)
client_of = pytest.fixture(pyclients.client_of)

CALENDAR = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}END:VCALENDAR\r\n"
ITEMS = {
    FolderType.CALENDAR: (
        ItemClass.CALENDAR,
        CALENDAR.format(
            "BEGIN:VEVENT\r\nUID:e1\r\nDTSTART:20261201T090000Z\r\nDTEND:20261201T100000Z\r\n"
            "RRULE:FREQ=WEEKLY;COUNT=4\r\nSUMMARY:Jour fixe\r\nLOCATION:Küche\r\nEND:VEVENT\r\n"
        ),
    ),
    FolderType.TASKS: (
        ItemClass.TASKS,
        CALENDAR.format("BEGIN:VTODO\r\nUID:t1\r\nSUMMARY:Milch kaufen\r\nDUE:20261201T090000Z\r\nEND:VTODO\r\n"),
    ),
    FolderType.NOTES: (
        ItemClass.NOTES,
        CALENDAR.format("BEGIN:VJOURNAL\r\nUID:n1\r\nSUMMARY:Einfall\r\nDESCRIPTION:Nur so.\r\nEND:VJOURNAL\r\n"),
    ),
}
SHOWN = {
    FolderType.CALENDAR: {"Jour fixe", "Küche", "20261201T090000Z", "20261201T100000Z"},
    FolderType.TASKS: {"Milch kaufen", "2026-12-01T09:00:00.000Z"},
    FolderType.NOTES: {"Einfall", "IPM.StickyNote"},
}
"""Some of the values: it does not know the tags of these classes by name."""


def put(demo, user, folder_id, item_class, text):
    """Put an item into the store beside the server, as another of its clients would have."""

    async def run():
        async with open_store(demo.data / STORE) as store:
            await store.mail.add(UserId(user), CollectionId(folder_id), kept_items.new_item(item_class, text.encode()))

    asyncio.run(run())


def seen_at_last(client, place, key):
    """What is new in a folder: the server looks around for other processes' writes every few milliseconds."""
    for _ in range(100):
        found = client.sync_folder(place, sync_key=key)
        if found.added:
            return found.added
        time.sleep(0.05)
    raise AssertionError("the server has not noticed")


@pytest.mark.parametrize("kind", ITEMS, ids=lambda kind: kind.name.lower())
def test_items_of_other_classes_are_read(demo, client_of, kind):
    client = client_of(ALICE)
    place = folder(client, kind)
    _, key = synced(client, place)
    put(demo, ALICE, place, *ITEMS[kind])
    (found,) = seen_at_last(client, place, key)
    assert SHOWN[kind] <= set(found.fields.values())


def test_a_contact_is_made_changed_and_deleted(client_of):
    client, other = client_of(ALICE), client_of(ALICE)
    place = folder(client, FolderType.CONTACTS)
    _, key = synced(client, place)
    _, seen = synced(other, place)
    made = client.create_contact(place, key, Contact(first_name="Zoë", last_name="Ölund", mobile_phone_number="0170"))
    assert made.status == "1"
    result = other.sync_folder(place, sync_key=seen)
    (found,) = result.added
    assert found.server_id == made.server_id
    assert {"Zoë", "Ölund", "0170"} <= set(found.fields.values())
    changed = client.apply_contact_changes(
        place, made.sync_key, [ContactChange(made.server_id, Contact(first_name="Zoë", last_name="Berg"))]
    )
    assert changed.statuses == {made.server_id: "1"}
    result = other.sync_folder(place, sync_key=result.sync_key)
    (found,) = result.changed
    assert "Berg" in found.fields.values()
    assert "0170" not in found.fields.values()
    client.apply_contact_changes(place, changed.sync_key, [ContactChange(made.server_id, delete=True)])
    assert other.sync_folder(place, sync_key=result.sync_key).deleted == [made.server_id]


def test_a_draft_is_kept(client_of):
    client = client_of(ALICE)
    place = folder(client, FolderType.DRAFTS)
    _, key = synced(client, place)
    draft = EmailMessage()
    draft["To"], draft["Subject"] = BOB, "Entwurf"
    draft.set_content("Noch nicht fertig.\n")
    made = client.create_email_draft(place, key, draft)
    assert made.status == "1"
    items, _ = synced(client_of(ALICE), place)
    (found,) = [item for item in items if item.server_id == made.server_id]
    assert {"Entwurf", BOB} <= {value.strip('<>"') for value in found.fields.values()}


def test_mail_and_people_are_found(client_of):
    client = client_of(ALICE)
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = ALICE, ALICE, "Suchnadel"
    letter.set_content("Im Heuhaufen.\n")
    client.send_mail(letter)
    found = client.find_mailbox("Suchnadel", folder_id=folder(client, FolderType.INBOX))
    assert (found.status, found.total, len(found.items)) == ("1", 1, 1)
    people = client.find_gal("alice")
    assert people.status == "1"
    assert any(ALICE in item.fields.values() for item in people.items)


def test_automatic_replies_are_set_and_go_out(client_of):
    bob, alice = client_of(BOB), client_of(ALICE)
    inbox = folder(alice, FolderType.INBOX)
    _, key = synced(alice, inbox)
    bob.set_oof(OofState.ENABLED, reply_message="Bin am Meer.", applies_to=("Internal",))
    try:
        settings = bob.get_oof()
        assert settings.state == OofState.ENABLED
        (internal,) = [each for each in settings.messages if each.applies_to == "Internal"]
        assert (internal.enabled, internal.reply_message.strip()) == (True, "Bin am Meer.")
        letter = EmailMessage()
        letter["From"], letter["To"], letter["Subject"] = ALICE, BOB, "Kommst du?"
        letter.set_content("Heute?\n")
        alice.send_mail(letter)
        (reply,) = alice.sync_folder(inbox, sync_key=key).added
        assert any("Kommst du?" in value for value in reply.fields.values())
    finally:
        bob.set_oof(OofState.DISABLED)


def test_an_estimate_counts_every_class(client_of):
    client = client_of(BOB)
    for kind in (FolderType.CALENDAR, FolderType.CONTACTS, FolderType.TASKS, FolderType.NOTES):
        place = folder(client, kind)
        _, key = synced(client, place)
        assert client.get_item_estimate(place, key) == 0
