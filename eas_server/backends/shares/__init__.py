"""Shares of documents: folders of this machine, for reading only."""

from eas_server.backends.shares.library import SharesLibrary
from eas_server.backends.shares.settings import ShareSettings

__all__ = ["ShareSettings", "SharesLibrary"]
