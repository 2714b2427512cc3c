"""Fetches what is needed to judge certificates, through the RevocationSource: issuers, CRLs, OCSP answers.

What to ask is decided in `eas_server.pki.questions`; here it is asked, at the same time, each thing once, up to a
deadline. What is not there by then is missing, with the reason.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Final, ParamSpec, TypeVar

from eas_server.errors import EvidenceUnavailable
from eas_server.interfaces import RevocationSource
from eas_server.model.ids import UserId
from eas_server.model.trust import EvidenceKind, TrustCollection, Wanted
from eas_server.pki.certificate import CertificateError
from eas_server.pki.evidence import Evidence, Failure, Missing
from eas_server.pki.paths import Paths, build_paths, fresh_budget, pool_of
from eas_server.pki.profile import profile
from eas_server.pki.questions import (
    KEEP_UNTIL,
    EvidenceError,
    Question,
    about_crl,
    about_issuers,
    about_revocation,
    crl_in,
    issuers_in,
)

MAX_QUESTIONS: Final = 200
"""In one request of a client, all its certificates together."""
AT_ONCE: Final = 16
ISSUER_ROUNDS: Final = 4
"""How often an issuer that was fetched may name the next one."""
MAX_ISSUER_QUESTIONS: Final = 8
"""For one certificate."""
PATHS_ASKED_ABOUT: Final = 4
JUDGE_THREADS: Final = 2
READ_AT_ONCE: Final = 64 * 1024
"""Octets that are read without further ado; a CRL may have some millions."""

_JUDGES: Final = ThreadPoolExecutor(JUDGE_THREADS, thread_name_prefix="certificates")

P = ParamSpec("P")
T = TypeVar("T")


async def judging(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of `work`, done in one of a few threads of its own: certificates hold up nobody else's requests."""
    return await asyncio.get_running_loop().run_in_executor(_JUDGES, partial(work, *args, **kwargs))


