"""The mail to the user on a remote wipe, and which devices can be told to wipe themselves."""

import email
import email.policy
from dataclasses import replace

import pytest

from eas_server.commands import provision
from eas_server.commands.wipe import is_wiping, wipe_refusal, with_wipe, without_wipe
from eas_server.errors import StoreFull, StoreUnavailable
from eas_server.model.blob import read
from eas_server.model.device import WIPING, Wipe
from eas_server.model.mail import FolderType
from protocol.commands.provision import (
    AccountOnlyRemoteWipeResult,
    RemoteWipeResult,
    Request,
    Response,
    Status,
    WipeStatus,
)
from protocol.schema import EMPTY
from protocol.versions import SUPPORTED, ProtocolVersion
from tests.server.commands.composing import RecordingSubmission
from tests.server.commands.support import ALICE, NOW, Bench

DONE = Request(remote_wipe=RemoteWipeResult(status=WipeStatus.SUCCESS))
FAILED = Request(remote_wipe=RemoteWipeResult(status=WipeStatus.FAILURE))
DIRECTIVE = Response(status=Status.SUCCESS, remote_wipe=EMPTY)


async def wiping(**changes: object) -> tuple[Bench, RecordingSubmission]:
    sent = RecordingSubmission()
    bench = Bench(submission=sent)
    await bench.change_device(**{"wipe": Wipe.PENDING, "type": "iPhone", **changes})
    return bench, sent


async def mails(sent: RecordingSubmission) -> list[email.message.EmailMessage]:
    found = []
    for submission in sent.submissions:
        (delivery,) = submission.deliveries
        assert (delivery.user, delivery.folder) == (ALICE.user, FolderType.INBOX)
        assert submission.forwarding is None
        octets = await read(delivery.message.content)
        found.append(email.message_from_bytes(octets, policy=email.policy.default))
    return found


@pytest.mark.requirement("MS-ASPROV_R663")
@pytest.mark.requirement("MS-ASPROV_R664")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_the_user_is_told_once_that_the_device_has_confirmed(version: ProtocolVersion) -> None:
    bench, sent = await wiping(details={"FriendlyName": "Älices\r\nX: phone", "Model": "Phone 9"})
    bench.version = version
    assert await bench.run(provision.COMMAND, Request()) == DIRECTIVE
    assert sent.submissions == []
    for _ in range(3):
        assert await bench.run(provision.COMMAND, DONE) == Response(status=Status.SUCCESS)
    (mail,) = await mails(sent)
    assert mail["From"] == "Postmaster <postmaster@example.com>"
    assert mail["To"] == ALICE.address
    assert mail["Subject"] == "Remote wipe confirmed: Älices X: phone"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X"] is None
    text = mail.get_content()
    assert "Älices X: phone" in text
    assert bench.device_id in text
    assert "erase all that it holds" in text


@pytest.mark.requirement("MS-ASPROV_R663")
@pytest.mark.requirement("MS-ASPROV_R665")
@pytest.mark.requirement("MS-ASPROV_R701")
async def test_a_failure_is_told_once_and_then_the_success() -> None:
    bench, sent = await wiping()
    for _ in range(3):
        assert await bench.run(provision.COMMAND, Request()) == DIRECTIVE
        assert await bench.run(provision.COMMAND, FAILED) == replace(DIRECTIVE, status=Status.PROTOCOL_ERROR)
    (mail,) = await mails(sent)
    assert mail["Subject"] == "Remote wipe failed: iPhone"
    assert "could not" in mail.get_content()
    assert (await bench.device()).wipe is Wipe.FAILED
    await bench.run(provision.COMMAND, DONE)
    assert [each["Subject"] for each in await mails(sent)][1:] == ["Remote wipe confirmed: iPhone"]


@pytest.mark.requirement("MS-ASPROV_R66601")
@pytest.mark.requirement("MS-ASPROV_R66602")
async def test_the_mail_on_a_wipe_of_the_account_alone() -> None:
    bench, sent = await wiping(wipe_account_only=True)
    assert (await bench.run(provision.COMMAND, Request())).account_only_remote_wipe is EMPTY
    done = Request(account_only_remote_wipe=AccountOnlyRemoteWipeResult(status=WipeStatus.SUCCESS))
    await bench.run(provision.COMMAND, DONE)
    assert sent.submissions == [], "that was not asked for"
    await bench.run(provision.COMMAND, done)
    (mail,) = await mails(sent)
    assert mail["Subject"] == "Account-only remote wipe confirmed: iPhone"
    assert "of this account" in mail.get_content()


async def test_nothing_is_told_of_a_wipe_that_nobody_asked_for_or_that_was_cancelled() -> None:
    bench, sent = await wiping()
    assert await bench.run(provision.COMMAND, Request()) == DIRECTIVE
    device = without_wipe(await bench.device())
    await bench.change_device(wipe=device.wipe, wipe_account_only=device.wipe_account_only)
    assert await bench.run(provision.COMMAND, DONE) == Response(status=Status.SUCCESS)
    assert await bench.run(provision.COMMAND, Request()) == Response(status=Status.SUCCESS)
    assert sent.submissions == []
    assert (await bench.device()).wipe is Wipe.NONE


@pytest.mark.parametrize("error", [StoreFull("full"), StoreUnavailable("gone")])
async def test_a_full_mailbox_does_not_keep_the_device_from_confirming(error: Exception) -> None:
    bench, sent = await wiping(wipe=Wipe.SENT)
    sent.failure = error
    assert await bench.run(provision.COMMAND, DONE) == Response(status=Status.SUCCESS)
    assert (await bench.device()).wipe is Wipe.DONE


@pytest.mark.parametrize("named", ["\ud800 lone", '<b>,;:"(', "日本" * 500, "\x00\x1b[2J", "=?utf-8?q?x?="])
async def test_whatever_a_device_calls_itself_the_mail_can_be_read(named: str) -> None:
    bench, sent = await wiping(wipe=Wipe.SENT, details={"Model": named})
    bench.account = replace(ALICE, address="älice@example.com")
    await bench.run(provision.COMMAND, DONE)
    (mail,) = await mails(sent)
    assert mail["Subject"].startswith("Remote wipe confirmed: ")
    assert mail["To"] == "älice@example.com"
    assert not mail.defects
    assert bench.device_id in mail.get_content()


async def test_which_devices_can_be_told() -> None:
    device = replace(await Bench().device(), version="16.1")
    assert not wipe_refusal(device, account_only=False)
    assert not wipe_refusal(device, account_only=True)
    for version in ("12.1", "14.0", "14.1", "16.0", "", "?"):
        assert not wipe_refusal(replace(device, version=version), account_only=False)
        assert "16.1" in wipe_refusal(replace(device, version=version), account_only=True)
    whole = with_wipe(device, account_only=False)
    assert (whole.wipe, whole.wipe_account_only, whole.first_seen) == (Wipe.PENDING, False, NOW)
    assert is_wiping(whole, account_only=False)
    assert not is_wiping(whole, account_only=True)
    for state in Wipe:
        refused = wipe_refusal(replace(whole, wipe=state), account_only=True)
        assert bool(refused) == (state in WIPING)
