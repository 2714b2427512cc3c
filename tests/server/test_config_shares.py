"""`[[shares]]` of the configuration."""

from pathlib import Path

import pytest

from eas_server.backends.shares import ShareSettings
from eas_server.config import parse
from eas_server.errors import ConfigError

FILE = Path("/etc/eas/eas-server.toml")
DOCS = """
[[shares]]
hosts = ["files.example.com", "files:8445"]
name = "docs"
path = "shares/docs"
readers = ["alice@example.com", "team@example.com"]
"""


def test_shares() -> None:
    more = (
        DOCS.replace('"docs"', '"all"')
        .replace("shares/docs", "/srv/all")
        .replace("readers", 'hidden = [".*", "~$*"]\nshow_hidden = false\nreaders')
    )
    assert parse("", FILE).shares == ()
    assert parse(DOCS + more, FILE).shares == (
        ShareSettings(
            hosts=("files.example.com", "files:8445"),
            name="docs",
            path=Path("/etc/eas/shares/docs"),
            readers=("alice@example.com", "team@example.com"),
        ),
        ShareSettings(
            hosts=("files.example.com", "files:8445"),
            name="all",
            path=Path("/srv/all"),
            readers=("alice@example.com", "team@example.com"),
            hidden=(".*", "~$*"),
            show_hidden=False,
        ),
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('readers = ["alice@example.com", "team@example.com"]', "", "shares[0].readers: is missing"),
        ('name = "docs"', "", "shares[0].name: is missing"),
        ('"docs"', '"a\\\\b"', "shares[0].name: must be one part of a UNC name"),
        ('"files:8445"', '"files:x"', "shares[0].hosts: must be names of hosts"),
        ('["files.example.com", "files:8445"]', "[]", "shares[0].hosts: must be names of hosts"),
        ('"alice@example.com"', '" "', "shares[0].readers: must be users and groups"),
        ("path", "folder", "shares[0].folder: is unknown"),
        ('"shares/docs"', "1", "shares[0].path: must be a path in quotes"),
        ("[[shares]]", "[shares]", "shares: must be a list of tables: [[shares]]"),
    ],
)
def test_shares_that_cannot_be(old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(DOCS.replace(old, new), FILE)
    assert message in str(caught.value)


def test_a_name_that_is_there_twice() -> None:
    twin = DOCS.replace('"docs"', '"DOCS"').replace('"files.example.com", ', "").replace("files:", "FILES:")
    with pytest.raises(ConfigError, match=r'shares\[1\]\.name: "DOCS" on "FILES:8445" is there twice'):
        parse(DOCS + twin, FILE)


def test_the_example_of_the_description_is_right() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "document-library.md").read_text(encoding="utf-8")
    (block,) = text.split("```toml\n")[1:]
    assert len(parse(block.partition("```")[0], FILE).shares) == 2
