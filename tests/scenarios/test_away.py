"""Somebody is away: from the Settings of one device to the reply on another, in every version."""

import pytest

from eas_server.lab.device import MIME, octets_of
from eas_server.model.mail import FolderType
from protocol import schema
from protocol.client import SETTINGS
from protocol.codepages import tag
from protocol.commands import oof, settings, sync
from protocol.elements import Element
from protocol.items.contacts import Contact
from protocol.schema import EMPTY
from protocol.versions import SUPPORTED, V14_0, V14_1

VERSIONS = pytest.mark.parametrize("version", SUPPORTED, ids=str)
MESSAGE = oof.OofMessage(internal=EMPTY, enabled="1", reply_message="Back on <Monday>.", body_type="Text")


async def asks(device, *properties):
    """Settings; the answers."""
    response = (await device.call(SETTINGS, settings.Request(properties=properties))).take()
    assert response.status == settings.Status.SUCCESS
    return response.answers


async def goes_away(device):
    """Out of office from now on."""
    new = oof.NewSettings(oof_state=1, messages=(MESSAGE,))
    (answer,) = await asks(device, settings.Oof(set=schema.dump(new, device.client.version)))
    assert answer.status == settings.Status.SUCCESS


@pytest.mark.requirement("MS-ASCMD_R6874", "MS-ASCMD_R6875", "MS-ASCMD_R6876", "MS-ASCMD_R6877", "MS-ASCMD_R6878")
@pytest.mark.requirement("MS-ASCMD_R6879", "MS-ASCMD_R6880", "MS-ASCMD_R6881", "MS-ASCMD_R6877101701")
@pytest.mark.requirement("MS-ASCMD_R6881101701", "MS-ASCMD_R7023", "MS-ASCMD_R7024", "MS-ASCMD_R7025")
@pytest.mark.requirement("MS-ASCMD_R7026", "MS-ASCMD_R7026101801", "MS-ASCMD_R6185", "MS-ASCMD_R6186")
@pytest.mark.requirement("MS-ASCMD_R6187", "MS-ASCMD_R6188", "MS-ASCMD_R6188100701", "MS-ASCMD_R3498")
@VERSIONS
async def test_who_writes_to_somebody_away_hears_of_it_once(world, version):
    alice, bob = world.device("alice", version), world.device("bob", version)
    for device in (alice, bob):
        await device.provision()
    theirs = await bob.folders()
    await goes_away(alice)
    for subject in ("First", "Second"):
        await bob.send(world.letter(subject, sender="bob", to="alice"))
    (reply,) = (await bob.catch_up(theirs[FolderType.INBOX], options=MIME)).added.values()
    assert reply.subject == "Automatic reply: First"
    octets = octets_of(reply)
    assert b"Auto-Submitted: auto-replied" in octets
    assert b"Back on <Monday>." in octets
    wanted = settings.Oof(get=schema.dump(oof.Wanted(body_type="HTML"), version))
    (told,) = await asks(alice, wanted)
    assert told.get.oof_state == 1
    assert "Back on &lt;Monday&gt;." in told.get.messages[0].reply_message
    (off,) = await asks(alice, settings.Oof(set=schema.dump(oof.NewSettings(oof_state=0), version)))
    assert off.status == settings.Status.SUCCESS


@pytest.mark.requirement("MS-ASCMD_R2037", "MS-ASCMD_R4685", "MS-ASCNTC_R2262", "MS-ASCNTC_R514")
@VERSIONS
async def test_whom_somebody_wrote_to_is_on_the_next_device(world, version):
    first = world.device("alice", version)
    await first.provision()
    for to in ("bob", "carol", "bob"):
        await first.send(world.letter(f"to {to}", to=to))
    second = world.device("alice", version, device_id="device2")
    await second.provision()
    folders = await second.folders()
    if version < V14_0:
        assert FolderType.RECIPIENT_INFORMATION_CACHE not in folders
        return
    assert folders[FolderType.RECIPIENT_INFORMATION_CACHE] == "RI"
    news = await second.catch_up("RI", options=(sync.Options(max_items=1),))
    (entry,) = [schema.load(Contact, command.application_data) for command in news.commands]
    assert (entry.email1_address, entry.alias) == (world.address("bob"), "bob")
    news = await second.catch_up("RI", options=(sync.Options(max_items=50),))
    (entry,) = [schema.load(Contact, command.application_data) for command in news.commands]
    assert entry.email1_address == world.address("carol")


@pytest.mark.requirement("MS-ASCMD_R480", "MS-ASCMD_R478", "MS-ASCMD_R4402", "MS-ASCMD_R5845", "MS-ASCMD_R484")
@VERSIONS
async def test_all_of_settings_at_once(world, version):
    alice = world.device("alice", version)
    await alice.provision()
    get = Element(tag("Settings:Get"))
    answers = await asks(
        alice,
        settings.DevicePassword(set=settings.NewPassword(password="1234")),
        settings.Oof(get=get),
        settings.UserInformation(get=get),
        settings.DeviceInformation(details=settings.DeviceDetails(model="x" * 1025)),
    )
    assert [answer.status for answer in answers] == [7, 2, 1, 5]
    (user,) = [answer for answer in answers if isinstance(answer, settings.UserInformationAnswer)]
    addresses = user.get.email_addresses if version < V14_1 else user.get.accounts[0].email_addresses
    assert addresses.smtp_addresses == (world.address("alice"), world.address("alice.example"))
