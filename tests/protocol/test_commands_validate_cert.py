"""The typed ValidateCert against documents on the wire."""

import base64
from pathlib import Path

import pytest

from protocol import quirks, wbxml
from protocol.codepages import tag
from protocol.commands.validate_cert import (
    CertificateResult,
    CertificateStatus,
    Request,
    Response,
    Status,
    certificate_content,
    certificate_octets,
    standard_form,
)
from protocol.elements import Element, Opaque
from protocol.errors import MalformedXml
from protocol.schema import dump, load
from protocol.versions import SUPPORTED
from tests.schemas import assert_valid

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "wbxml" / "ValidateCert"
DER = b"\x30\x82\x01\x0a" + bytes(range(256))


def document(name: str) -> Element:
    return wbxml.decode((FIXTURES / f"{name}.wbxml").read_bytes())


def vc(name: str, *children: Element, text: str | None = None) -> Element:
    return Element(tag(f"ValidateCert:{name}"), list(children) or text)


@pytest.mark.requirement("MS-ASCMD_R844", "MS-ASCMD_R1117", "MS-ASCMD_R2920", "MS-ASCMD_R1124", "MS-ASCMD_R1140")
def test_a_request_as_the_documents_have_it() -> None:
    root = document("request")
    request = load(Request, standard_form(root))
    assert request.certificate_chain == (base64.b64encode(DER).decode(),)
    assert request.certificates is not None
    assert len(request.certificates) == 2
    assert base64.b64decode(certificate_octets(request.certificates[0])) == DER
    assert request.check_crl == 1
    assert dump(request) == root


def test_a_request_without_containers_is_read_as_one_with_them() -> None:
    request = load(Request, standard_form(document("request_bare")))
    assert request.certificates is not None
    assert request.certificate_chain is not None
    assert [certificate_octets(each) for each in request.certificates] == [DER]
    assert [certificate_octets(each) for each in request.certificate_chain] == [DER]
    assert request.check_crl == 1


def test_without_the_quirk_there_is_no_certificate_outside_of_containers() -> None:
    quirks.refuse(frozenset({"CERTIFICATE_OUTSIDE_CONTAINER"}))
    try:
        assert load(Request, standard_form(document("request_bare"))).certificates is None
    finally:
        quirks.refuse(quirks.NONE_REFUSED)


def test_a_request_of_the_standard_form_is_left_alone() -> None:
    root = document("request")
    assert standard_form(root) is root


@pytest.mark.requirement("MS-ASCMD_R898", "MS-ASCMD_R1162", "MS-ASCMD_R1126")
def test_what_may_be_left_out() -> None:
    request = load(Request, vc("ValidateCert", vc("Certificates", vc("Certificate", text="MA=="))))
    assert (request.check_crl, request.certificate_chain) == (0, None)


@pytest.mark.parametrize("value", ["2", "-1", "true", "9" * 400, ""])
def test_check_crl_is_0_or_1(value: str) -> None:
    root = vc("ValidateCert", vc("Certificates", vc("Certificate", text="MA==")), vc("CheckCRL", text=value))
    with pytest.raises(MalformedXml):
        load(Request, root)


def test_elements_inside_of_a_certificate_are_refused() -> None:
    root = vc("ValidateCert", vc("Certificates", vc("Certificate", vc("Status", text="1"))))
    with pytest.raises(MalformedXml):
        load(Request, root)


@pytest.mark.requirement(
    "MS-ASCMD_R2924", "MS-ASCMD_R1120", "MS-ASCMD_R1122", "MS-ASCMD_R2772", "MS-ASCMD_R4727", "MS-ASCMD_R2926"
)
@pytest.mark.parametrize("version", SUPPORTED)
def test_a_response_in_every_version(version) -> None:
    response = Response(
        status=Status.SUCCESS,
        certificates=tuple(CertificateResult(status=status) for status in CertificateStatus),
    )
    tree = dump(response, version)
    assert load(Response, wbxml.decode(wbxml.encode(tree).join())) == response
    assert_valid(response, "ValidateCert", version)


def test_the_golden_response() -> None:
    response = load(Response, document("response"))
    assert [each.status for each in response.certificates] == [CertificateStatus.VALID, CertificateStatus.REVOKED]
    assert dump(response) == document("response")


def test_a_certificate_as_a_client_writes_it() -> None:
    content = certificate_content(DER)
    assert base64.b64decode(certificate_octets(content)) == DER
    assert certificate_octets(Opaque(memoryview(DER))) == DER
