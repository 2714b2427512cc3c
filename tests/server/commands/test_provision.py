"""Provision, over ports in memory."""

from dataclasses import replace
from typing import Any

import pytest

from eas_server.commands import provision
from eas_server.commands.context import Command
from eas_server.commands.policy import policy_digest
from eas_server.errors import CommandError
from eas_server.model.device import PolicyState, Wipe
from eas_server.model.ids import UserId
from eas_server.model.settings import PolicySettings, Settings
from protocol.codepages import tag
from protocol.commands.provision import (
    POLICY_TYPE,
    AccountOnlyRemoteWipeResult,
    Compliance,
    EASProvisionDoc,
    PolicyStatus,
    RemoteWipeResult,
    Request,
    RequestPolicy,
    Response,
    ResponsePolicy,
    Status,
    WipeStatus,
)
from protocol.commands.settings import DeviceDetails, DeviceInformation
from protocol.commands.settings import Status as SettingsStatus
from protocol.elements import Element
from protocol.errors import MalformedRequest
from protocol.schema import EMPTY, dump
from protocol.status import CommonStatus
from protocol.versions import SUPPORTED, V12_1, V14_0, V14_1, V16_0, V16_1, ProtocolVersion
from tests.server.commands.composing import RecordingSubmission
from tests.server.commands.support import NOW, Bench, check

POLICY = PolicySettings(name="default", settings={"AllowCamera": False, "MinDevicePasswordLength": 6})
STRICT = replace(POLICY, strict=True)
MODEL = DeviceInformation(details=DeviceDetails(model="Phone 9", os="PhoneOS 1", friendly_name="Alice's"))


def keys(*drawn: int) -> Command:
    """The command with these policy keys."""
    left = list(drawn)
    return provision.drawing(lambda _: left.pop(0))


def bench_of(policy: PolicySettings = POLICY, version: ProtocolVersion = V16_1) -> Bench:
    return Bench(settings=Settings(policies={"default": policy}), version=version, submission=RecordingSubmission())


def initial(version: ProtocolVersion, *, type_: str = POLICY_TYPE) -> Request:
    information = MODEL if version >= V14_1 else None
    return Request(device_information=information, policies=(RequestPolicy(policy_type=type_),))


def acknowledgement(key: str, status: Compliance = Compliance.FULL, *, type_: str = POLICY_TYPE) -> Request:
    return Request(policies=(RequestPolicy(policy_type=type_, policy_key=key, status=status),))


def only(response: Response) -> ResponsePolicy:
    assert response.status == Status.SUCCESS
    assert response.policies is not None
    (policy,) = response.policies
    return policy


async def provisioned(bench: Bench, status: Compliance = Compliance.FULL) -> ResponsePolicy:
    command = keys(11, 22)
    first = only(await bench.run(command, initial(bench.version)))
    return only(await bench.run(command, acknowledgement(first.policy_key or "", status)))


# --- the two phases -----------------------------------------------------------------------------------------------


@pytest.mark.requirement("MS-ASPROV_R421")
@pytest.mark.requirement("MS-ASPROV_R535")
@pytest.mark.requirement("MS-ASPROV_R310")
@pytest.mark.requirement("MS-ASPROV_R605")
@pytest.mark.requirement("MS-ASPROV_R650")
@pytest.mark.requirement("MS-ASPROV_R662")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_the_two_phases(version: ProtocolVersion) -> None:
    bench = bench_of(version=version)
    command = keys(11, 22)
    first = only(await bench.run(command, initial(version)))
    assert (first.policy_type, first.status, first.policy_key) == (POLICY_TYPE, PolicyStatus.SUCCESS, "11")
    assert first.data is not None
    assert first.data.document == EASProvisionDoc(allow_camera=False, min_device_password_length=6)
    assert (await bench.device()).policy.key == 0
    second = only(await bench.run(command, acknowledgement("11")))
    assert second == ResponsePolicy(policy_type=POLICY_TYPE, status=PolicyStatus.SUCCESS, policy_key="22")
    assert (await bench.device()).policy == PolicyState(
        key=22,
        digest=policy_digest(POLICY),
        acknowledged=NOW,
        settings=frozenset(POLICY.settings),
    )


@pytest.mark.requirement("MS-ASPROV_R711")
async def test_keys_of_the_real_command_are_32_bits() -> None:
    bench = bench_of()
    first = only(await bench.run(provision.COMMAND, initial(V16_1)))
    second = only(await bench.run(provision.COMMAND, acknowledgement(first.policy_key or "")))
    found = [int(policy.policy_key or "0") for policy in (first, second)]
    assert found[0] != found[1]
    assert all(0 < key < 2**32 for key in found)


