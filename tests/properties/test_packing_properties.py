"""Collection states come back from their octets, and take little room."""

from hypothesis import given
from hypothesis import strategies as st

from eas_server.backends.sqlite.packing import pack, unpack
from eas_server.backends.sqlite.state import kept_keys
from eas_server.interfaces import KEPT_SUCCESSORS
from eas_server.model.ids import ItemId, Revision, SyncKey, Token
from eas_server.model.view import NO_LIMIT, TOP, Accepted, CollectionState, Position, RangeSet, View

numbers = st.integers(0, 2**62)
items = numbers.map(ItemId)
revisions = numbers.map(Revision)
histories = st.dictionaries(items, st.lists(revisions, max_size=3).map(tuple), max_size=5)
signed = st.integers(NO_LIMIT, 2**62)
ranges = st.lists(
    st.tuples(st.integers(0, 2**61), st.integers(0, 2**40)).map(lambda r: (r[0], r[0] + r[1])), max_size=8
)
views = st.builds(
    View,
    token=numbers.map(Token),
    held=ranges.map(RangeSet),
    revisions=st.dictionaries(items, revisions, max_size=5),
    own=histories,
    low=st.one_of(st.just(TOP), st.builds(Position, signed, signed)),
    floor=st.one_of(st.just(NO_LIMIT), signed),
    older=ranges.map(RangeSet),
    conversations=st.one_of(st.none(), st.just(NO_LIMIT), signed),
)
states = st.builds(
    CollectionState,
    key=st.text(max_size=20).map(SyncKey),
    view=views,
    accepted=st.dictionaries(
        st.text(st.characters(), max_size=40),
        st.builds(Accepted, item=items, revision=revisions, digest=st.binary(max_size=40)),
        max_size=4,
    ),
    written=histories,
    options=st.binary(max_size=2000),
)


@given(states)
def test_round_trip(state: CollectionState) -> None:
    assert unpack(pack(state), state.key) == state


def test_a_large_folder_takes_little_room() -> None:
    held = RangeSet((n, n + 7) for n in range(1, 50_000, 9))
    changed = {ItemId(n): Revision(1_000_000 + n) for n in range(1, 50_000, 100)}
    state = CollectionState(key=SyncKey("1"), view=View(token=Token(1_050_000), held=held, revisions=changed))
    assert len(pack(state)) < 3_000


links = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=12)


@given(links, st.data())
def test_kept_keys(made: list[tuple[int, bool]], data: st.DataObject) -> None:
    """The used key stays, its ancestors and older starts go, and the number is bounded."""
    tree: dict[int, tuple[int, int]] = {}
    for key, (back, start) in enumerate(made, start=1):
        parent = 0 if start or key == 1 else max(1, key - 1 - back)
        tree[key] = (parent, key if parent == 0 else tree[parent][1])
    used = data.draw(st.sampled_from([0, *tree]))
    kept = kept_keys(tree, used)
    assert len(kept) <= KEPT_SUCCESSORS - 1
    assert kept <= set(tree)
    if used:
        assert used in kept
        at = tree[used][0]
        while at:
            assert at not in kept
            at = tree[at][0]
        assert all(tree[key][1] >= tree[used][1] for key in kept)
    else:
        assert kept == set(sorted(tree)[-(KEPT_SUCCESSORS - 1) :])
