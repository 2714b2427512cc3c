"""What every Audit keeps to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from eas_server.interfaces import Audit
from eas_server.model.audit import AuditEvent, AuditKind
from eas_server.model.ids import DeviceId
from tests.contract.samples import ALICE, BOB, NOW


@dataclass(frozen=True)
class Trail:
    """An Audit, and what it has kept."""

    audit: Audit
    kept: Callable[[], Sequence[AuditEvent]]


def event(
    number: int = 0, kind: AuditKind = AuditKind.SENT, **details: str | int | bool | tuple[str, ...]
) -> AuditEvent:
    return AuditEvent(
        when=NOW + timedelta(seconds=number),
        kind=kind,
        user=ALICE,
        device=DeviceId("device1"),
        request="r-1",
        details={"number": number, **details},
    )


class AuditContract:
    """Inherit, and give a fixture `trail`."""

    async def test_events_are_kept_in_their_order(self, trail: Trail) -> None:
        events = [event(number) for number in range(50)]
        for each in events:
            trail.audit.note(each)
        await trail.audit.settled()
        assert list(trail.kept()) == events

    async def test_all_that_an_event_holds_comes_back(self, trail: Trail) -> None:
        noted = event(1, AuditKind.SERVED, owner="bob@example.com", certificates=("ab", "cd"), composed=True, count=0)
        server = AuditEvent(when=NOW, kind=AuditKind.LOST, details={"events": 3})
        for each in (noted, server):
            trail.audit.note(each)
        await trail.audit.settled()
        assert list(trail.kept()) == [noted, server]

    async def test_hostile_texts_stay_texts(self, trail: Trail) -> None:
        hostile = '"}\n{"kind":"sent","user":"bob@example.com"}\r\n\0\x1b[2J\u2028\u202e\ud800'
        noted = replace(event(problem=hostile, domains=(hostile, "x")), user=BOB, device=DeviceId(hostile))
        trail.audit.note(noted)
        await trail.audit.settled()
        assert list(trail.kept()) == [noted]

    async def test_nothing_noted_is_settled_at_once(self, trail: Trail) -> None:
        await trail.audit.settled()
        assert list(trail.kept()) == []
