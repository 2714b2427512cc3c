"""Settings over ports in memory."""

from dataclasses import replace

import pytest

from eas_server.commands import settings
from eas_server.model.settings import PolicySettings, Settings
from protocol import wbxml
from protocol.codepages import tag
from protocol.commands.settings import (
    DeviceDetails,
    DeviceInformation,
    DeviceInformationAnswer,
    DevicePassword,
    DevicePasswordAnswer,
    NewPassword,
    Oof,
    Property,
    Request,
    Response,
    RightsManagementInformation,
    Status,
    UserInformation,
    UserInformationAnswer,
)
from protocol.elements import Element
from protocol.errors import MalformedRequest
from protocol.schema import dump
from protocol.status import CommonStatus
from protocol.versions import SUPPORTED, V14_0, V14_1, V16_1, ProtocolVersion
from tests.server.commands.support import ALICE, Bench, check

GET = Element(tag("Settings:Get"))
ALL = DeviceDetails(
    model="Phone 9",
    imei="123456789012345",
    friendly_name="Alice's",
    os="PhoneOS 1",
    os_language="English",
    phone_number="+44 1",
    user_agent="Phone/1",
    enable_outbound_sms=0,
    mobile_operator="Operator",
)
ALL_DETAILS = {
    "Model": "Phone 9",
    "IMEI": "123456789012345",
    "FriendlyName": "Alice's",
    "OS": "PhoneOS 1",
    "OSLanguage": "English",
    "PhoneNumber": "+44 1",
    "UserAgent": "Phone/1",
    "EnableOutboundSMS": "0",
    "MobileOperator": "Operator",
}


async def ask(bench: Bench, *properties: Property) -> Response:
    response: Response = await bench.run(settings.COMMAND, Request(properties=properties))
    return response


def tell(**details: str | int) -> DeviceInformation:
    return DeviceInformation(details=replace(DeviceDetails(), **details))  # type: ignore[arg-type] # names and types fit


# --- DeviceInformation --------------------------------------------------------------------------------------------


@pytest.mark.requirement("MS-ASCMD_R2174")
@pytest.mark.requirement("MS-ASCMD_R481")
@pytest.mark.requirement("MS-ASCMD_R4392")
@pytest.mark.requirement("MS-ASCMD_R6100", "MS-ASCMD_R6101", "MS-ASCMD_R6102", "MS-ASCMD_R6103", "MS-ASCMD_R6103100601")
@pytest.mark.requirement("MS-ASCMD_R6429", "MS-ASCMD_R6430", "MS-ASCMD_R6431", "MS-ASCMD_R6432", "MS-ASCMD_R6432100701")
@pytest.mark.requirement("MS-ASCMD_R7164", "MS-ASCMD_R7165", "MS-ASCMD_R7166", "MS-ASCMD_R7167", "MS-ASCMD_R7167101801")
@pytest.mark.requirement("MS-ASCMD_R7172", "MS-ASCMD_R7173", "MS-ASCMD_R7174", "MS-ASCMD_R7175", "MS-ASCMD_R7175101801")
@pytest.mark.requirement("MS-ASCMD_R6834", "MS-ASCMD_R6835", "MS-ASCMD_R6836", "MS-ASCMD_R6837", "MS-ASCMD_R6837101701")
@pytest.mark.requirement("MS-ASCMD_R6963", "MS-ASCMD_R6964", "MS-ASCMD_R6965", "MS-ASCMD_R6966", "MS-ASCMD_R6966101701")
@pytest.mark.requirement("MS-ASCMD_R7416", "MS-ASCMD_R7417", "MS-ASCMD_R7418", "MS-ASCMD_R7419", "MS-ASCMD_R7419102101")
@pytest.mark.requirement("MS-ASCMD_R6906", "MS-ASCMD_R6907", "MS-ASCMD_R6908", "MS-ASCMD_R6909", "MS-ASCMD_R6909101701")
@pytest.mark.requirement("MS-ASCMD_R6910", "MS-ASCMD_R6911", "MS-ASCMD_R6912", "MS-ASCMD_R6913", "MS-ASCMD_R6913101701")
@pytest.mark.requirement("MS-ASCMD_R6826", "MS-ASCMD_R6827", "MS-ASCMD_R6828", "MS-ASCMD_R6829", "MS-ASCMD_R6829101601")
@pytest.mark.requirement("MS-ASCMD_R6514", "MS-ASCMD_R6515", "MS-ASCMD_R6516", "MS-ASCMD_R6517", "MS-ASCMD_R6517100801")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_device_information_is_kept(version: ProtocolVersion) -> None:
    bench = Bench(version=version)
    response = await ask(bench, DeviceInformation(details=ALL))
    assert response == Response(status=Status.SUCCESS, answers=(DeviceInformationAnswer(status=Status.SUCCESS),))
    later = {"EnableOutboundSMS", "MobileOperator"} if version < V14_0 else set()
    wanted = {name: value for name, value in ALL_DETAILS.items() if name not in later}
    assert (await bench.device()).details == wanted


