"""`eas-server group`."""

import json

from tests.server.cli.conftest import use_ldap

TEAM, ALICE, BOB = "team@example.com", "alice@example.com", "bob@example.com"


def test_a_group_lives_and_ends(shell):
    shell("group", "add", TEAM, "--name", "The Team", "--alias", "crew", "--member", ALICE, "--member", ALICE)
    shell("group", "add-member", TEAM, BOB, ALICE)
    assert shell("group", "list").splitlines()[1].split() == [TEAM, "The", "Team", "2"]
    shown = shell("group", "show", TEAM)
    assert "The Team" in shown
    assert "crew" in shown
    assert [line.strip() for line in shown.splitlines()[-2:]] == [ALICE, BOB]
    shell("group", "remove-member", TEAM, ALICE)
    assert json.loads(shell("group", "list", "--json"))[0]["members"] == [BOB]
    assert shell.try_("group", "remove", TEAM, given="n\n").exit_code == 1
    shell("group", "remove", TEAM, given="y\n")
    assert json.loads(shell("group", "list", "--json")) == []
    assert shell.entry(BOB)


def test_nested_groups_are_shown_as_people(shell):
    shell("group", "add", TEAM, "--member", ALICE, "--member", "board@example.com")
    shell("group", "add", "board@example.com", "--member", BOB, "--member", TEAM)
    shown = json.loads(shell("group", "show", TEAM, "--json"))
    assert set(shown["members"]) == {ALICE, "board@example.com"}
    assert set(shown["people"]) == {ALICE, BOB}
    assert "2 people" in shell("group", "show", TEAM)


def test_strangers_may_be_members_and_are_told(shell):
    result = shell.try_("group", "add", TEAM, "--member", "eve@example.org")
    assert result.exit_code == 0
    assert "eve@example.org" in result.stderr
    assert "was not a member" in shell.try_("group", "remove-member", TEAM, ALICE).stderr
    assert json.loads(shell("group", "show", TEAM, "--json"))["members"] == ["eve@example.org"]


def test_what_is_there_is_not_made_again(shell):
    shell("group", "add", TEAM)
    assert "belongs to somebody" in shell.refused("group", "add", TEAM)
    assert "belongs to somebody" in shell.refused("group", "add", ALICE)


def test_people_are_no_groups(shell):
    for arguments in (
        ("show", ALICE),
        ("remove", ALICE, "--yes"),
        ("add-member", ALICE, BOB),
        ("remove-member", ALICE, BOB),
        ("show", "nobody@example.com"),
    ):
        assert "there is no group" in shell.refused("group", *arguments)
    assert shell.entry(ALICE)


def test_addresses_are_addresses(shell):
    shell.refused("group", "add", "team", status=2)
    shell.refused("group", "add", TEAM, "--member", "a b@example.com", status=2)
    shell.refused("group", "add-member", TEAM, status=2)


def test_with_ldap_it_is_said_which_directory_this_is(shell):
    use_ldap(shell, "directory")
    assert "embedded directory only" in shell.try_("group", "list").stderr
    result = shell.try_("group", "add", TEAM)
    assert result.exit_code == 0
    assert "embedded directory only" in result.stderr