async def test_an_empty_policy_has_keys_too() -> None:
    bench = bench_of(PolicySettings())
    first = only(await bench.run(keys(11), initial(V16_1)))
    assert first.data is not None
    assert first.data.document == EASProvisionDoc()
    assert first.policy_key == "11"


async def test_provision_judges_the_key_of_its_body() -> None:
    bench = bench_of()
    command = keys(11, 22)
    assert not command.gated
    await bench.run(command, initial(V16_1), policy_key=4711)
    assert only(await bench.run(command, acknowledgement("11"), policy_key=4711)).status == PolicyStatus.SUCCESS


async def test_the_final_key_stays_good_until_the_next_acknowledgement() -> None:
    bench = bench_of()
    await provisioned(bench)
    await bench.run(keys(33), initial(V16_1))
    assert (await bench.device()).policy.key == 22
    assert only(await bench.run(keys(44), acknowledgement("33"))).policy_key == "44"


@pytest.mark.requirement("MS-ASPROV_R1044")
async def test_settings_that_are_unset_go_out_empty() -> None:
    bench = bench_of()
    await provisioned(bench)
    bench.settings = Settings(policies={"default": PolicySettings(settings={"AllowWiFi": False})})
    first = only(await bench.run(keys(33), initial(V16_1)))
    assert first.data is not None
    assert first.data.document == EASProvisionDoc(allow_camera=True, min_device_password_length=EMPTY, allow_wifi=False)
    assert (await bench.device()).policy.settings == {"AllowCamera", "MinDevicePasswordLength", "AllowWiFi"}


# --- what goes wrong ----------------------------------------------------------------------------------------------


@pytest.mark.requirement("MS-ASPROV_R382")
@pytest.mark.requirement("MS-ASPROV_R695")
@pytest.mark.requirement("MS-ASPROV_R507")
@pytest.mark.parametrize("key", ["22", "0", "", "x", "111", "-11"])
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_a_wrong_key_is_acknowledged(key: str, version: ProtocolVersion) -> None:
    bench = bench_of(version=version)
    await bench.run(keys(11), initial(version))
    before = await bench.device()
    response = only(await bench.run(keys(), acknowledgement(key)))
    assert response == ResponsePolicy(policy_type=POLICY_TYPE, status=PolicyStatus.WRONG_KEY)
    assert await bench.device() == before


@pytest.mark.requirement("MS-ASPROV_R507")
@pytest.mark.requirement("MS-ASPROV_R626")
async def test_an_old_key_is_acknowledged() -> None:
    bench = bench_of()
    await provisioned(bench)
    assert only(await bench.run(keys(), acknowledgement("11"))).status == PolicyStatus.WRONG_KEY
    await bench.run(keys(33), initial(V16_1))
    bench.settings = Settings(policies={"default": PolicySettings(settings={"AllowCamera": True})})
    assert only(await bench.run(keys(), acknowledgement("33"))).status == PolicyStatus.WRONG_KEY


@pytest.mark.requirement("MS-ASPROV_R380")
@pytest.mark.requirement("MS-ASPROV_R705")
@pytest.mark.parametrize("type_", ["MS-WAP-Provisioning-XML", "InvalidPolicyType", ""])
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_an_unknown_policy_type(type_: str, version: ProtocolVersion) -> None:
    bench = bench_of(version=version)
    expected = ResponsePolicy(policy_type=type_, status=PolicyStatus.UNKNOWN_TYPE)
    assert only(await bench.run(keys(), initial(version, type_=type_))) == expected
    assert only(await bench.run(keys(), acknowledgement("1", type_=type_))) == expected


@pytest.mark.requirement("MS-ASPROV_R379")
@pytest.mark.requirement("MS-ASPROV_R709")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_there_is_no_policy(version: ProtocolVersion) -> None:
    bench = bench_of(version=version)
    await provisioned(bench)
    bench.settings = Settings(policies={}, policy_of_user={UserId("alice@example.com"): "gone"})
    response = only(await bench.run(keys(), initial(version)))
    assert response == ResponsePolicy(policy_type=POLICY_TYPE, status=PolicyStatus.NO_POLICY)
    assert (await bench.device()).policy.key == 0


async def test_a_device_that_is_not_kept_has_no_policy() -> None:
    bench = bench_of()
    context = await bench.context("Provision")
    await bench.state.remove_device(context.account.user, context.device.id)
    response = await keys().handle(initial(V16_1), context)
    assert only(response).status == PolicyStatus.NO_POLICY
    assert await bench.state.device(context.account.user, context.device.id) is None


