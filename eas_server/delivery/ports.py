"""What steps work with."""

from collections.abc import Callable
from dataclasses import dataclass

from eas_server.interfaces import Accounts, FolderStore, MailStore, MailSubmission, Preferences, SearchesMail
from eas_server.model.settings import Answered


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPorts:
    """The ports of a step. The time is that of the submission."""

    folders: FolderStore
    mail: MailStore
    search: SearchesMail
    accounts: Accounts
    preferences: Preferences
    submission: MailSubmission
    """For mail that a step sends: the whole pipeline."""
    host: str
    """What the server calls itself in mail."""
    domains: tuple[str, ...]
    """The local mail domains."""
    answered: Callable[[], Answered] = lambda: Answered.EVERYBODY
    """Who is answered while a user is out of office, as the configuration has it now."""
