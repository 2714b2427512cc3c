"""One fence around the parsers that read bytes from strangers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def declared(error: Callable[[str], Exception], what: str) -> Iterator[None]:
    """Turn whatever a parser raises into `error`; exceptions of the type that `error` makes pass unchanged.

    asn1crypto parses lazily and answers hostile bytes with ValueError, TypeError, KeyError, IndexError and others,
    cryptography with ValueError, UnsupportedAlgorithm and even warnings; neither documents a complete list.
    """
    own = type(error(""))
    try:
        yield
    except Exception as caught:
        if isinstance(caught, own):
            raise
        raise error(f"{what}: {type(caught).__name__}: {caught}") from caught
