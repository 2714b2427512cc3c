"""What every DocumentLibrary keeps to."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from eas_server.errors import DocumentDenied, LibraryUnavailable, NoSuchDocument
from eas_server.interfaces import DocumentLibrary
from eas_server.model.blob import read
from eas_server.model.directory import Account
from eas_server.model.documents import UncName, parse_unc
from eas_server.model.ids import UserId

ALICE, BOB, CAROL = (
    Account(
        user=UserId(f"{name}@example.com"), address=f"{name}@example.com", addresses=frozenset({f"{name}@example.com"})
    )
    for name in ("alice", "bob", "carol")
)
BIG = bytes(range(256)) * 4000
TREE: dict[tuple[str, ...], bytes | None] = {
    ("Readme.txt",): b"Hello\r\n",
    (".secret",): b"hidden",
    ("empty",): b"",
    ("big.bin",): BIG,
    ("Reports",): None,
    ("Reports", "2026"): None,
    ("Reports", "2026", "Q1 Übersicht.docx"): b"first quarter",
    ("Reports", "summary.pdf"): b"%PDF",
    ("zoo",): None,
    ("twins",): None,
    ("twins", "same"): b"1",
    ("twins", "SAME"): b"2",
    ("odd",): None,
    ("odd", "back\\slash"): b"x",
    ("odd", "line\nbreak"): b"x",
    ("odd", "NUL"): b"x",
    ("odd", "aux.txt"): b"x",
    ("odd", "a:b? 'c' \"d\" <e>*|"): b"fine",
}
"""What the share `docs` holds."""
OUTWARD: tuple[tuple[str, ...], ...] = (("escape",), ("Reports", "out"))
"""What leads out of it."""
HOSTS = ("files.example.com", "files:8445")
READERS = ("alice@example.com", "team@example.com")
"""Who may read it; the team is bob and somebody else."""


class Groups:
    """Accounts, as far as a library asks them."""

    async def group(self, address: str) -> tuple[str, ...] | None:
        """See Accounts."""
        return {"team@example.com": ("bob@example.com", "dave@example.com")}.get(address)


def unc(*names: str, host: str = "files.example.com", share: str = "docs") -> UncName:
    """A name in the share."""
    return UncName(host=host, share=share, parts=names)


class DocumentLibraryContract:
    """Inherit, and give a fixture `library` with TREE and OUTWARD as `docs` on HOSTS for READERS, and an unreachable
    share `gone` for everybody.
    """

    async def names(self, library: DocumentLibrary, *names: str, first: int = 0, count: int = 100) -> list[str]:
        """What a listing tells, in its order."""
        found = await library.listing(ALICE, unc(*names), first, count)
        return [document.display_name for document in found.documents]

    async def test_a_folder_comes_first_and_then_what_is_in_it(self, library: DocumentLibrary) -> None:
        found = await library.listing(ALICE, unc(), 0, 100)
        assert [(str(each.name), each.is_folder, each.size) for each in found.documents] == [
            (r"\\files.example.com\docs", True, 0),
            (r"\\files.example.com\docs\odd", True, 0),
            (r"\\files.example.com\docs\Reports", True, 0),
            (r"\\files.example.com\docs\twins", True, 0),
            (r"\\files.example.com\docs\zoo", True, 0),
            (r"\\files.example.com\docs\.secret", False, 6),
            (r"\\files.example.com\docs\big.bin", False, len(BIG)),
            (r"\\files.example.com\docs\empty", False, 0),
            (r"\\files.example.com\docs\Readme.txt", False, 7),
        ]
        assert found.total == 9
        assert [each.display_name for each in found.documents if each.is_hidden] == [".secret"]
        assert all(
            datetime(2000, 1, 1, tzinfo=UTC) < each.created <= each.modified < datetime(2100, 1, 1, tzinfo=UTC)
            for each in found.documents
        )

    async def test_a_file_is_alone(self, library: DocumentLibrary) -> None:
        found = await library.listing(ALICE, unc("Readme.txt"), 0, 100)
        assert [(each.display_name, each.size) for each in found.documents] == [("Readme.txt", 7)]
        assert found.total == 1

    async def test_an_empty_folder(self, library: DocumentLibrary) -> None:
        assert await self.names(library, "zoo") == ["zoo"]

    @pytest.mark.parametrize(
        ("first", "count", "expected"),
        [
            (0, 1, ["docs"]),
            (0, 3, ["docs", "odd", "Reports"]),
            (1, 2, ["odd", "Reports"]),
            (7, 5, ["empty", "Readme.txt"]),
            (8, 1, ["Readme.txt"]),
            (9, 5, []),
            (0, 0, []),
            (3, 0, []),
        ],
    )
    async def test_a_part_of_a_listing(
        self, library: DocumentLibrary, first: int, count: int, expected: list[str]
    ) -> None:
        assert await self.names(library, first=first, count=count) == expected
        assert (await library.listing(ALICE, unc(), first, count)).total == 9

    async def test_a_part_of_a_single_file(self, library: DocumentLibrary) -> None:
        found = await library.listing(ALICE, unc("Readme.txt"), 1, 5)
        assert (list(found.documents), found.total) == ([], 1)

    async def test_deeper(self, library: DocumentLibrary) -> None:
        found = await library.listing(ALICE, unc("Reports", "2026"), 1, 1)
        (only,) = found.documents
        assert str(only.name) == r"\\files.example.com\docs\Reports\2026" + "\\Q1 Übersicht.docx"
        assert parse_unc(str(only.name)) == only.name

    async def test_case_does_not_count(self, library: DocumentLibrary) -> None:
        name = unc("reports", "2026", "Q1 \u0055\u0308BERSICHT.DOCX", host="FILES.example.COM", share="DOCS")
        found = await library.open(ALICE, name)
        assert str(found.document.name) == r"\\FILES.example.COM\docs\Reports\2026" + "\\Q1 Übersicht.docx"
        assert await read(found.content) == b"first quarter"

    async def test_twins(self, library: DocumentLibrary) -> None:
        assert await read((await library.open(ALICE, unc("twins", "same"))).content) == b"1"
        assert await read((await library.open(ALICE, unc("twins", "SAME"))).content) == b"2"
        with pytest.raises(NoSuchDocument):
            await library.open(ALICE, unc("twins", "Same"))

    async def test_names_that_cannot_be_told_are_not_there(self, library: DocumentLibrary) -> None:
        assert await self.names(library, "odd") == ["odd", "a:b? 'c' \"d\" <e>*|"]
        assert await read((await library.open(ALICE, unc("odd", "a:b? 'c' \"d\" <e>*|"))).content) == b"fine"

    async def test_octets(self, library: DocumentLibrary) -> None:
        found = await library.open(ALICE, unc("big.bin", host="files:8445"))
        assert (found.content.size, found.document.size) == (len(BIG), len(BIG))
        assert await read(found.content) == BIG
        assert await read(found.content, 300_000, 300_010) == BIG[300_000:300_010]
        assert await read(found.content, len(BIG) - 1) == BIG[-1:]
        assert await read((await library.open(ALICE, unc("empty"))).content) == b""

    @pytest.mark.parametrize(
        "name",
        [
            unc("nothing"),
            unc("Readme.txt", "below"),
            unc("Reports", "nothing"),
            unc("Reports", "2026", "Q1"),
            unc(host="other.example.com"),
            unc(host="files"),
            unc(host="files.example.com:8445"),
            unc(share="other"),
            unc(share="doc"),
            unc("x" * 255),
            unc(*("Reports",) * 30),
        ],
        ids=str,
    )
    async def test_what_is_not_there(self, library: DocumentLibrary, name: UncName) -> None:
        with pytest.raises(NoSuchDocument):
            await library.listing(ALICE, name, 0, 10)
        with pytest.raises(NoSuchDocument):
            await library.open(ALICE, name)

    async def test_a_folder_has_no_octets(self, library: DocumentLibrary) -> None:
        for name in (unc(), unc("Reports")):
            with pytest.raises(NoSuchDocument):
                await library.open(ALICE, name)

    async def test_readers(self, library: DocumentLibrary) -> None:
        alias = replace(CAROL, addresses=frozenset({"alice@example.com", "carol@example.com"}))
        for reader in (ALICE, BOB, alias):
            assert (await library.open(reader, unc("Readme.txt"))).content.size == 7
        calls: list[Callable[[Account, UncName], Any]] = [library.open, lambda r, n: library.listing(r, n, 0, 1)]
        for call in calls:
            for name in (unc(), unc("Readme.txt"), unc("nothing")):
                with pytest.raises(DocumentDenied):
                    await call(CAROL, name)

    async def test_what_leads_out(self, library: DocumentLibrary) -> None:
        for place in OUTWARD:
            for name in (unc(*place), unc(*place, "etc")):
                with pytest.raises(DocumentDenied):
                    await library.listing(ALICE, name, 0, 10)
                with pytest.raises(DocumentDenied):
                    await library.open(ALICE, name)
        assert await self.names(library, "Reports") == ["Reports", "2026", "summary.pdf"]

    async def test_a_share_that_cannot_be_reached(self, library: DocumentLibrary) -> None:
        with pytest.raises(LibraryUnavailable):
            await library.listing(CAROL, unc(share="gone"), 0, 10)
        with pytest.raises(LibraryUnavailable):
            await library.open(CAROL, unc("file", share="gone"))
