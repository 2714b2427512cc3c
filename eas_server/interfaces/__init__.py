"""The ports: what the commands need of the world. Contract text stands here; implementations say only what differs.

All ports speak the types of `eas_server.model` only. Every method may raise the `Unavailable` of its port; that is not
repeated below. Each port has an in-memory implementation in `eas_server.backends.memory` and a contract suite in
`tests/contract/` that every implementation inherits.
"""

from eas_server.interfaces.audit import Audit
from eas_server.interfaces.documents import DocumentLibrary
from eas_server.interfaces.mail import Changes, FolderStore, MailStore, SearchesMail, Written
from eas_server.interfaces.people import Accounts, Authenticator, Directory, P, Preferences
from eas_server.interfaces.pki import HarvestedCertificates, RevocationSource, TrustStore
from eas_server.interfaces.state import KEPT_SUCCESSORS, DeviceChange, StateStore
from eas_server.interfaces.submission import (
    CLIENT_ID_WINDOW,
    KEPT_CLIENT_IDS,
    REPEAT_WINDOW,
    ClientSubmission,
    Delivery,
    Forwarding,
    MailSubmission,
    OutgoingQueue,
    Queued,
    Receipt,
    Submission,
    Submitted,
)
from eas_server.interfaces.time import ChangeNotifier, Clock, Subscription

__all__ = [
    "CLIENT_ID_WINDOW",
    "KEPT_CLIENT_IDS",
    "KEPT_SUCCESSORS",
    "REPEAT_WINDOW",
    "Accounts",
    "Audit",
    "Authenticator",
    "ChangeNotifier",
    "Changes",
    "ClientSubmission",
    "Clock",
    "Delivery",
    "DeviceChange",
    "Directory",
    "DocumentLibrary",
    "FolderStore",
    "Forwarding",
    "HarvestedCertificates",
    "MailStore",
    "MailSubmission",
    "OutgoingQueue",
    "P",
    "Preferences",
    "Queued",
    "Receipt",
    "RevocationSource",
    "SearchesMail",
    "StateStore",
    "Submission",
    "Submitted",
    "Subscription",
    "TrustStore",
    "Written",
]
