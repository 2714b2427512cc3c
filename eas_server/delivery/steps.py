"""The steps of this server, in their order."""

from collections.abc import Sequence
from dataclasses import dataclass

from eas_server.delivery.pipeline import Pipeline, Step
from eas_server.interfaces import Accounts, FolderStore, MailStore, MailSubmission, Preferences


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPorts:
    """What steps work with. The time is that of the submission."""

    folders: FolderStore
    mail: MailStore
    accounts: Accounts
    preferences: Preferences
    submission: MailSubmission
    """For mail that a step sends: the whole pipeline."""
    host: str
    """What the server calls itself in mail."""
    domains: tuple[str, ...]
    """The local mail domains."""


def steps_of(ports: DeliveryPorts) -> Sequence[Step]:
    """All of them."""
    del ports
    return ()


def deliver_through(
    inner: MailSubmission,
    *,
    folders: FolderStore,
    mail: MailStore,
    accounts: Accounts,
    preferences: Preferences,
    host: str,
    domains: tuple[str, ...],
) -> MailSubmission:
    """`inner` with all steps around it."""
    pipeline = Pipeline(inner)
    ports = DeliveryPorts(
        folders=folders,
        mail=mail,
        accounts=accounts,
        preferences=preferences,
        submission=pipeline,
        host=host,
        domains=domains,
    )
    pipeline.use(steps_of(ports))
    return pipeline
