"""The demonstration: what the first screen of the README promises."""

import json
import ssl
import urllib.request

import pytest
from click.testing import CliRunner
from cryptography import x509

from eas_server.cli.demo import COMMAND
from eas_server.lab.walkthrough import STEPS
from tests.scenarios.demo import PASSWORD, RunningDemo, free_port, run_once


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder in which the demonstration ran once, with its output."""
    data = tmp_path_factory.mktemp("demo") / "data"
    done = run_once(data)
    assert done.returncode == 0, done.stdout + done.stderr
    return data, done.stdout


def test_every_step_is_told_with_its_result(made):
    _, output = made
    for number, (title, _) in enumerate(STEPS, 1):
        assert f"{number:2}/{len(STEPS)}  {title}" in output
    assert "All of it held." in output
    assert "the expired one was left out" in output
    assert "carol: no certificate (Status 7)" in output
    assert "revoked-issuer: 15 CHAIN_REVOKED" in output


def test_starting_again_keeps_everything(made):
    data, _ = made
    keys = {path.name: path.read_bytes() for path in (data / "keys").glob("*[!2]")}
    again = run_once(data)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "Everything is there already" in again.stdout
    assert "Bob has synced 11 messages" in again.stdout  # the one that the first walk-through sent is there too
    # the port is another one, so the certificates are, in the .p12 files too; but not their keys
    assert {path.name: path.read_bytes() for path in (data / "keys").glob("*[!2]")} == keys


def test_served_with_tls_its_root_can_be_downloaded(made):
    data, _ = made
    demo = RunningDemo(data, "--tls")
    try:
        context = ssl.create_default_context(cafile=str(demo.root))
        url = (
            f"https://127.0.0.1:{demo.port}/autodiscover/autodiscover.json?Email=alice@example.com&Protocol=ActiveSync"
        )
        with urllib.request.urlopen(url, context=context, timeout=10) as answer:
            assert json.load(answer)["Protocol"] == "ActiveSync"
        place = demo.output.partition("open http://")[2].partition(" ")[0]
        with urllib.request.urlopen(f"http://{place}", timeout=10) as answer:
            assert answer.headers["Content-Type"] == "application/x-x509-ca-cert"
            root = answer.read()
        assert x509.load_der_x509_certificate(root) == x509.load_pem_x509_certificate(demo.root.read_bytes())
        with urllib.request.urlopen(f"http://{place.rpartition('/')[0]}/pki/crl/rsa.crl", timeout=10) as answer:
            assert answer.headers["Content-Type"] == "application/pkix-crl"
        assert "All of it held." in demo.output
        assert f"Password:      {PASSWORD}" in demo.output
        assert "make demo HOST=0.0.0.0" in demo.output
    finally:
        status = demo.stop()
    assert status == 0
    assert "Traceback" not in demo.output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--host", "0.0.0.0"], "TLS=1"),
        (["--host", "no such host"], "neither an address nor a name"),
        (["--port", "0"], "--port"),
    ],
)
def test_what_cannot_be_served_is_said_before_anything_is_made(tmp_path, options, told):
    done = CliRunner().invoke(COMMAND, ["--data", str(tmp_path / "data"), "--once", *options])
    assert done.exit_code in (1, 2)
    assert told in done.output
    assert not (tmp_path / "data").exists()


def test_a_walk_through_that_fails_has_a_reason_and_an_exit_status(made, monkeypatch):
    data, _ = made

    async def fails(_):
        raise TimeoutError

    monkeypatch.setattr("eas_server.lab.walkthrough.STEPS", (("the first step", fails), STEPS[0]))
    done = CliRunner().invoke(COMMAND, ["--data", str(data), "--once", "--port", str(free_port())])
    assert done.exit_code == 1
    assert "FAILED at  1/2  the first step: TimeoutError" in done.output
    assert "All of it held" not in done.output
