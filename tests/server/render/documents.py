"""What the protocol documents say of elements, for tests that check a statement of all elements alike."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from tests.protocol.items import DOCUMENTS

_ROW = re.compile(r"(MS-AS\w+_R\d+)\t[^\t]*\t(?:Server|Both)\tNormative\t\[In ([\w:]+)[^\]]*\]\s*(.*)")


def ids_of(document: str, patterns: Sequence[str]) -> Mapping[str, list[str]]:
    """By element: the ids of the statements about it that say one of these; none where the documents are not here."""
    found: dict[str, list[str]] = defaultdict(list)
    if not DOCUMENTS.exists():
        return found
    wanted = re.compile("|".join(patterns))
    for line in (DOCUMENTS / f"{document}.tsv").read_text("utf-8").splitlines():
        match = _ROW.fullmatch(line)
        if match is not None and wanted.search(match[3]):
            found[match[2]].append(match[1])
    return found
