"""Provision, [MS-ASPROV] 3.2.5.1: a policy in two phases, and remote wipe (docs/decisions/0013-policies.md)."""

import logging
import secrets
from dataclasses import replace
from datetime import datetime
from functools import partial

from eas_server.commands.context import Command, Context
from eas_server.commands.device_information import taken
from eas_server.commands.policy import Draw, accepted, assigned_policy, is_acknowledged, offered, refusal
from eas_server.commands.policy_rules import document
from eas_server.commands.reading import wbxml_reader
from eas_server.commands.wipe import wipe_notice
from eas_server.errors import CommandError, StoreFull, Unavailable
from eas_server.interfaces import Delivery, Submission
from eas_server.model.device import WIPING, Device, PolicyState, Wipe
from eas_server.model.mail import FolderType
from eas_server.model.settings import PolicySettings
from protocol.commands.provision import (
    POLICY_TYPE,
    Compliance,
    Data,
    PolicyStatus,
    Request,
    RequestPolicy,
    Response,
    ResponsePolicy,
    Status,
    WipeStatus,
)
from protocol.commands.settings import DeviceInformationAnswer
from protocol.errors import MalformedRequest
from protocol.http import CommandName
from protocol.schema import EMPTY
from protocol.status import CommonStatus
from protocol.versions import V14_1, V16_1, ProtocolVersion

log = logging.getLogger(__name__)


async def handle(request: Request, ctx: Context, *, draw: Draw) -> Response:
    """Judge the request by its body alone, whatever key its header has, and keep what follows of it."""
    responses: list[Response] = []
    ended: list[bool] = []

    def judge(stored: Device | None) -> Device | None:
        # a device that is not kept (Devices.find) can hold no key, so it has no policy
        policy = assigned_policy(ctx.settings, ctx.account.user) if stored is not None else None
        device = stored if stored is not None else ctx.device
        response, changed = answer(request, device, policy, version=ctx.version, now=ctx.now, draw=draw)
        responses.append(response)
        ended.append(changed.wipe is not device.wipe and changed.wipe in (Wipe.DONE, Wipe.FAILED))
        return changed if stored is not None else None

    kept = await ctx.ports.state.change_device(ctx.account.user, ctx.device.id, judge)
    if ended[-1] and kept is not None:
        await _tell(kept, ctx)
    return responses[-1]


async def _tell(device: Device, ctx: Context) -> None:
    """Tell the user what became of the wipe; the device is answered all the same, for it will not say it again."""
    notice = Delivery(user=ctx.account.user, folder=FolderType.INBOX, message=wipe_notice(device, ctx.account, ctx.now))
    told = Submission(user=ctx.account.user, source=None, deliveries=(notice,), forwarding=None, now=ctx.now)
    try:
        await ctx.ports.submission.submit(told)
    except (StoreFull, Unavailable) as error:
        log.warning("request %s: the wipe is %s, but no mail says so: %s", ctx.request_id, device.wipe.value, error)


def answer(
    request: Request,
    device: Device,
    policy: PolicySettings | None,
    *,
    version: ProtocolVersion,
    now: datetime,
    draw: Draw,
) -> tuple[Response, Device]:
    """The response, and the device as it is then. Raises CommandError where it is kept out."""
    result = request.account_only_remote_wipe if device.wipe_account_only else request.remote_wipe
    if result is not None and device.wipe in WIPING:
        return _wiped(result.status, device)
    if device.wipe in WIPING and (version >= V16_1 or not device.wipe_account_only):
        # a failure stays one until the device confirms: its user is told once, however often it tries
        sent = replace(device, wipe=Wipe.SENT) if device.wipe is Wipe.PENDING else device
        return _directive(Status.SUCCESS, device), sent
    if request.policies is None:
        return _with_information(request, Response(status=Status.SUCCESS), device)
    if not request.policies:
        return Response(status=Status.PROTOCOL_ERROR), device  # MS-ASPROV_R306
    asked = next((p for p in request.policies if p.policy_type == POLICY_TYPE), request.policies[0])
    if asked.status is None:
        if version >= V14_1 and request.device_information is None:
            raise CommandError(CommonStatus.DEVICE_INFORMATION_REQUIRED)  # MS-ASCMD_R4954
        told, state = _initial(asked, device.policy, policy, draw)
    elif asked.policy_key is None:
        return Response(status=Status.PROTOCOL_ERROR), device  # MS-ASPROV_R311
    else:
        told, state = _acknowledgement(asked, asked.status, device.policy, policy, now, draw)
    response = Response(status=Status.SUCCESS, policies=(told,))
    return _with_information(request, response, replace(device, policy=state))


