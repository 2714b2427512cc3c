"""What a policy asks of a message, and what becomes of one that is not as asked: the decisions."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from eas_server.backends.memory.audit import MemoryAudit
from eas_server.backends.memory.preferences import MemoryPreferences
from eas_server.backends.memory.world import World
from eas_server.commands import smime_policy
from eas_server.commands.auditing import domains_of
from eas_server.commands.policy import policy_of
from eas_server.commands.smime_policy import Demands, Judgement, demands_of, judge
from eas_server.errors import CommandError, EvidenceUnavailable, StoreFull, StoreUnavailable
from eas_server.model.audit import AuditKind
from eas_server.model.enforcement import EnforcementSettings, Measure
from eas_server.model.ids import UserId
from eas_server.model.settings import PolicySettings, Settings, SmimeSettings, ValidationSettings
from eas_server.pki.message_kind import PLAIN, Encrypted, MessageKind, Signature, Signed
from eas_server.pki.smime import sign_detached
from eas_server.submission.header import read_header
from protocol.status import CommonStatus
from tests.server.commands.composing import ALICE, NOW, Bench
from tests.server.pki import making

BOTH = Demands(signed=True, encrypted=True)
SIGNATURE = Signed(signatures=(Signature(certificate=None, fits=None),), certificates=())
ENVELOPE = Encrypted(cipher="aes256_cbc", recipients=1)
SIGNED = MessageKind(layers=(SIGNATURE,))
SEALED = MessageKind(layers=(ENVELOPE,))
WRAPPED = MessageKind(layers=(SIGNATURE, ENVELOPE))
WEAK = MessageKind(layers=(replace(ENVELOPE, weaknesses=("3DES",)),))
DEFAULTS = EnforcementSettings()
HOME = ("example.com",)


@pytest.mark.parametrize(
    ("kind", "demands", "missing"),
    [
        (PLAIN, Demands(), ()),
        (PLAIN, BOTH, ("signed", "encrypted")),
        (SIGNED, BOTH, ("encrypted",)),
        (SIGNED, Demands(signed=True), ()),
        (SEALED, BOTH, ()),
        (SEALED, Demands(signed=True), ()),
        (WRAPPED, BOTH, ()),
        (MessageKind(problem="not CMS"), BOTH, ("signed", "encrypted")),
    ],
)
def test_what_is_missing(kind, demands, missing):
    found = judge(kind, demands, HOME, DEFAULTS)
    assert found.missing == missing
    assert found.measure is (Measure.REFUSE if missing else Measure.IGNORE)


def test_hidden_signatures_may_not_count():
    strict = EnforcementSettings(encrypted_counts_as_signed=False)
    assert judge(SEALED, BOTH, HOME, strict).missing == ("signed",)
    assert judge(WRAPPED, BOTH, HOME, strict).missing == ()
    assert judge(WRAPPED, BOTH, HOME, strict, signature_fault="no").missing == ("signed",)


def test_weak_and_missing_measures_add_up():
    settings = EnforcementSettings(missing=Measure.AUDIT, weak=Measure.WARN)
    found = judge(WEAK, Demands(), HOME, settings)
    assert (found.measure, found.weak, found.missing) == (Measure.WARN, ("3DES",), ())
    assert judge(WEAK, Demands(), HOME, EnforcementSettings(weak=Measure.IGNORE)) == Judgement(measure=Measure.IGNORE)
    assert judge(WEAK, Demands(), HOME, EnforcementSettings(weak=Measure.REFUSE)).measure is Measure.REFUSE
    assert judge(PLAIN, BOTH, HOME, replace(settings, weak=Measure.REFUSE)).measure is Measure.AUDIT


def test_the_strictest_domain_counts():
    settings = EnforcementSettings(
        missing=Measure.WARN, domains={"a.example": Measure.IGNORE, ".a.example": Measure.AUDIT, "b": Measure.REFUSE}
    )
    for domain, measure in (
        ("a.example", Measure.IGNORE),
        ("x.a.example", Measure.AUDIT),
        ("y.x.a.example", Measure.AUDIT),
        ("xa.example", Measure.WARN),
        ("b", Measure.REFUSE),
        ("", Measure.WARN),
    ):
        assert judge(PLAIN, BOTH, [domain], settings).measure is measure
    found = judge(PLAIN, BOTH, ["a.example", "x.a.example", "b"], settings)
    assert (found.measure, found.domains) == (Measure.REFUSE, ("b",))
    assert judge(PLAIN, BOTH, ["a.example"], settings).missing == ()


@pytest.mark.parametrize("domain", ["a@b", "", ".", " x", "Example.com"])
def test_wrong_domains(domain):
    with pytest.raises(ValueError, match="domains"):
        EnforcementSettings(domains={domain: Measure.AUDIT})


def test_policies_of_domains():
    named = {name: PolicySettings(name=name) for name in ("user", "domain", "default")}
    settings = Settings(
        policies=named,
        policy_of_user={"alice@example.com": "user"},
        policy_of_domain={"example.com": "domain"},
    )
    for user, name in (
        ("alice@example.com", "user"),
        ("bob@Example.com", "domain"),
        ("bob@sub.example.com", "default"),
        ("bob", "default"),
    ):
        assert policy_of(settings, UserId(user)).name == name
    assert demands_of(settings, UserId("bob")) == Demands()


def test_domains_of():
    assert domains_of(["a@x.example", "b@X.example.", "c@y.example", "group", ""]) == (
        "x.example:2",
        ":2",
        "y.example:1",
    )


# ---- what asks about certificates


class Stuck:
    """A RevocationSource that gives no answer."""

    async def fetch(self, wanted: Any) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError(wanted)


class Answering:
    """A RevocationSource that gives one answer, or none."""

    def __init__(self, answer: bytes | None) -> None:
        self.answer = answer

    async def fetch(self, wanted: Any) -> bytes:
        if self.answer is None:
            raise EvidenceUnavailable("refused")
        return self.answer


ROOT = making.authority("Root", not_before=NOW - making.YEAR, not_after=NOW + making.YEAR)
SIGNER = making.person(
    ROOT,
    emails=(ALICE.address,),
    crl_urls=("http://ca.example/crl",),
    not_before=NOW - making.YEAR,
    not_after=NOW + making.YEAR,
)


def crl(*revoked: Any) -> bytes:
    return making.crl(
        ROOT,
        *revoked,
        this_update=NOW - making.DAY,
        next_update=NOW + making.DAY,
        revoked_at=NOW - 2 * making.DAY,
    )


class Trusts:
    def __init__(self, *roots: Any) -> None:
        self.roots = roots

    async def collection(self, domain: str) -> Any:
        assert domain == "example.com"
        return making.trust(*self.roots)


def context(source: Any, trust: Any, *, check: bool = True, **ports: Any) -> Any:
    settings = Settings(
        policies={"default": PolicySettings(settings={"RequireSignedSMIMEMessages": True})},
        smime=SmimeSettings(check_crl_on_send=check),
        validation=ValidationSettings(deadline_seconds=0.05),
    )
    world = World(None)
    world.add_mailbox(ALICE, "")
    ctx = Bench(settings=settings).context()
    more = {"preferences": MemoryPreferences(world), **ports}
    return replace(ctx, ports=replace(ctx.ports, trust=trust, revocation=source, audit=MemoryAudit(), **more))


async def check(ctx: Any, mime: bytes | None = None) -> Any:
    signed = mime or sign_detached(b"Content-Type: text/plain\r\n\r\nHello\r\n", SIGNER.der, SIGNER.key, [ROOT.der])
    octets = b"From: alice@example.com\r\nTo: bob@example.com\r\nSubject: Plans\r\n" + signed
    header = read_header(octets)
    return await smime_policy.check_outgoing(memoryview(octets), header, ["bob@example.com"], b"digest", ctx)


async def test_a_certificate_that_is_known_to_be_good():
    outgoing = await check(context(Answering(crl()), Trusts(ROOT)))
    assert outgoing.judgement.measure is Measure.IGNORE


@pytest.mark.parametrize(
    ("source", "trust", "reason"),
    [
        (Answering(crl(SIGNER)), Trusts(ROOT), "it was revoked"),
        (Answering(None), Trusts(ROOT), "does not answer"),
        (Stuck(), Trusts(ROOT), "does not answer"),
        (None, Trusts(ROOT), "nobody says"),
        (Answering(crl()), Trusts(), "no root is trusted here"),
        (Answering(crl()), None, "no certificates are trusted"),
    ],
)
async def test_a_certificate_that_is_not_known_to_be_good(source, trust, reason):
    ctx = context(source, trust)
    with pytest.raises(CommandError) as refused:
        await check(ctx)
    assert refused.value.status == CommonStatus.MAIL_SUBMISSION_FAILED
    last = ctx.ports.audit.events[-1]
    assert last.kind is AuditKind.REFUSED
    assert reason in last.details["problem"]
    assert len(ctx.ports.submission.submissions) == 1


async def test_nothing_is_asked_unless_it_is_switched_on():
    assert (await check(context(Stuck(), Trusts(), check=False))).judgement.measure is Measure.IGNORE


async def test_a_slow_authority_holds_up_nobody_else():
    stuck = context(Stuck(), Trusts(ROOT))
    stuck = replace(stuck, settings=replace(stuck.settings, validation=ValidationSettings(deadline_seconds=60)))
    waiting = asyncio.create_task(check(stuck))
    await check(context(Answering(crl()), Trusts(ROOT)))
    assert not waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


@pytest.mark.parametrize("failure", [StoreFull("full"), StoreUnavailable("gone")])
async def test_a_sender_who_cannot_be_told_is_refused_all_the_same(failure):
    ctx = context(None, None, check=False)
    ctx.ports.submission.failure = failure
    with pytest.raises(CommandError):
        await check(ctx, b"\r\nHello\r\n")
    assert ctx.ports.audit.events[-1].kind is AuditKind.REFUSED


async def test_hostile_subjects_stay_in_their_line():
    ctx = context(None, None, check=False)
    octets = b"From: a@example.com\r\nSubject: =?utf-8?q?a=0D=0ABcc:_x=40example.com=0D=0A=0D=0Abody?=\r\n\r\nHello\r\n"
    with pytest.raises(CommandError):
        await smime_policy.check_outgoing(memoryview(octets), read_header(octets), ["b@example.com"], b"d", ctx)
    (delivery,) = ctx.ports.submission.last.deliveries
    assert delivery.message.index.bcc == ""
    assert delivery.message.index.subject == "Not sent: a Bcc: x@example.com body"
