"""What follows DATA."""

from hypothesis import given
from hypothesis import strategies as st

from eas_server.submission.wire import SmtpLines


def written(*runs: bytes) -> bytes:
    lines = SmtpLines()
    return b"".join([lines.feed(run) for run in runs]) + lines.finish()


def test_lines_and_dots():
    assert written(b".a\n..\r\n.\rb") == b"..a\r\n...\r\n..\r\nb\r\n.\r\n"
    assert written() == b".\r\n"
    assert written(b"a\r", b"\n.", b".\r") == b"a\r\n...\r\n.\r\n"


@given(st.lists(st.text(alphabet="a.\r\n", max_size=8).map(str.encode), max_size=8))
def test_runs_make_no_difference_and_nothing_ends_early(runs: list[bytes]):
    whole = written(b"".join(runs))
    assert written(*runs) == whole
    assert whole.endswith(b"\r\n.\r\n") or whole == b".\r\n"
    assert whole.find(b"\r\n.\r\n") in (-1, len(whole) - 5)
    lines = whole[:-3].split(b"\r\n")
    plain = b"\r\n".join(line.removeprefix(b".") for line in lines)
    expected = b"".join(runs).replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    assert plain == expected or plain == expected + b"\r\n"
