"""Mail of conversations that are always moved, [MS-ASCON] 2.2.2.8: it is delivered where the conversation is."""

from dataclasses import replace

from eas_server.delivery.ports import DeliveryPorts
from eas_server.interfaces import Delivery, Receipt, Submission
from eas_server.model.mail import FolderType
from eas_server.model.preferences import ConversationRules


class AlwaysMoved:
    """The step. To a user without such conversations it costs one look at a small record."""

    def __init__(self, ports: DeliveryPorts) -> None:
        self._ports = ports

    async def before(self, submission: Submission) -> Submission:
        """What would go into an inbox goes into the folder of its conversation; copies of sent mail stay."""
        deliveries = tuple([await self._routed(delivery) for delivery in submission.deliveries])
        return submission if deliveries == submission.deliveries else replace(submission, deliveries=deliveries)

    async def after(self, submission: Submission, receipt: Receipt) -> None:
        """Nothing."""

    async def _routed(self, delivery: Delivery) -> Delivery:
        conversation_id = delivery.message.index.conversation_id
        if delivery.folder is not FolderType.INBOX or delivery.collection is not None or not conversation_id:
            return delivery
        rules = await self._ports.preferences.preference(delivery.user, ConversationRules)
        folder = rules.folder_of(conversation_id)
        return delivery if folder is None else replace(delivery, collection=folder)
