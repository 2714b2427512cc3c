"""The requirement ids that tests and sources cite are ids of the protocol documents."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ROOT.parent / "shared" / "spec" / "requirements"
MARKED = re.compile(r"\b(MS-[A-Z]+_R[0-9]+)\b")


def cited() -> Iterator[tuple[str, str]]:
    """Each file with an id that it cites in full."""
    for folder in ("protocol", "eas_server", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            for found in MARKED.findall(path.read_text(encoding="utf-8")):
                yield str(path.relative_to(ROOT)), found


@pytest.mark.skipif(not DOCUMENTS.exists(), reason="the protocol documents are not here")
def test_cited_requirements_exist():
    known = {
        line.partition("\t")[0]
        for path in DOCUMENTS.glob("*.tsv")
        for line in path.read_text(encoding="utf-8").splitlines()
    }
    assert sorted({(path, name) for path, name in cited() if name not in known}) == []
