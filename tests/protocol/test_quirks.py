"""Every tolerated oddity has a name, and its fixture is there."""

from pathlib import Path

from protocol import quirks

ROOT = Path(__file__).parents[2]


def test_every_quirk_is_in_the_registry_under_its_name():
    found = {name: value for name, value in vars(quirks).items() if isinstance(value, quirks.Quirk)}
    assert found == dict(quirks.QUIRKS)
    assert all(name == quirk.name for name, quirk in found.items())


def test_every_quirk_says_who_and_what():
    for quirk in quirks.QUIRKS.values():
        assert quirk.client
        assert quirk.note.endswith(".")
        assert quirk.fixture is None or (ROOT / "fixtures" / quirk.fixture).exists()


def test_every_quirk_is_in_the_table_for_administrators():
    table = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
    missing = [quirk.name for quirk in quirks.QUIRKS.values() if f"| `{quirk.name}` | {quirk.client} |" not in table]
    assert missing == [], "add these rows to docs/clients.md"
