"""`cert list` and `cert doctor` tell what phones get by the rules of the configuration, and of signed mail."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from eas_server.model.certificates import Harvested
from eas_server.model.ids import UserId
from eas_server.pki.lab import to_pem
from tests.server.cli.test_cert_life import BOB, ISSUING, NOW, ROOT, VALID, put
from tests.server.pki.making import authority, person, rsa_key


def configure(shell: Any, text: str) -> None:
    config = shell.folder / "eas-server.toml"
    config.write_text(config.read_text() + text)


def listed(shell: Any) -> list[tuple[int | None, str]]:
    return [(each["rank"], each["verdict"]) for each in json.loads(shell("cert", "list", BOB, "--json"))]


def test_weak_keys_by_the_configuration(shell: Any) -> None:
    weak = person(ISSUING, subject_key=rsa_key(1024), signing_key=ISSUING.key, uses=("key_encipherment",), **VALID)
    told = shell.try_("cert", "publish", BOB, put("weak.pem", to_pem(weak.der)))
    assert "key is too weak" in told.output
    assert listed(shell) == [(None, "not served: key is too weak")]
    configure(shell, "[recipients]\nmin_rsa_bits = 1024\n")
    assert listed(shell) == [(1, "served first")]


def test_sources_by_the_configuration(shell: Any) -> None:
    shell("cert", "publish", BOB, put("bob.pem", to_pem(person(ISSUING, **VALID).der)))
    configure(shell, '[recipients]\nsources = ["contacts"]\n')
    assert listed(shell) == []
    assert "Phones get no certificate" in shell.try_("cert", "doctor", BOB).stdout


def test_a_root_that_is_required(shell: Any) -> None:
    stranger = person(authority("Elsewhere", **VALID), **VALID)
    shell("cert", "publish", BOB, put("bob.pem", to_pem(stranger.der)))
    configure(shell, "[recipients]\nrequire_trusted = true\n")
    put("root.pem", to_pem(ROOT.der))
    shell("trust", "import", "root.pem")
    result = shell.try_("cert", "doctor", BOB)
    assert result.exit_code == 1
    assert "not served: does not lead to a trusted root" in result.stdout


def test_what_signed_mail_told(shell: Any) -> None:
    put("root.pem", to_pem(ROOT.der))
    shell("trust", "import", "root.pem")
    found, rival = person(ISSUING, **VALID), person(authority("Elsewhere", **VALID), **VALID)
    seen = Harvested(
        user=UserId("alice@example.com"),
        address=BOB,
        certificate=found.der,
        chain=(ISSUING.der,),
        first_seen=NOW,
        last_seen=datetime.now(UTC) + timedelta(days=1),
    )

    async def keep(store: Any) -> None:
        await store.harvested.keep(seen)
        await store.harvested.keep(replace(seen, certificate=rival.der, chain=(), disputed=True))

    shell.in_store(keep)
    assert "no certificate" in shell.try_("cert", "doctor", BOB).stdout, "it is off"
    configure(shell, '[harvest]\nscope = "user"\n')
    told = shell("cert", "doctor", BOB)
    assert "in harvested" in told
    assert "in dispute" in told
    assert "in signed mail to alice@example.com" in told
    as_json = json.loads(shell("cert", "doctor", BOB, "--json"))
    assert (as_json["served"], as_json["disputed"]) == (
        seen.fingerprint,
        [replace(seen, certificate=rival.der).fingerprint],
    )


def test_disputes_and_forgetting(shell: Any) -> None:
    found, rival = person(ISSUING, **VALID), person(authority("Elsewhere", **VALID), **VALID)
    seen = Harvested(
        user=UserId("alice@example.com"), address=BOB, certificate=found.der, first_seen=NOW, last_seen=NOW
    )
    other = replace(seen, certificate=rival.der, disputed=True)
    assert json.loads(shell("cert", "disputes", "--json")) == []

    async def keep(store: Any) -> None:
        await store.harvested.keep(seen)
        await store.harvested.keep(other)

    shell.in_store(keep)
    told = shell("cert", "disputes")
    assert all(text in told for text in (BOB, "CN=Elsewhere", "alice@example.com", seen.fingerprint[:16]))
    (dispute,) = json.loads(shell("cert", "disputes", "--json"))
    assert (dispute["sha256"], dispute["against"]) == (other.fingerprint, [seen.fingerprint])
    shell.refused("cert", "disputes", "--forget", "12", status=2)
    assert "no certificate in dispute" in shell.refused("cert", "disputes", "--forget", "0" * 64)
    shell("cert", "disputes", "--forget", seen.fingerprint[:20])
    (dispute,) = json.loads(shell("cert", "disputes", "--json"))
    assert dispute["against"] == []
    shell("cert", "disputes", "--forget", other.fingerprint)
    assert json.loads(shell("cert", "disputes", "--json")) == []
