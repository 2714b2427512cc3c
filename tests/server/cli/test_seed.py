"""`eas-server seed`."""

import json
import os

import pytest

from eas_server.config import load
from eas_server.model.mail import FolderType
from eas_server.model.preferences import CalendarRight, CalendarRights, Delegates
from eas_server.model.view import NO_LIMIT, TOP
from tests.server.pki import FIXTURES

DAVE = "dave@example.com"
WORLD = """
[[users]]
user = "dave@example.com"
password = "davids password"
first_name = "Dave"
last_name = "Example"
office = "Room 7"
addresses = ["d.example@example.com", "david@example.com"]
quota = "2G"
picture = "dave.png"
delegates = ["erin", "alice@example.com"]
delegates_only = true
calendar_rights = { default = "none", "erin" = "read" }

[[users]]
user = "erin"
eas = false
password = "erins password"

[[users]]
user = "alice@example.com"
title = "Head of Research"

[[people]]
email = "partner@elsewhere.example"
display_name = "A Partner"
company = "Elsewhere"

[[groups]]
email = "team@example.com"
display_name = "The Team"
members = ["alice@example.com", "dave@example.com", "partner@elsewhere.example"]

[[folders]]
user = "dave@example.com"
name = "Inbox/Projects/Secret"

[[folders]]
user = "dave@example.com"
name = "Trips"
type = "calendar"

[[messages]]
user = "dave@example.com"
files = ["mail/*.eml"]

[[messages]]
user = "dave@example.com"
folder = "Inbox/Projects/Secret"
sender = '"Bob" <bob@example.com>'
to = "dave@example.com"
subject = "Größe"
body = "Hello\\n"
received = 2026-11-23T12:00:00Z
read = true

[[messages]]
user = "erin"
text = '''
From: bob@example.com
To: erin@example.com
Subject: By hand

Hello
'''

[[messages]]
user = "dave@example.com"
folder = "Calendar"
text = '''
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//tests//EN
BEGIN:VEVENT
UID:1
DTSTAMP:20261123T120000Z
DTSTART:20261124T100000Z
DTEND:20261124T110000Z
SUMMARY:Lunch
END:VEVENT
END:VCALENDAR
'''

[[certificates]]
address = "dave@example.com"
issue = true
out = "dave.p12"
password = "pfx password"
"""
MAIL = (
    "From: bob@example.com\r\nTo: dave@example.com\r\nSubject: {}\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\nx\r\n"
)
PNG = b"\x89PNG\r\n\x1a\n" + b"p" * 20


@pytest.fixture
def world(shell):
    (shell.folder / "mail").mkdir()
    for name in ("one", "two"):
        (shell.folder / "mail" / f"{name}.eml").write_bytes(MAIL.format(name).encode())
    (shell.folder / "dave.png").write_bytes(PNG)
    (shell.folder / "world.toml").write_text(WORLD)
    return shell


def folder_of(shell, user, type_):
    async def find(store):
        return [folder for folder in await store.folders.folders(user) if folder.type is type_]

    return shell.in_store(find)


def items(shell, user, collection):
    async def work(store):
        entries = await store.mail.page(user, collection, below=TOP, not_before=NO_LIMIT, limit=100)
        return await store.mail.fetch(user, collection, [entry.id for entry in entries])

    return shell.in_store(work)


def test_a_whole_world(world):
    dry = world("seed", "world.toml", "--dry-run")
    assert f"would add user {DAVE}" in dry
    assert json.loads(world("user", "list", "--json")) == json.loads(world("user", "list", "--json"))
    assert DAVE not in world("user", "list"), "a dry run changes nothing"
    assert not (world.folder / "dave.p12").exists()

    assert "changes made" in world("seed", "world.toml")
    shown = json.loads(world("user", "show", DAVE, "--json"))
    assert (shown["display_name"], shown["office"], shown["quota_octets"]) == ("Dave Example", "Room 7", 2 * 1024**3)
    assert shown["addresses"] == ["d.example@example.com", "david@example.com"]
    assert (shown["picture_octets"], shown["certificate_values"]) == (len(PNG), 2)
    assert json.loads(world("user", "show", "erin", "--json"))["eas_enabled"] is False
    assert json.loads(world("user", "show", "alice@example.com", "--json"))["title"] == "Head of Research"
    assert world.entry("partner@elsewhere.example").company == "Elsewhere"
    assert len(json.loads(world("group", "show", "team@example.com", "--json"))["members"]) == 3
    (inbox,) = folder_of(world, DAVE, FolderType.INBOX)
    assert sorted(item.index.subject for item in items(world, DAVE, inbox.id)) == ["one", "two"]
    (secret,) = [each for each in folder_of(world, DAVE, FolderType.USER_MAIL) if each.name == "Secret"]
    (mail,) = items(world, DAVE, secret.id)
    assert (mail.index.subject, mail.state.read) == ("Größe", True)
    (calendar,) = folder_of(world, DAVE, FolderType.CALENDAR)
    assert len(items(world, DAVE, calendar.id)) == 1
    assert [each.name for each in folder_of(world, DAVE, FolderType.USER_CALENDAR)] == ["Trips"]
    rights = world.in_store(lambda store: store.preferences.preference(DAVE, CalendarRights))
    assert (rights.default, dict(rights.others)) == (CalendarRight.NONE, {"erin": CalendarRight.READ})
    delegates = world.in_store(lambda store: store.preferences.preference(DAVE, Delegates))
    assert (delegates.users, delegates.only) == (("erin", "alice@example.com"), True)
    signed_in = world.in_store(lambda store: store.authenticator.authenticate(DAVE, "davids password"))
    assert signed_in.user == DAVE
    assert os.stat(world.folder / "dave.p12").st_mode & 0o077 == 0


