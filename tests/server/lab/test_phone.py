"""What the demonstration tells of phones."""

from pathlib import Path

import pytest

from eas_server.lab.folder import Demo, Place
from eas_server.lab.keys import LabKeys
from eas_server.lab.phone import instructions


def demo(place: Place) -> Demo:
    """A demonstration with as much of keys as the text needs."""
    keys = LabKeys(lab=None, identities={}, pkcs12_password="p12-secret")
    return Demo(folder=Path("demo-data"), keys=keys, password="secret", place=place, new=True)


def test_on_loopback_it_says_how_a_phone_can_get_in():
    text = instructions(demo(Place(host="127.0.0.1", port=8080, tls=False)), None)
    assert "make demo HOST=0.0.0.0 PORT=8443 TLS=1 DATA=demo-data" in text
    assert "Password:      secret" in text
    assert "SSL/TLS:       off" in text


@pytest.mark.parametrize(("host", "server"), [("192.0.2.7", "192.0.2.7:8443"), ("2001:db8::7", "[2001:db8::7]:8443")])
def test_in_the_network_it_names_the_server_and_the_root(host, server):
    text = instructions(demo(Place(host=host, port=8443, tls=True)), f"http://{server}/lab/root.cer")
    assert f"Server:        {server}" in text
    assert "SSL/TLS:       on" in text
    assert f"http://{server}/lab/root.cer" in text
    assert "p12-secret" in text
    assert "make demo" not in text
