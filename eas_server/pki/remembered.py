"""What was worked out lately, by a key that stands for large arguments; those themselves are not kept."""

from contextlib import suppress
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """As many values as there is room for; the oldest goes first. Several threads may use it: at worst, something is
    worked out twice."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._values: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """The value, if it is still known."""
        return self._values.get(key)

    def put(self, key: K, value: V) -> V:
        """Keep `value`, and give it back."""
        self._values[key] = value
        if len(self._values) > self._room:
            with suppress(RuntimeError, StopIteration):  # another thread did it meanwhile
                self._values.pop(next(iter(self._values)), None)
        return value
