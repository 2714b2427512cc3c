"""SmartForward, [MS-ASCMD] 2.2.1.19. Messages are forwarded; calendar items (16.x, by Forwardees) are not yet."""

from eas_server.commands.answering import answer
from eas_server.commands.compose import Order, check_client_id, raw_order
from eas_server.commands.context import Command, Context
from eas_server.errors import CommandError
from protocol import wbxml
from protocol.commands.compose_mail import mime_octets
from protocol.commands.smart_forward import Request, Response
from protocol.elements import Buffer
from protocol.errors import MalformedXml
from protocol.http import CommandLine, CommandName
from protocol.schema import load
from protocol.status import CommonStatus
from protocol.versions import V14_0, V16_0, ProtocolVersion


def _read(body: Buffer, line: CommandLine, version: ProtocolVersion) -> Order:
    if version < V14_0:
        return raw_order(body, line)
    request = load(Request, wbxml.decode(body))
    if version >= V16_0 and (request.forwardees is not None or request.body is not None):
        _refuse_calendar_item(request)
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


def _refuse_calendar_item(request: Request) -> None:
    beside = (request.mime, request.save_in_sent_items, request.replace_mime, request.template_id)
    if any(element is not None for element in beside):
        raise CommandError(CommonStatus.INVALID_MIME_BODY_COMBINATION)  # MS-ASCMD_R7176, R7467, R7468
    # Only calendar items are forwarded so (R7177), and there are none yet: no item of that kind can be found.
    raise CommandError(CommonStatus.ITEM_NOT_FOUND)


async def _handle(order: Order, ctx: Context) -> None:
    await answer(order, ctx, forward=True)  # an empty answer says that all went well (MS-ASCMD_R568)


COMMAND = Command(
    name=CommandName.SMART_FORWARD,
    read=_read,
    handle=_handle,
    refuse=lambda malformed, version: None,
    fail=lambda status, version: Response(status=status),
)
