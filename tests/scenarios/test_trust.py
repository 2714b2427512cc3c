"""An administrator brings and takes trust beside a running server, and devices that ask ValidateCert hear of it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from eas_server.pki.sst import write_sst
from protocol.client import VALIDATE_CERT
from protocol.commands.validate_cert import CertificateStatus, Request, certificate_content
from protocol.versions import SUPPORTED
from tests.scenarios.server import ValidatedDevice
from tests.scenarios.test_administration import ATTEMPTS, administer
from tests.server.pki.making import authority, person

START = datetime.now(UTC) - timedelta(days=1)
VALID = {"not_before": START, "not_after": START + timedelta(days=365)}
ROOT = authority("Company Root", **VALID)
ISSUING = authority("Company Issuing", ROOT, **VALID)
OTHER = authority("Other Root", **VALID)
ALICE = person(ISSUING, "Alice", **VALID)
REQUEST = Request(certificates=(certificate_content(ALICE.der),))


async def until(device: ValidatedDevice, wanted: CertificateStatus) -> None:
    """Ask until the answer is as wanted: the server looks around every few milliseconds."""
    for _ in range(ATTEMPTS):
        (result,) = (await device.call(VALIDATE_CERT, REQUEST)).take().certificates
        if result.status == wanted:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{result.status}, not {wanted}")


@pytest.mark.requirement("MS-ASCMD_R688", "MS-ASCMD_R4482", "MS-ASCMD_R4474")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_trust_comes_and_goes_while_the_server_runs(world, version, tmp_path):
    device = world.device(version=version)
    smime, other = tmp_path / "smime.sst", tmp_path / "other.cer"
    smime.write_bytes(write_sst([ROOT.der, ISSUING.der]))
    other.write_bytes(OTHER.der)
    here = ("--domain", world.domain)
    await until(device, CertificateStatus.SERVER_ERROR)
    await administer(world, "trust", "import", str(other), *here)
    await until(device, CertificateStatus.BAD_CHAIN)
    await administer(world, "trust", "import", str(smime), *here)
    await until(device, CertificateStatus.VALID)
    await administer(world, "trust", "import", str(smime), *here, "--as", "intermediate")
    await until(device, CertificateStatus.UNTRUSTED)
    await administer(world, "trust", "remove", "--all", *here)
    await until(device, CertificateStatus.SERVER_ERROR)