def test_twice_changes_nothing(world):
    world("seed", "world.toml")
    before = world.store.read_bytes(), world.entry(DAVE)
    assert "nothing to do" in world("seed", "world.toml")
    assert world("seed", "world.toml", "--dry-run") == ""
    assert world.entry(DAVE) == before[1]


def test_only_what_differs_is_changed(world):
    world("seed", "world.toml")
    world("user", "set", DAVE, "--office", "elsewhere", "--title", "Kept", "--eas")
    world("user", "passwd", DAVE, "--password-stdin", given="another")
    world("group", "add-member", "team@example.com", "bob@example.com")
    dry = world("seed", "world.toml", "--dry-run").splitlines()
    assert dry == [
        f"would change user {DAVE}",
        f"would change the password of {DAVE}",
        "would take bob@example.com out of team@example.com",
    ]
    world("seed", "world.toml")
    shown = json.loads(world("user", "show", DAVE, "--json"))
    assert (shown["office"], shown["title"]) == ("Room 7", "Kept")


WRONG = {
    "no TOML": ("users = \n", "is not TOML", "line 1"),
    "an unknown key": ('[[users]]\nuser = "x"\nemial = "x@example.com"', "users[0].emial", "did you mean email?"),
    "no user": ("[[users]]\n", "users[0].user", "is missing"),
    "a user that cannot be": ('[[users]]\nuser = "a b"', "users[0].user", "alice@example.com"),
    "twice": ('[[users]]\nuser = "x"\n[[users]]\nuser = "X"', "users[1].user", "is there twice"),
    "a quota": ('[[users]]\nuser = "x"\nquota = "much"', "users[0].quota", "500M"),
    "a password": ('[[users]]\nuser = "x"\npassword = ""', "users[0].password", "empty"),
    "a picture that is none": ('[[users]]\nuser = "x"\npicture = "text"', "users[0].picture", "JPEG"),
    "a picture that is missing": ('[[users]]\nuser = "x"\npicture = "gone"', "users[0].picture", "cannot be read"),
    "a strange delegate": ('[[users]]\nuser = "x"\ndelegates = ["y"]', "users[0].delegates[0]", "no user y"),
    "its own delegate": ('[[users]]\nuser = "x"\ndelegates = ["x"]', "users[0].delegates", "itself"),
    "a right": ('[[users]]\nuser = "x"\ncalendar_rights = {bob = "all"}', "calendar_rights.bob", "free-busy"),
    "a strange right": ('[[users]]\nuser = "x"\ncalendar_rights = {y = "read"}', "calendar_rights.y", "no user y"),
    "a group of a person": ('[[groups]]\nemail = "bob@example.com"', "groups[0].email", "belongs to a person"),
    "a member": ('[[groups]]\nemail = "g@example.com"\nmembers = ["x"]', "groups[0].members[0]", "no mail address"),
    "somebody's mail": ('[[messages]]\nuser = "y"\nbody = "x"', "messages[0].user", "no user y"),
    "an unknown folder": (
        '[[messages]]\nuser = "bob@example.com"\nfolder = "Trips"\nbody = "x"',
        "messages[0]",
        "declare it in [[folders]]",
    ),
    "no message": ('[[messages]]\nuser = "bob@example.com"', "messages[0]", "either files"),
    "two messages": ('[[messages]]\nuser = "bob@example.com"\nbody = "x"\ntext = "y"', "messages[0]", "either files"),
    "no file": ('[[messages]]\nuser = "bob@example.com"\nfiles = ["*.nothing"]', "messages[0].files", "no file fits"),
    "no event": (
        '[[messages]]\nuser = "bob@example.com"\nfolder = "Calendar"\ntext = "Hello"',
        "messages[0].text",
        "Calendar",
    ),
    "a header": ('[[messages]]\nuser = "bob@example.com"\nsubject = "a\\nb"', "messages[0]", "header"),
    "a certificate of nobody": (
        '[[certificates]]\naddress = "y@example.com"\nissue = true',
        "certificates[0]",
        "nobody",
    ),
    "a certificate of nothing": ('[[certificates]]\naddress = "bob@example.com"', "certificates[0]", "either file"),
    "a certificate without out": (
        '[[certificates]]\naddress = "bob@example.com"\nissue = true',
        "certificates[0].out",
        "bob@example.com.p12",
    ),
    "a file that is no certificate": (
        '[[certificates]]\naddress = "bob@example.com"\nfile = "text"',
        "certificates[0].file",
        "PKCS#12 can be read",
    ),
    "the configuration": ("[policies.board]\nstrict = true", "policies", 'include = ["world.toml"]'),
    "a misspelled section": ('[[user]]\nuser = "x"', "user", "no section of a seed"),
}


