"""Files for the server's user alone."""

import os
import secrets
from pathlib import Path


def put_in_place(path: Path, octets: bytes) -> None:
    """Put a new file in the place of an old one, whole or not at all; only its owner can read it, from its first octet
    on. Raises OSError.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
