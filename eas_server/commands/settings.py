"""Settings, [MS-ASCMD] 2.2.1.18: what a device tells of itself, and what it is told of its user."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from eas_server.commands import out_of_office
from eas_server.commands.context import Command, Context
from eas_server.commands.device_information import taken
from eas_server.commands.policy import policy_of
from eas_server.commands.reading import wbxml_reader
from eas_server.commands.rights import is_usable
from eas_server.model.device import Device
from eas_server.model.directory import Account
from eas_server.render.rights import templates
from protocol.commands import settings as wire
from protocol.commands.settings import (
    Answer,
    DeviceInformation,
    DeviceInformationAnswer,
    DevicePassword,
    DevicePasswordAnswer,
    EmailAddresses,
    Oof,
    Property,
    Request,
    Response,
    RightsManagementAnswer,
    RightsManagementDetails,
    Status,
    UserDetails,
    UserInformation,
    UserInformationAnswer,
)
from protocol.errors import MalformedRequest
from protocol.http import CommandName
from protocol.items.rights import Templates
from protocol.status import CommonStatus
from protocol.versions import V14_0, V14_1, ProtocolVersion

MAX_NAME: Final = 512
"""Characters of a UserDisplayName (MS-ASCMD_R4702)."""


async def handle(request: Request, ctx: Context) -> Response:
    """Carry the properties out in their order, and answer in it (MS-ASCMD_R478, R480)."""
    kinds = [type(each) for each in request.properties]
    if len(set(kinds)) < len(kinds):
        return Response(status=Status.PROTOCOL_ERROR)  # MS-ASCMD_R477: each at most once
    properties = _of_version(request.properties, ctx.version)
    return Response(status=Status.SUCCESS, answers=tuple([await _answer(each, ctx) for each in properties]))


def _of_version(properties: Sequence[Property], version: ProtocolVersion) -> list[Property]:
    """Without those that the version does not have: they are passed over like any unknown element."""
    return [each for each in properties if version >= V14_1 or not isinstance(each, wire.RightsManagementInformation)]


async def _answer(asked: Property, ctx: Context) -> Answer:
    match asked:
        case DeviceInformation():
            return DeviceInformationAnswer(status=await _keep(asked, ctx))
        case UserInformation():
            return UserInformationAnswer(status=Status.SUCCESS, get=_user(ctx.account))
        case Oof():
            return await out_of_office.answer(asked, ctx)
        case DevicePassword():
            return DevicePasswordAnswer(status=await _keep_password(asked.set.password, ctx))
        case wire.RightsManagementInformation():
            return _templates(ctx)


def _templates(ctx: Context) -> RightsManagementAnswer:
    """The rights policy templates, in the language of the client (MS-ASRM_R202 to R207)."""
    if not is_usable(ctx):
        none = RightsManagementDetails(templates=Templates())
        return RightsManagementAnswer(status=CommonStatus.IRM_FEATURE_DISABLED, get=none)  # MS-ASRM_R196
    found = templates(ctx.settings.rights.templates, ctx.languages)
    return RightsManagementAnswer(status=Status.SUCCESS, get=RightsManagementDetails(templates=found))


async def _keep(information: DeviceInformation, ctx: Context) -> Status:
    """Keep what the device tells of itself; what it does not name stays."""
    if information.details is not None and ctx.version < V14_0:  # MS-ASCMD_R6514, R6826: these two came later
        information = DeviceInformation(
            details=replace(information.details, enable_outbound_sms=None, mobile_operator=None)
        )
    status, details = taken(information)

    def known(stored: Device | None) -> Device | None:
        return None if stored is None else replace(stored, details={**stored.details, **details})

    if details.items() - ctx.device.details.items():
        await ctx.ports.state.change_device(ctx.account.user, ctx.device.id, known)
    return status


async def _keep_password(password: str, ctx: Context) -> Status:
    """Keep what unlocks the device, or forget it. A policy that does not allow it any more forgets it too."""
    enabled = policy_of(ctx.settings, ctx.account.user).settings.get("PasswordRecoveryEnabled") is True
    if enabled and len(password) > wire.MAX_PASSWORD:
        return Status.INVALID_ARGUMENTS  # MS-ASCMD_R4400
    kept = password if enabled else ""

    def known(stored: Device | None) -> Device | None:
        return None if stored is None else replace(stored, recovery_password=kept)

    if kept != ctx.device.recovery_password:
        await ctx.ports.state.change_device(ctx.account.user, ctx.device.id, known)
    return Status.SUCCESS if enabled else Status.DENIED_BY_POLICY  # MS-ASCMD_R4402


def _user(account: Account) -> UserDetails:
    """The user's addresses, the primary one first; the version decides which form goes out."""
    others = sorted(account.addresses - {account.address})
    addresses = EmailAddresses(smtp_addresses=(account.address, *others), primary_smtp_address=account.address)
    primary = wire.Account(user_display_name=account.display_name[:MAX_NAME] or None, email_addresses=addresses)
    return UserDetails(email_addresses=addresses, accounts=(primary,))


def refuse(_: MalformedRequest, __: ProtocolVersion) -> Response:
    """MS-ASCMD_R483."""
    return Response(status=Status.PROTOCOL_ERROR)


def fail(status: int, _: ProtocolVersion) -> Response:
    """A response of nothing but a Status."""
    return Response(status=status)


COMMAND = Command(name=CommandName.SETTINGS, read=wbxml_reader(Request), handle=handle, refuse=refuse, fail=fail)