@pytest.mark.requirement("MS-ASPROV_R455")
@pytest.mark.requirement("MS-ASPROV_R684")
@pytest.mark.requirement("MS-ASPROV_R461")
@pytest.mark.requirement("MS-ASPROV_R687")
@pytest.mark.requirement("MS-ASPROV_R697")
@pytest.mark.parametrize(
    ("said", "status"),
    [
        (Compliance.PARTIAL, CommonStatus.DEVICE_NOT_FULLY_PROVISIONABLE),
        (Compliance.NONE, CommonStatus.DEVICE_NOT_FULLY_PROVISIONABLE),
        (Compliance.EXTERNALLY_MANAGED, CommonStatus.EXTERNALLY_MANAGED_DEVICES_NOT_ALLOWED),
    ],
)
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_a_strict_policy_is_not_held(said: Compliance, status: CommonStatus, version: ProtocolVersion) -> None:
    bench = bench_of(STRICT, version)
    with pytest.raises(CommandError) as caught:
        await provisioned(bench, said)
    assert caught.value.status == status
    assert (await bench.device()).policy.key == 0
    check(provision.COMMAND.fail(status, version), "Provision", version)


@pytest.mark.parametrize("said", [Compliance.PARTIAL, Compliance.NONE, Compliance.EXTERNALLY_MANAGED])
async def test_a_lenient_policy_remembers_who_does_not_hold_to_it(said: Compliance) -> None:
    bench = bench_of()
    assert (await provisioned(bench, said)).policy_key == "22"
    assert (await bench.device()).policy.partial
    assert not (await provisioned_again(bench)).partial


async def provisioned_again(bench: Bench) -> PolicyState:
    command = keys(33, 44)
    await bench.run(command, initial(bench.version))
    await bench.run(command, acknowledgement("33"))
    return (await bench.device()).policy


@pytest.mark.requirement("MS-ASPROV_R497")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_requests_of_the_wrong_shape(version: ProtocolVersion) -> None:
    bench = bench_of(version=version)
    policy = Element(tag("Provision:Policy"), [Element(tag("Provision:PolicyKey"), "1")])
    root = Element(tag("Provision:Provision"), [Element(tag("Provision:Policies"), [policy])])
    with pytest.raises(MalformedRequest, match="/Provision/Policies/Policy/PolicyType: is missing") as caught:
        await bench.run_tree(provision.COMMAND, root)
    refused = provision.COMMAND.refuse(caught.value, version)
    check(refused, "Provision", version)
    assert refused == Response(status=Status.PROTOCOL_ERROR)
    incomplete = RequestPolicy(policy_type=POLICY_TYPE, status=Compliance.FULL)
    for request in (Request(policies=()), Request(policies=(incomplete,))):
        assert await bench.run(keys(), request) == Response(status=Status.PROTOCOL_ERROR)


async def test_an_acknowledgement_with_another_status_is_malformed() -> None:
    root = dump(acknowledgement("1"))
    next(e for e in root.walk() if e.tag.name == "Status").content = "5"
    with pytest.raises(MalformedRequest, match="Status: '5' is not a valid Compliance"):
        await bench_of().run_tree(provision.COMMAND, root)


# --- what the device tells of itself ------------------------------------------------------------------------------


@pytest.mark.requirement("MS-ASPROV_R488")
@pytest.mark.requirement("MS-ASPROV_R1008")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_device_information(version: ProtocolVersion) -> None:
    bench = bench_of(version=version)
    request = replace(initial(version), device_information=MODEL)
    response = await bench.run(keys(11), request)
    assert response.device_information.status == SettingsStatus.SUCCESS
    assert (await bench.device()).details == {"Model": "Phone 9", "OS": "PhoneOS 1", "FriendlyName": "Alice's"}
    told = [child.tag for child in dump(response, version).children]
    assert (tag("Settings:DeviceInformation") in told) == (version >= V14_1)


@pytest.mark.requirement("MS-ASCMD_R4954")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_device_information_is_required_from_14_1_on(version: ProtocolVersion) -> None:
    request = replace(initial(version), device_information=None)
    if version <= V14_0:
        assert only(await bench_of(version=version).run(keys(11), request)).policy_key == "11"
        return
    with pytest.raises(CommandError) as caught:
        await bench_of(version=version).run(keys(), request)
    assert caught.value.status == CommonStatus.DEVICE_INFORMATION_REQUIRED
    check(provision.COMMAND.fail(165, version), "Provision", version)


@pytest.mark.requirement("MS-ASPROV_R607")
async def test_device_information_without_set() -> None:
    request = replace(initial(V16_1), device_information=DeviceInformation())
    response = await bench_of().run(keys(11), request)
    assert response.device_information.status == SettingsStatus.PROTOCOL_ERROR
    assert only(response).policy_key == "11"


