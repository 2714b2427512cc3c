"""Notifications that a meeting was forwarded are filed in Deleted Items: they are there for who looks for them."""

from dataclasses import replace

from eas_server.interfaces import Delivery, Receipt, Submission
from eas_server.model.mail import FolderType
from eas_server.render.meetings.compose import FORWARD_NOTIFICATION


class FilesNotifications:
    """The step; it concerns notifications of this server and of others of its kind."""

    async def before(self, submission: Submission) -> Submission:
        """With the notifications in their folder."""
        if not any(map(_is_filed, submission.deliveries)):
            return submission
        filed = (
            replace(each, folder=FolderType.DELETED_ITEMS) if _is_filed(each) else each
            for each in submission.deliveries
        )
        return replace(submission, deliveries=tuple(filed))

    async def after(self, submission: Submission, receipt: Receipt) -> None:
        """Nothing."""


def _is_filed(delivery: Delivery) -> bool:
    return delivery.folder is FolderType.INBOX and delivery.message.index.message_class == FORWARD_NOTIFICATION
