"""The queries that clients of Find send, [MS-ASCMD] 2.2.3.80.1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.kql import MAX_ALTERNATIVES, MAX_TERMS, Term, TooComplex, parse


def short(query: str) -> list[list[str]]:
    """The alternatives, each term as a word."""

    def word(term: Term) -> str:
        return f"{'-' * term.negated}{term.property}{term.operator if term.property else ''}{term.text}"

    return [[word(term) for term in alternative] for alternative in parse(query)]


@pytest.mark.requirement("MS-ASCMD_R6659100904", "MS-ASCMD_R6659100910", "MS-ASCMD_R6659100913")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("lunch", [["lunch"]]),
        ("lunch plan", [["lunch", "plan"]]),
        ("lunch AND plan", [["lunch", "plan"]]),
        ("lunch OR plan", [["lunch"], ["plan"]]),
        ("a b OR c", [["a", "b"], ["c"]]),
        ("a (b OR c)", [["a", "b"], ["a", "c"]]),
        ('"next week" lunch*', [["next week", "lunch*"]]),
        ("subject:plan", [["subject:plan"]]),
        ('Subject:"the plan" from:bob', [["subject:the plan", "from:bob"]]),
        ("from:bob from:carol plan", [["from:bob", "plan"], ["from:carol", "plan"]]),
        ("from:bob AND from:carol", [["from:bob", "from:carol"]]),
        ("from:bob OR to:bob", [["from:bob"], ["to:bob"]]),
        ("received>=2026-11-01 received<2026-12-01", [["received>=2026-11-01", "received<2026-12-01"]]),
        ("NOT a b", [["-a", "b"]]),
        ("-subject:a +b", [["-subject:a", "b"]]),
        ("NOT (a OR b)", [["-a", "-b"]]),
        ("NOT (a b)", [["-a"], ["-b"]]),
        ("NOT NOT a", [["a"]]),
        ("re:plan http://example.com", [["re:plan", "http://example.com"]]),
        ("bob@example.com", [["bob@example.com"]]),
        ("a and b or c", [["a", "and", "b", "or", "c"]]),
    ],
)
def test_forms(query: str, found: list[list[str]]) -> None:
    assert short(query) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", []),
        ('"', []),
        ("AND", []),
        ("OR OR", []),
        ("NOT", []),
        ("()", []),
        ("* subject:", []),
        ("AND a OR", [["a"]]),
        ("OR a", [["a"]]),
        ("((a", [["a"]]),
        ("a) b)", [["a", "b"]]),
        ('"a b', [["a b"]]),
        ('subject:"a b', [["subject:a b"]]),
        ("NOT OR a", [["a"]]),
    ],
)
def test_what_people_leave_open(query: str, found: list[list[str]]) -> None:
    assert short(query) == found


@pytest.mark.parametrize(
    "query",
    ["(a OR b) " * 6, " OR ".join("abc" * 20), "(" * 200 + "a", "a " * (MAX_TERMS + 1), "NOT (a b) " * 8],
    ids=["product", "sum", "depth", "length", "negation"],
)
def test_too_much(query: str) -> None:
    with pytest.raises(TooComplex):
        parse(query)


@given(st.lists(st.sampled_from(["a", "b*", "(", ")", "AND", "OR", "NOT", '"', "from:", "to:x", "-", "é>", " "])))
def test_any_row_of_words_is_read_or_too_complex(words: list[str]) -> None:
    try:
        found = parse(" ".join(words))
    except TooComplex:
        return
    assert len(found) <= MAX_ALTERNATIVES
    assert all(alternative and all(term.text for term in alternative) for alternative in found)


@given(st.text(max_size=1024))
def test_any_text_is_read_or_too_complex(query: str) -> None:
    try:
        parse(query)
    except TooComplex:
        return
