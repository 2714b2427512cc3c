"""ResolveRecipients, [MS-ASCMD] 2.2.1.15 and 3.1.5.9: who is meant by a name, and how to encrypt to them.

What the protocol documents leave open is decided in docs/decisions/0014-recipients.md.
"""

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from eas_server.commands.availability import free_busy_of
from eas_server.commands.context import Command, Context, Ports
from eas_server.commands.pictures import Pictures
from eas_server.commands.reading import wbxml_reader
from eas_server.interfaces import Directory
from eas_server.model.directory import DirectoryEntry, EntryKind, Found
from eas_server.model.ids import UserId
from eas_server.model.settings import RecipientSettings
from eas_server.pki.directory_blobs import certificates_of
from eas_server.pki.select import Selection, select
from protocol.commands.resolve_recipients import (
    Availability,
    AvailabilityOptions,
    AvailabilityStatus,
    CertificateRetrieval,
    Certificates,
    CertificatesStatus,
    Options,
    Picture,
    PictureOptions,
    Recipient,
    RecipientType,
    Request,
    Response,
    ResponseStatus,
    Status,
    ToResponse,
)
from protocol.errors import MalformedRequest
from protocol.http import CommandName
from protocol.versions import V14_0, V14_1, ProtocolVersion

log = logging.getLogger(__name__)

T = TypeVar("T")

MIN_SPAN: Final = timedelta(minutes=30)
"""MS-ASCMD_R2266."""
MAX_SPAN: Final = timedelta(days=42)
DEFAULT_SPAN: Final = timedelta(days=7)
"""MS-ASCMD_R5430, R5175."""
MAX_MEMBERS_AVAILABILITY: Final = 20
"""Members of a group whose free/busy data may still be merged (MS-ASCMD_R4294)."""

