"""`eas-server user`."""

import asyncio
import json

import pytest

from eas_server.backends.sqlite import open_store
from tests.server.cli.conftest import CHEAP, Shell, use_ldap

ALICE = "alice@example.com"
JPEG = b"\xff\xd8\xff\xe0 a picture"


def signs_in(shell: Shell, user: str, password: str) -> bool:
    return shell.in_store(lambda store: store.authenticator.authenticate(user, password)) is not None


def test_a_user_with_everything_is_added_and_shown(shell):
    picture = shell.folder / "carol.jpg"
    picture.write_bytes(JPEG)
    texts = {
        "--display-name": "Carol Example",
        "--given-name": "Carol",
        "--surname": "Example",
        "--alias": "caro",
        "--title": "Treasurer",
        "--company": "Example Ltd",
        "--department": "Finance",
        "--office": "Room 103",
        "--phone": "+49 30 5550 103",
        "--mobile": "+49 170 5550 103",
        "--home-phone": "+49 30 5551 103",
    }
    options = [part for option in texts.items() for part in option]
    shell(
        *("user", "add", "Carol@example.com", "--password-stdin", "--quota", "1.5G", "--picture", str(picture)),
        *("--address", "c.example@example.com", "--address", "cc@example.com", *options),
        given="s3cret word\n",
    )
    assert signs_in(shell, "carol@example.com", "s3cret word")
    entry = shell.entry("carol@example.com")
    assert entry.picture == JPEG
    assert set(entry.addresses) == {"c.example@example.com", "cc@example.com"}
    shown = shell("user", "show", "carol@example.com")
    assert all(text in shown for text in texts.values())
    known = json.loads(shell("user", "show", "carol@example.com", "--json"))
    assert (known["office"], known["quota_octets"], known["eas_enabled"]) == ("Room 103", 1536 * 1024**2, True)
    assert known["addresses"] == ["c.example@example.com", "cc@example.com"]


def test_a_name_without_a_domain_gets_the_address_of_the_one_mail_domain(shell):
    shell("user", "add", "dave", "--password-stdin", given="x y")
    assert shell.entry("dave@example.com").alias == "dave"
    assert signs_in(shell, "dave", "x y")


def test_a_name_without_a_domain_needs_an_address_where_there_is_no_domain(shell):
    (shell.folder / "eas-server.toml").write_text("")
    assert "--email dave@example.com" in shell.refused("user", "add", "dave", "--password-stdin", given="x")


def test_the_display_name_comes_from_the_other_names(shell):
    shell("user", "add", "e@example.com", "--no-password", "--given-name", "Erin", "--surname", "Example")
    assert shell.entry("e@example.com").display_name == "Erin Example"


def test_a_user_is_added_once(shell):
    said = shell.refused("user", "add", ALICE, "--password-stdin", given="x")
    assert "eas-server user set" in said
    assert signs_in(shell, ALICE, "alice's old password")


def test_an_address_belongs_to_one(shell):
    said = shell.refused("user", "add", "x", "--password-stdin", "--address", ALICE, given="x")
    assert "belongs to somebody else" in said
    assert shell.in_store(lambda store: store.admin.user("x")) is None


def test_the_password_is_asked_for_twice(shell):
    shell("user", "add", "carol@example.com", given="one\ntwo\nthree\nthree\n")
    assert signs_in(shell, "carol@example.com", "three")
    assert shell.try_("user", "add", "dave@example.com", given="").exit_code == 1


def test_another_password(shell):
    shell("user", "passwd", ALICE, "--password-stdin", given="näw: pässword\r\n")
    assert signs_in(shell, ALICE, "näw: pässword")
    assert not signs_in(shell, ALICE, "alice's old password")
    assert "user list" in shell.refused("user", "passwd", "nobody", "--password-stdin", given="x")


@pytest.mark.parametrize("given", ["", "\n", "one\ntwo\n", b"\xff\xfe", "x" * 1025, "a\0b"])
def test_what_is_no_password_changes_nothing(shell, given):
    assert "password" in shell.refused("user", "passwd", ALICE, "--password-stdin", given=given)
    assert signs_in(shell, ALICE, "alice's old password")


def test_without_a_password_nobody_signs_in_by_one(shell):
    shell("user", "add", "carol@example.com", "--no-password")
    assert not signs_in(shell, "carol@example.com", "")
    shell.refused("user", "add", "dave@example.com", "--no-password", "--password-stdin", status=2)


def test_where_ldap_checks_passwords_none_is_asked_for(shell):
    use_ldap(shell, "authentication")
    assert "not needed" in shell.try_("user", "add", "carol@example.com").stderr
    assert not signs_in(shell, "carol@example.com", "")
    assert "not asked for" in shell.try_("user", "add", "dave@example.com", "--password-stdin", given="x").stderr


