"""SendMail, [MS-ASCMD] 2.2.1.17: send a message as it is."""

from protocol.commands.compose_mail import MAX_CLIENT_ID, Mime
from protocol.schema import el, element


@element("ComposeMail:SendMail")
class Request:
    """A request of 14.0 and later; before, the body is the MIME itself (MS-ASCMD_R7540)."""

    client_id: str = el("ComposeMail:ClientId", max_length=MAX_CLIENT_ID)
    account_id: str | None = el("ComposeMail:AccountId", default=None)
    save_in_sent_items: str | None = el("ComposeMail:SaveInSentItems", default=None)
    """PRESENT or None."""
    template_id: str | None = el("RightsManagement:TemplateID", default=None)
    mime: Mime = el("ComposeMail:Mime")


@element("ComposeMail:SendMail")
class Response:
    """Only for failures (MS-ASCMD_R4379, R4380); `status` is one of the common values, [MS-ASCMD] 2.2.2."""

    status: int | None = el("ComposeMail:Status", default=None)
