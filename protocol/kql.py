"""The Keyword Query Language as far as clients of Find speak it ([MS-ASCMD] 2.2.3.80.1, [MS-KQL]).

`lunch "next week" from:bob (subject:plan OR subject:"the plan") NOT hasattachment:true` and so on. People type such
queries: what is left open or dangles (a quote, a parenthesis, an operator) is no error, and a property that nobody
knows is text like any other.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

MAX_ALTERNATIVES: Final = 32
MAX_TERMS: Final = 256
"""Terms of all alternatives together."""

PROPERTIES: Final = frozenset(
    (
        "subject", "from", "to", "cc", "bcc", "recipients", "participants", "body", "attachment", "attachmentnames",
        "hasattachment", "hasattachments", "category", "importance", "isread", "read", "isflagged", "kind",
        "received", "sent", "date",
    )
)  # fmt: skip
"""The property restrictions that are known."""

_TOKEN: Final = re.compile(r"""(?P<sign>[()])|(?P<word>[+-]?(?:\w+(?::|[<>]=?|<>|=))?"[^"]*(?:"|$)|[^\s()"]+)""")
_RESTRICTION: Final = re.compile(r"(\w+)(:|<>|[<>]=?|=)(.*)", re.DOTALL)


class TooComplex(Exception):
    """More alternatives or terms than a search may have."""


@dataclass(frozen=True, slots=True)
class Term:
    """What a message has to have. `property` in lower case; "": anywhere. `operator`: `:` or a comparison."""

    text: str
    property: str = ""
    operator: str = ":"
    negated: bool = False


Alternative: TypeAlias = tuple[Term, ...]
"""Terms that hold together."""
_Any: TypeAlias = list[Alternative]


def parse(query: str) -> tuple[Alternative, ...]:
    """The alternatives, one of which has to hold; () where the query says nothing. Raises TooComplex."""
    tokens = [match[0] for match in _TOKEN.finditer(query)]
    if len(tokens) > MAX_TERMS:
        raise TooComplex
    reader = _Reader(tokens)
    found: list[Alternative] = []
    parts = []
    while not reader.done:  # a parenthesis that closes nothing ends a part
        parts.append(reader.alternatives())
        reader.skip()
    found = _all(part for part in parts if part)
    return tuple(alternative for alternative in found if alternative)


class _Reader:
    """Recursive descent over the tokens; the length of the query bounds the depth."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    @property
    def done(self) -> bool:
        return self._at >= len(self._tokens)

    def skip(self) -> None:
        self._at += 1

    def _next(self) -> str:
        return "" if self.done else self._tokens[self._at]

    def alternatives(self) -> _Any:
        found = self._together()
        while self._next() == "OR":
            self.skip()
            found = _checked(found + self._together())
        return found

    def _together(self) -> _Any:
        """Terms in a row. Restrictions of one property side by side are alternatives of each other ([MS-KQL])."""
        rows: list[_Any] = []
        joined = False
        while self._next() not in ("", ")", "OR"):
            if self._next() == "AND":
                self.skip()
                joined = True
                continue
            found = self._one()
            if rows and not joined and _same_property(rows[-1], found):
                rows[-1] = rows[-1] + found
            elif found:
                rows.append(found)
            joined = False
        return _all(rows)

    def _one(self) -> _Any:
        word = self._next()
        self.skip()
        if word == "NOT":
            return _negated(self._one()) if self._next() not in ("", ")", "OR", "AND") else []
        if word != "(":
            return _term(word)
        if self._depth >= MAX_ALTERNATIVES:
            raise TooComplex
        self._depth += 1
        found = self.alternatives()
        self._depth -= 1
        self.skip()
        return found


def _term(token: str) -> _Any:
    negated = token.startswith("-") and len(token) > 1
    token = token[1:] if token[:1] in ("+", "-") else token
    restriction = _RESTRICTION.fullmatch(token)
    if restriction is not None and restriction[1].lower() in PROPERTIES:
        text = restriction[3].strip('"').strip()
        term = Term(text, restriction[1].lower(), restriction[2], negated)
    else:
        term = Term(token.strip('"').strip(), negated=negated)
    return [(term,)] if term.text.strip("*") else []


def _same_property(before: _Any, now: _Any) -> bool:
    terms = [term for alternative in before + now for term in alternative]
    single = all(len(alternative) == 1 for alternative in before + now)
    same = len({term.property for term in terms}) == 1
    return bool(before and now) and single and same and all(_chooses(term) for term in terms)


def _chooses(term: Term) -> bool:
    return bool(term.property) and term.operator == ":" and not term.negated


def _all(parts: Iterable[_Any]) -> _Any:
    """Each alternative of one part with each of the others."""
    found: _Any = [()]
    for part in parts:
        found = _checked([one + other for one in found for other in part] if part else found)
    return found if found != [()] else []


def _negated(alternatives: _Any) -> _Any:
    """None of the alternatives holds: of each of them one term does not."""
    return _all(
        [(Term(term.text, term.property, term.operator, not term.negated),) for term in alternative]
        for alternative in alternatives
    )


def _checked(found: _Any) -> _Any:
    if len(found) > MAX_ALTERNATIVES or sum(map(len, found)) > MAX_TERMS:
        raise TooComplex
    return found
