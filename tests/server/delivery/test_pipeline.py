"""Steps around a submission."""

import logging
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from eas_server.delivery.pipeline import Pipeline
from eas_server.interfaces import Receipt, Submission, Submitted
from eas_server.model.ids import UserId

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
EMPTY = Submission(user=UserId("alice"), source=None, deliveries=(), forwarding=None, now=NOW)


@dataclass
class Inner:
    outcome: Submitted = Submitted.ACCEPTED
    taken: list[Submission] = field(default_factory=list)

    async def submit(self, submission: Submission) -> Receipt:
        self.taken.append(submission)
        return Receipt(outcome=self.outcome)


@dataclass
class Renaming:
    suffix: str
    told: list[str] = field(default_factory=list)

    async def before(self, submission: Submission) -> Submission:
        return replace(submission, user=UserId(submission.user + self.suffix))

    async def after(self, submission: Submission, receipt: Receipt) -> None:
        self.told.append(submission.user)


class Failing:
    async def before(self, submission: Submission) -> Submission:
        raise ValueError("before")

    async def after(self, submission: Submission, receipt: Receipt) -> None:
        raise ValueError("after")


async def test_steps_follow_each_other():
    inner, one, two = Inner(), Renaming("1"), Renaming("2")
    pipeline = Pipeline(inner)
    pipeline.use([one, two])
    assert (await pipeline.submit(EMPTY)).outcome is Submitted.ACCEPTED
    assert [taken.user for taken in inner.taken] == ["alice12"]
    assert one.told == two.told == ["alice12"]


async def test_nothing_follows_from_a_repetition():
    step = Renaming("1")
    pipeline = Pipeline(Inner(Submitted.DUPLICATE))
    pipeline.use([step])
    assert (await pipeline.submit(EMPTY)).outcome is Submitted.DUPLICATE
    assert step.told == []


async def test_a_step_that_fails_stops_nothing(caplog: pytest.LogCaptureFixture):
    inner, step = Inner(), Renaming("1")
    pipeline = Pipeline(inner)
    pipeline.use([Failing(), step])
    with caplog.at_level(logging.ERROR):
        await pipeline.submit(EMPTY)
    assert step.told == ["alice1"]
    assert len(caplog.records) == 2
