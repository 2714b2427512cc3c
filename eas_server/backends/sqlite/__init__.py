"""The embedded store: all ports on one SQLite file."""

from eas_server.backends.sqlite.admin import SMIME_CERTIFICATE, USER_CERTIFICATE, Administration
from eas_server.backends.sqlite.backup import backup, restore
from eas_server.backends.sqlite.migrate import IncompatibleStore
from eas_server.backends.sqlite.passwords import HashCost
from eas_server.backends.sqlite.store import Store, SystemClock, open_store
from eas_server.errors import AdministrationError

__all__ = [
    "SMIME_CERTIFICATE",
    "USER_CERTIFICATE",
    "Administration",
    "AdministrationError",
    "HashCost",
    "IncompatibleStore",
    "Store",
    "SystemClock",
    "backup",
    "open_store",
    "restore",
]
