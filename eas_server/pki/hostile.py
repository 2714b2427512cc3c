"""One fence around the parsers that read bytes from strangers."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def declared(error: type[ValueError], what: str) -> Iterator[None]:
    """Turn whatever a parser raises into `error`; `error` itself passes unchanged.

    asn1crypto parses lazily and answers hostile bytes with ValueError, TypeError, KeyError, IndexError and others,
    cryptography with ValueError, UnsupportedAlgorithm and even warnings; neither documents a complete list.
    """
    try:
        yield
    except error:
        raise
    except Exception as caught:
        raise error(f"{what}: {type(caught).__name__}: {caught}") from caught
