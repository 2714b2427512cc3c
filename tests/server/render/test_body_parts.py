"""BodyPart: in which size it goes out, with what elements ([MS-ASAIRS] 2.2.2.10, 2.2.2.11)."""

import asyncio

import pytest

from eas_server.model.blob import read
from eas_server.model.mail import Item
from eas_server.render.body import choose_body_part, finish
from protocol.items.airsyncbase import BodyPart, BodyPartPreference, BodyPartStatus, BodyType
from protocol.schema import dump
from protocol.versions import V14_1, V16_0, V16_1
from tests.server.render import corpus

SOURCE = "<p>Grüße aus Köln</p>" + "<p>word</p>" * 40
WHOLE = len(SOURCE.encode())


def html_item(source: str) -> Item:
    return corpus.item(b"Content-Type: text/html; charset=utf-8\r\n\r\n" + source.encode())


def part(size: int | None = None, *, all_or_none: bool | None = None, preview: int | None = None) -> BodyPart:
    item = html_item(SOURCE)
    wanted = BodyPartPreference(type=BodyType.HTML, truncation_size=size, all_or_none=all_or_none, preview=preview)
    plan = choose_body_part(item, [wanted])
    assert plan is not None
    return finish(plan, asyncio.run(read(item.content, *plan.read)) if plan.read else b"").body_part()


@pytest.mark.requirement("MS-ASAIRS_R62", "MS-ASAIRS_R186", "MS-ASAIRS_R188", "MS-ASAIRS_R282", "MS-ASAIRS_R283")
@pytest.mark.requirement("MS-ASAIRS_R407", "MS-ASAIRS_R410", "MS-ASAIRS_R408", "MS-ASAIRS_R411", "MS-ASAIRS_R206")
@pytest.mark.requirement("MS-ASAIRS_R403", "MS-ASAIRS_R269", "MS-ASAIRS_R270")
@pytest.mark.parametrize("all_or_none", [None, False])
@pytest.mark.parametrize("size", [5, 6, 7, 100, WHOLE - 1, WHOLE, WHOLE + 1])
def test_a_part_is_cut_to_size(size: int, all_or_none: bool | None) -> None:
    found = part(size, all_or_none=all_or_none)
    assert isinstance(found.data, str)
    assert SOURCE.startswith(found.data)
    assert len(found.data.encode()) <= size
    assert (found.truncated, found.estimated_data_size) == (size < WHOLE, WHOLE)
    assert found.status is BodyPartStatus.SUCCESS


@pytest.mark.requirement("MS-ASAIRS_R60", "MS-ASAIRS_R400", "MS-ASAIRS_R294")
def test_without_a_size_all_of_it_goes() -> None:
    everything = part()
    assert (everything.data, everything.truncated) == (SOURCE, False)
    assert part(all_or_none=True) == part(all_or_none=False) == everything


@pytest.mark.requirement("MS-ASAIRS_R63", "MS-ASAIRS_R272")
def test_all_or_none() -> None:
    assert part(WHOLE, all_or_none=True).data == SOURCE
    withheld = part(WHOLE - 1, all_or_none=True)
    assert (withheld.status, withheld.data, withheld.truncated) == (BodyPartStatus.TOO_LARGE, None, True)
    assert withheld.estimated_data_size == WHOLE


@pytest.mark.requirement("MS-ASAIRS_R253", "MS-ASAIRS_R254", "MS-ASAIRS_R255", "MS-ASAIRS_R256", "MS-ASAIRS_R2599")
@pytest.mark.parametrize(("length", "shown"), [(1, "G"), (5, "Grüße"), (255, None), (None, None)])
def test_a_preview_is_no_longer_than_was_asked_for(length: int | None, shown: str | None) -> None:
    found = part(10, preview=length)
    if length is None:
        assert found.preview is None
    else:
        assert found.preview is not None
        assert len(found.preview) <= length
        assert shown is None or found.preview == shown
        assert "<" not in found.preview


@pytest.mark.requirement("MS-ASAIRS_R126", "MS-ASAIRS_R127", "MS-ASAIRS_R128", "MS-ASAIRS_R129", "MS-ASAIRS_R121")
@pytest.mark.requirement("MS-ASAIRS_R183", "MS-ASAIRS_R185", "MS-ASAIRS_R205", "MS-ASAIRS_R207", "MS-ASAIRS_R208")
@pytest.mark.requirement("MS-ASAIRS_R257", "MS-ASAIRS_R258", "MS-ASAIRS_R286", "MS-ASAIRS_R314", "MS-ASAIRS_R317")
@pytest.mark.requirement("MS-ASAIRS_R318")
@pytest.mark.parametrize("version", [V14_1, V16_0, V16_1])
def test_its_elements_in_their_order(version: object) -> None:
    full = ["Status", "Type", "EstimatedDataSize", "Truncated", "Data", "Preview"]
    for found, names in (
        (part(50, preview=5), full),
        (part(50), full[:-1]),
        (part(50, all_or_none=True, preview=5), [name for name in full if name != "Data"]),
    ):
        children = dump(found, version).children  # type: ignore[arg-type] -- a version, for pytest
        assert [child.tag.name for child in children] == names
        assert not any(child.children for child in children)