@pytest.mark.requirement("MS-ASCMD_R3607", "MS-ASCMD_R3613", "MS-ASCMD_R3666", "MS-ASCMD_R4700", "MS-ASCMD_R3944")
@pytest.mark.parametrize("field", ["os", "os_language", "phone_number", "user_agent", "model", "imei"])
async def test_nothing_is_validated_and_one_parameter_is_enough(field: str) -> None:
    response = await ask(Bench(), tell(**{field: "\u2603 no, thanks; <b>"}))
    assert response.answers == (DeviceInformationAnswer(status=Status.SUCCESS),)


async def test_what_a_device_does_not_name_stays() -> None:
    bench = Bench()
    await ask(bench, DeviceInformation(details=ALL))
    await ask(bench, tell(os="PhoneOS 2", phone_number=""))
    assert (await bench.device()).details == {**ALL_DETAILS, "OS": "PhoneOS 2", "PhoneNumber": ""}


@pytest.mark.requirement("MS-ASCMD_R3441")
@pytest.mark.requirement("MS-ASCMD_R3179")
@pytest.mark.requirement("MS-ASCMD_R3110")
@pytest.mark.requirement("MS-ASCMD_R3665")
@pytest.mark.requirement("MS-ASCMD_R4696")
@pytest.mark.requirement("MS-ASCMD_R3437")
@pytest.mark.requirement("MS-ASCMD_R5582")
@pytest.mark.parametrize(
    "field",
    ["model", "imei", "friendly_name", "os", "os_language", "phone_number", "user_agent", "mobile_operator"],
)
async def test_texts_have_1024_characters(field: str) -> None:
    bench = Bench()
    good = await ask(bench, tell(**{field: "é" * 1024}))
    assert good.answers == (DeviceInformationAnswer(status=Status.SUCCESS),)
    kept = (await bench.device()).details
    bad = await ask(bench, tell(**{field: "é" * 1025}))
    assert bad == Response(status=Status.SUCCESS, answers=(DeviceInformationAnswer(status=Status.INVALID_ARGUMENTS),))
    assert (await bench.device()).details == kept


@pytest.mark.requirement("MS-ASCMD_R5582")
async def test_enable_outbound_sms_is_0_or_1() -> None:
    response = await ask(Bench(), tell(enable_outbound_sms=2))
    assert response.answers == (DeviceInformationAnswer(status=Status.INVALID_ARGUMENTS),)


@pytest.mark.requirement("MS-ASCMD_R5845")
@pytest.mark.requirement("MS-ASCMD_R2177")
async def test_device_information_without_set() -> None:
    response = await ask(Bench(), DeviceInformation())
    assert response == Response(status=Status.SUCCESS, answers=(DeviceInformationAnswer(status=Status.PROTOCOL_ERROR),))


async def test_a_device_that_is_not_kept_is_not_made() -> None:
    bench = Bench()
    context = await bench.context("Settings")
    await bench.state.remove_device(ALICE.user, context.device.id)
    response = await settings.handle(Request(properties=(DeviceInformation(details=ALL),)), context)
    assert response.answers == (DeviceInformationAnswer(status=Status.SUCCESS),)
    assert await bench.state.device(ALICE.user, context.device.id) is None


# --- UserInformation ----------------------------------------------------------------------------------------------


def texts(element: Element) -> list[tuple[str, str]]:
    """Names and texts of all elements, in order."""
    return [(each.tag.name, "" if each.children else each.text) for each in element.walk()]


