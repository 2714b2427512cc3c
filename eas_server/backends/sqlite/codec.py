"""How the domain's values stand in columns: MessagePack with field names, so that a later version may add fields."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeVar

import msgspec

from eas_server.model.device import Device
from eas_server.model.ids import Revision
from eas_server.model.mail import KEEP, ItemState, MessageIndex, StateChange

R = TypeVar("R")

_encoder = msgspec.msgpack.Encoder()
_indexes = msgspec.msgpack.Decoder(MessageIndex)
_states = msgspec.msgpack.Decoder(ItemState)
_devices = msgspec.msgpack.Decoder(Device)
_folders = msgspec.msgpack.Decoder(dict[str, Revision])
_texts = msgspec.msgpack.Decoder(tuple[str, ...])

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def dump(value: MessageIndex | ItemState | Device | tuple[str, ...]) -> bytes:
    """The octets of a value."""
    return _encoder.encode(value)


def load_index(octets: bytes) -> MessageIndex:
    """Inverse of `dump`."""
    return _indexes.decode(octets)


@lru_cache(maxsize=4096)
def load_state(octets: bytes) -> ItemState:
    """Inverse of `dump`. Most items share a few states, which are read once."""
    return _states.decode(octets)


def load_device(octets: bytes) -> Device:
    """Inverse of `dump`."""
    return _devices.decode(octets)


def load_texts(octets: bytes) -> tuple[str, ...]:
    """Inverse of `dump`."""
    return _texts.decode(octets)


def micros(instant: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (instant - _EPOCH) // _MICROSECOND


def seconds(instant: datetime) -> int:
    """Whole seconds since 1970 UTC, rounded down."""
    return micros(instant) // 1_000_000


def instant(count: int) -> datetime:
    """Inverse of `micros`."""
    return _EPOCH + _MICROSECOND * count


def changed_state(state: ItemState, change: StateChange) -> ItemState:
    """`state` with what `change` sets."""
    fields = ("read", "flag", "categories", "verb", "verb_time")
    given = {name: getattr(change, name) for name in fields}
    return replace(state, **{name: value for name, value in given.items() if value is not KEEP})


def dump_folders(folders: Mapping[str, Revision]) -> bytes:
    """The octets of a hierarchy state."""
    return _encoder.encode(dict(folders))


def load_folders(octets: bytes) -> dict[str, Revision]:
    """Inverse of `dump_folders`."""
    return _folders.decode(octets)


def dump_record(value: object) -> bytes:
    """The octets of a dataclass."""
    return _encoder.encode(value)


def load_record(octets: bytes, kind: type[R]) -> R:
    """Inverse of `dump_record`."""
    return msgspec.msgpack.decode(octets, type=kind)
