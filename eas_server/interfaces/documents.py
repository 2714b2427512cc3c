"""Documents on shares."""

from typing import Protocol

from eas_server.model.directory import Account
from eas_server.model.documents import Listing, OpenDocument, UncName


class DocumentLibrary(Protocol):
    """Shares of documents, for reading only.

    Host and share, and the names below them, are found whatever their case (`folded`); a name that is there as it was
    asked for comes first, and one that several others match is not there. What is told of a document names it as it is
    spelled in the share, and the host as it was asked for. Nothing outside of the share is ever reached, whatever its
    contents are; what leads out of it is denied, and not listed. Neither are things that are neither file nor folder,
    and names that `is_name` does not hold for: they do not exist. Whether a reader is admitted is asked before anything
    of the share is looked at.
    All methods raise NoSuchDocument, DocumentDenied, and LibraryUnavailable.
    """

    async def listing(self, reader: Account, name: UncName, first: int, count: int) -> Listing:
        """What `name` stands for, as number 0, and where that is a folder, its contents: folders before files, by name.

        Of these the `count` from number `first` on; what vanishes meanwhile is left out. Of a folder that is too large
        to be listed whole there is a part, and the total counts no more.
        """
        ...

    async def open(self, reader: Account, name: UncName) -> OpenDocument:
        """A file with its octets, which stay as they are: its Blob raises StoreUnavailable when they are changed, and a
        file that is removed can be read to its end. A folder has no octets: NoSuchDocument.
        """
        ...
