"""The table "status → cause → test" of docs/smime.md names every Status, and tests that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ROW = re.compile(r"^\| (\d+) \| .+? \| (.+) \|$", re.MULTILINE)
NAME = re.compile(r"`(test_\w+)`")


def rows() -> list[tuple[int, list[str]]]:
    text = (ROOT / "docs" / "smime.md").read_text(encoding="utf-8")
    return [(int(status), NAME.findall(tests)) for status, tests in ROW.findall(text)]


def test_every_status_has_a_cause_and_a_test() -> None:
    assert {status for status, tests in rows() if tests} == set(range(1, 18))


def test_every_test_of_the_table_is_there() -> None:
    named = {name for _, tests in rows() for name in tests}
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"def (test_\w+)\(", text))
    assert named - there == set()
