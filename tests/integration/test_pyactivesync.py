"""A client that we did not write: pyactivesync (16.1) against the demonstration's server."""

import threading
from email.message import EmailMessage

import pytest
from pyactivesync import BodyType, EmailChange, FolderType, StatusError

from tests.integration import pyclients
from tests.integration.pyclients import ALICE, BOB, TYPES, folder, synced

SECONDS = 10
demo = pytest.fixture(scope="module")(pyclients.demo)
client_of = pytest.fixture(pyclients.client_of)


def letter(subject, to=BOB):
    """A message with an attachment."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = ALICE, to, subject
    message.set_content("Grüße aus dem Labor\n")
    message.add_attachment(b"\x00\x01\x02 some octets", "application", "octet-stream", filename="octets.bin")
    return message


def test_provision_and_folders(client_of):
    client = client_of(ALICE)
    assert int(client.provision()) > 0
    found = {each.type for each in client.list_folders()}
    assert found >= TYPES


def test_folders_are_made_renamed_and_deleted(client_of):
    client = client_of(ALICE)
    made = client.create_folder("From elsewhere", type=FolderType.USER_GENERIC)
    client.update_folder(made.id, "From somewhere")
    assert "From somewhere" in [each.name for each in client.list_folders()]
    client.delete_folder(made.id)
    assert made.id not in [each.id for each in client.list_folders()]


def test_sync_shows_the_mailbox(client_of):
    client = client_of(ALICE)
    inbox = folder(client, FolderType.INBOX)
    items, key = synced(client, inbox)
    subjects = {item.fields["Email.Subject"] for item in items}
    assert {"The new logo", "Signed, then encrypted", "Your key and certificate"} <= subjects
    assert client.get_item_estimate(inbox, key) == 0
    assert client.sync_folder(inbox, sync_key=key).added == []


def test_a_message_is_sent_fetched_changed_and_moved(client_of):
    alice, bob = client_of(ALICE), client_of(BOB)
    inbox, bin_ = folder(bob, FolderType.INBOX), folder(bob, FolderType.DELETED_ITEMS)
    _, key = synced(bob, inbox)
    alice.send_mail(letter("From another client"))
    result = bob.sync_folder(inbox, sync_key=key)
    (item,) = result.added
    assert item.fields["Email.Subject"] == "From another client"
    fetched = bob.fetch_item(inbox, item.server_id, body_type=BodyType.PLAIN_TEXT)
    assert fetched.body.data.strip() == "Grüße aus dem Labor"
    (attachment,) = fetched.attachments
    assert attachment.display_name == "octets.bin"
    assert bob.fetch_attachment(attachment.file_reference) == b"\x00\x01\x02 some octets"
    mime = bob.fetch_item(inbox, item.server_id, body_type=BodyType.MIME)
    assert b"Subject: From another client" in mime.body.data
    changes = bob.apply_email_changes(inbox, result.sync_key, [EmailChange(item.server_id, read=True, flagged=True)])
    assert changes.statuses == {item.server_id: "1"}
    moved = bob.move_item(item.server_id, inbox, bin_)
    again = bob.sync_folder(inbox, sync_key=changes.sync_key)
    assert again.deleted == [item.server_id]
    assert moved in {each.server_id for each in synced(bob, bin_)[0]}


def test_a_message_is_deleted(client_of):
    alice, bob = client_of(ALICE), client_of(BOB)
    inbox = folder(bob, FolderType.INBOX)
    _, key = synced(bob, inbox)
    alice.send_mail(letter("To be deleted"))
    result = bob.sync_folder(inbox, sync_key=key)
    done = bob.apply_email_changes(inbox, result.sync_key, [EmailChange(result.added[0].server_id, delete=True)])
    assert list(done.statuses.values()) == ["1"]
    assert bob.sync_folder(inbox, sync_key=done.sync_key).added == []


@pytest.mark.parametrize("name", ["bob", "bob@example.com", "Bob Example"])
def test_recipients_are_resolved(client_of, name):
    (found,) = client_of(ALICE).resolve_recipients(name)
    assert (found.email_address, found.display_name, found.type) == (BOB, "Bob Example", "1")


def test_the_directory_is_searched(client_of):
    client = client_of(ALICE)
    found = {entry.email_address: entry for entry in client.search_gal("Example")}
    assert {ALICE, BOB, "carol@example.com"} <= set(found)
    assert found[BOB].office == "Room 102"
    assert client.search_gal("nobody of this name") == []


def test_the_mailbox_is_searched(client_of):
    client = client_of(ALICE)
    inbox = folder(client, FolderType.INBOX)
    found = client.search_mailbox(inbox, date_received_after="2020-01-01T00:00:00.000Z", max_results=50)
    assert "Lunch on Thursday?" in {each.get("Email.Subject") for each in found}


def test_a_waiting_ping_hears_of_a_message(client_of):
    alice, bob = client_of(ALICE), client_of(BOB)
    inbox = folder(bob, FolderType.INBOX)
    synced(bob, inbox)
    heard = []
    waiting = threading.Thread(target=lambda: heard.append(bob.ping([inbox], heartbeat=60, timeout=SECONDS)))
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive()
    alice.send_mail(letter("Wake up"))
    waiting.join(SECONDS)
    (result,) = heard
    assert (result.status, result.changed_folder_ids) == ("2", [inbox])


def test_a_refusal_is_understood(client_of):
    client = client_of(ALICE)
    with pytest.raises(StatusError):
        client.move_item("99:99", "99", folder(client, FolderType.INBOX))