def _initial(
    asked: RequestPolicy, state: PolicyState, policy: PolicySettings | None, draw: Draw
) -> tuple[ResponsePolicy, PolicyState]:
    if asked.policy_type != POLICY_TYPE:
        return _problem(asked, PolicyStatus.UNKNOWN_TYPE), state  # MS-ASPROV_R380
    if policy is None:
        return _problem(asked, PolicyStatus.NO_POLICY), PolicyState(settings=state.settings)  # MS-ASPROV_R379
    given = offered(state, policy, draw)
    told = ResponsePolicy(
        policy_type=POLICY_TYPE,
        status=PolicyStatus.SUCCESS,
        policy_key=str(given.pending_key),
        data=Data(document=document(policy.settings, given.settings)),
    )
    return told, given


def _acknowledgement(
    asked: RequestPolicy,
    compliance: Compliance,
    state: PolicyState,
    policy: PolicySettings | None,
    now: datetime,
    draw: Draw,
) -> tuple[ResponsePolicy, PolicyState]:
    if asked.policy_type != POLICY_TYPE:
        return _problem(asked, PolicyStatus.UNKNOWN_TYPE), state
    if policy is None or not is_acknowledged(state, policy, asked.policy_key or ""):
        return _problem(asked, PolicyStatus.WRONG_KEY), state  # MS-ASPROV_R658, R507
    status = refusal(compliance, policy)
    if status is not None:
        raise CommandError(status)
    given = accepted(state, compliance, now, draw)
    told = ResponsePolicy(policy_type=POLICY_TYPE, status=PolicyStatus.SUCCESS, policy_key=str(given.key))
    return told, given


def _problem(asked: RequestPolicy, status: PolicyStatus) -> ResponsePolicy:
    return ResponsePolicy(policy_type=asked.policy_type, status=status)


def _with_information(request: Request, response: Response, device: Device) -> tuple[Response, Device]:
    """The response with what became of DeviceInformation, and the device with its details (MS-ASPROV_R488)."""
    if request.device_information is None:
        return response, device
    status, details = taken(request.device_information)
    known = replace(device, details={**device.details, **details})
    return replace(response, device_information=DeviceInformationAnswer(status=status)), known


def _wiped(result: WipeStatus, device: Device) -> tuple[Response, Device]:
    """What a device says of its wipe is kept (MS-ASPROV_R663, R66601); one that failed is told again (R665, R701)."""
    if result is WipeStatus.FAILURE:
        return _directive(Status.PROTOCOL_ERROR, device), replace(device, wipe=Wipe.FAILED)
    # it has nothing left of its policy: its keys are void
    return Response(status=Status.SUCCESS), replace(device, wipe=Wipe.DONE, policy=PolicyState())


def _directive(status: Status, device: Device) -> Response:
    if device.wipe_account_only:
        return Response(status=status, account_only_remote_wipe=EMPTY)
    return Response(status=status, remote_wipe=EMPTY)


def refuse(_: MalformedRequest, __: ProtocolVersion) -> Response:
    """MS-ASPROV_R497."""
    return Response(status=Status.PROTOCOL_ERROR)


def fail(status: int, _: ProtocolVersion) -> Response:
    """A response of nothing but a Status."""
    return Response(status=status)


def drawing(draw: Draw) -> Command:
    """The command, with policy keys from `draw`."""
    return Command(
        name=CommandName.PROVISION,
        read=wbxml_reader(Request),
        handle=partial(handle, draw=draw),
        refuse=refuse,
        fail=fail,
        gated=False,
    )


COMMAND = drawing(secrets.randbits)
