"""How text becomes the words that searches compare: without case, accents and punctuation.

Every adapter that searches by itself goes through here, so that they find the same; nothing of a query reaches an
index's own query language but these words.
"""

import re
import unicodedata
from collections.abc import Iterator

from eas_server.model.directory import DirectoryEntry

MAX_WORD = 64
"""Longer words are cut, in the index and in the query alike."""
MAX_INDEXED_TEXT = 256 * 1024
"""How many characters of a message are searchable."""

_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
# Scripts without spaces: each sign is a word of its own, or only the beginnings of sentences could be found.
_WORD = re.compile(rf"[{_IDEOGRAPHS}]|[^\W_{_IDEOGRAPHS}]+")
_ASCII_WORDS = bytes(ord(" ") if not (octet := chr(n)).isascii() or not octet.isalnum() else n for n in range(256))
"""Turns everything that is no letter and no digit of ASCII into blanks: `_WORD` for ASCII, at a tenth of its cost."""
_LETTERS = str.maketrans({"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i", "æ": "ae", "Æ": "AE"})
_AROUND = ".,;:\"'<>()[]"


def fold(text: str) -> str:
    """`text` without case and accents."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign)).casefold()


def words(text: str) -> set[str]:
    """The words of a message, or of a mailbox query."""
    folded = fold(text[:MAX_INDEXED_TEXT])
    if folded.isascii():
        found = set(folded.encode("ascii").translate(_ASCII_WORDS).decode("ascii").split())
    else:
        # blanks never stand within a word, and most words of a text stand in it more than once
        found = {word for run in set(folded.split()) for word in _WORD.findall(run)}
    long = {word for word in found if len(word) > MAX_WORD}
    return (found - long) | {word[:MAX_WORD] for word in long} if long else found


def query_terms(query: str) -> list[str]:
    """The words of a directory query: what stands between blanks, without the punctuation around it."""
    stripped = (part.strip(_AROUND) for part in fold(query).split())
    return [part for part in stripped if part]


def entry_terms(entry: DirectoryEntry) -> set[str]:
    """What a directory query may name an entry by. The domain of an address is no term: it would find everybody."""
    return set(_terms(entry))


def _terms(entry: DirectoryEntry) -> Iterator[str]:
    properties = (
        entry.display_name, entry.first_name, entry.last_name, entry.alias, entry.title, entry.company,
        entry.department, entry.office, entry.phone, entry.home_phone, entry.mobile_phone,
    )  # fmt: skip
    for text in properties:
        yield from query_terms(text)
        yield from words(text)
    for address in entry.all_addresses:
        yield fold(address)
        yield from words(address.partition("@")[0])