@pytest.mark.requirement("MS-ASCMD_R4708")
@pytest.mark.requirement("MS-ASCMD_R6502")
@pytest.mark.requirement("MS-ASCMD_R6503")
@pytest.mark.requirement("MS-ASCMD_R6672")
@pytest.mark.requirement("MS-ASCMD_R3962")
@pytest.mark.requirement("MS-ASCMD_R7420", "MS-ASCMD_R7421", "MS-ASCMD_R6129", "MS-ASCMD_R6130", "MS-ASCMD_R6145")
@pytest.mark.requirement("MS-ASCMD_R6146", "MS-ASCMD_R6137", "MS-ASCMD_R6138", "MS-ASCMD_R6141", "MS-ASCMD_R6142")
@pytest.mark.requirement("MS-ASCMD_R7424", "MS-ASCMD_R7425")
@pytest.mark.parametrize("version", [v for v in SUPPORTED if v <= V14_0], ids=str)
async def test_the_addresses_up_to_14_0(version: ProtocolVersion) -> None:
    response = await ask(Bench(version=version), UserInformation(get=GET))
    assert texts(dump(response, version)) == [
        ("Settings", ""),
        ("Status", "1"),
        ("UserInformation", ""),
        ("Status", "1"),
        ("Get", ""),
        ("EmailAddresses", ""),
        ("SMTPAddress", "alice@example.com"),
        ("SMTPAddress", "al@example.com"),
    ]


@pytest.mark.requirement("MS-ASCMD_R4708")
@pytest.mark.requirement("MS-ASCMD_R6504")
@pytest.mark.requirement("MS-ASCMD_R6505")
@pytest.mark.requirement("MS-ASCMD_R6505100801")
@pytest.mark.requirement("MS-ASCMD_R3679")
@pytest.mark.requirement("MS-ASCMD_R3681")
@pytest.mark.requirement("MS-ASCMD_R729")
@pytest.mark.requirement("MS-ASCMD_R5913")
@pytest.mark.requirement("MS-ASCMD_R7422", "MS-ASCMD_R7423", "MS-ASCMD_R7423101801", "MS-ASCMD_R6131", "MS-ASCMD_R6132")
@pytest.mark.requirement(
    "MS-ASCMD_R6132100601", "MS-ASCMD_R6147", "MS-ASCMD_R6148", "MS-ASCMD_R6148100601", "MS-ASCMD_R7426"
)
@pytest.mark.requirement("MS-ASCMD_R7427", "MS-ASCMD_R7427101801", "MS-ASCMD_R713", "MS-ASCMD_R733", "MS-ASCMD_R5914")
@pytest.mark.parametrize("version", [v for v in SUPPORTED if v >= V14_1], ids=str)
async def test_the_accounts_from_14_1_on(version: ProtocolVersion) -> None:
    response = await ask(Bench(version=version), UserInformation(get=GET))
    assert texts(dump(response, version)) == [
        ("Settings", ""),
        ("Status", "1"),
        ("UserInformation", ""),
        ("Status", "1"),
        ("Get", ""),
        ("Accounts", ""),
        ("Account", ""),
        ("UserDisplayName", "Alice Example"),
        ("EmailAddresses", ""),
        ("SMTPAddress", "alice@example.com"),
        ("SMTPAddress", "al@example.com"),
        ("PrimarySmtpAddress", "alice@example.com"),
    ]


@pytest.mark.requirement("MS-ASCMD_R4702")
async def test_a_name_has_512_characters() -> None:
    response = await ask(Bench(account=replace(ALICE, display_name="x" * 600)), UserInformation(get=GET))
    assert ("UserDisplayName", "x" * 512) in texts(dump(response))


async def test_an_account_without_a_name() -> None:
    response = await ask(Bench(account=replace(ALICE, display_name="")), UserInformation(get=GET))
    assert "UserDisplayName" not in [name for name, _ in texts(dump(response))]


# --- what the server does not have --------------------------------------------------------------------------------


@pytest.mark.requirement("MS-ASCMD_R4402")
@pytest.mark.requirement("MS-ASCMD_R5581")
@pytest.mark.requirement("MS-ASCMD_R4401")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_recovery_passwords_are_disabled(version: ProtocolVersion) -> None:
    bench = Bench(version=version)
    await bench.change_device(recovery_password="from before")
    response = await ask(bench, DevicePassword(set=NewPassword(password="secret")))
    assert response == Response(status=Status.SUCCESS, answers=(DevicePasswordAnswer(status=Status.DENIED_BY_POLICY),))
    assert (await bench.device()).recovery_password == ""


RECOVERY = Settings(policies={"default": PolicySettings(settings={"PasswordRecoveryEnabled": True})})


