"""A CollectionState as compact octets: numbers of variable length, differences instead of values, zlib where it pays.

The first octet names the form, so that a later one can read what stands in a database: 1 plain, 2 compressed.
"""

import zlib
from collections.abc import Mapping

from eas_server.model.ids import ItemId, Revision, SyncKey, Token
from eas_server.model.view import NO_LIMIT, TOP, Accepted, CollectionState, Position, RangeSet, View

_PLAIN = 1
_COMPRESSED = 2
_WORTH_COMPRESSING = 512
"""Below this many octets zlib saves less than it costs."""

_HAS_LOW = 1
_HAS_FLOOR = 2
_HAS_OLDER = 4
_HAS_CONVERSATIONS = 8
_SEVEN_BITS = 0x7F
_MORE = 0x80


class _Output:
    def __init__(self) -> None:
        self.octets = bytearray()

    def natural(self, value: int) -> None:
        """Seven bits an octet, lowest first."""
        while value > _SEVEN_BITS:
            self.octets.append(value & _SEVEN_BITS | _MORE)
            value >>= 7
        self.octets.append(value)

    def integer(self, value: int) -> None:
        """A number that may be negative."""
        self.natural(value << 1 if value >= 0 else (-value << 1) - 1)

    def run(self, value: bytes) -> None:
        """Octets with their length."""
        self.natural(len(value))
        self.octets += value

    def ranges(self, items: RangeSet) -> None:
        """A set of items."""
        self.natural(len(items.ranges))
        at = 0
        for first, last in items.ranges:
            self.natural(first - at)
            self.natural(last - first)
            at = last

    def histories(self, values: Mapping[ItemId, tuple[Revision, ...]], base: int) -> None:
        """Some revisions of each item."""
        self.natural(len(values))
        item = 0
        for next_item, revisions in sorted(values.items()):
            self.integer(next_item - item)
            self.natural(len(revisions))
            for revision in revisions:
                self.integer(revision - base)
            item = next_item

    def revisions(self, values: Mapping[ItemId, Revision], base: int) -> None:
        """Revisions by item; they lie near `base` and near each other."""
        self.natural(len(values))
        item, revision = 0, base
        for next_item, next_revision in sorted(values.items()):
            self.integer(next_item - item)
            self.integer(next_revision - revision)
            item, revision = next_item, next_revision


class _Input:
    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    def natural(self) -> int:
        value = shift = 0
        while True:
            octet = self._octets[self._at]
            self._at += 1
            value |= (octet & _SEVEN_BITS) << shift
            if octet <= _SEVEN_BITS:
                return value
            shift += 7

    def integer(self) -> int:
        value = self.natural()
        return -((value + 1) >> 1) if value & 1 else value >> 1

    def run(self) -> bytes:
        end = self.natural() + self._at
        value = self._octets[self._at : end]
        self._at = end
        return value

    def ranges(self) -> RangeSet:
        found: list[tuple[int, int]] = []
        at = 0
        for _ in range(self.natural()):
            first = at + self.natural()
            at = first + self.natural()
            found.append((first, at))
        return RangeSet(found)

    def histories(self, base: int) -> dict[ItemId, tuple[Revision, ...]]:
        values: dict[ItemId, tuple[Revision, ...]] = {}
        item = 0
        for _ in range(self.natural()):
            item += self.integer()
            values[ItemId(item)] = tuple(Revision(base + self.integer()) for _ in range(self.natural()))
        return values

    def revisions(self, base: int) -> dict[ItemId, Revision]:
        values: dict[ItemId, Revision] = {}
        item, revision = 0, base
        for _ in range(self.natural()):
            item += self.integer()
            revision += self.integer()
            values[ItemId(item)] = Revision(revision)
        return values


def pack(state: CollectionState) -> bytes:
    """The octets of a state, without its key."""
    output = _Output()
    _pack_view(output, state.view)
    output.natural(len(state.accepted))
    for client_id, accepted in sorted(state.accepted.items()):
        output.run(client_id.encode("utf-8", "surrogatepass"))
        output.natural(accepted.item)
        output.natural(accepted.revision)
        output.run(accepted.digest)
    output.histories(state.written, state.view.token)
    output.run(state.options)
    plain = bytes(output.octets)
    if len(plain) >= _WORTH_COMPRESSING:
        compressed = zlib.compress(plain, level=1)
        if len(compressed) < len(plain):
            return bytes([_COMPRESSED]) + compressed
    return bytes([_PLAIN]) + plain


def unpack(octets: bytes, key: SyncKey) -> CollectionState:
    """Inverse of `pack`. Raises ValueError for a form that this program does not know."""
    if octets[0] not in (_PLAIN, _COMPRESSED):
        raise ValueError(f"a collection state of unknown form {octets[0]}")
    source = _Input(zlib.decompress(octets[1:]) if octets[0] == _COMPRESSED else octets[1:])
    view = _unpack_view(source)
    accepted = {
        source.run().decode("utf-8", "surrogatepass"): Accepted(
            item=ItemId(source.natural()), revision=Revision(source.natural()), digest=source.run()
        )
        for _ in range(source.natural())
    }
    written = source.histories(view.token)
    return CollectionState(key=key, view=view, accepted=accepted, written=written, options=source.run())


def _pack_view(output: _Output, view: View) -> None:
    output.natural(view.token)
    output.natural(
        (_HAS_LOW if view.low != TOP else 0)
        | (_HAS_FLOOR if view.floor != NO_LIMIT else 0)
        | (_HAS_OLDER if view.older.ranges else 0)
        | (_HAS_CONVERSATIONS if view.conversations is not None else 0)
    )
    if view.low != TOP:
        output.integer(view.low.received)
        output.integer(view.low.id)
    if view.floor != NO_LIMIT:
        output.integer(view.floor)
    if view.older.ranges:
        output.ranges(view.older)
    if view.conversations is not None:
        output.integer(view.conversations)
    output.ranges(view.held)
    output.revisions(view.revisions, view.token)
    output.histories(view.own, view.token)


def _unpack_view(source: _Input) -> View:
    token = source.natural()
    flags = source.natural()
    low = Position(source.integer(), source.integer()) if flags & _HAS_LOW else TOP
    floor = source.integer() if flags & _HAS_FLOOR else NO_LIMIT
    older = source.ranges() if flags & _HAS_OLDER else RangeSet()
    conversations = source.integer() if flags & _HAS_CONVERSATIONS else None
    held = source.ranges()
    revisions = source.revisions(token)
    return View(
        token=Token(token),
        held=held,
        revisions=revisions,
        own=source.histories(token),
        low=low,
        floor=floor,
        older=older,
        conversations=conversations,
    )
