"""SmartForward, [MS-ASCMD] 2.2.1.19: of messages, and of calendar items (from 16.0 on by Forwardees too)."""

from eas_server.commands.answering import answer
from eas_server.commands.compose import Order, check_client_id, raw_order
from eas_server.commands.context import Command, Context
from eas_server.commands.meeting_forwards import InvitationForward, forward_invitation
from eas_server.errors import CommandError
from eas_server.render.item_body import NO_TEXT, sent_text
from eas_server.render.meetings.letter import Person
from eas_server.render.pim import InvalidItem
from protocol import wbxml
from protocol.commands.compose_mail import mime_octets
from protocol.commands.smart_forward import Request, Response
from protocol.elements import Buffer
from protocol.errors import MalformedXml
from protocol.http import CommandLine, CommandName
from protocol.items.airsyncbase import Body
from protocol.schema import load
from protocol.status import CommonStatus
from protocol.versions import V14_0, V16_0, ProtocolVersion


def _read(body: Buffer, line: CommandLine, version: ProtocolVersion) -> Order | InvitationForward:
    if version < V14_0:
        return raw_order(body, line)
    request = _request(body, version)
    if version >= V16_0 and (request.forwardees is not None or request.body is not None):
        return _invitation(request)
    if request.mime is None:
        raise MalformedXml("/SmartForward/Mime", "is missing")
    return Order(
        command=CommandName.SMART_FORWARD,
        client_id=check_client_id(request.client_id, CommandName.SMART_FORWARD),
        mime=mime_octets(request.mime),
        save=request.save_in_sent_items is not None,  # MS-ASCMD_R3870, R3871
        account_id=request.account_id,
        template_id=request.template_id,
        source=request.source,
        whole=request.replace_mime is not None,  # MS-ASCMD_R3775
    )


def _request(body: Buffer, version: ProtocolVersion) -> Request:
    tree = wbxml.decode(body)
    try:
        return load(Request, tree)
    except MalformedXml as error:
        if version >= V16_0 and any(word in error.path for word in ("/Forwardee", "/Body")):
            raise CommandError(CommonStatus.INVALID_SMART_FORWARD_PARAMETERS, str(error)) from None  # MS-ASCMD_R7470
        raise


def _invitation(request: Request) -> InvitationForward:
    """An invitation that the server writes. Raises CommandError: 178, 179."""
    beside = (request.mime, request.save_in_sent_items, request.replace_mime, request.template_id)
    if any(element is not None for element in beside):
        raise CommandError(CommonStatus.INVALID_MIME_BODY_COMBINATION)  # MS-ASCMD_R7176, R7467, R7468
    try:
        text = None if request.body is None else sent_text(load(Body, request.body))
    except (MalformedXml, InvalidItem) as error:
        raise CommandError(CommonStatus.INVALID_SMART_FORWARD_PARAMETERS, str(error)) from None  # MS-ASCMD_R7470
    named = () if request.forwardees is None else request.forwardees.forwardees
    if request.forwardees is not None and (not named or not all(_is_one(each.email) for each in named)):
        raise CommandError(CommonStatus.INVALID_SMART_FORWARD_PARAMETERS)  # MS-ASCMD_R6625, R7470
    return InvitationForward(
        client_id=check_client_id(request.client_id, CommandName.SMART_FORWARD),
        source=request.source,
        forwardees=tuple(Person(address=each.email.strip(), name=each.name or "") for each in named),
        text=text or NO_TEXT,
        account_id=request.account_id,
    )


def _is_one(address: str) -> bool:
    """Whether an address, or the name of a local user, can mean one recipient."""
    shown = address.strip()
    return bool(shown) and shown.isprintable() and not any(sign in shown for sign in ",;<>")


async def _handle(order: Order | InvitationForward, ctx: Context) -> None:
    """An empty answer says that all went well (MS-ASCMD_R568)."""
    if isinstance(order, InvitationForward):
        await forward_invitation(order, ctx)
    else:
        await answer(order, ctx, forward=True)


COMMAND = Command(
    name=CommandName.SMART_FORWARD,
    read=_read,
    handle=_handle,
    refuse=lambda malformed, version: None,
    fail=lambda status, version: Response(status=status),
)
