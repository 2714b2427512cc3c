"""The typed ResolveRecipients against documents on the wire."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from protocol import wbxml
from protocol.commands.resolve_recipients import (
    Availability,
    AvailabilityOptions,
    AvailabilityStatus,
    CertificateRetrieval,
    Certificates,
    CertificatesStatus,
    Options,
    Picture,
    PictureOptions,
    PictureStatus,
    Recipient,
    RecipientType,
    Request,
    Response,
    ResponseStatus,
    Status,
    ToResponse,
)
from protocol.elements import Opaque
from protocol.schema import dump, load
from protocol.versions import SUPPORTED, V12_1, V14_0
from tests.schemas import assert_valid

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "wbxml" / "ResolveRecipients"

RESPONSE = Response(
    status=Status.SUCCESS,
    responses=(
        ToResponse(
            to="bob",
            status=ResponseStatus.RESOLVED,
            recipient_count=1,
            recipients=(
                Recipient(
                    type=RecipientType.DIRECTORY,
                    display_name="Bob",
                    email_address="bob@example.com",
                    availability=Availability(status=AvailabilityStatus.SUCCESS, merged_free_busy="0012"),
                    certificates=Certificates(
                        status=CertificatesStatus.SUCCESS,
                        certificate_count=2,
                        recipient_count=1,
                        certificates=(b"0\x82", b"0\x81"),
                        mini_certificate=b"0",
                    ),
                    picture=Picture(status=PictureStatus.SUCCESS, data=b"\x89PNG\0"),
                ),
            ),
        ),
        ToResponse(to="", status=ResponseStatus.UNRESOLVED, recipient_count=0),
    ),
)


def test_the_request_on_the_wire() -> None:
    request = load(Request, wbxml.decode((FIXTURES / "request.wbxml").read_bytes()))
    assert request.to
    assert load(Request, dump(request)) == request


def test_a_request_with_everything() -> None:
    start = datetime(2026, 12, 3, tzinfo=UTC)
    options = Options(
        certificate_retrieval=CertificateRetrieval.MINI,
        max_certificates=0,
        max_ambiguous_recipients=9999,
        availability=AvailabilityOptions(start=start, end=start),
        picture=PictureOptions(max_size=102_400, max_pictures=3),
    )
    request = Request(to=("bob", "alice"), options=options)
    assert load(Request, wbxml.decode(wbxml.encode(dump(request)).join())) == request


def test_the_response_comes_back_from_the_wire_and_holds_by_the_schema() -> None:
    assert load(Response, wbxml.decode(wbxml.encode(dump(RESPONSE)).join())) == RESPONSE
    for version in SUPPORTED:
        assert_valid(dump(RESPONSE, version), "ResolveRecipients")


@pytest.mark.requirement("MS-ASCMD_R7262", "MS-ASCMD_R7265", "MS-ASCMD_R6967", "MS-ASCMD_R6968")
def test_what_versions_do_not_have() -> None:
    def names(version: object) -> list[str]:
        recipient = dump(RESPONSE, version).children[1].children[3]  # type: ignore[arg-type]
        return [child.tag.name for child in recipient.children[3:]]

    assert names(V12_1) == ["Certificates"]
    assert names(V14_0) == ["Availability", "Certificates"]
    assert names(SUPPORTED[-1]) == ["Availability", "Certificates", "Picture"]


@pytest.mark.requirement("MS-ASCMD_R1468", "MS-ASCMD_R1113")
def test_photos_are_octets_and_certificates_base64() -> None:
    recipient = dump(RESPONSE).children[1].children[3]
    assert isinstance(recipient.children[-1].children[1].content, Opaque)
    assert recipient.children[-2].children[3].content == "MII="
