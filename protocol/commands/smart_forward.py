"""SmartForward, [MS-ASCMD] 2.2.1.19: forward a message that the client need not have in full."""

from protocol.commands.compose_mail import MAX_CLIENT_ID, Mime, Source
from protocol.elements import Element
from protocol.schema import el, element
from protocol.versions import V16_0


@element("ComposeMail:Forwardee")
class Forwardee:
    """Whom a calendar item is forwarded to, [MS-ASCMD] 2.2.3.78."""

    name: str | None = el("ComposeMail:Name", default=None)
    email: str = el("ComposeMail:Email")


@element("ComposeMail:Forwardees")
class Forwardees:
    """[MS-ASCMD] 2.2.3.79."""

    forwardees: tuple[Forwardee, ...] = el("ComposeMail:Forwardee", default=())


@element("ComposeMail:SmartForward")
class Request:
    """A request of 14.0 and later; before, the body is the MIME itself.

    Either `mime`, or from 16.0 on, for calendar items, `forwardees` and `body` (MS-ASCMD_R7176, R7177).
    """

    client_id: str = el("ComposeMail:ClientId", max_length=MAX_CLIENT_ID)
    source: Source = el("ComposeMail:Source")
    account_id: str | None = el("ComposeMail:AccountId", default=None)
    save_in_sent_items: str | None = el("ComposeMail:SaveInSentItems", default=None)
    """PRESENT or None."""
    replace_mime: str | None = el("ComposeMail:ReplaceMime", default=None)
    """PRESENT: the MIME is the whole message, nothing of the original is added (MS-ASCMD_R3775)."""
    template_id: str | None = el("RightsManagement:TemplateID", default=None)
    mime: Mime | None = el("ComposeMail:Mime", default=None)
    body: Element | None = el("AirSyncBase:Body", default=None, since=V16_0)
    """A new text for the forwarded invitation; read by who forwards calendar items."""
    forwardees: Forwardees | None = el("ComposeMail:Forwardees", default=None, since=V16_0)


@element("ComposeMail:SmartForward")
class Response:
    """Only for failures (MS-ASCMD_R4407, R4408); `status` is one of the common values, [MS-ASCMD] 2.2.2."""

    status: int | None = el("ComposeMail:Status", default=None)
