"""The typed hierarchy commands: what is read, what is written, and that one is the other."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codepages import tag
from protocol.commands import folder_create, folder_delete, folder_sync, folder_update
from protocol.elements import Element
from protocol.errors import MalformedRequest
from protocol.schema import dump, load
from protocol.versions import SUPPORTED
from protocol.wbxml import decode, encode
from tests.schemas import assert_valid

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "wbxml"
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=20)
IDS = st.text("0123456789RIabc:", min_size=1, max_size=64)
NUMBERS = st.integers(0, 10**6)
ADDS = st.builds(folder_sync.Add, server_id=IDS, parent_id=IDS, display_name=TEXTS, type=NUMBERS)
UPDATES = st.builds(folder_sync.Update, server_id=IDS, parent_id=IDS, display_name=TEXTS, type=NUMBERS)
DELETES = st.builds(folder_sync.Delete, server_id=IDS)
CHANGES = st.builds(
    folder_sync.Changes,
    count=NUMBERS,
    updates=st.lists(UPDATES, max_size=3).map(tuple),
    deletes=st.lists(DELETES, max_size=3).map(tuple),
    adds=st.lists(ADDS, max_size=3).map(tuple),
)
KEYS = st.none() | IDS
RESPONSES = {
    "FolderSync": st.builds(folder_sync.Response, status=NUMBERS, sync_key=KEYS, changes=st.none() | CHANGES),
    "FolderCreate": st.builds(folder_create.Response, status=NUMBERS, sync_key=KEYS, server_id=KEYS),
    "FolderDelete": st.builds(folder_delete.Response, status=NUMBERS, sync_key=KEYS),
    "FolderUpdate": st.builds(folder_update.Response, status=NUMBERS, sync_key=KEYS),
}
REQUESTS = st.one_of(
    st.builds(folder_sync.Request, sync_key=IDS),
    st.builds(folder_create.Request, sync_key=IDS, parent_id=IDS, display_name=TEXTS, type=NUMBERS),
    st.builds(folder_delete.Request, sync_key=IDS, server_id=IDS),
    st.builds(folder_update.Request, sync_key=IDS, server_id=IDS, parent_id=IDS, display_name=TEXTS),
)


@pytest.mark.parametrize("command", RESPONSES)
@given(data=st.data())
def test_what_is_written_is_read_and_holds_by_the_schema(command: str, data: st.DataObject) -> None:
    response = data.draw(RESPONSES[command])
    for version in SUPPORTED:
        root = dump(response, version)
        assert load(type(response), decode(encode(root).join())) == response
        assert_valid(root, command)


@given(REQUESTS)
def test_requests_come_back(request: object) -> None:
    assert load(type(request), decode(encode(dump(request)).join())) == request


def test_golden_documents() -> None:
    request = load(folder_sync.Request, decode((FIXTURES / "FolderSync" / "request.wbxml").read_bytes()))
    assert request == folder_sync.Request(sync_key="0")
    octets = (FIXTURES / "FolderSync" / "response.wbxml").read_bytes()
    response = load(folder_sync.Response, decode(octets))
    assert response.changes is not None
    assert [add.display_name for add in response.changes.adds] == ["Inbox", "Entwürfe", "Gelöscht"]
    assert encode(dump(response)).join() == octets


@pytest.mark.requirement("MS-ASCMD_R1156")
def test_changes_are_written_in_the_order_of_the_schema() -> None:
    changes = folder_sync.Changes(
        count=3,
        adds=(folder_sync.Add(server_id="1", parent_id="0", display_name="a", type=12),),
        deletes=(folder_sync.Delete(server_id="2"),),
        updates=(folder_sync.Update(server_id="3", parent_id="0", display_name="b", type=12),),
    )
    assert [child.tag.name for child in dump(changes).children] == ["Count", "Update", "Delete", "Add"]


def element(name: str, *children: Element | str) -> Element:
    content = (
        children[0] if children and isinstance(children[0], str) else [c for c in children if isinstance(c, Element)]
    )
    return Element(tag(f"FolderHierarchy:{name}"), content or None)


@pytest.mark.parametrize(
    ("cls", "root", "problem"),
    [
        (folder_sync.Request, element("FolderSync"), "/FolderSync/SyncKey: is missing"),
        (
            folder_sync.Request,
            element("FolderSync", element("SyncKey", "1"), element("SyncKey", "1")),
            "/FolderSync/SyncKey: must not be repeated",
        ),
        (folder_sync.Request, element("FolderCreate"), "/FolderCreate: expected FolderHierarchy:FolderSync"),
        (
            folder_create.Request,
            element(
                "FolderCreate",
                element("SyncKey", "1"),
                element("ParentId", "0"),
                element("DisplayName", "a"),
                element("Type", "mail"),
            ),
            "/FolderCreate/Type: 'mail' is not a number",
        ),
        (folder_delete.Request, element("FolderDelete", element("SyncKey", "1")), "/FolderDelete/ServerId: is missing"),
        (
            folder_update.Request,
            element("FolderUpdate", element("SyncKey", "1"), element("ServerId", "1"), element("ParentId", "0")),
            "/FolderUpdate/DisplayName: is missing",
        ),
    ],
)
def test_errors_name_the_path(cls: type, root: Element, problem: str) -> None:
    with pytest.raises(MalformedRequest) as caught:
        load(cls, root)
    assert str(caught.value) == problem
