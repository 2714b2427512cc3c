"""What a handler is told of the connection and of the client's language."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from eas_server.web.listeners import tls_context
from eas_server.web.settings import WebSettings
from tests.server.web.support import PING, site
from tests.server.web.test_listeners import make_certificate

PROXY = WebSettings(trusted_proxies=(ip_network("127.0.0.1"),))


@pytest.mark.requirement("MS-ASRM_R340")
async def test_tls_is_secure(tmp_path: Path) -> None:
    async with site(context=tls_context(make_certificate(tmp_path, "x"))) as there:
        await there.ask("POST", PING)
        assert [context.secure for context in there.seen.contexts] == [True]


async def test_plain_http_is_not() -> None:
    async with site() as there:
        await there.ask("POST", PING)
        await there.ask("POST", PING, X_Forwarded_Proto="https")
        assert [context.secure for context in there.seen.contexts] == [False, False]


async def test_a_declared_proxy_says_how_the_client_came() -> None:
    async with site(web=PROXY) as there:
        for scheme in ("https", "http", "HTTPS", "http, https", "https, http", "wss", ""):
            await there.ask("POST", PING, X_Forwarded_Proto=scheme)
        assert [context.secure for context in there.seen.contexts] == [True, False, True, True, False, False, False]


async def test_the_language_is_passed_on() -> None:
    async with site() as there:
        await there.ask("POST", PING, Accept_Language="en;q=0.2, de-AT")
        await there.ask("POST", PING)
        assert [context.languages for context in there.seen.contexts] == [("de-at", "en"), ()]
