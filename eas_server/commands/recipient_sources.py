"""The certificates of recipients, from the sources in the order that the administrator gave them.

A source that counts less is looked at for those only who have no valid certificate in the ones before it.
"""

import logging
from collections.abc import Sequence
from typing import Final

from eas_server.commands.certificate_evidence import judging
from eas_server.commands.context import Context
from eas_server.commands.recipient_contacts import OwnContacts
from eas_server.commands.recipient_verdicts import PathVerdicts
from eas_server.model.certificates import HarvestScope, Place, ServedCertificates, Source
from eas_server.model.directory import DirectoryEntry
from eas_server.pki.certificate import ParsedCertificate
from eas_server.pki.directory_blobs import certificates_of
from eas_server.pki.select import Candidate, Judge, Reason, Selection, any_path, select
from eas_server.pki.verdict import Verdict
from eas_server.render.out_of_office import normal

log = logging.getLogger(__name__)

FEW: Final = 20
"""People whose certificates are chosen among at once; more of them are left to a thread, so that nobody is held up."""
MAX_ADDRESSES: Final = 8
"""Addresses of a person that are looked for in contacts and harvested mail."""

_Candidates = dict[str, list[Candidate]]


class Certified:
    """Who has which certificates, for one request."""

    def __init__(self, ctx: Context, contacts: OwnContacts) -> None:
        self._rules = ctx.settings.served
        self._match = ctx.settings.recipients.require_address_match
        self._all_addresses = ctx.settings.smime.secondary_addresses
        self._now = ctx.now
        self._contacts = contacts
        self._kept = ctx.ports.harvested
        self._scope = ctx.settings.harvest.scope
        self._user = ctx.account.user
        self._verdicts = PathVerdicts(ctx.ports, ctx.account, ctx.settings.served, ctx.now)
        self._known: dict[bytes, Verdict] = {}

    async def of(self, people: Sequence[DirectoryEntry]) -> dict[str, Selection]:
        """The selection of each person, by the key of the entry."""
        waiting = list({person.key: person for person in people}.values())
        gathered: _Candidates = {person.key: [] for person in waiting}
        chosen: dict[str, Selection] = {}
        for place in places_of(self._rules):
            for person in waiting:
                gathered[person.key] += await self._from(place, person)
            chosen |= await self._selected(waiting, gathered)
            waiting = [person for person in waiting if not chosen[person.key].chosen]
            if not waiting:
                break
        return chosen

    async def _from(self, place: Place, person: DirectoryEntry) -> list[Candidate]:
        if place is Place.DIRECTORY:
            found = certificates_of(person.user_certificates, person.smime_certificates)
            return [candidate for candidate in found if candidate.source in self._rules.sources]
        if place is Place.CONTACTS:
            return await self._contacts.candidates(self._names(person)[:MAX_ADDRESSES])
        return await self._harvested(self._names(person)[:MAX_ADDRESSES])

    async def _harvested(self, addresses: Sequence[str]) -> list[Candidate]:
        if self._kept is None or self._scope is HarvestScope.OFF:
            return []
        user = None if self._scope is HarvestScope.EVERYBODY else self._user
        known = await self._kept.known(user, [normal(address) for address in addresses])
        return [
            Candidate(der=each.certificate, source=Source.HARVESTED, chain=each.chain)
            for each in known
            if not each.disputed
        ]

    async def _selected(self, people: Sequence[DirectoryEntry], gathered: _Candidates) -> dict[str, Selection]:
        """First without what costs much: certificates that are out for another reason need no verdict."""
        harvested = any(each.source is Source.HARVESTED for found in gathered.values() for each in found)
        if not (harvested or await self._verdicts.wanted()):
            return await self._in_turn(people, gathered, None)
        likely = await self._in_turn(people, gathered, any_path)
        chains = {candidate.der: candidate.chain for found in gathered.values() for candidate in found[::-1]}
        unknown = {der: chains[der] for selection in likely.values() for der in _valid_in(selection)}
        self._known |= await self._verdicts.of({der: c for der, c in unknown.items() if der not in self._known})
        return await self._in_turn(people, gathered, self._judge)

    async def _in_turn(
        self,
        people: Sequence[DirectoryEntry],
        gathered: _Candidates,
        judge: Judge | None,
    ) -> dict[str, Selection]:
        def work() -> dict[str, Selection]:
            return {person.key: self._one(person, gathered[person.key], judge) for person in people}

        return work() if len(people) <= FEW else await judging(work)

    def _one(
        self,
        person: DirectoryEntry,
        candidates: Sequence[Candidate],
        judge: Judge | None,
    ) -> Selection:
        return select(
            candidates,
            addresses=frozenset(self._names(person)),
            now=self._now,
            require_address_match=self._match,
            rules=self._rules,
            judge=judge,
        )

    def _judge(self, certificate: ParsedCertificate) -> Verdict | None:
        return self._known.get(certificate.der)

    def _names(self, person: DirectoryEntry) -> tuple[str, ...]:
        return person.all_addresses if self._all_addresses else (person.email,)


def _valid_in(selection: Selection) -> list[bytes]:
    """What a verdict may still matter for."""
    elsewhere = [each.candidate.der for each in selection.refused if each.reason is Reason.OTHER_SOURCE]
    return [certificate.der for certificate in selection.chosen] + elsewhere


def places_of(rules: ServedCertificates) -> tuple[Place, ...]:
    """The places in the order of their sources."""
    return tuple(dict.fromkeys(source.place for source in rules.sources))


def log_refused(person: DirectoryEntry, selection: Selection) -> None:
    """Tell the administrator who looks for it why a certificate is not served."""
    for refused in selection.refused:
        serial = f"serial {refused.certificate.serial:x}" if refused.certificate is not None else ""
        told = ", ".join(filter(None, (serial, refused.detail)))
        log.debug("certificate of %s not served: %s (%s)", person.email, refused.reason, told)
