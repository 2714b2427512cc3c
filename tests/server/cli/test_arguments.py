"""Arguments and printing."""

import unicodedata

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas_server.cli.arguments import ADDRESS, NO_LIMIT, SIZE, TEXT, USER
from eas_server.cli.printing import size
from eas_server.cli.terminal import printable


@given(st.text())
def test_nothing_printed_makes_a_terminal_act(text):
    shown = printable(text)
    assert not any(unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp") for sign in shown)
    if text.isprintable():
        assert shown == text


@given(st.one_of(st.text(), st.emails()))
def test_what_is_taken_is_taken_as_the_same_again(text):
    for kind in (ADDRESS, USER, TEXT):
        try:
            taken = kind.convert(text, None, None)
        except click.BadParameter:
            continue
        assert kind.convert(taken, None, None) == taken
        assert not set(taken) & set("\0\r\n\x1b")


@pytest.mark.parametrize(
    ("text", "octets"),
    [("500", 500), ("1k", 1024), ("500M", 500 * 1024**2), ("1.5 GiB", 1536 * 1024**2), ("2tb", 2 * 1024**4)],
)
def test_sizes(text, octets):
    assert SIZE.convert(text, None, None) == octets


def test_no_limit_is_a_size():
    assert SIZE.convert("None", None, None) == NO_LIMIT


@given(st.integers(0, 2**60))
def test_every_size_can_be_printed(octets):
    number, unit = size(octets).split()
    assert 0 <= float(number) < 1024 or unit == "TiB" or number == "1024.0"


def test_addresses_get_their_normal_form():
    assert ADDRESS.convert(" Alice@BÜCHER.example ", None, None) == "Alice@xn--bcher-kva.example"
