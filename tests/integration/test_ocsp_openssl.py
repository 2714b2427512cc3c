"""`openssl ocsp` answers our requests, and we judge by its answers."""

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from eas_server.model.trust import EvidenceKind
from eas_server.pki.evidence import Evidence
from eas_server.pki.questions import KEEP_UNTIL, ocsp_request
from eas_server.pki.validation import Revocation, validate
from tests.server.pki import making
from tests.server.pki.making import Entity, trust

pytestmark = pytest.mark.integration("openssl")

NOW = datetime.now(UTC).replace(microsecond=0)
MONTH = timedelta(days=30)
SPAN: dict[str, Any] = {"not_before": NOW - MONTH, "not_after": NOW + MONTH}
ROOT = making.authority("Root", **SPAN)
BOB = making.person(ROOT, ocsp_urls=["http://pki.example.com/ocsp"], serial=0x1234, **SPAN)
DELEGATE = making.responder(ROOT, **SPAN)
PEM = serialization.Encoding.PEM


def write(folder: Path, name: str, entity: Entity) -> None:
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / f"{name}.pem").write_bytes(entity.certificate.public_bytes(PEM))
    (folder / f"{name}.key").write_bytes(entity.key.private_bytes(PEM, *plain))


def answered(folder: Path, status: str, signer: Entity) -> bytes:
    """The answer of `openssl ocsp`, by an index in which BOB has `status`."""
    program = shutil.which("openssl")
    assert program is not None
    write(folder, "root", ROOT)
    write(folder, "signer", signer)
    until = (NOW + MONTH).strftime("%y%m%d%H%M%SZ")
    since = (NOW - timedelta(days=1)).strftime("%y%m%d%H%M%SZ") if status == "R" else ""
    listed = "" if status == "unknown" else f"{status}\t{until}\t{since}\t1234\tunknown\t/CN=Bob\n"
    (folder / "index.txt").write_text(listed)
    (folder / "request.der").write_bytes(ocsp_request(BOB.der, ROOT.der))
    command = [program, "ocsp", "-index", "index.txt", "-CA", "root.pem", "-rsigner", "signer.pem", "-rkey"]
    command += ["signer.key", "-reqin", "request.der", "-respout", "answer.der", "-ndays", "1"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    return (folder / "answer.der").read_bytes()


@pytest.mark.requirement("MS-ASCMD_R4509", "MS-ASCMD_R4517")
@pytest.mark.parametrize("signer", [ROOT, DELEGATE], ids=["issuer", "delegate"])
@pytest.mark.parametrize(("status", "expected"), [("V", 1), ("R", 13), ("unknown", 16)])
def test_an_answer_of_openssl_counts(tmp_path: Path, status: str, expected: int, signer: Entity) -> None:
    answer = answered(tmp_path, status, signer)
    when = datetime.now(UTC)
    verdict = validate(
        BOB.der,
        trust=trust(ROOT),
        when=when,
        evidence=Evidence(ocsp_answers=(answer,)),
        revocation=Revocation.REQUIRED,
    )
    assert verdict.status == expected, verdict.explain()
    kept = KEEP_UNTIL[EvidenceKind.OCSP](answer, when)
    assert kept is not None
    assert kept > when
