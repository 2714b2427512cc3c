"""SmartReply, [MS-ASCMD] 2.2.1.20: answer a message that the client need not have in full."""

from protocol.commands.compose_mail import MAX_CLIENT_ID, Mime, Source
from protocol.schema import el, element


@element("ComposeMail:SmartReply")
class Request:
    """A request of 14.0 and later; before, the body is the MIME itself (MS-ASCMD_R5530)."""

    client_id: str = el("ComposeMail:ClientId", max_length=MAX_CLIENT_ID)
    source: Source = el("ComposeMail:Source")
    account_id: str | None = el("ComposeMail:AccountId", default=None)
    save_in_sent_items: str | None = el("ComposeMail:SaveInSentItems", default=None)
    """PRESENT or None."""
    replace_mime: str | None = el("ComposeMail:ReplaceMime", default=None)
    """PRESENT: the MIME is the whole message, nothing of the original is added (MS-ASCMD_R3775)."""
    template_id: str | None = el("RightsManagement:TemplateID", default=None)
    mime: Mime = el("ComposeMail:Mime")


@element("ComposeMail:SmartReply")
class Response:
    """Only for failures (MS-ASCMD_R5776, R5777); `status` is one of the common values, [MS-ASCMD] 2.2.2."""

    status: int | None = el("ComposeMail:Status", default=None)
