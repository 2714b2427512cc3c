"""Provision, typed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codepages import tag
from protocol.commands.provision import (
    POLICY_TYPE,
    AccountOnlyRemoteWipeResult,
    Compliance,
    Data,
    EASProvisionDoc,
    EncryptionAlgorithm,
    Negotiation,
    RemoteWipeResult,
    Request,
    RequestPolicy,
    Response,
    ResponsePolicy,
    SignedAlgorithm,
    WipeStatus,
)
from protocol.commands.settings import DeviceDetails, DeviceInformation, DeviceInformationAnswer
from protocol.elements import Element
from protocol.schema import EMPTY, dump, load
from protocol.versions import SUPPORTED, V14_0, V14_1, V16_0, V16_1, ProtocolVersion
from protocol.wbxml import decode, encode
from tests.schemas import assert_valid

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "wbxml" / "Provision"
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
YES_NO = st.none() | st.booleans()
DOCUMENTS = st.builds(
    EASProvisionDoc,
    device_password_enabled=YES_NO,
    min_device_password_length=st.none() | st.just(EMPTY) | st.integers(1, 16),
    max_device_password_failed_attempts=st.none() | st.just(EMPTY) | st.integers(4, 16),
    max_attachment_size=st.none() | st.just(EMPTY) | st.integers(0, 2**32 - 1),
    allow_bluetooth=st.none() | st.integers(0, 2),
    max_calendar_age_filter=st.none() | st.sampled_from([0, 4, 5, 6, 7]),
    max_email_body_truncation_size=st.none() | st.integers(-1, 10**6),
    require_signed_smime_messages=YES_NO,
    require_signed_smime_algorithm=st.none() | st.sampled_from(SignedAlgorithm),
    require_encryption_smime_algorithm=st.none() | st.sampled_from(EncryptionAlgorithm),
    allow_smime_encryption_algorithm_negotiation=st.none() | st.sampled_from(Negotiation),
    unapproved_in_rom_application_list=st.none() | st.lists(TEXTS, max_size=3).map(tuple),
    approved_application_list=st.none() | st.lists(TEXTS, max_size=3).map(tuple),
)
POLICIES = st.builds(
    ResponsePolicy,
    policy_type=TEXTS,
    status=st.integers(1, 5),
    policy_key=st.none() | st.integers(1, 2**32 - 1).map(str),
    data=st.none() | st.builds(Data, document=DOCUMENTS),
)
RESPONSES = st.builds(
    Response,
    device_information=st.none() | st.builds(DeviceInformationAnswer, status=st.integers(1, 5)),
    status=st.integers(1, 177),
    policies=st.none() | POLICIES.map(lambda policy: (policy,)),
    remote_wipe=st.none() | st.just(EMPTY),
    account_only_remote_wipe=st.none() | st.just(EMPTY),
)


@given(RESPONSES)
def test_what_is_written_is_read_and_holds_by_the_schema(response: Response) -> None:
    for version in SUPPORTED:
        root = dump(response, version)
        assert_valid(root, "Provision")
        back = load(Response, decode(encode(root).join()))
        assert back.policies == response.policies
        if version == V16_1:
            assert back == response


def test_golden_documents() -> None:
    request = load(Request, decode((FIXTURES / "request.wbxml").read_bytes()))
    assert request == Request(
        device_information=DeviceInformation(
            details=DeviceDetails(
                model="Pixel",
                friendly_name="Carol's telephone",
                os="Android 14",
                user_agent="Android-Mail/2026.1",
            )
        ),
        policies=(RequestPolicy(policy_type=POLICY_TYPE),),
    )
    octets = (FIXTURES / "response.wbxml").read_bytes()
    response = load(Response, decode(octets))
    assert response.policies is not None
    assert response.policies[0].data == Data(
        document=EASProvisionDoc(
            device_password_enabled=True,
            min_device_password_length=6,
            max_inactivity_time_device_lock=300,
            max_attachment_size=EMPTY,
            require_signed_smime_messages=True,
            require_encrypted_smime_messages=False,
            allow_smime_encryption_algorithm_negotiation=Negotiation.STRONG,
            allow_smime_soft_certs=True,
        )
    )
    assert encode(dump(response)).join() == octets


@pytest.mark.requirement("MS-ASPROV_R6906")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
def test_what_versions_do_not_have_is_left_out(version: ProtocolVersion) -> None:
    response = Response(device_information=DeviceInformationAnswer(status=1), status=1, account_only_remote_wipe=EMPTY)
    names = [child.tag.name for child in dump(response, version).children]
    expected = ["Status"]
    if version > V14_0:
        expected.insert(0, "DeviceInformation")
    if version > V16_0:
        expected.append("AccountOnlyRemoteWipe")
    assert names == expected


@pytest.mark.requirement("MS-ASPROV_R311")
@pytest.mark.requirement("MS-ASPROV_R436")
def test_an_acknowledgement_is_read_in_any_order() -> None:
    children = [
        Element(tag("Provision:PolicyKey"), "7"),
        Element(tag("Provision:Status"), "2"),
        Element(tag("Provision:PolicyType"), POLICY_TYPE),
    ]
    for ordered in (children, children[::-1]):
        policies = Element(tag("Provision:Policies"), [Element(tag("Provision:Policy"), list(ordered))])
        request = load(Request, Element(tag("Provision:Provision"), [policies]))
        assert request.policies == (RequestPolicy(policy_type=POLICY_TYPE, policy_key="7", status=Compliance.PARTIAL),)


@pytest.mark.requirement("MS-ASPROV_R324")
@pytest.mark.requirement("MS-ASPROV_R6905")
@pytest.mark.requirement("MS-ASPROV_R641")
def test_requests_about_a_wipe() -> None:
    for request in (
        Request(),
        Request(remote_wipe=RemoteWipeResult(status=WipeStatus.FAILURE)),
        Request(account_only_remote_wipe=AccountOnlyRemoteWipeResult(status=WipeStatus.SUCCESS)),
    ):
        assert load(Request, decode(encode(dump(request)).join())) == request
    assert dump(Request(), V14_1).content is None
