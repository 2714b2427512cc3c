"""What an administrator does beside a running server, as devices hear of it: remote wipe, users without ActiveSync."""

import asyncio
from collections.abc import Callable

import pytest
from click.testing import CliRunner

from eas_server.cli import main
from eas_server.model.mail import FolderType
from protocol.client import FOLDER_SYNC, PROVISION, Answer
from protocol.commands import folder_sync, ping, provision
from protocol.commands.provision import AccountOnlyRemoteWipeResult, RemoteWipeResult, Status, WipeStatus
from protocol.schema import EMPTY
from protocol.status import CommonStatus
from protocol.versions import SUPPORTED, V12_1, V16_1
from tests.scenarios.server import ValidatedDevice, World

VERSIONS = pytest.mark.parametrize("version", SUPPORTED, ids=str)
ATTEMPTS = 100
"""How often is looked whether the server has noticed what another process did."""
FORBIDDEN, RETRY_WITH = 403, 449
FIRST = folder_sync.Request(sync_key="0")


async def administer(world: World, *arguments: str) -> str:
    """`eas-server …` beside the server; raises for one that is refused."""

    def run() -> str:
        result = CliRunner().invoke(main, [*arguments, "--config", str(world.server.config)])
        assert result.exit_code == 0, result.output
        return result.output

    return await asyncio.to_thread(run)


async def until(device: ValidatedDevice, holds: Callable[[Answer], bool]) -> Answer:
    """The first answer to FolderSync of which something holds: the server looks around every few milliseconds."""
    for _ in range(ATTEMPTS):
        answer = await device.call(FOLDER_SYNC, FIRST)
        if holds(answer):
            return answer
        await asyncio.sleep(0.05)
    raise AssertionError("the server has not noticed")


def disabled(answer: Answer) -> bool:
    """The user may not use ActiveSync: by Status, up to 12.1 by HTTP."""
    return answer.status == CommonStatus.USER_DISABLED_FOR_SYNC or answer.http_status == FORBIDDEN


def wiping(answer: Answer) -> bool:
    """The device has to provision, for it is to be wiped: by Status, up to 12.1 by HTTP."""
    return answer.status == CommonStatus.REMOTE_WIPE_REQUESTED or answer.http_status in (FORBIDDEN, RETRY_WITH)


def let_in(answer: Answer) -> bool:
    return answer.ok and answer.status == folder_sync.Status.SUCCESS


async def subjects(device: ValidatedDevice) -> list[str]:
    inbox = (await device.folders())[FolderType.INBOX]
    return [mail.subject for mail in (await device.catch_up(inbox)).added.values()]


@pytest.mark.requirement("MS-ASPROV_R653", "MS-ASPROV_R663", "MS-ASPROV_R664", "MS-ASCMD_R5279", "MS-ASCMD_R5280")
@VERSIONS
async def test_a_wiped_device_gets_nothing_else_and_its_user_hears_of_it(world, version):
    phone, other = world.device(version=version, device_id="lost"), world.device(device_id="kept")
    assert await subjects(phone) == []
    await administer(world, "device", "wipe", world.address("alice"), "lost", "--yes")
    await until(phone, wiping)
    assert await subjects(other) == [], "the user's other devices go on"
    directive = (await phone.call(PROVISION, provision.Request())).take()
    assert (directive.status, directive.remote_wipe) == (Status.SUCCESS, EMPTY)
    assert wiping(await phone.call(FOLDER_SYNC, FIRST)), "not before it has confirmed"
    done = provision.Request(remote_wipe=RemoteWipeResult(status=WipeStatus.SUCCESS))
    for _ in range(2):
        assert (await phone.call(PROVISION, done)).take().status == Status.SUCCESS
    (subject,) = await subjects(other)
    assert subject.startswith("Remote wipe confirmed: ")
    assert "done" in await administer(world, "device", "show", world.address("alice"), "lost")
    assert await phone.provision()
    assert await phone.folders(), "it begins anew"


@pytest.mark.parametrize("arguments", [("wipe", "--yes"), ("block",)], ids=lambda given: given[0])
async def test_a_device_that_waits_hears_of_what_is_done_to_it(world, arguments):
    """Its Ping ends with a Status that has it ask for the folders, and so it comes to the gate."""
    phone = world.device(device_id="lost")
    inbox = (await phone.folders())[FolderType.INBOX]
    await phone.catch_up(inbox)
    waiting = asyncio.create_task(phone.wait(inbox))
    await administer(world, "device", arguments[0], world.address("alice"), "lost", *arguments[1:])
    assert (await waiting).status == ping.Status.HIERARCHY_CHANGED
    assert not let_in(await phone.call(FOLDER_SYNC, FIRST))


@pytest.mark.requirement("MS-ASPROV_R66612", "MS-ASPROV_R66601", "MS-ASPROV_R66602")
async def test_the_wipe_of_an_account_alone(world):
    phone = world.device(version=V16_1, device_id="lost")
    await phone.folders()
    await administer(world, "device", "wipe-account", world.address("alice"), "--type", "lab", "--yes")
    await until(phone, wiping)
    directive = (await phone.call(PROVISION, provision.Request())).take()
    assert (directive.remote_wipe, directive.account_only_remote_wipe) == (None, EMPTY)
    done = provision.Request(account_only_remote_wipe=AccountOnlyRemoteWipeResult(status=WipeStatus.SUCCESS))
    assert (await phone.call(PROVISION, done)).take().status == Status.SUCCESS
    (subject,) = await subjects(phone)
    assert subject.startswith("Account-only remote wipe confirmed: ")


@pytest.mark.parametrize("way", [("wipe", "--cancel"), ("remove", "--yes")], ids=" ".join)
async def test_a_wipe_that_is_taken_back(world, way):
    phone = world.device(version=V12_1, device_id="found")
    await phone.folders()
    await administer(world, "device", "wipe", world.address("alice"), "found", "--yes")
    await until(phone, wiping)
    await administer(world, "device", way[0], world.address("alice"), "found", way[1])
    await until(phone, let_in)
    assert (await phone.call(PROVISION, provision.Request())).take().remote_wipe is None


@pytest.mark.requirement("MS-ASCMD_R4868", "MS-ASCMD_R4869", "MS-ASCMD_R7555")
@VERSIONS
async def test_a_user_without_activesync_still_gets_mail(world, version):
    bob, alice = world.device("bob", version), world.device("alice")
    await bob.folders()
    await administer(world, "user", "set", world.address("bob"), "--no-eas")
    refused = await until(bob, disabled)
    assert not refused.needs_provisioning
    fresh = world.device("bob", version, device_id="fresh")
    assert disabled(await fresh.call(PROVISION, provision.Request()))
    assert "fresh" not in await administer(world, "device", "list", world.address("bob"))
    await alice.send(world.letter("kept for you"), save=False)
    await administer(world, "user", "set", world.address("bob"), "--eas")
    await until(bob, let_in)
    assert await subjects(bob) == ["kept for you"]
