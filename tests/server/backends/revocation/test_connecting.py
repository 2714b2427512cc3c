"""The address that is connected to."""

import socket
from collections.abc import Callable
from ipaddress import ip_address

import pytest

from eas_server.backends.revocation.lookup import Pinned, SystemLookup
from eas_server.backends.revocation.source import FetchingSource
from eas_server.errors import EvidenceUnavailable
from tests.server.backends.revocation import hostile
from tests.server.backends.revocation.conftest import Names, refused, wanted
from tests.server.backends.revocation.hostile import Server

Open = Callable[..., FetchingSource]


class TestAddresses:
    async def test_an_address_inside(self, opened: Open, server: Server) -> None:
        source = opened(allow_networks=())
        await refused(source, server.url("/x.crl"), "127.0.0.1: not public")
        assert server.asked == []

    async def test_a_name_for_an_address_inside(self, opened: Open, server: Server, names: Names) -> None:
        names.addresses["evil.example"] = [["127.0.0.1", "::1"]]
        source = opened(allow_networks=())
        await refused(source, server.url("/x.crl", "evil.example"), "evil.example is at 127.0.0.1: not public")
        # it is remembered: a name that changes its mind is not looked up with each question
        await refused(source, server.url("/x.crl", "evil.example"), "not asked again until")
        assert names.asked == ["evil.example"]
        assert server.asked == []

    async def test_a_name_of_the_system_for_the_loopback(self, opened: Open, server: Server) -> None:
        await refused(opened(allow_networks=(), lookup=None), server.url("/x.crl", "localhost"), "not public")
        server.answers["/x.crl"] = hostile.body(b"evidence")
        source = opened(allow_hosts=("localhost",), lookup=None)
        assert await source.fetch(wanted(server.url("/x.crl", "localhost"))) == b"evidence"

    async def test_a_name_that_changes_between_the_check_and_the_connection(
        self, opened: Open, server: Server, names: Names
    ) -> None:
        # the address that was checked is the one that is connected to: there is no second look to deceive
        names.addresses["rebind.example"] = [["127.0.0.1"], ["127.66.6.6"]]
        server.answers["/x.crl"] = hostile.body(b"evidence")
        source = opened(allow_networks=("127.0.0.1/32",))
        assert await source.fetch(wanted(server.url("/x.crl", "rebind.example"))) == b"evidence"
        assert names.asked == ["rebind.example"]

    async def test_a_name_that_changes_between_redirects(self, opened: Open, server: Server, names: Names) -> None:
        names.addresses["rebind.example"] = [["127.0.0.1"], ["127.66.6.6"]]
        server.answers["/a"] = hostile.redirect(server.url("/b", "rebind.example"))
        source = opened(allow_networks=("127.0.0.1/32",))
        await refused(source, server.url("/a", "rebind.example"), "rebind.example is at 127.66.6.6: not public")
        assert len(server.asked) == 1

    async def test_another_address_where_the_first_does_not_answer(
        self, source: FetchingSource, server: Server, names: Names
    ) -> None:
        names.addresses["two.example"] = [["127.0.0.2", "127.0.0.1"]]
        server.answers["/x.crl"] = hostile.body(b"evidence")
        assert await source.fetch(wanted(server.url("/x.crl", "two.example"))) == b"evidence"

    async def test_only_the_addresses_that_may_be_are_tried(self, opened: Open, server: Server, names: Names) -> None:
        names.addresses["two.example"] = [["127.0.0.1", "127.0.0.2"]]
        source = opened(allow_networks=("127.0.0.2",))
        with pytest.raises(EvidenceUnavailable, match="no connection"):
            await source.fetch(wanted(server.url("/x.crl", "two.example")))
        assert server.asked == []

    async def test_a_library_that_would_connect_elsewhere_is_stopped(self) -> None:
        pinned = Pinned([ip_address("93.184.215.14")])
        family, kind = socket.AF_INET, socket.SOCK_STREAM
        with pytest.raises(PermissionError):
            pinned.socket((family, kind, 6, "", ("127.0.0.1", 80)))
        pinned.socket((family, kind, 6, "", ("93.184.215.14", 80))).close()
        assert [each["host"] for each in await pinned.resolve("anything", 80)] == ["93.184.215.14"]

    @pytest.mark.parametrize(
        ("where", "reason"),
        [
            ("http://169.254.169.254/latest/meta-data/", "secrets of their machines"),
            ("http://10.0.0.1/", "not public"),
            ("http://[::1]/", "not public"),
            ("http://0x7f.1/", "usual form"),
            ("//10.0.0.1/", "not public"),
            ("file:///etc/passwd", "not file"),
            ("ldap://dc.example.com/", "not ldap"),
            ("https://user@example.com/", "user name"),
            ("http://example.com:25/", "port 25"),
            ("http://example.com/\\evil", "do not belong"),
        ],
    )
    async def test_redirects_are_checked_like_the_first(
        self, source: FetchingSource, server: Server, where: str, reason: str
    ) -> None:
        server.answers["/x.crl"] = hostile.redirect(where)
        await refused(source, server.url("/x.crl"), reason)

    async def test_the_system_looks_up_names(self) -> None:
        lookup = SystemLookup()
        assert ip_address("127.0.0.1") in await lookup("localhost", 80)
        for name in ("a" * 64 + ".example", "."):
            with pytest.raises(OSError):  # noqa: PT011 — the system's own words
                await lookup(name, 80)
        lookup.close()