_NOBODY: Final = Found(entries=(), total=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the client wants, as its version may ask for it."""

    retrieval: CertificateRetrieval
    max_ambiguous: int
    availability: AvailabilityOptions | None
    picture: PictureOptions | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """One person or one group. `members` of a group, where they were asked for."""

    entry: DirectoryEntry
    members: Found | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ambiguous:
    """Several entries may be meant: `suggestions` of `total`."""

    suggestions: tuple[DirectoryEntry, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFound:
    """Nobody is meant."""


Outcome = Resolved | Ambiguous | NotFound


async def handle(request: Request, ctx: Context) -> Response:
    """Resolve every `To`, then spend the budget of certificates in their order."""
    settings = ctx.settings.recipients
    asked = _asked(request.options, ctx.version, settings)
    if not 1 <= len(request.to) <= settings.max_recipients or not _is_span(asked.availability):
        return Response(status=Status.PROTOCOL_ERROR)  # MS-ASCMD_R5656, R2266, R5430
    outcomes = await _look_up(request.to, asked, ctx.ports.directory, settings.max_members)
    free_busy = await _free_busy(outcomes, asked.availability, ctx.account.user, ctx.ports)
    answer = _Answer(asked, request.options.max_certificates, len(request.to), settings, ctx.now, free_busy)
    return Response(
        status=Status.SUCCESS,
        responses=tuple(answer.to_one(to, outcome) for to, outcome in zip(request.to, outcomes, strict=True)),
    )


def _asked(options: Options, version: ProtocolVersion, settings: RecipientSettings) -> Asked:
    most = options.max_ambiguous_recipients
    return Asked(
        retrieval=options.certificate_retrieval,
        max_ambiguous=settings.max_results if most is None else min(most, settings.max_results),
        availability=options.availability if version >= V14_0 else None,  # MS-ASCMD_R6085
        picture=options.picture if version >= V14_1 else None,  # MS-ASCMD_R6967, R6968
    )


def _is_span(availability: AvailabilityOptions | None) -> bool:
    if availability is None or availability.end is None:
        return True  # seven days by MS-ASCMD_R2265
    return MIN_SPAN <= availability.end - availability.start <= MAX_SPAN


async def _look_up(names: Sequence[str], asked: Asked, directory: Directory, max_members: int) -> list[Outcome]:
    """What each name stands for; the same name is looked up once."""
    distinct = list(dict.fromkeys(names))
    found = await _together(_outcome(name, asked, directory, max_members) for name in distinct)
    outcomes = dict(zip(distinct, found, strict=True))
    return [outcomes[name] for name in names]


async def _free_busy(
    outcomes: Sequence[Outcome], wanted: AvailabilityOptions | None, viewer: UserId, ports: Ports
) -> dict[str, str | AvailabilityStatus]:
    """MergedFreeBusy of each one who was found, by key, or why there is none; of groups that are not too large."""
    if wanted is None:
        return {}
    end = wanted.start + DEFAULT_SPAN if wanted.end is None else wanted.end
    found: dict[str, str | AvailabilityStatus] = {}
    for outcome in outcomes:
        if not isinstance(outcome, Resolved) or outcome.entry.key in found:
            continue
        people = (outcome.entry,) if outcome.members is None else outcome.members.entries
        if len(people) <= MAX_MEMBERS_AVAILABILITY:
            found[outcome.entry.key] = await free_busy_of(people, viewer, wanted.start, end, ports)
    return found


async def _together(work: Iterable[Awaitable[T]]) -> list[T]:
    """The results of all of `work`, done at once. Raises the first failure, the rest is cancelled."""
    waiting = list(work)
    if len(waiting) == 1:
        return [await waiting[0]]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_awaited(one)) for one in waiting]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


async def _awaited(work: Awaitable[T]) -> T:
    return await work


async def _outcome(name: str, asked: Asked, directory: Directory, max_members: int) -> Outcome:
    wanted = name.strip()
    # one at least: a phone that asks for 0 suggestions still means the one exact match
    found = await directory.resolve(wanted, max(1, asked.max_ambiguous)) if wanted else _NOBODY
    if found.total > 1:
        return Ambiguous(suggestions=found.entries[: asked.max_ambiguous], total=found.total)
    if not found.entries:
        return NotFound()
    entry = found.entries[0]
    members_matter = asked.retrieval is not CertificateRetrieval.NONE or asked.availability is not None
    if entry.kind is EntryKind.GROUP and members_matter:
        return Resolved(entry=entry, members=await directory.members(entry, max_members))
    return Resolved(entry=entry)


class _Answer:
    """Turns outcomes into answers, spending MaxCertificates on the way: a budget of the whole request."""

    def __init__(
        self,
        asked: Asked,
        max_certificates: int | None,
        names: int,
        settings: RecipientSettings,
        now: datetime,
        free_busy: Mapping[str, str | AvailabilityStatus],
    ) -> None:
        self._asked = asked
        self._left = max_certificates
        self._names = names
        self._settings = settings
        self._now = now
        self._free_busy = free_busy

    def to_one(self, to: str, outcome: Outcome) -> ToResponse:
        """The answer to one `To`."""
        picture = self._asked.picture
        pictures = Pictures(picture.max_size, picture.max_pictures) if picture is not None else None  # MS-ASCMD_R3291
        match outcome:
            case Resolved():
                recipient = _recipient(
                    outcome.entry, pictures, self._availability(outcome), self._certificates(outcome)
                )
                return ToResponse(to=to, status=ResponseStatus.RESOLVED, recipient_count=1, recipients=(recipient,))
            case Ambiguous():
                shown = len(outcome.suggestions)
                status = ResponseStatus.AMBIGUOUS if shown == outcome.total else ResponseStatus.AMBIGUOUS_PARTIAL
                return ToResponse(
                    to=to,
                    status=status,
                    recipient_count=outcome.total,  # MS-ASCMD_R4283, R3250
                    recipients=tuple(_recipient(entry, pictures) for entry in outcome.suggestions),
                )
            case NotFound():
                return ToResponse(to=to, status=ResponseStatus.UNRESOLVED, recipient_count=0)

    def _availability(self, resolved: Resolved) -> Availability | None:
        """163 for those whose calendar is not here, or not to be seen."""
        if self._asked.availability is None:
            return None
        if self._names >= self._settings.max_recipients:
            return Availability(status=AvailabilityStatus.TOO_MANY_RECIPIENTS)  # MS-ASCMD_R4622
        if resolved.members is not None and resolved.members.total > MAX_MEMBERS_AVAILABILITY:
            return Availability(status=AvailabilityStatus.GROUP_TOO_LARGE)  # MS-ASCMD_R4626
        merged = self._free_busy.get(resolved.entry.key, AvailabilityStatus.FAILURE)
        if isinstance(merged, AvailabilityStatus):
            return Availability(status=merged)
        return Availability(status=AvailabilityStatus.SUCCESS, merged_free_busy=merged)

    def _certificates(self, resolved: Resolved) -> Certificates | None:
        if self._asked.retrieval is CertificateRetrieval.NONE:
            return None
        group = resolved.members
        if group is None:
            certificates = self._valid(resolved.entry)
            return self._budgeted(certificates, headcount=1, complete=True, is_group=False)
        # one for each member: else two of bob's would stand for carol's (MS-ASCMD_R3769)
        certificates = tuple(der for person in group.entries for der in self._valid(person)[:1])
        complete = len(group.entries) == group.total
        return self._budgeted(certificates, headcount=group.total, complete=complete, is_group=True)

    def _budgeted(
        self, certificates: tuple[bytes, ...], *, headcount: int, complete: bool, is_group: bool
    ) -> Certificates:
        count = len(certificates)
        mini = self._asked.retrieval is CertificateRetrieval.MINI
        if not certificates or (mini and not self._settings.mini_certificates):
            return Certificates(status=CertificatesStatus.NONE_VALID, certificate_count=0, recipient_count=headcount)
        # an answer has room for one MiniCertificate: to a group it would be an incomplete set (MS-ASCMD_R3254)
        fits = complete and not (mini and is_group and count > 1)
        if not fits or not self._spend(1 if mini else count):
            return Certificates(
                status=CertificatesStatus.LIMIT_REACHED, certificate_count=count, recipient_count=headcount
            )
        return Certificates(
            status=CertificatesStatus.SUCCESS,
            certificate_count=count,
            recipient_count=headcount,
            certificates=() if mini else certificates,
            mini_certificate=certificates[0] if mini else None,
        )

    def _spend(self, count: int) -> bool:
        if self._left is None:
            return True
        if count > self._left:
            return False
        self._left -= count
        return True

    def _valid(self, person: DirectoryEntry) -> tuple[bytes, ...]:
        """The DER of the certificates to encrypt to, best first."""
        selection = select(
            certificates_of(person.user_certificates, person.smime_certificates),
            addresses=frozenset(person.all_addresses),
            now=self._now,
            require_address_match=self._settings.require_address_match,
        )
        _log_refused(person, selection)
        return tuple(certificate.der for certificate in selection.chosen)


def _log_refused(person: DirectoryEntry, selection: Selection) -> None:
    for refused in selection.refused:
        serial = f"serial {refused.certificate.serial:x}" if refused.certificate is not None else refused.detail
        log.debug("certificate of %s not served: %s (%s)", person.email, refused.reason, serial)


def _recipient(
    entry: DirectoryEntry,
    pictures: Pictures | None,
    availability: Availability | None = None,
    certificates: Certificates | None = None,
) -> Recipient:
    return Recipient(
        type=RecipientType.DIRECTORY,
        display_name=entry.display_name or entry.email,
        email_address=entry.email,
        availability=availability,
        certificates=certificates,
        picture=_picture(entry, pictures) if pictures is not None else None,
    )


def _picture(entry: DirectoryEntry, pictures: Pictures) -> Picture:
    status, data = pictures.take(entry.picture)
    return Picture(status=status, data=data)


def refuse(_: MalformedRequest, __: ProtocolVersion) -> Response:
    """A wrong parameter, or one out of range: MS-ASCMD_R4269, R4270."""
    return Response(status=Status.PROTOCOL_ERROR)


def fail(status: int, _: ProtocolVersion) -> Response:
    """Only the Status."""
    return Response(status=status)


COMMAND = Command(
    name=CommandName.RESOLVE_RECIPIENTS, read=wbxml_reader(Request), handle=handle, refuse=refuse, fail=fail
)
