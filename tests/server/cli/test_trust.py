"""`eas-server trust`."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from eas_server.cli import trust as cli
from eas_server.model.trust import TrustCollection
from eas_server.pki.lab import to_pem
from eas_server.pki.sst import read_sst, write_sst
from eas_server.pki.trust_files import read_trust_file, to_pkcs7
from tests.server.cli.conftest import CONFIG, Shell
from tests.server.pki import FIXTURES
from tests.server.pki.making import Entity, authority, person

START = datetime.now(UTC) - timedelta(days=30)
VALID = {"not_before": START, "not_after": START + timedelta(days=365)}
ROOT = authority("Root", **VALID)
OTHER = authority("Other Root", **VALID)
OLD = authority("Old Root", not_after=START, not_before=START - timedelta(days=1))
ISSUING = authority("Issuing", ROOT, **VALID)
BOB = person(ISSUING, **VALID)


def put(name: str, octets: bytes) -> str:
    Path(name).write_bytes(octets)
    return name


def bundle(*entities: Entity) -> bytes:
    return b"".join(to_pem(each.der) for each in entities)


def held(shell: Shell, domain: str = "") -> TrustCollection:
    found = shell.in_store(lambda store: store.trust.collection(domain))
    assert isinstance(found, TrustCollection)
    return found


def outcomes(text: str) -> list[tuple[str, str | None]]:
    return [(each["outcome"], each["as"]) for file in json.loads(text) for each in file["certificates"]]


def test_an_sst_as_exchange_exports_it(shell):
    put("smime.sst", write_sst([ROOT.der, ISSUING.der, BOB.der, OLD.der]))
    told = shell("trust", "import", "smime.sst")
    assert "smime.sst: SST, 4 certificates" in told
    lines = {line.split()[0]: line for line in told.splitlines()}
    assert "no CA flag" in lines["refused"]
    assert "expired on" in told
    assert told.splitlines()[-1] == "3 added, 1 refused, in the collection of all domains"
    assert set(held(shell).roots) == {ROOT.der, OLD.der}
    assert held(shell).intermediates == (ISSUING.der,)
    assert shell("trust", "import", "smime.sst").splitlines()[-1].startswith("3 already there, 1 refused")


def test_every_form_and_a_folder_of_them(shell):
    Path("cas").mkdir()
    put("cas/root.cer", ROOT.der)
    put("cas/issuing.p7b", to_pkcs7(iter([ISSUING.der])))
    put("cas/other.pem", bundle(OTHER, ROOT))
    Path("cas/link.pem").symlink_to("other.pem")
    Path("cas/nested").mkdir()
    told = json.loads(shell("trust", "import", "cas", "--json"))
    assert [(Path(file["file"]).name, file["form"]) for file in told] == [
        ("issuing.p7b", "PKCS#7"),
        ("link.pem", "PEM"),
        ("root.cer", "DER"),
    ]
    assert outcomes(json.dumps(told)) == [
        ("added", "intermediate"),
        ("added", "root"),
        ("added", "root"),
        ("already there", "root"),
    ]
    assert set(held(shell).roots) == {ROOT.der, OTHER.der}
    assert "FILE" in shell("trust", "import", "cas")


def test_domains_have_their_own(shell):
    shell("trust", "import", put("root.cer", ROOT.der))
    told = shell("trust", "import", put("other.cer", OTHER.der), "--domain", "Bücher.Example")
    assert told.splitlines()[-1] == "1 added, in the collection of xn--bcher-kva.example"
    again = shell.try_("trust", "import", "other.cer", "--domain", "other.example")
    assert "stands instead of the collection of all domains" in again.stderr
    assert "instead" not in shell.try_("trust", "import", "other.cer", "--domain", "other.example").stderr
    shell("trust", "remove", "--all", "--domain", "other.example")
    assert held(shell, "xn--bcher-kva.example").roots == (OTHER.der,)
    assert held(shell, "example.com").roots == (ROOT.der,)
    listed = json.loads(shell("trust", "list", "--json"))
    assert [(each["collection"], each["as"], each["subject"]) for each in listed] == [
        ("", "root", "CN=Root"),
        ("xn--bcher-kva.example", "root", "CN=Other Root"),
    ]
    assert "CN=Root" in shell("trust", "list", "--domain", "example.com")
    assert "CN=Root" not in shell("trust", "list", "--domain", "bücher.example")
    assert "no mail domain" in shell.refused("trust", "list", "--domain", "nowhere", status=2)


def test_the_administrator_says_what_it_is(shell):
    put("issuing.pem", bundle(ISSUING))
    shell("trust", "import", "issuing.pem")
    assert outcomes(shell("trust", "import", "issuing.pem", "--as", "root", "--json")) == [("changed", "root")]
    assert held(shell).roots == (ISSUING.der,)
    assert outcomes(shell("trust", "import", "issuing.pem", "--json")) == [("already there", "root")]
    assert "1 refused" in shell("trust", "import", put("bob.pem", bundle(BOB)), "--as", "root")


def test_private_keys_are_refused_and_the_rest_is_taken(shell):
    put("root.cer", ROOT.der)
    result = shell.try_("trust", "import", str(FIXTURES / "root.pem"), "root.cer")
    assert result.exit_code == 1
    assert "a private key is in it" in result.stderr
    assert "needs no private key" in result.stderr
    assert held(shell).roots == (ROOT.der,)


def test_what_is_no_file_of_certificates(shell):
    put("cut.sst", write_sst([ROOT.der])[:-20])
    assert "serialized store that cannot be read" in shell.refused("trust", "import", "cut.sst")
    Path("empty").mkdir()
    assert shell.try_("trust", "import", "empty").exit_code == 1
    assert shell.try_("trust", "import", "not-there").exit_code == 2
    assert held(shell) == TrustCollection(name="")


def test_folders_are_bounded(shell, monkeypatch):
    Path("many").mkdir()
    for number in range(4):
        put(f"many/{number}.cer", ROOT.der)
    monkeypatch.setattr(cli, "MAX_FILES", 3)
    assert "import them in parts" in shell.refused("trust", "import", "many")


@pytest.mark.parametrize(("name", "options"), [("x.sst", ()), ("x.p7b", ()), ("x.pem", ()), ("x", ("--format", "sst"))])
def test_what_is_exported_is_what_was_imported(shell, name, options):
    shell("trust", "import", put("all.sst", write_sst([ROOT.der, ISSUING.der])))
    told = shell("trust", "export", name, *options)
    assert told == f"Wrote 2 certificates of the collection of all domains to {name}\n"
    assert set(read_trust_file(Path(name).read_bytes()).certificates) == {ROOT.der, ISSUING.der}
    assert "is there already" in shell.refused("trust", "export", name, *options)
    shell("trust", "remove", "--all")
    assert outcomes(shell("trust", "import", name, "--json")) == [("added", "root"), ("added", "intermediate")] or name
    assert (held(shell).roots, held(shell).intermediates) == ((ROOT.der,), (ISSUING.der,))


def test_export_to_standard_output(shell):
    shell("trust", "import", put("all.sst", write_sst([ROOT.der, ISSUING.der])), "--domain", "example.com")
    result = shell.try_("trust", "export", "-", "--format", "sst", "--as", "root", "--domain", "example.com")
    assert read_sst(result.stdout_bytes).certificates == (ROOT.der,)
    assert "nothing to export" in shell.refused("trust", "export", "x.pem")
    assert "No such file" in shell.refused("trust", "export", "no/x.pem", "--domain", "example.com")


def test_removal(shell):
    shell("trust", "import", put("all.pem", bundle(ROOT, OTHER, ISSUING)))
    shell("trust", "import", put("root.cer", ROOT.der), "--domain", "example.com")
    listed = {each["subject"]: each for each in json.loads(shell("trust", "list", "--json"))}
    assert "Removed" in shell("trust", "remove", listed["CN=Root"]["sha256"][:12].upper())
    thumbprint = listed["CN=Other Root"]["sha1"]
    shell("trust", "remove", ":".join(thumbprint[at : at + 2] for at in range(0, 40, 2)))
    assert (held(shell).roots, held(shell).intermediates) == ((), (ISSUING.der,))
    assert "it is in that of example.com" in shell.refused("trust", "remove", listed["CN=Root"]["sha256"])
    assert "at least 8" in shell.refused("trust", "remove", "abc")
    assert "no certificate" in shell.refused("trust", "remove", "f00df00d")
    for arguments in ((), ("f00df00d", "--all")):
        assert shell.try_("trust", "remove", *arguments).exit_code == 2
    result = shell.try_("trust", "remove", "--all", "--domain", "example.com")
    assert "Removed 1 certificate from" in result.stdout
    assert "its users trust what all domains trust" in result.stderr
    assert held(shell, "example.com").name == ""


def test_nothing_is_trusted_at_first(shell):
    assert "Nobody is trusted" in shell.try_("trust", "list").stderr


def test_the_systems_roots_are_told(shell):
    put("bundle.pem", bundle(ROOT, ISSUING, OTHER))
    with Path(CONFIG).open("a") as file:
        file.write('[smime]\nsystem_trust = true\nsystem_trust_file = "bundle.pem"\n')
    assert "2 roots of" in shell.try_("trust", "list").stderr
    put("bundle.pem", b"nothing")
    assert "cannot be read" in shell.try_("trust", "list").stderr


def test_names_of_strangers_do_not_act_on_the_terminal(shell):
    told = shell("trust", "import", put("evil.cer", authority("\x1b[2J evil", **VALID).der))
    assert "\x1b" not in told
    assert "\x1b" not in shell("trust", "list")
