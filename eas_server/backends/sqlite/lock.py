"""Who has a store open: a lock on a file beside it, which the system gives back however a process ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eas_server.errors import StoreUnavailable

PRIVATE = 0o600
"""Mail is nobody else's business."""


@contextmanager
def locked(path: Path, *, exclusive: bool) -> Iterator[None]:
    """Use the store at `path`, together with others or alone. Raises StoreUnavailable when it is in use otherwise."""
    try:
        descriptor = os.open(path.with_name(f"{path.name}-lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    except OSError as error:
        raise StoreUnavailable(f"{path}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise StoreUnavailable(f"{path} is in use by another process") from error
    try:
        yield
    finally:
        os.close(descriptor)
