"""ResolveRecipients, [MS-ASCMD] 2.2.1.15 and 3.1.5.9: who is meant by a name, and how to encrypt to them.

What the protocol documents leave open is decided in docs/decisions/0014-recipients.md and, for certificates, in
docs/decisions/0030-recipient-certificates.md.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

from eas_server.commands.auditing import note_served
from eas_server.commands.availability import free_busy_of
from eas_server.commands.context import Command, Context, Ports
from eas_server.commands.pictures import Pictures
from eas_server.commands.reading import wbxml_reader
from eas_server.commands.recipient_contacts import OwnContacts
from eas_server.commands.recipient_groups import Members, members_of
from eas_server.commands.recipient_sources import Certified, log_refused
from eas_server.model.certificates import Place, Source
from eas_server.model.directory import DirectoryEntry, EntryKind
from eas_server.model.ids import UserId
from eas_server.model.settings import RecipientSettings
from eas_server.pki.select import Selection
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

T = TypeVar("T")

MIN_SPAN: Final = timedelta(minutes=30)
"""MS-ASCMD_R2266."""
MAX_SPAN: Final = timedelta(days=42)
DEFAULT_SPAN: Final = timedelta(days=7)
"""MS-ASCMD_R5430, R5175."""
MAX_MEMBERS_AVAILABILITY: Final = 20
"""Members of a group whose free/busy data may still be merged (MS-ASCMD_R4294)."""


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
    members: Members | None = None
    type: RecipientType = RecipientType.DIRECTORY

    @property
    def people(self) -> tuple[DirectoryEntry, ...]:
        """The person, or the members that were looked up."""
        return (self.entry,) if self.members is None else self.members.people


@dataclass(frozen=True, slots=True, kw_only=True)
class Ambiguous:
    """Several entries may be meant: `suggestions` of `total`."""

    suggestions: tuple[DirectoryEntry, ...]
    total: int
    type: RecipientType = RecipientType.DIRECTORY


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
    contacts = OwnContacts(ctx.ports, ctx.account.user)
    outcomes = await _look_up(request.to, asked, contacts, ctx)
    free_busy = await _free_busy(outcomes, asked.availability, ctx.account.user, ctx.ports)
    served = await _served(outcomes, asked, Certified(ctx, contacts))
    answer = _Answer(asked, request.options.max_certificates, len(request.to), settings, served, free_busy)
    response = Response(
        status=Status.SUCCESS,
        responses=tuple(answer.to_one(to, outcome) for to, outcome in zip(request.to, outcomes, strict=True)),
    )
    note_served(response, ctx)
    return response


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


async def _look_up(names: Sequence[str], asked: Asked, contacts: OwnContacts, ctx: Context) -> list[Outcome]:
    """What each name stands for; the same name is looked up once."""
    distinct = list(dict.fromkeys(names))
    found = await _together(_outcome(name, asked, contacts, ctx) for name in distinct)
    outcomes = dict(zip(distinct, found, strict=True))
    return [outcomes[name] for name in names]


async def _served(outcomes: Sequence[Outcome], asked: Asked, certified: Certified) -> Mapping[str, Selection]:
    """The certificates of everybody who was found, by the key of the entry."""
    if asked.retrieval is CertificateRetrieval.NONE:
        return {}
    return await certified.of(
        [each for outcome in outcomes if isinstance(outcome, Resolved) for each in outcome.people]
    )


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
        if len(outcome.people) <= MAX_MEMBERS_AVAILABILITY:
            found[outcome.entry.key] = await free_busy_of(outcome.people, viewer, wanted.start, end, ports)
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


async def _outcome(name: str, asked: Asked, contacts: OwnContacts, ctx: Context) -> Outcome:
    wanted = name.strip()
    if not wanted:
        return NotFound()
    # one at least: a phone that asks for 0 suggestions still means the one exact match
    found = await ctx.ports.directory.resolve(wanted, max(1, asked.max_ambiguous))
    if found.total > 1:
        return Ambiguous(suggestions=found.entries[: asked.max_ambiguous], total=found.total)
    if found.entries:
        return await _resolved(found.entries[0], asked, ctx)
    if Source.CONTACTS not in ctx.settings.served.sources:
        return NotFound()
    known = await contacts.resolve(wanted)
    if known.total > 1:
        suggestions = known.entries[: asked.max_ambiguous]
        return Ambiguous(suggestions=suggestions, total=known.total, type=RecipientType.CONTACT)
    return Resolved(entry=known.entries[0], type=RecipientType.CONTACT) if known.entries else NotFound()


async def _resolved(entry: DirectoryEntry, asked: Asked, ctx: Context) -> Resolved:
    members_matter = asked.retrieval is not CertificateRetrieval.NONE or asked.availability is not None
    if entry.kind is not EntryKind.GROUP or not members_matter:
        return Resolved(entry=entry)
    limit, seconds = ctx.settings.recipients.max_members, ctx.settings.smime.group_seconds
    return Resolved(entry=entry, members=await members_of(entry, ctx.ports.directory, limit, seconds))


class _Answer:
    """Turns outcomes into answers, spending MaxCertificates on the way: a budget of the whole request."""

    def __init__(
        self,
        asked: Asked,
        max_certificates: int | None,
        names: int,
        settings: RecipientSettings,
        served: Mapping[str, Selection],
        free_busy: Mapping[str, str | AvailabilityStatus],
    ) -> None:
        self._asked = asked
        self._left = max_certificates
        self._names = names
        self._settings = settings
        self._served = served
        self._free_busy = free_busy

    def to_one(self, to: str, outcome: Outcome) -> ToResponse:
        """The answer to one `To`."""
        picture = self._asked.picture
        pictures = Pictures(picture.max_size, picture.max_pictures) if picture is not None else None  # MS-ASCMD_R3291
        match outcome:
            case Resolved():
                availability, certificates = self._availability(outcome), self._certificates(outcome)
                recipient = _recipient(
                    outcome.entry, self._type(outcome, certificates), pictures, availability, certificates
                )
                return ToResponse(to=to, status=ResponseStatus.RESOLVED, recipient_count=1, recipients=(recipient,))
            case Ambiguous():
                shown = len(outcome.suggestions)
                status = ResponseStatus.AMBIGUOUS if shown == outcome.total else ResponseStatus.AMBIGUOUS_PARTIAL
                return ToResponse(
                    to=to,
                    status=status,
                    recipient_count=outcome.total,  # MS-ASCMD_R4283, R3250
                    recipients=tuple(_recipient(entry, outcome.type, pictures) for entry in outcome.suggestions),
                )
            case NotFound():
                return ToResponse(to=to, status=ResponseStatus.UNRESOLVED, recipient_count=0)

    def _type(self, resolved: Resolved, certificates: Certificates | None) -> RecipientType:
        """That of the place where the certificates are from, which are what was asked for."""
        selection = self._served.get(resolved.entry.key)
        if certificates is None or selection is None or selection.source is None or resolved.members is not None:
            return resolved.type
        in_directory = selection.source.place is Place.DIRECTORY
        return RecipientType.DIRECTORY if in_directory else RecipientType.CONTACT

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
        certificates = tuple(der for person in group.people for der in self._valid(person)[:1])
        return self._budgeted(certificates, headcount=group.total, complete=group.complete, is_group=True)

    def _budgeted(
        self, certificates: tuple[bytes, ...], *, headcount: int, complete: bool, is_group: bool
    ) -> Certificates:
        count = len(certificates)
        mini = self._asked.retrieval is CertificateRetrieval.MINI
        if (complete and not certificates) or (mini and not self._settings.mini_certificates):
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
        selection = self._served[person.key]
        log_refused(person, selection)
        return tuple(certificate.der for certificate in selection.chosen)


def _recipient(
    entry: DirectoryEntry,
    type_: RecipientType,
    pictures: Pictures | None,
    availability: Availability | None = None,
    certificates: Certificates | None = None,
) -> Recipient:
    return Recipient(
        type=type_,
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
