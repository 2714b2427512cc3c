"""Which messages a KQL query finds: the store's index gives candidates, the restrictions choose among them.

A phrase without a property is as good as its words: the index does not know what stands beside what.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from eas_server.commands.context import Context
from eas_server.commands.find_terms import matches
from eas_server.commands.mailbox_search import MAX_COUNTED, items_of
from eas_server.errors import CommandError
from eas_server.model.ids import CollectionId
from eas_server.model.mail import SearchHit, SearchQuery
from protocol.kql import Alternative, Term
from protocol.status import CommonStatus

MAX_SCANNED: Final = 16 * MAX_COUNTED
"""Candidates of one alternative that are looked at: the newest."""

_GROWTH: Final = 4
_IN_INDEX: Final = frozenset({"", "body"})
"""What the index alone answers."""
_NARROWING: Final = _IN_INDEX | {"subject", "from", "to", "cc", "attachment", "attachmentnames"}
"""What is in the index among other words: a candidate has them somewhere."""

Places = tuple[CollectionId, ...]


async def find_mail(
    alternatives: Sequence[Alternative], places: Places, ctx: Context, deadline: float
) -> Sequence[SearchHit]:
    """What any of the alternatives finds, newest first, at most MAX_COUNTED. Raises CommandError when time is up."""
    try:
        async with asyncio.timeout_at(deadline):
            if len(alternatives) == 1 and all(_is_plain(term) for term in alternatives[0]):
                return await _search(_words(alternatives[0]), places, MAX_COUNTED, ctx)
            found: dict[SearchHit, datetime] = {}
            for alternative in alternatives:
                found |= await _found(alternative, places, ctx)
    except TimeoutError:
        raise CommandError(CommonStatus.SERVER_ERROR_RETRY_LATER, retry=True) from None
    newest = sorted(found, key=lambda hit: (found[hit], hit.id), reverse=True)
    return newest[:MAX_COUNTED]


def _is_plain(term: Term) -> bool:
    return term.property in _IN_INDEX and not term.negated


def _words(alternative: Alternative) -> str:
    narrowing = (term for term in alternative if term.property in _NARROWING and not term.negated)
    return " ".join(term.text for term in narrowing if term.operator != "<>")


async def _search(words: str, places: Places, limit: int, ctx: Context) -> Sequence[SearchHit]:
    query = SearchQuery(words=words, collections=places, limit=limit)
    return await ctx.ports.search.search(ctx.account.user, query)


async def _found(alternative: Alternative, places: Places, ctx: Context) -> dict[SearchHit, datetime]:
    """More and more candidates are looked at until enough of them hold."""
    words = _words(alternative)
    unwanted = [term.text for term in alternative if term.property in _IN_INDEX and term.negated]
    restrictions = [term for term in alternative if term.property not in _IN_INDEX]
    found: dict[SearchHit, datetime] = {}
    seen: set[SearchHit] = set()
    limit = MAX_COUNTED
    while True:
        candidates = await _search(words, places, limit, ctx)
        fresh = [hit for hit in candidates if hit not in seen]
        seen.update(fresh)
        for text in unwanted:
            # what has the unwanted word too is a part of the candidates, in the same order: the limit cuts both alike
            without = set(await _search(f"{words} {text}", places, limit, ctx))
            fresh = [hit for hit in fresh if hit not in without]
        for (collection, number), item in (await items_of(fresh, ctx)).items():
            if all(matches(term, item, ctx.now) for term in restrictions):
                found[SearchHit(collection=collection, id=number)] = item.received
        if len(candidates) < limit or len(found) >= MAX_COUNTED or limit >= MAX_SCANNED:
            return found
        limit *= _GROWTH
