"""`python -m pytest -p tests.compliance --compliance FILE`: which requirements of the protocol documents are checked.

The statements themselves are not part of this project: the list names ids and the tests that check them.
"""

import re
from collections import defaultdict
from pathlib import Path

import pytest

_ID = re.compile(r"^(MS-[A-Z]+)_R(\d+)$")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where to write the list."""
    parser.addoption("--compliance", metavar="FILE", help="write the list of checked requirements there")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Gather the marks; an id of the wrong form is an error."""
    checked: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for item in items:
        for mark in item.iter_markers("requirement"):
            for text in mark.args:
                found = _ID.match(text)
                if found is None:
                    raise pytest.UsageError(f"{item.nodeid}: {text!r} is no id of a requirement")
                checked[found[1]][int(found[2])].add(item.nodeid.partition("[")[0])
    target = config.getoption("--compliance")
    if target:
        Path(target).write_text(_page(checked))


def _page(checked: dict[str, dict[int, set[str]]]) -> str:
    lines = [
        "# Requirements that tests check",
        "",
        "Made by `make compliance`. An id stands here when a test is marked with it; a test checks what a server is",
        "asked to do, and statements about clients or about the form of the documents have none.",
        "",
        "| document | requirements checked |",
        "| --- | --- |",
        *(f"| {document} | {len(numbers)} |" for document, numbers in sorted(checked.items())),
        "",
    ]
    for document, numbers in sorted(checked.items()):
        lines += [f"## {document}", ""]
        lines += [
            f"- R{number}: {', '.join(f'`{test}`' for test in sorted(tests))}"
            for number, tests in sorted(numbers.items())
        ]
        lines.append("")
    return "\n".join(lines)