@pytest.mark.parametrize(("text", "key", "reason"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_and_nothing_is_done(shell, text, key, reason):
    (shell.folder / "text").write_text("no picture")
    (shell.folder / "world.toml").write_text('[[users]]\nuser = "new@example.com"\n' if text[:3] == "[[g" else "")
    with (shell.folder / "world.toml").open("a") as file:
        file.write(text)
    result = shell.try_("seed", "world.toml")
    assert result.exit_code in (1, 78), result.output
    assert "world.toml" in result.stderr
    assert key in result.stderr
    assert reason in result.stderr
    assert len(json.loads(shell("user", "list", "--json"))) == 2


def test_one_file_may_be_seed_and_configuration(shell):
    (shell.folder / "world.toml").write_text(
        '[server]\ndomains = ["example.com"]\nexternal_url = "https://mail.example.com"\n'
        '[policies.board]\nusers = ["zoe@example.com"]\n[[users]]\nuser = "zoe@example.com"\n'
        '[[shares]]\nhosts = ["files"]\nname = "docs"\npath = "docs"\nreaders = ["zoe@example.com"]\n'
        '[[rights.templates]]\nid = "4a7e4d0c-3f0e-4b6c-9d55-0c1f4a2f7a01"\nname = "Secret"\n'
        'description = "For us alone"\n'
    )
    shell("seed", "world.toml", "--config", "world.toml")
    assert json.loads(shell("user", "show", "zoe@example.com", "--json", "--config", "world.toml"))["policy"] == "board"
    config = load(shell.folder / "world.toml")
    assert (config.server.external_url, list(config.policies)) == ("https://mail.example.com", ["board"])
    assert (config.shares[0].name, config.rights.templates[0].name) == ("docs", "Secret")


def test_the_configuration_may_include_the_seed(shell):
    (shell.folder / "world.toml").write_text('[policies.board]\n[[users]]\nuser = "zoe@example.com"\n')
    text = (shell.folder / "eas-server.toml").read_text()
    (shell.folder / "eas-server.toml").write_text(f'include = ["world.toml"]\n{text}')
    shell("seed", "world.toml")
    assert "board" in shell("policy", "list")


def test_trust_anchors(shell):
    root = (FIXTURES / "root.der").read_bytes()
    (shell.folder / "root.cer").write_bytes(root)
    text = '[[trust]]\nfile = "root.cer"\n[[trust]]\nfile = "root.cer"\ndomain = "Partner.example"\n'
    (shell.folder / "anchors.toml").write_text(text)
    assert "trust root.cer for partner.example" in shell("seed", "anchors.toml", "--dry-run")
    shell("seed", "anchors.toml")
    for domain in ("", "partner.example"):
        held = shell.in_store(lambda store, domain=domain: store.trust.collection(domain))
        assert (held.name, held.roots) == (domain, (root,))
    assert "trust root.cer" not in shell("seed", "anchors.toml", "--dry-run")
    (shell.folder / "anchors.toml").write_text('[[trust]]\nfile = "bob.cer"\n')
    (shell.folder / "bob.cer").write_bytes((FIXTURES / "bob.der").read_bytes())
    assert "trust[0].file" in shell.try_("seed", "anchors.toml").stderr


def test_certificates_from_files(shell):
    files = f'file = "{FIXTURES / "bob.der"}"\nkey = "{FIXTURES / "bob.pem"}"\n'
    (shell.folder / "world.toml").write_text(f'[[certificates]]\naddress = "bob@example.com"\n{files}')
    shell("seed", "world.toml")
    entry = shell.entry("bob@example.com")
    assert (len(entry.user_certificates), len(entry.smime_certificates)) == (1, 1)
    assert "nothing to do" in shell("seed", "world.toml")


def test_equal_messages_are_as_many_as_declared(shell):
    one = '[[messages]]\nuser = "bob@example.com"\nsubject = "Same"\nbody = "x"\n'
    (shell.folder / "world.toml").write_text(one * 3)
    assert "3 changes" in shell("seed", "world.toml")
    assert "nothing" in shell("seed", "world.toml")
    (shell.folder / "world.toml").write_text(one * 5)
    assert "2 changes" in shell("seed", "world.toml")
