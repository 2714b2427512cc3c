"""MessageClass, [MS-ASEMAIL] 2.2.2.49: decided by the type of the whole message, never by a part in it.

A forwarded signed message is an ordinary message with an attachment; calling it signed would make clients look for a
signature that is not theirs.
"""

import re
from typing import Final

from eas_server.render import contents, headers
from eas_server.render.headers import Octets
from eas_server.render.meetings import itip
from eas_server.render.structure import EMBEDDED, Part, scan

NOTE: Final = "IPM.Note"
SMIME: Final = "IPM.Note.SMIME"
"""Encrypted, or signed opaquely (MS-ASEMAIL_R591, R613)."""
CLEAR_SIGNED: Final = "IPM.Note.SMIME.MultipartSigned"
SECURE_RECEIPT: Final = "IPM.Note.Receipt.SMIME"

_PROTOCOLS: Final = frozenset({"application/pkcs7-signature", "application/x-pkcs7-signature"})
_STATUS_LIMIT: Final = 16 * 1024
_RETURNED_LIMIT: Final = 1024 * 1024
_REPORTED_MEETINGS: Final = frozenset(
    {itip.REQUEST_CLASS, itip.CANCELED_CLASS, itip.ACCEPTED_CLASS, itip.TENTATIVE_CLASS}
)
"""MS-ASEMAIL_R609 to R612."""
_ACTION: Final = re.compile(rb"^Action[ \t]*:[ \t]*([a-z]+)", re.IGNORECASE | re.MULTILINE)
_DISPOSITION: Final = re.compile(rb"^Disposition[ \t]*:[^;\r\n]*;[ \t]*([a-z]+)", re.IGNORECASE | re.MULTILINE)
_REPORTS: Final = {b"failed": "NDR", b"delayed": "DELAYED", b"delivered": "DR", b"relayed": "DR", b"expanded": "DR"}


def classify(octets: Octets, root: Part) -> str:
    """The class of a message."""
    smime = _smime_class(root)
    if smime:
        return smime
    if root.type == "multipart/report" and root.children:
        return _report(octets, root)
    return NOTE


def _smime_class(root: Part) -> str:
    """The class of an S/MIME message, "" for any other."""
    kind = contents.cms_type(root)
    if kind:
        return SECURE_RECEIPT if kind == "signed-receipt" else SMIME
    if root.type != "multipart/signed":
        return ""
    protocol = root.params.get("protocol", "").strip().lower()
    if not protocol and root.children:  # some mailers forget the parameter; the signature itself says what it is
        protocol = root.children[-1].type
    return CLEAR_SIGNED if protocol in _PROTOCOLS else ""


def _report(octets: Octets, root: Part) -> str:
    """REPORT and the class of the message reported on ([MS-ASEMAIL] 2.2.2.49)."""
    for part in root.children:
        status = bytes(octets[part.start : min(part.end, part.start + _STATUS_LIMIT)])
        if part.type in {"message/delivery-status", "message/global-delivery-status"}:
            found = _ACTION.search(status)
            kind = _REPORTS.get(found[1].lower() if found else b"", "NDR")
            return f"REPORT.{_reported(octets, root, kind)}.{kind}"
        if part.type in {"message/disposition-notification", "message/global-disposition-notification"}:
            found = _DISPOSITION.search(status)
            read = found is not None and found[1].lower() == b"displayed"
            return "REPORT.IPM.NOTE.IPNRN" if read else "REPORT.IPM.NOTE.IPNNRN"
    return NOTE


def _reported(octets: Octets, root: Part, kind: str) -> str:
    for part in root.children:
        if part.type in {EMBEDDED, "text/rfc822-headers"}:
            fields, start = headers.header_block(octets, part.start, part.end)
            type_, params = headers.parameters(headers.first(fields, "content-type"))
            named = _smime_class(Part(part.start, start, part.end, fields, type_, params))
            if not named and kind == "NDR" and part.type == EMBEDDED:
                named = _meeting_class(bytes(octets[part.start : min(part.end, part.start + _RETURNED_LIMIT)]))
            return (named or NOTE).upper()
    return NOTE.upper()


def _meeting_class(returned: bytes) -> str:
    """The class of a meeting message that came back, of those that the documents have reports on; else ""."""
    found = itip.find(returned, scan(returned).root)
    named = found[1].message_class if found is not None else None
    return named if named in _REPORTED_MEETINGS else ""