def test_what_is_named_is_changed_and_the_rest_stays(shell):
    shell("user", "set", ALICE, "--office", "Room 1", "--phone", "110", "--quota", "10M", "--no-eas")
    shell("user", "set", ALICE, "--office", "", "--title", "Boss")
    shell("user", "set", ALICE, "--eas", "--quota", "none")
    entry = shell.entry(ALICE)
    assert (entry.office, entry.phone, entry.title, entry.display_name) == ("", "110", "Boss", "Alice Example")
    account = shell.in_store(lambda store: store.admin.user(ALICE))
    assert (account.quota, account.eas_enabled) == (None, True)
    shell.refused("user", "set", ALICE, status=2)
    shell.refused("user", "set", "nobody", "--title", "x")


def test_addresses_are_added_and_taken_away(shell):
    shell("user", "set", ALICE, "--add-address", "ally@example.com", "--add-address", "al@example.com")
    shell("user", "set", ALICE, "--email", "al@example.com", "--remove-address", "ally@example.com")
    entry = shell.entry(ALICE)
    assert (entry.email, entry.addresses) == ("al@example.com", (ALICE,))
    assert "primary" in shell.refused("user", "set", ALICE, "--remove-address", "al@example.com")
    assert "not an address of" in shell.refused("user", "set", ALICE, "--remove-address", "bob@example.com")
    assert "somebody else" in shell.refused("user", "set", ALICE, "--add-address", "bob@example.com")
    assert shell.entry(ALICE) == entry
    assert shell("user", "show", ALICE).startswith("User:")


def test_a_picture_is_a_small_jpeg_or_png(shell):
    file = shell.folder / "picture"
    file.write_bytes(JPEG)
    shell("user", "set", ALICE, "--picture", str(file))
    file.write_bytes(b"GIF89a")
    assert "neither a JPEG nor a PNG" in shell.refused("user", "set", ALICE, "--picture", str(file))
    file.write_bytes(JPEG + bytes(102_400))
    assert "more than" in shell.refused("user", "set", ALICE, "--picture", str(file))
    assert shell.entry(ALICE).picture == JPEG
    shell("user", "set", ALICE, "--no-picture")
    assert shell.entry(ALICE).picture == b""


def test_users_are_listed(shell):
    listed = shell("user", "list").splitlines()
    assert listed[0].split() == ["USER", "NAME", "ADDRESS", "MAILBOX", "QUOTA", "ACTIVESYNC"]
    assert [line.split()[0] for line in listed[1:]] == [ALICE, "bob@example.com"]
    assert [user["user"] for user in json.loads(shell("user", "list", "--json"))] == [ALICE, "bob@example.com"]


def test_a_user_is_removed_after_a_question(shell):
    assert shell.try_("user", "remove", ALICE, given="n\n").exit_code == 1
    assert shell.entry(ALICE)
    shell("user", "remove", ALICE, given="y\n")
    assert "there is no user" in shell.refused("user", "remove", ALICE, "--yes")
    shell("user", "remove", "BOB@example.com", "--yes")
    assert json.loads(shell("user", "list", "--json")) == []


async def test_a_running_server_sees_what_is_changed(shell):
    async with open_store(shell.store, hash_cost=CHEAP) as running:
        assert await running.authenticator.authenticate(ALICE, "alice's old password")
        await asyncio.to_thread(shell, "user", "passwd", ALICE, "--password-stdin", given="new")
        await asyncio.to_thread(shell, "user", "add", "carol@example.com", "--password-stdin", given="c")
        await running.look_around()
        assert await running.authenticator.authenticate(ALICE, "alice's old password") is None
        assert await running.authenticator.authenticate(ALICE, "new")
        assert await running.authenticator.authenticate("carol", "c")


@pytest.mark.parametrize(
    "user", ["", "a b", "a:b", "dom\\a", "a@b@c", "@example.com", "a@", "x" * 255, "a\0", "a\x1b[31m", "a/b", "a<b>"]
)
def test_what_cannot_be_a_user_is_refused(shell, user):
    said = shell.refused("user", "add", user, "--password-stdin", given="x", status=2)
    assert "\x1b" not in said


@pytest.mark.parametrize(
    "options",
    [
        ("--email", "not an address"),
        ("--email", "a@example.com\r\nBcc: eve@example.com"),
        ("--address", "a@"),
        ("--office", "x" * 257),
        ("--office", "two\nlines"),
        ("--office", "nul\0"),
        ("--surname", "\x1b]0;title\x07"),
        ("--quota", "much"),
        ("--quota", "-5"),
        ("--picture", "/nowhere/at/all"),
    ],
)
def test_hostile_options_are_refused(shell, options):
    said = shell.refused("user", "add", "carol@example.com", "--password-stdin", *options, given="x", status=2)
    assert "\x1b" not in said
    assert shell.in_store(lambda store: store.admin.user("carol@example.com")) is None