class EvidenceGatherer:
    """Asks for one user in one request; what was asked already is not asked again."""

    def __init__(self, source: RevocationSource | None, user: UserId, now: datetime, deadline: float) -> None:
        """`deadline`: seconds from now until which answers count."""
        self._source = source
        self._user = user
        self._now = now
        self._until = asyncio.get_running_loop().time() + deadline
        self._places = asyncio.Semaphore(AT_ONCE)
        self._asked: dict[Question, asyncio.Task[bytes | Missing]] = {}

    async def gather(self, certificate: bytes, chain: Sequence[bytes], trust: TrustCollection) -> Evidence:
        """All that can be had about a DER certificate. Nothing where nothing can be asked, or it is no certificate."""
        if self._source is None:
            return Evidence()
        try:
            profile(certificate)
        except CertificateError:
            return Evidence()
        paths, issuers, missing = await self._paths(certificate, chain, trust)
        questions = [
            question
            for path in [path for path in paths.found if path.trusted][:PATHS_ASKED_ABOUT]
            for question in about_revocation(path)
        ]
        crls, answers, more_missing = await self._revocation(questions)
        further = list(dict.fromkeys([question for crl in crls for question in await _apart(_about, crl, crl)]))
        found, still_missing = await self._all(further)
        deltas = _of_kind(found, EvidenceKind.CRL)
        return Evidence(
            issuers=(*issuers, *_of_kind(found, EvidenceKind.ISSUER)),
            crls=tuple(dict.fromkeys((*crls, *deltas))),
            ocsp_answers=answers,
            missing=(*missing, *more_missing, *still_missing),
        )

    async def _paths(
        self, certificate: bytes, chain: Sequence[bytes], trust: TrustCollection
    ) -> tuple[Paths, list[bytes], list[Missing]]:
        """The paths, after the issuers that are missing were looked for."""
        issuers: list[bytes] = []
        missing: list[Missing] = []
        asked: set[Question] = set()
        paths = await judging(_build, certificate, chain, trust, self._now)
        for _ in range(ISSUER_ROUNDS):
            if paths.complete:
                break
            wanted = dict.fromkeys(question for path in paths.found for question in about_issuers(path))
            questions = [question for question in wanted if question not in asked]
            questions = questions[: MAX_ISSUER_QUESTIONS - len(asked)]
            if not questions:
                break
            asked.update(questions)
            found, not_found = await self._all(questions)
            missing += not_found
            issuers += [der for _, der in found]
            paths = await judging(_build, certificate, (*chain, *issuers), trust, self._now)
        return paths, issuers, missing

    async def _revocation(
        self, questions: Sequence[Question]
    ) -> tuple[tuple[bytes, ...], tuple[bytes, ...], list[Missing]]:
        found, missing = await self._all(list(dict.fromkeys(questions)))
        return _of_kind(found, EvidenceKind.CRL), _of_kind(found, EvidenceKind.OCSP), missing

    async def _all(self, questions: Sequence[Question]) -> tuple[list[tuple[EvidenceKind, bytes]], list[Missing]]:
        """The answers to all questions, as DER; what cannot be read is missing."""
        found: list[tuple[EvidenceKind, bytes]] = []
        missing: list[Missing] = []
        for question, answer in zip(questions, await asyncio.gather(*map(self._ask, questions)), strict=True):
            if isinstance(answer, Missing):
                missing.append(answer)
                continue
            try:
                found += [(question.kind, der) for der in await _apart(_read, answer, question.kind, answer)]
            except EvidenceError as error:
                missing.append(_missing(question, Failure.UNREADABLE, str(error)))
        return found, missing

    async def _ask(self, question: Question) -> bytes | Missing:
        task = self._asked.get(question)
        if task is None:
            if len(self._asked) >= MAX_QUESTIONS:
                return _missing(question, Failure.REFUSED, "too many questions in one request")
            task = self._asked[question] = asyncio.create_task(self._fetch(question))
        return await task

    async def _fetch(self, question: Question) -> bytes | Missing:
        assert self._source is not None  # noqa: S101 - gather() has seen to it
        wanted = Wanted(
            kind=question.kind,
            url=question.url,
            user=self._user,
            body=question.body,
            keep_until=KEEP_UNTIL[question.kind],
        )
        try:
            async with asyncio.timeout_at(self._until), self._places:
                return await self._source.fetch(wanted)
        except TimeoutError:
            return _missing(question, Failure.OFFLINE, "no answer in time")
        except EvidenceUnavailable as error:
            return _missing(question, _failure(error), str(error))


async def _apart(work: Callable[P, T], octets: bytes, *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of `work` on `octets`; where they are many, as `judging` does it."""
    return work(*args, **kwargs) if len(octets) <= READ_AT_ONCE else await judging(work, *args, **kwargs)


def _about(crl: bytes) -> list[Question]:
    return list(about_crl(crl))


def _build(certificate: bytes, strangers: Iterable[bytes], trust: TrustCollection, now: datetime) -> Paths:
    return build_paths(profile(certificate), pool_of(trust, strangers), now, fresh_budget())


def _read(kind: EvidenceKind, octets: bytes) -> tuple[bytes, ...]:
    match kind:
        case EvidenceKind.ISSUER:
            return issuers_in(octets)
        case EvidenceKind.CRL:
            return (crl_in(octets),)
        case EvidenceKind.OCSP:
            return (octets,)


def _of_kind(found: Iterable[tuple[EvidenceKind, bytes]], kind: EvidenceKind) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(der for each, der in found if each is kind))


def _failure(error: EvidenceUnavailable) -> Failure:
    if error.refused:
        return Failure.REFUSED
    return Failure.UNREADABLE if error.unreadable else Failure.OFFLINE


def _missing(question: Question, failure: Failure, detail: str) -> Missing:
    return Missing(kind=question.kind, url=question.url, failure=failure, detail=detail)
