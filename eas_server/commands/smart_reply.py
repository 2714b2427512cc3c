"""SmartReply, [MS-ASCMD] 2.2.1.20."""

from eas_server.commands.answering import answer
from eas_server.commands.compose import Order, check_client_id, raw_order
from eas_server.commands.context import Command, Context
from protocol import wbxml
from protocol.commands.compose_mail import mime_octets
from protocol.commands.smart_reply import Request, Response
from protocol.elements import Buffer
from protocol.http import CommandLine, CommandName
from protocol.schema import load
from protocol.versions import V14_0, ProtocolVersion


def _read(body: Buffer, line: CommandLine, version: ProtocolVersion) -> Order:
    if version < V14_0:
        return raw_order(body, line)
    request = load(Request, wbxml.decode(body))
    return Order(
        command=CommandName.SMART_REPLY,
        client_id=check_client_id(request.client_id, CommandName.SMART_REPLY),
        mime=mime_octets(request.mime),
        save=request.save_in_sent_items is not None,  # MS-ASCMD_R3870, R3871
        account_id=request.account_id,
        template_id=request.template_id,
        source=request.source,
        whole=request.replace_mime is not None,  # MS-ASCMD_R3775
    )


async def _handle(order: Order, ctx: Context) -> None:
    await answer(order, ctx, forward=False)  # an empty answer says that all went well (MS-ASCMD_R605)


COMMAND = Command(
    name=CommandName.SMART_REPLY,
    read=_read,
    handle=_handle,
    refuse=lambda malformed, version: None,
    fail=lambda status, version: Response(status=status),
)