# --- wipe ---------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("MS-ASPROV_R493")
@pytest.mark.requirement("MS-ASPROV_R654")
@pytest.mark.requirement("MS-ASPROV_R66614")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_an_empty_request_without_a_wipe(version: ProtocolVersion) -> None:
    assert await bench_of(version=version).run(keys(), Request()) == Response(status=Status.SUCCESS)


@pytest.mark.requirement("MS-ASPROV_R653")
@pytest.mark.requirement("MS-ASPROV_R758")
@pytest.mark.requirement("MS-ASPROV_R663")
@pytest.mark.requirement("MS-ASPROV_R1047")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_a_wipe_that_succeeds(version: ProtocolVersion) -> None:
    bench = bench_of(version=version)
    await provisioned(bench)
    await bench.change_device(wipe=Wipe.PENDING)
    directive = Response(status=Status.SUCCESS, remote_wipe=EMPTY)
    assert await bench.run(keys(), Request()) == directive
    assert (await bench.device()).wipe is Wipe.SENT
    assert await bench.run(keys(), initial(version)) == directive, "no policy before the wipe"
    done = Request(remote_wipe=RemoteWipeResult(status=WipeStatus.SUCCESS))
    for _ in range(2):  # the answer may be lost
        assert await bench.run(keys(), done) == Response(status=Status.SUCCESS)
        device = await bench.device()
        assert device.wipe is Wipe.DONE
        assert device.policy.key == 0
    assert (await provisioned(bench)).policy_key == "22", "the device begins anew"


@pytest.mark.requirement("MS-ASPROV_R1048")
@pytest.mark.requirement("MS-ASPROV_R702")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_a_wipe_that_fails_is_told_again(version: ProtocolVersion) -> None:
    bench = bench_of(version=version)
    await bench.change_device(wipe=Wipe.SENT)
    failed = Request(remote_wipe=RemoteWipeResult(status=WipeStatus.FAILURE))
    assert await bench.run(keys(), failed) == Response(status=Status.PROTOCOL_ERROR, remote_wipe=EMPTY)
    assert (await bench.device()).wipe is Wipe.FAILED
    assert (await bench.run(keys(), Request())).remote_wipe is EMPTY
    assert (await bench.device()).wipe is Wipe.FAILED, "until it confirms"


async def test_a_wipe_that_nobody_asked_for_changes_nothing() -> None:
    bench = bench_of()
    await provisioned(bench)
    before = await bench.device()
    done = Request(remote_wipe=RemoteWipeResult(status=WipeStatus.SUCCESS))
    assert await bench.run(keys(), done) == Response(status=Status.SUCCESS)
    assert await bench.device() == before


@pytest.mark.requirement("MS-ASPROV_R66613")
@pytest.mark.requirement("MS-ASPROV_R66601")
@pytest.mark.requirement("MS-ASPROV_R66609")
@pytest.mark.requirement("MS-ASPROV_R66610")
@pytest.mark.requirement("MS-ASPROV_R66611")
async def test_a_wipe_of_the_account_alone() -> None:
    bench = bench_of()
    await bench.change_device(wipe=Wipe.PENDING, wipe_account_only=True)
    assert await bench.run(keys(), Request()) == Response(status=Status.SUCCESS, account_only_remote_wipe=EMPTY)
    failed = Request(account_only_remote_wipe=AccountOnlyRemoteWipeResult(status=WipeStatus.FAILURE))
    assert await bench.run(keys(), failed) == Response(status=Status.PROTOCOL_ERROR, account_only_remote_wipe=EMPTY)
    assert (await bench.device()).wipe is Wipe.FAILED
    done = Request(account_only_remote_wipe=AccountOnlyRemoteWipeResult(status=WipeStatus.SUCCESS))
    assert await bench.run(keys(), done) == Response(status=Status.SUCCESS)
    assert (await bench.device()).wipe is Wipe.DONE


@pytest.mark.requirement("MS-ASPROV_R6906")
@pytest.mark.parametrize("version", [V12_1, V14_0, V14_1, V16_0], ids=str)
async def test_an_older_version_is_never_told_to_wipe_more_than_the_account(version: ProtocolVersion) -> None:
    bench = bench_of(version=version)
    await bench.change_device(wipe=Wipe.PENDING, wipe_account_only=True)
    assert await bench.run(keys(), Request()) == Response(status=Status.SUCCESS)
    assert (await bench.device()).wipe is Wipe.PENDING


async def test_a_request_comes_back_from_the_wire() -> None:
    bench = bench_of(version=V14_1)
    answer: Any = await bench.run_tree(keys(11), dump(initial(V14_1), V14_1))
    assert only(answer).policy_key == "11"
