"""The steps of this server, in their order."""

from collections.abc import Callable, Sequence

from eas_server.delivery.attendant import Attendant
from eas_server.delivery.conversation_rules import AlwaysMoved
from eas_server.delivery.delegates import DelegatesMail
from eas_server.delivery.harvest import HarvestPorts, HarvestsCertificates
from eas_server.delivery.notices import FilesNotifications
from eas_server.delivery.out_of_office import AutomaticReplies
from eas_server.delivery.pipeline import Pipeline, Step
from eas_server.delivery.ports import DeliveryPorts
from eas_server.delivery.recipient_cache import NotesRecipients
from eas_server.interfaces import Accounts, FolderStore, MailStore, MailSubmission, Preferences, SearchesMail
from eas_server.model.settings import Answered


def steps_of(ports: DeliveryPorts, harvest: HarvestPorts | None = None) -> Sequence[Step]:
    """All of them."""
    return (
        DelegatesMail(ports),
        FilesNotifications(),
        Attendant(ports),
        AlwaysMoved(ports),
        AutomaticReplies(ports),
        NotesRecipients(ports),
        HarvestsCertificates(harvest),
    )


def deliver_through(
    inner: MailSubmission,
    *,
    folders: FolderStore,
    mail: MailStore,
    search: SearchesMail,
    accounts: Accounts,
    preferences: Preferences,
    host: str,
    domains: tuple[str, ...],
    answered: Callable[[], Answered] = lambda: Answered.EVERYBODY,
    harvest: HarvestPorts | None = None,
) -> MailSubmission:
    """`inner` with all steps around it."""
    pipeline = Pipeline(inner)
    ports = DeliveryPorts(
        folders=folders,
        mail=mail,
        search=search,
        accounts=accounts,
        preferences=preferences,
        submission=pipeline,
        host=host,
        domains=domains,
        answered=answered,
    )
    pipeline.use(steps_of(ports, harvest))
    return pipeline