@pytest.mark.requirement("MS-ASCMD_R2183", "MS-ASCMD_R3658", "MS-ASCMD_R3661", "MS-ASCMD_R4396", "MS-ASCMD_R2181")
@pytest.mark.requirement("MS-ASCMD_R6436", "MS-ASCMD_R6437", "MS-ASCMD_R6438", "MS-ASCMD_R6439", "MS-ASCMD_R6439100701")
@pytest.mark.requirement("MS-ASCMD_R6955", "MS-ASCMD_R6956", "MS-ASCMD_R6957", "MS-ASCMD_R6958", "MS-ASCMD_R6958101701")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_a_recovery_password_is_kept_and_taken_back(version: ProtocolVersion) -> None:
    bench = Bench(version=version, settings=RECOVERY)
    for password in ("1234", "пароль ☃", "", "x" * 255):
        response = await ask(bench, DevicePassword(set=NewPassword(password=password)))
        assert response.answers == (DevicePasswordAnswer(status=Status.SUCCESS),)
        device = await bench.device()
        assert device.recovery_password == password
        assert not password or password not in repr(device)
        assert device.details == {}


@pytest.mark.requirement("MS-ASCMD_R3660", "MS-ASCMD_R4399", "MS-ASCMD_R4400")
async def test_a_recovery_password_has_255_characters() -> None:
    bench = Bench(settings=RECOVERY)
    await ask(bench, DevicePassword(set=NewPassword(password="1234")))
    for password in ("x" * 256, "x" * 1_000_000):
        response = await ask(bench, DevicePassword(set=NewPassword(password=password)))
        assert response.answers == (DevicePasswordAnswer(status=Status.INVALID_ARGUMENTS),)
    assert (await bench.device()).recovery_password == "1234"


@pytest.mark.requirement("MS-ASRM_R196")
@pytest.mark.requirement("MS-ASCMD_R4960")
@pytest.mark.requirement("MS-ASCMD_R7084")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_rights_management_is_disabled(version: ProtocolVersion) -> None:
    response = await ask(Bench(version=version), RightsManagementInformation(get=GET), UserInformation(get=GET))
    if version < V14_1:
        assert [type(answer) for answer in response.answers] == [UserInformationAnswer]
    else:
        assert response.status == Status.SUCCESS
        assert response.answers[0].status == CommonStatus.IRM_FEATURE_DISABLED


# --- several properties, and none ---------------------------------------------------------------------------------


@pytest.mark.requirement("MS-ASCMD_R480")
@pytest.mark.requirement("MS-ASCMD_R4382", "MS-ASCMD_R4387", "MS-ASCMD_R3953")
@pytest.mark.requirement("MS-ASCMD_R5713")
@pytest.mark.requirement("MS-ASCMD_R485")
@pytest.mark.requirement("MS-ASCMD_R486")
async def test_answers_come_in_the_order_of_the_request() -> None:
    properties: list[Property] = [
        UserInformation(get=GET),
        DeviceInformation(details=ALL),
        Oof(get=GET),
        DevicePassword(set=NewPassword(password="")),
        RightsManagementInformation(get=GET),
    ]
    for ordered in (properties, properties[::-1]):
        response = await ask(Bench(), *ordered)
        root = dump(response)
        names = [child.tag.name for child in root.children]
        assert names == ["Status", *(dump(each).tag.name for each in ordered)]
        assert all(child.children[0].tag.name == "Status" for child in root.children[1:])


@pytest.mark.requirement("MS-ASCMD_R477")
@pytest.mark.requirement("MS-ASCMD_R483")
async def test_a_property_comes_once() -> None:
    bench = Bench()
    assert await ask(bench) == Response(status=Status.SUCCESS)
    twice = await ask(bench, tell(model="a"), tell(model="b"))
    assert twice == Response(status=Status.PROTOCOL_ERROR)
    assert (await bench.device()).details == {}


@pytest.mark.requirement("MS-ASCMD_R483")
@pytest.mark.requirement("MS-ASCMD_R3867")
@pytest.mark.parametrize("name", ["UserInformation", "RightsManagementInformation", "DevicePassword"])
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_a_property_without_its_operation(name: str, version: ProtocolVersion) -> None:
    root = Element(tag("Settings:Settings"), [Element(tag(f"Settings:{name}"))])
    with pytest.raises(MalformedRequest, match="is missing") as caught:
        await Bench(version=version).run_tree(settings.COMMAND, root)
    refused = settings.COMMAND.refuse(caught.value, version)
    check(refused, "Settings", version)
    assert refused == Response(status=Status.PROTOCOL_ERROR)
    check(settings.COMMAND.fail(CommonStatus.SERVER_ERROR, version), "Settings", version)


async def test_what_a_phone_sends() -> None:
    bench = Bench(version=V16_1)
    root = dump(Request(properties=(DeviceInformation(details=ALL), UserInformation(get=GET))))
    response = await bench.run_tree(settings.COMMAND, wbxml.decode(wbxml.encode(root).join()))
    assert [answer.status for answer in response.answers] == [1, 1]
