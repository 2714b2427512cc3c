"""As whom the document library is asked, and how its failures read ([MS-ASCMD] 2.2.3.193, UserName and Password).

Whoever gives a UserName asks with the rights of that account.
"""

import logging
import re
from typing import Final

from eas_server.commands.context import Context
from eas_server.errors import Unavailable
from eas_server.model.directory import Account
from eas_server.model.documents import UncName, parse_unc

log = logging.getLogger(__name__)

_WEB: Final = re.compile(r"https?:", re.IGNORECASE)


class CredentialsRequired(Exception):
    """The UserName and the Password are none that open an account (Status 14 of Search, 18 of ItemOperations)."""


class WebLink(Exception):
    """The link is one of a web server: this one has none behind it."""


class BadLink(Exception):
    """The link is no UNC name."""


async def reader_of(ctx: Context, user_name: str | None, password: str | None) -> Account:
    """The account that asks. Raises CredentialsRequired, and the Unavailable of the authenticator."""
    if not user_name:
        return ctx.account
    asker, guesses, authenticator = ctx.account.user, ctx.ports.guesses, ctx.ports.authenticator
    if not password or authenticator is None or not guesses.may_try(asker, ctx.now):
        raise CredentialsRequired
    guesses.begin(asker, ctx.now)
    try:
        account = await authenticator.authenticate(user_name, password)
    except Unavailable:
        guesses.take_back(asker)
        raise
    if account is None or not account.eas_enabled:
        log.info("request %s: %s gave a wrong password for another account", ctx.request_id, asker)
        raise CredentialsRequired
    guesses.take_back(asker)
    return account


def read_link(text: str) -> UncName:
    """The UNC name that a link holds. Raises BadLink, WebLink."""
    if _WEB.match(text):
        raise WebLink
    name = parse_unc(text)
    if name is None:
        raise BadLink
    return name
