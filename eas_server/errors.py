"""The failures that handlers and adapters raise; outcomes of single items are values, not these."""

from enum import IntEnum


class CommandError(Exception):
    """The whole command (or collection) fails with a Status of its own enumeration.

    `retry` tells whether the same request may succeed later.
    """

    def __init__(self, status: IntEnum | int, reason: str = "", *, retry: bool = False) -> None:
        super().__init__(f"{status!r} {reason}".strip())
        self.status = status
        self.reason = reason
        self.retry = retry


class Unavailable(Exception):
    """Something that the server depends on cannot be reached now; asking again later may work."""


class StoreUnavailable(Unavailable):
    """The mail store or the state store cannot be reached (common Status 111, HTTP 503 before 14.0)."""


class DirectoryUnavailable(Unavailable):
    """The directory cannot be reached or did not answer in time."""


class LibraryUnavailable(Unavailable):
    """A share cannot be reached now, or does not answer in time."""


class EvidenceUnavailable(Unavailable):
    """A CRL, an OCSP answer or an issuer's certificate could not be had.

    `refused`: it may not even be asked for. `unreadable`: there was an answer, and it is no evidence.
    """

    def __init__(self, reason: str, *, refused: bool = False, unreadable: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused
        self.unreadable = unreadable


class StoreFull(Exception):
    """The disk is full or the user's quota is used up; nothing was stored (Status 113, HTTP 507 before 14.0)."""


class StaleSyncKey(Exception):
    """The presented SyncKey is not one that the server still holds state for."""


class StaleToken(Exception):
    """The store no longer knows what changed since a Token: the client has to start anew."""


class NoSuchFolder(Exception):
    """The folder does not exist (any more) for this user."""


class NoSuchItem(Exception):
    """The item does not exist (any more) in this collection."""


class FolderExists(Exception):
    """A folder of that name is there already below the same parent."""


class DocumentDenied(Exception):
    """This reader may not see the document, or the server itself may not."""


class NoSuchDocument(Exception):
    """No share of that name is here, or nothing of that name is in it."""


class ConfigError(Exception):
    """The configuration is wrong; the message names the file and the key and says what would be right."""


class AdministrationError(Exception):
    """What the administrator asked for cannot be done; the message says why, and what to do."""


class NoSuchThing(AdministrationError):
    """The user, group, device … that was named is not there."""


class ThereAlready(AdministrationError):
    """What was to be made is there already, or an address is somebody else's."""


class Unfit(AdministrationError):
    """A value cannot be taken. `field` names it, as the administrator knows it; the message begins with it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason
