"""The audit trail as lines: what a line holds, how it is read back, which ones are asked for.

A line is a JSON object in ASCII, so that no text in it, whoever chose it, can end it or act on a terminal:
`{"time": "2026-11-23T12:00:00.123Z", "kind": "sent", "user": …, "device": …, "request": …, "class": "signed", …}`
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from eas_server.model.audit import AuditEvent, AuditKind, Value
from eas_server.model.ids import DeviceId, UserId

MAX_TEXT: Final = 500
"""Characters of one text of an event; the rest of it is left out."""
MAX_TEXTS: Final = 1000
"""Members of one list."""


class InvalidLine(ValueError):
    """A line that is no event."""


_OWN: Final = frozenset({"time", "kind", "user", "device", "request"})


def line_of(event: AuditEvent) -> bytes:
    """The event as a line, with its line end."""
    return json.dumps(fields_of(event), ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"


def fields_of(event: AuditEvent) -> dict[str, Any]:
    """The event as names and values, those that are empty left out."""
    fields: dict[str, Any] = {
        "time": event.when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "kind": event.kind.value,
        "user": _cut(event.user),
        "device": _cut(event.device),
        "request": _cut(event.request),
    }
    fields |= {name: _plain(value) for name, value in event.details.items() if name not in _OWN}
    return {name: value for name, value in fields.items() if value not in ("", [])}


def log_fields(event: AuditEvent) -> dict[str, str | int]:
    """The event for the log, which has a time of its own: lists as texts."""
    return {
        name: ",".join(value) if isinstance(value, list) else value
        for name, value in fields_of(event).items()
        if name != "time"
    }


def event_of(line: bytes) -> AuditEvent:
    """The event of a line. Raises ValueError for what is none, most often InvalidLine."""
    found = json.loads(line)
    if not isinstance(found, dict):
        raise InvalidLine("not an object")
    details = {name: _value(value) for name, value in found.items() if name not in _OWN}
    return AuditEvent(
        when=_moment(found.get("time")),
        kind=AuditKind(found.get("kind", "")),
        user=UserId(_text(found, "user")),
        device=DeviceId(_text(found, "device")),
        request=_text(found, "request"),
        details=details,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events are asked for; what is None does not matter."""

    user: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    kinds: frozenset[AuditKind] = frozenset()
    """Empty: all."""

    def has(self, event: AuditEvent) -> bool:
        """Whether an event is one of them; that some were lost is told whoever is asked about."""
        if self.kinds and event.kind not in self.kinds:
            return False
        others = self.user is not None and event.user.casefold() != self.user.casefold()
        if others and event.kind is not AuditKind.LOST:
            return False
        return (self.since is None or event.when >= self.since) and (self.until is None or event.when < self.until)


def _plain(value: Value) -> str | int | bool | list[str]:
    if isinstance(value, tuple):
        return [_cut(each) for each in value[:MAX_TEXTS]]
    return _cut(value) if isinstance(value, str) else value


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"


def _moment(value: object) -> datetime:
    if not isinstance(value, str):
        raise InvalidLine("no time")
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise InvalidLine("a time without an offset")
    return moment


def _text(found: Mapping[str, object], name: str) -> str:
    value = found.get(name, "")
    if not isinstance(value, str):
        raise InvalidLine(f"{name} is no text")
    return value


def _value(value: object) -> Value:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    if isinstance(value, str | int):
        return value
    raise InvalidLine("a value of another type")
