"""ValidateCert, [MS-ASCMD] 2.2.1.22."""

import base64
from enum import IntEnum

from protocol import quirks
from protocol.codepages import tag
from protocol.elements import Element, Inline, Opaque
from protocol.schema import el, element

MAX_CERTIFICATES = 100
"""Certificate elements in Certificates (MS-ASCMD_R5661); one more is Status 2 (R5662)."""

_ROOT = tag("ValidateCert:ValidateCert")
_CERTIFICATES = tag("ValidateCert:Certificates")
_CERTIFICATE = tag("ValidateCert:Certificate")
_CHAIN = tag("ValidateCert:CertificateChain")


class Status(IntEnum):
    """[MS-ASCMD] 2.2.3.177.18, as a child of ValidateCert."""

    SUCCESS = 1
    """The command was carried out; how the certificates are stands with each (MS-ASCMD_R4474, R5387)."""
    PROTOCOL_ERROR = 2
    """MS-ASCMD_R4476, R5662."""
    SERVER_ERROR = 17
    """MS-ASCMD_R5864."""


class CertificateStatus(IntEnum):
    """The same, as a child of Certificate. The causes that the documents give for 16 and 17 are those of 3 and 4; the
    meanings count."""

    VALID = 1
    BAD_SIGNATURE = 3
    """The signature cannot be validated (MS-ASCMD_R4478)."""
    UNTRUSTED = 4
    """Issued by a source that the server does not trust (MS-ASCMD_R4481, R4482)."""
    BAD_CHAIN = 5
    """The chain was not created correctly (MS-ASCMD_R4484)."""
    NOT_FOR_SIGNING = 6
    """Not valid for signing mail (MS-ASCMD_R4487, R4488)."""
    EXPIRED = 7
    """It has expired or is not yet valid (MS-ASCMD_R4490)."""
    CHAIN_EXPIRED = 8
    """Validity in the chain is not consistent (MS-ASCMD_R4493, R4494)."""
    WRONG_USE = 9
    """Used for what it is not valid for (MS-ASCMD_R4496, R4497)."""
    MALFORMED = 10
    """Something about it is missing or incorrect (MS-ASCMD_R4499, R4500)."""
    WRONG_ROLE = 11
    """An end entity as an authority, or an authority as an end entity (MS-ASCMD_R4504, R5847)."""
    WRONG_ADDRESS = 12
    """It does not match the mail address (MS-ASCMD_R4505); the command has none, so that it never answers this."""
    REVOKED = 13
    """MS-ASCMD_R4508, R4509."""
    REVOCATION_OFFLINE = 14
    """The server that knows about revocation is offline (MS-ASCMD_R4511, R4512)."""
    CHAIN_REVOKED = 15
    """A certificate of the chain was revoked (MS-ASCMD_R4514, R4515)."""
    REVOCATION_UNKNOWN = 16
    """Whether it was revoked cannot be determined (MS-ASCMD_R4517)."""
    SERVER_ERROR = 17
    """MS-ASCMD_R4520, R4521."""


@element("ValidateCert:ValidateCert")
class Request:
    """The request. What a Certificate holds is left as it came, for `certificate_octets`: it should be DER in base64
    (MS-ASCMD_R1117), and comes in many dresses."""

    certificate_chain: tuple[Inline | Opaque | str, ...] | None = el(
        "ValidateCert:CertificateChain", item="ValidateCert:Certificate", default=None
    )
    """Certificates that may stand between those to be judged and a root (MS-ASCMD_R1123 to R1126)."""
    certificates: tuple[Inline | Opaque | str, ...] | None = el(
        "ValidateCert:Certificates", item="ValidateCert:Certificate", default=None
    )
    """To be judged (MS-ASCMD_R865). None and () are both answered with Status 2 (R1118, R1142)."""
    check_crl: int = el("ValidateCert:CheckCRL", default=0, minimum=0, maximum=1)
    """1: an unverifiable revocation status is not ignored (MS-ASCMD_R893, R898)."""


@element("ValidateCert:Certificate")
class CertificateResult:
    """The answer to one Certificate (MS-ASCMD_R2924)."""

    status: CertificateStatus = el("ValidateCert:Status")


@element("ValidateCert:ValidateCert")
class Response:
    """The response: one result for each Certificate, in their order. `status` may be a common one."""

    status: int = el("ValidateCert:Status")
    certificates: tuple[CertificateResult, ...] = el(default=())


def standard_form(root: Element) -> Element:
    """The document with bare certificates put into their containers (quirk CERTIFICATE_OUTSIDE_CONTAINER)."""
    bare = [child for child in root.children if child.tag is _CERTIFICATE]
    chains = [child for child in root.children if child.tag is _CHAIN and not child.children and child.content]
    if root.tag is not _ROOT or not (bare or chains) or not quirks.tolerates(quirks.CERTIFICATE_OUTSIDE_CONTAINER):
        return root
    moved = {id(child) for child in (*bare, *chains)}
    kept = [child for child in root.children if id(child) not in moved]
    if chains:
        kept.append(Element(_CHAIN, [Element(_CERTIFICATE, chain.content) for chain in chains]))
    if bare:
        kept.append(Element(_CERTIFICATES, bare))
    return Element(_ROOT, kept)


def certificate_octets(content: Inline | Opaque | str) -> bytes:
    """What stands in a Certificate, as octets; text in UTF-8, whatever it is."""
    return Element(_CERTIFICATE, content).octets


def certificate_content(der: bytes) -> str:
    """A certificate as a client writes it (MS-ASCMD_R844)."""
    return base64.b64encode(der).decode("ascii")
