"""Runs the steps around a submission."""

import logging
from collections.abc import Sequence
from typing import Protocol

from eas_server.interfaces import MailSubmission, Receipt, Submission, Submitted

log = logging.getLogger(__name__)


class Step(Protocol):
    """Something that becomes of mail besides its delivery. Most mail does not concern it, and costs it little."""

    async def before(self, submission: Submission) -> Submission:
        """The submission as it is to be carried out: deliveries to other folders, or more of them.

        Called before it is known whether it is a repetition: nothing may be done yet.
        """
        ...

    async def after(self, submission: Submission, receipt: Receipt) -> None:
        """What follows from a submission that was ACCEPTED, when it is durable.

        A crash in between leaves it undone, and a client that did not hear of the acceptance may submit again, which is
        then no longer ACCEPTED: a step that must not be lost has to be made good later.
        """
        ...


class Pipeline:
    """A MailSubmission with steps around another one.

    A step that fails is logged and passed over: the mail itself is delivered all the same.
    """

    def __init__(self, inner: MailSubmission) -> None:
        self._inner = inner
        self._steps: tuple[Step, ...] = ()

    def use(self, steps: Sequence[Step]) -> None:
        """Run these steps from now on; apart from the constructor, since steps send mail through the pipeline too."""
        self._steps = tuple(steps)

    async def submit(self, submission: Submission) -> Receipt:
        """See MailSubmission."""
        for step in self._steps:
            submission = await self._before(step, submission)
        receipt = await self._inner.submit(submission)
        if receipt.outcome is Submitted.ACCEPTED:
            for step in self._steps:
                await self._after(step, submission, receipt)
        return receipt

    async def _before(self, step: Step, submission: Submission) -> Submission:
        try:
            return await step.before(submission)
        except Exception:
            log.exception("%s failed before a delivery, which goes on without it", type(step).__name__)
            return submission

    async def _after(self, step: Step, submission: Submission, receipt: Receipt) -> None:
        try:
            await step.after(submission, receipt)
        except Exception:
            log.exception("%s failed after a delivery", type(step).__name__)


_: type[MailSubmission] = Pipeline
