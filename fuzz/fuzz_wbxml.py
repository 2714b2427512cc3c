"""Whatever the octets, `decode` raises MalformedRequest or gives a tree that `encode` and `decode` carry unchanged.

    python -m fuzz.fuzz_wbxml --seconds 10 --seed 1

Mutates the golden documents. The same seed gives the same inputs in the same order. A breach is printed with its
octets, to be made a test, and ends the run with status 1.
"""

import argparse
import random
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from protocol.errors import MalformedRequest
from protocol.wbxml import HEADER, Limits, decode, encode

FIXTURES = Path(__file__).parents[1] / "fixtures" / "wbxml"
LIMITS = Limits(max_depth=16, max_elements=5_000)
WORDS = (
    HEADER, b"\x00\x00", b"\x00\x11", b"\x00\xfe", b"\x01", b"\x01\x01", b"\x02\x41", b"\x03x\0", b"\x45",
    b"\x4b\x03\xff\0\x01", b"\x83\x00", b"\xc3\x01y", b"\xc3\x8f\xff\xff\xff\x7f", b"\x04", b"\x43", b"\xff",
)  # fmt: skip
BATCH = 500
ROUNDS = 6


def mutated(seeds: list[bytes], chance: random.Random) -> Iterator[bytes]:
    """Documents without end: a seed, cut, changed, doubled and mixed with another in some places."""
    while True:
        octets = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, ROUNDS)):
            start = chance.randint(0, len(octets))
            end = min(len(octets), start + chance.choice((0, 1, 2, 8, 64)))
            match chance.randrange(6):
                case 0:
                    octets[start:end] = b""
                case 1:
                    octets[start:end] = chance.choice(WORDS)
                case 2:
                    octets[start:end] = chance.randbytes(end - start)
                case 3:
                    octets[start:end] = octets[start:end] * chance.randint(2, 40)
                case 4:
                    octets[start:] = chance.choice(seeds)[start:]
                case _:
                    octets[start:start] = chance.choice(seeds)[len(HEADER) :]
        yield bytes(octets)


def breach(octets: bytes) -> str | None:
    """How `octets` break the invariant, or None."""
    try:
        tree = decode(octets, LIMITS)
    except MalformedRequest:
        return None
    except Exception as error:  # noqa: BLE001 - any other exception is what the fuzzer looks for
        return repr(error)
    return None if decode(encode(tree).join()) == tree else "another tree after writing and reading"


def run(seconds: float, seed: int) -> int:
    """Fuzz for so long; gives the exit status."""
    seeds = [path.read_bytes() for path in sorted(FIXTURES.glob("*/*.wbxml"))]
    documents = mutated(seeds, random.Random(seed))
    tried, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        for octets in islice(documents, BATCH):
            tried += 1
            found = breach(octets)
            if found is not None:
                print(f"seed {seed}, document {tried}: {found}\n{octets.hex()}", file=sys.stderr)
                return 1
    print(f"{tried} documents, no breach")
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(description="Fuzz the WBXML codec.")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sys.exit(run(options.seconds, options.seed))


if __name__ == "__main__":
    main()
