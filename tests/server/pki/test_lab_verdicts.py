"""Everybody of the lab PKI, judged at instants of all kinds, with evidence from the lab itself and no network."""

from datetime import UTC, datetime, timedelta

import pytest

from eas_server.commands.certificate_evidence import EvidenceGatherer
from eas_server.errors import EvidenceUnavailable
from eas_server.model.ids import UserId
from eas_server.model.trust import EvidenceKind, TrustCollection, Wanted
from eas_server.pki.lab_crl import crl, delta_crl
from eas_server.pki.lab_issue import Lab, crl_url, delta_url, make_lab
from eas_server.pki.lab_ocsp import answer
from eas_server.pki.lab_plan import CrlPoint
from eas_server.pki.validation import Revocation, validate
from tests.server.pki.test_lab_pki import KEYS, PLAN

URL = "http://lab.example/lab/pki"
INSTANTS = (
    datetime(2021, 2, 28, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 11, 23, 12, 0, tzinfo=UTC),
    datetime(2049, 6, 1, 0, 0, 1, tzinfo=UTC),  # years from 2050 on are written in another way
)


class LabSource:
    """RevocationSource: answers as the lab's web pages would."""

    def __init__(self, lab: Lab, now: datetime) -> None:
        self._lab = lab
        self._now = now
        self._crls = {crl_url(URL, name, point): (name, point) for name in PLAN.authorities for point in SERVED}
        self._deltas = {delta_url(URL, name): name for name in PLAN.authorities}

    async def fetch(self, wanted: Wanted) -> bytes:
        octets = self._answer(wanted)
        assert wanted.keep_until(octets, self._now) is not None or "stale" in wanted.url
        return octets

    def _answer(self, wanted: Wanted) -> bytes:
        name = wanted.url.rpartition("/")[2].removesuffix(".cer")
        if "/down/" in wanted.url:
            raise EvidenceUnavailable("down")
        match wanted.kind:
            case EvidenceKind.ISSUER:
                return self._lab.certificates[name]
            case EvidenceKind.OCSP:
                return answer(self._lab, name, wanted.body, self._now)
            case EvidenceKind.CRL if wanted.url in self._deltas:
                return delta_crl(self._lab, self._deltas[wanted.url], self._now)
            case EvidenceKind.CRL:
                return crl(self._lab, *self._crls[wanted.url], self._now)


SERVED = (CrlPoint.FULL, CrlPoint.DELTA, CrlPoint.STALE, CrlPoint.INDIRECT)


async def statuses(lab: Lab, name: str, now: datetime) -> tuple[int, int]:
    trust = TrustCollection(name="", roots=lab.roots)
    gatherer = EvidenceGatherer(LabSource(lab, now), UserId("alice"), now, 60)
    evidence = await gatherer.gather(lab.certificates[name], (), trust)
    known, required = (
        validate(lab.certificates[name], trust=trust, when=now, evidence=evidence, revocation=how)
        for how in (Revocation.IF_KNOWN, Revocation.REQUIRED)
    )
    return int(known.status), int(required.status)


@pytest.mark.parametrize("made", INSTANTS)
@pytest.mark.parametrize("later", [timedelta(0), timedelta(days=59, minutes=59)])
async def test_everybody_is_judged_as_declared(made, later):
    lab = make_lab(PLAN, KEYS, url=URL, made=made, roots={})
    now = made + later
    found = {name: await statuses(lab, name, now) for name in PLAN.people}
    assert found == {name: person.status for name, person in PLAN.people.items()}
