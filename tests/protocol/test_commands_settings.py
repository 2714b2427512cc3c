"""Settings, typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codepages import tag
from protocol.commands.settings import (
    Account,
    DeviceDetails,
    DeviceInformation,
    DeviceInformationAnswer,
    DevicePassword,
    DevicePasswordAnswer,
    EmailAddresses,
    NewPassword,
    Oof,
    OofAnswer,
    Request,
    Response,
    RightsManagementAnswer,
    RightsManagementDetails,
    RightsManagementInformation,
    UserDetails,
    UserInformation,
    UserInformationAnswer,
)
from protocol.elements import Element
from protocol.errors import MalformedRequest
from protocol.items.rights import Templates
from protocol.schema import dump, load
from protocol.versions import SUPPORTED, V14_0, V14_1, V16_1, ProtocolVersion
from protocol.wbxml import decode, encode
from tests.schemas import assert_valid

TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
MAYBE = st.none() | TEXTS
STATUSES = st.integers(1, 177)
ADDRESSES = st.builds(EmailAddresses, smtp_addresses=st.lists(TEXTS, max_size=3).map(tuple), primary_smtp_address=MAYBE)
ACCOUNTS = st.builds(
    Account,
    account_id=MAYBE,
    account_name=MAYBE,
    user_display_name=MAYBE,
    send_disabled=st.none() | st.booleans(),
    email_addresses=st.none() | ADDRESSES,
)
DETAILS = st.builds(UserDetails, accounts=st.none() | st.lists(ACCOUNTS, min_size=1, max_size=2).map(tuple))
ANSWERS = [
    st.builds(OofAnswer, status=STATUSES),
    st.builds(DevicePasswordAnswer, status=STATUSES),
    st.builds(DeviceInformationAnswer, status=STATUSES),
    st.builds(UserInformationAnswer, status=STATUSES, get=st.none() | DETAILS),
    st.builds(RightsManagementAnswer, status=STATUSES, get=st.just(RightsManagementDetails(templates=Templates()))),
]
RESPONSES = st.builds(
    Response,
    status=STATUSES,
    answers=st.permutations(ANSWERS).flatmap(lambda some: st.tuples(*some[:3])),
)
GET = Element(tag("Settings:Get"))


@given(RESPONSES)
def test_what_is_written_is_read_and_holds_by_the_schema(response: Response) -> None:
    root = dump(response, V16_1)
    assert_valid(root, "Settings")
    assert load(Response, decode(encode(root).join())) == response


@pytest.mark.requirement("MS-ASCMD_R2174")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
def test_device_information(version: ProtocolVersion) -> None:
    details = DeviceDetails(
        model="a",
        imei="b",
        friendly_name="c",
        os="d",
        os_language="e",
        phone_number="f",
        user_agent="g",
        enable_outbound_sms=1,
        mobile_operator="h",
    )
    root = dump(DeviceInformation(details=details), version)
    names = [child.tag.name for child in root.children[0].children]
    expected = ["Model", "IMEI", "FriendlyName", "OS", "OSLanguage", "PhoneNumber", "UserAgent"]
    if version >= V14_0:
        expected += ["EnableOutboundSMS", "MobileOperator"]
    assert names == expected
    assert_valid(dump(Response(status=1, answers=(DeviceInformationAnswer(status=1),)), version), "Settings")


@pytest.mark.requirement("MS-ASCMD_R480")
def test_properties_keep_their_order() -> None:
    properties = (
        UserInformation(get=GET),
        Oof(get=GET),
        DeviceInformation(details=DeviceDetails(model="a")),
        RightsManagementInformation(get=GET),
        DevicePassword(set=NewPassword(password="")),
    )
    for ordered in (properties, properties[::-1]):
        read = load(Request, decode(encode(dump(Request(properties=ordered))).join()))
        assert [type(each) for each in read.properties] == [type(each) for each in ordered]
    assert read.properties[0] == DevicePassword(set=NewPassword(password=""))


@pytest.mark.requirement("MS-ASCMD_R6502")
@pytest.mark.requirement("MS-ASCMD_R6504")
def test_versions_have_one_form_of_the_addresses() -> None:
    addresses = EmailAddresses(smtp_addresses=("a@example.com",), primary_smtp_address="a@example.com")
    details = UserDetails(email_addresses=addresses, accounts=(Account(email_addresses=addresses),))
    for version in SUPPORTED:
        names = [child.tag.name for child in dump(details, version).children]
        assert names == (["Accounts"] if version >= V14_1 else ["EmailAddresses"])
        assert_valid(
            dump(Response(status=1, answers=(UserInformationAnswer(status=1, get=details),)), version), "Settings"
        )


def test_errors_name_the_path() -> None:
    root = Element(tag("Settings:Settings"), [Element(tag("Settings:DevicePassword"), [Element(tag("Settings:Set"))])])
    with pytest.raises(MalformedRequest) as caught:
        load(Request, root)
    assert str(caught.value) == "/Settings/DevicePassword/Set/Password: is missing"
