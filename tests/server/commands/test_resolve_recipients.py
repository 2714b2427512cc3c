"""ResolveRecipients, [MS-ASCMD] 2.2.1.15."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas_server.commands.resolve_recipients import COMMAND, fail, refuse
from eas_server.errors import DirectoryUnavailable
from eas_server.model.settings import RecipientSettings, Settings
from protocol.codepages import tag
from protocol.commands.resolve_recipients import (
    AvailabilityOptions,
    CertificateRetrieval,
    Options,
    PictureOptions,
    Recipient,
    Request,
    Response,
    ToResponse,
)
from protocol.elements import Element
from protocol.errors import MalformedXml
from protocol.schema import dump, load
from protocol.versions import SUPPORTED, V12_1, V14_0, V14_1, ProtocolVersion
from tests.server.commands.mailbox import mailbox
from tests.server.commands.people import BOB_ENTRY, People, der, group, people, person
from tests.server.commands.support import Bench, check

RR = "ResolveRecipients:"
FULL, MINI = CertificateRetrieval.FULL, CertificateRetrieval.MINI


class Nobody:
    """No account is here."""

    async def by_address(self, address: str) -> None:
        """See Accounts."""


def bench(directory: Any = None, **settings: Any) -> Bench:
    return Bench(
        directory=directory or people(),
        accounts=Nobody(),
        settings=Settings(recipients=RecipientSettings(**settings)),
    )


async def resolve(*to: str, on: Bench | None = None, **options: Any) -> Response:
    response = await (on or bench()).run(COMMAND, Request(to=to, options=Options(**options)))
    assert isinstance(response, Response)
    return response


async def resolve_one(to: str, on: Bench | None = None, **options: Any) -> ToResponse:
    response = await resolve(to, on=on, **options)
    assert response.status == 1
    (answer,) = response.responses
    return answer


def the_one(answer: ToResponse) -> Recipient:
    (recipient,) = answer.recipients
    return recipient


@pytest.mark.requirement(
    "MS-ASCMD_R4275", "MS-ASCMD_R856", "MS-ASCMD_R2432", "MS-ASCMD_R5309", "MS-ASCMD_R2497", "MS-ASCMD_R4686"
)
@pytest.mark.parametrize("name", ["bob@example.com", "BOB@Example.COM", "bob", "Bob Exa"])
async def test_a_name_that_means_one_person(name: str) -> None:
    answer = await resolve_one(name)
    assert (answer.to, answer.status, answer.recipient_count) == (name, 1, 1)
    recipient = the_one(answer)
    assert (recipient.type, recipient.display_name, recipient.email_address) == (1, "Bob Example", "bob@example.com")
    assert recipient.certificates is None
    assert recipient.picture is None
    assert recipient.availability is None


@pytest.mark.requirement("MS-ASCMD_R4620", "MS-ASCMD_R4286", "MS-ASCMD_R4287", "MS-ASCMD_R3765")
async def test_each_to_has_its_answer_in_order_and_as_it_was_sent() -> None:
    on = bench()
    response = await resolve("bob", "nobody@example.com", "  alice ", "bob", "", on=on, certificate_retrieval=FULL)
    assert [(r.to, r.status, r.recipient_count) for r in response.responses] == [
        ("bob", 1, 1),
        ("nobody@example.com", 4, 0),
        ("  alice ", 1, 1),
        ("bob", 1, 1),
        ("", 4, 0),
    ]
    assert sorted(on.directory.asked) == ["alice", "bob", "nobody@example.com"]


@pytest.mark.requirement(
    "MS-ASCMD_R841", "MS-ASCMD_R843", "MS-ASCMD_R857", "MS-ASCMD_R849", "MS-ASCMD_R1136", "MS-ASCMD_R4302"
)
@pytest.mark.parametrize("version", SUPPORTED)
async def test_full_certificates(version: ProtocolVersion) -> None:
    answer = await resolve_one("bob", on=replace(bench(), version=version), certificate_retrieval=FULL)
    found = the_one(answer).certificates
    assert found is not None
    assert (found.status, found.certificate_count, found.recipient_count) == (1, 1, 1)
    assert found.certificates == (der("bob"),)
    assert found.mini_certificate is None
    written = dump(found, version).children
    names = ["Status", "CertificateCount", "RecipientCount", "Certificate"]
    assert [child.tag.name for child in written] == names
    assert isinstance(written[-1].content, str)  # MS-ASCMD_R1113: base64 text


@pytest.mark.requirement("MS-ASCMD_R3435", "MS-ASCMD_R858", "MS-ASCMD_R3433")
async def test_mini_certificates_are_whole_ones() -> None:
    found = the_one(await resolve_one("bob", certificate_retrieval=MINI)).certificates
    assert found is not None
    assert (found.status, found.certificate_count, found.recipient_count) == (1, 1, 1)
    assert (found.certificates, found.mini_certificate) == ((), der("bob"))


async def test_mini_certificates_may_be_switched_off() -> None:
    found = the_one(
        await resolve_one("bob", on=bench(mini_certificates=False), certificate_retrieval=MINI)
    ).certificates
    assert found is not None
    assert (found.status, found.mini_certificate, found.certificate_count) == (7, None, 0)


@pytest.mark.requirement("MS-ASCMD_R4303", "MS-ASCMD_R4304", "MS-ASCMD_R3764")
@pytest.mark.parametrize("retrieval", [FULL, MINI])
async def test_who_has_no_valid_certificate(retrieval: CertificateRetrieval) -> None:
    directory = People(
        person("carol"), person("bob", "bob-expired", "bob-not-yet", "bob-wrong-eku", "bob-wrong-address")
    )
    on = bench(directory)
    for name in ("carol", "bob"):
        found = the_one(await resolve_one(name, on=on, certificate_retrieval=retrieval)).certificates
        assert found is not None
        assert (found.status, found.certificate_count, found.recipient_count) == (7, 0, 1)
        assert (found.certificates, found.mini_certificate) == ((), None)


async def test_the_policy_of_addresses_can_be_switched_off() -> None:
    directory = People(person("bob", "bob-wrong-address"))
    found = the_one(
        await resolve_one("bob", on=bench(directory, require_address_match=False), certificate_retrieval=FULL)
    ).certificates
    assert found is not None
    assert found.certificates == (der("bob-wrong-address"),)


@pytest.mark.requirement("MS-ASCMD_R849", "MS-ASCMD_R1114")
async def test_all_valid_certificates_of_a_person_come_the_newest_first() -> None:
    directory = People(person("bob", addresses=("alice@example.com",), user_certificates=(der("alice"), der("bob"))))
    found = the_one(await resolve_one("bob", on=bench(directory), certificate_retrieval=FULL)).certificates
    assert found is not None
    assert (found.certificate_count, found.certificates) == (2, (der("bob"), der("alice")))


@pytest.mark.requirement("MS-ASCMD_R3768", "MS-ASCMD_R3769", "MS-ASCMD_R864")
async def test_a_group_tells_how_many_of_its_members_have_certificates() -> None:
    answer = await resolve_one("team", certificate_retrieval=FULL)
    assert (answer.status, answer.recipient_count) == (1, 1)
    recipient = the_one(answer)
    assert recipient.email_address == "team@example.com"
    found = recipient.certificates
    assert found is not None
    assert (found.status, found.certificate_count, found.recipient_count) == (1, 2, 3)
    assert found.certificates == (der("alice"), der("bob"))


async def test_two_certificates_of_a_member_do_not_stand_for_another_member() -> None:
    bob = replace(BOB_ENTRY, addresses=("alice@example.com",), user_certificates=(der("alice"), der("bob")))
    directory = People(group("pair"), members={"pair": [bob, person("carol")]})
    found = the_one(await resolve_one("pair", on=bench(directory), certificate_retrieval=FULL)).certificates
    assert found is not None
    assert (found.certificate_count, found.recipient_count) == (1, 2)


async def test_a_group_without_certificates_or_members() -> None:
    directory = People(group("none"), group("empty"), members={"none": [person("carol")]})
    for name, headcount in (("none", 1), ("empty", 0)):
        found = the_one(await resolve_one(name, on=bench(directory), certificate_retrieval=FULL)).certificates
        assert found is not None
        assert (found.status, found.certificate_count, found.recipient_count) == (7, 0, headcount)


@pytest.mark.requirement("MS-ASCMD_R3254")
async def test_one_mini_certificate_is_no_complete_set_of_a_group() -> None:
    found = the_one(await resolve_one("team", certificate_retrieval=MINI)).certificates
    assert found is not None
    assert (found.status, found.certificate_count, found.mini_certificate) == (8, 2, None)


@pytest.mark.requirement("MS-ASCMD_R3254")
async def test_a_group_too_large_to_be_looked_up_gets_no_certificates() -> None:
    found = the_one(await resolve_one("team", on=bench(max_members=2), certificate_retrieval=FULL)).certificates
    assert found is not None
    assert (found.status, found.certificate_count, found.recipient_count) == (8, 2, 3)
    assert found.certificates == ()


@pytest.mark.requirement(
    "MS-ASCMD_R3255", "MS-ASCMD_R4305", "MS-ASCMD_R4306", "MS-ASCMD_R851", "MS-ASCMD_R3251", "MS-ASCMD_R3256"
)
@pytest.mark.parametrize(
    ("most", "statuses"),
    [
        (0, [8, 8, 7, 8]),
        (1, [1, 8, 7, 8]),
        (2, [1, 8, 7, 1]),
        (3, [1, 1, 7, 8]),
        (4, [1, 1, 7, 1]),
        (9999, [1, 1, 7, 1]),
    ],
)
async def test_max_certificates_is_a_budget_of_the_request(most: int, statuses: list[int]) -> None:
    response = await resolve("alice", "team", "carol", "dave", certificate_retrieval=FULL, max_certificates=most)
    found = [the_one(r).certificates for r in response.responses]
    assert [c.status for c in found if c] == statuses
    assert [c.certificate_count for c in found if c] == [1, 2, 0, 1]
    assert sum(len(c.certificates) for c in found if c) <= most
    assert all(not c.certificates for c in found if c and c.status != 1)


@given(
    most=st.none() | st.integers(0, 6), names=st.lists(st.sampled_from(["alice", "bob", "team", "carol"]), min_size=1)
)
async def test_sets_are_complete_or_empty_and_within_the_budget(most: int | None, names: list[str]) -> None:
    response = await COMMAND.handle(
        Request(to=tuple(names), options=Options(certificate_retrieval=FULL, max_certificates=most)),
        await bench().context("ResolveRecipients"),
    )
    assert isinstance(response, Response)
    found = [c for r in response.responses if (c := the_one(r).certificates) is not None]
    assert len(found) == len(names)
    assert all(len(c.certificates) in (0, c.certificate_count) for c in found)
    assert all((c.status == 1) == bool(c.certificates) for c in found)
    assert most is None or sum(len(c.certificates) for c in found) <= most


@pytest.mark.requirement("MS-ASCMD_R4277", "MS-ASCMD_R4279", "MS-ASCMD_R3761", "MS-ASCMD_R3763")
async def test_an_ambiguous_name_has_suggestions_without_certificates() -> None:
    answer = await resolve_one("example", certificate_retrieval=FULL)
    assert (answer.status, answer.recipient_count) == (2, 4)
    names = ["Alice Example", "Bob Example", "Carol Example", "Dave Example"]
    assert [r.display_name for r in answer.recipients] == names
    assert all(r.certificates is None for r in answer.recipients)


@pytest.mark.requirement(
    "MS-ASCMD_R4281", "MS-ASCMD_R4282", "MS-ASCMD_R4283", "MS-ASCMD_R4284", "MS-ASCMD_R3249", "MS-ASCMD_R3250"
)
@pytest.mark.parametrize("most", [0, 1, 3])
async def test_a_part_of_the_suggestions(most: int) -> None:
    answer = await resolve_one("example", certificate_retrieval=FULL, max_ambiguous_recipients=most)
    assert (answer.status, answer.recipient_count, len(answer.recipients)) == (3, 4, most)


@pytest.mark.parametrize("most", [0, 1])
async def test_an_exact_match_needs_no_room_for_suggestions(most: int) -> None:
    answer = await resolve_one("bob@example.com", certificate_retrieval=FULL, max_ambiguous_recipients=most)
    assert answer.status == 1
    assert the_one(answer).certificates is not None


async def test_the_servers_own_limit_of_suggestions() -> None:
    answer = await resolve_one("example", on=bench(max_results=2))
    assert (answer.status, answer.recipient_count, len(answer.recipients)) == (3, 4, 2)


@pytest.mark.requirement("MS-ASCMD_R4614", "MS-ASCMD_R5655", "MS-ASCMD_R5656")
@pytest.mark.parametrize(("count", "status"), [(0, 5), (1, 1), (100, 1), (101, 5)])
async def test_how_many_recipients(count: int, status: int) -> None:
    response = await resolve(*["bob"] * count)
    assert response.status == status
    assert len(response.responses) == (count if status == 1 else 0)


def wbxml_request(*children: Element) -> Element:
    return Element(tag(RR + "ResolveRecipients"), list(children))


def leaf(name: str, content: str | list[Element]) -> Element:
    return Element(tag(RR + name), content)


@pytest.mark.requirement("MS-ASCMD_R4611", "MS-ASCMD_R5873")
async def test_the_longest_name() -> None:
    response = await bench().run_tree(COMMAND, wbxml_request(leaf("To", "x" * 256)))
    assert response.responses[0].status == 4


@pytest.mark.requirement(
    "MS-ASCMD_R4269",
    "MS-ASCMD_R4270",
    "MS-ASCMD_R4611",
    "MS-ASCMD_R3253",
    "MS-ASCMD_R3248",
    "MS-ASCMD_R5349",
    "MS-ASCMD_R5348101601",
    "MS-ASCMD_R855",
    "MS-ASCMD_R3986",
)
@pytest.mark.parametrize(
    "bad",
    [
        leaf("To", "x" * 257),
        leaf("Options", [leaf("CertificateRetrieval", "4")]),
        leaf("Options", [leaf("CertificateRetrieval", "0")]),
        leaf("Options", [leaf("MaxCertificates", "10000")]),
        leaf("Options", [leaf("MaxCertificates", "-1")]),
        leaf("Options", [leaf("MaxAmbiguousRecipients", "10000")]),
        leaf("Options", [leaf("Picture", [leaf("MaxSize", "102401")])]),
        leaf("Options", [leaf("Picture", [leaf("MaxSize", "-1")])]),
        leaf("Options", [leaf("Availability", [leaf("StartTime", "yesterday")])]),
        leaf("Options", [leaf("Availability", [])]),
    ],
)
async def test_parameters_out_of_range_are_a_protocol_error(bad: Element) -> None:
    with pytest.raises(MalformedXml) as caught:
        await bench().run_tree(COMMAND, wbxml_request(leaf("To", "bob"), bad))
    answer = refuse(caught.value, V14_1)
    check(answer, "ResolveRecipients", V14_1)
    assert answer == Response(status=5)
    assert fail(6, V14_1) == Response(status=6)


async def test_a_request_without_options() -> None:
    response = await bench().run_tree(COMMAND, wbxml_request(leaf("To", "bob")))
    assert response.responses[0].status == 1
    assert load(Request, wbxml_request(leaf("Options", []), leaf("To", "bob"))) == Request(to=("bob",))


@pytest.mark.requirement(
    "MS-ASCMD_R4310", "MS-ASCMD_R4311", "MS-ASCMD_R4312", "MS-ASCMD_R4313", "MS-ASCMD_R3286", "MS-ASCMD_R3291"
)
@pytest.mark.requirement("MS-ASCMD_R3287", "MS-ASCMD_R3288", "MS-ASCMD_R3289", "MS-ASCMD_R4309", "MS-ASCMD_R5350")
@pytest.mark.requirement("MS-ASCMD_R5351")
async def test_pictures_are_counted_for_each_to() -> None:
    small, large = b"x" * 10, b"x" * 11
    directory = People(person("a", picture=small), person("b"), person("c", picture=large), person("d", picture=small))
    options = {"picture": PictureOptions(max_size=10, max_pictures=1)}
    response = await resolve("example", "d", on=bench(directory), **options)
    pictures = [[r.picture for r in answer.recipients] for answer in response.responses]
    assert [[(p.status, p.data) for p in row if p] for row in pictures] == [
        [(1, small), (173, None), (174, None), (175, None)],
        [(1, small)],
    ]


@pytest.mark.requirement("MS-ASCMD_R6967", "MS-ASCMD_R6968", "MS-ASCMD_R6085", "MS-ASCMD_R7262", "MS-ASCMD_R7265")
@pytest.mark.parametrize(("version", "availability"), [(V12_1, False), (V14_0, True)])
async def test_what_earlier_versions_do_not_have(version: ProtocolVersion, availability: bool) -> None:
    start = datetime(2026, 11, 23, tzinfo=UTC)
    answer = await resolve_one(
        "alice",
        on=replace(bench(), version=version),
        picture=PictureOptions(),
        availability=AvailabilityOptions(start=start),
    )
    assert the_one(answer).picture is None
    assert (the_one(answer).availability is not None) is availability


@pytest.mark.requirement("MS-ASCMD_R4298", "MS-ASCMD_R3338", "MS-ASCMD_R2265", "MS-ASCMD_R4617", "MS-ASCMD_R4618")
async def test_whose_calendar_is_not_here_has_no_free_busy_data() -> None:
    wanted = AvailabilityOptions(start=datetime(2026, 11, 23, tzinfo=UTC))
    response = await resolve("bob", "example", "nobody", availability=wanted)
    found = [[r.availability for r in answer.recipients] for answer in response.responses]
    assert [a.status for a in found[0] if a] == [163]
    assert found[1] == [None] * 4
    assert found[2] == []


@pytest.mark.requirement("MS-ASCMD_R4294", "MS-ASCMD_R4626")
@pytest.mark.parametrize(("count", "status"), [(20, 163), (21, 161)])
async def test_a_group_too_large_to_be_merged(count: int, status: int) -> None:
    directory = People(group("crowd"), members={"crowd": [person(f"p{n}") for n in range(count)]})
    wanted = AvailabilityOptions(start=datetime(2026, 11, 23, tzinfo=UTC))
    availability = the_one(await resolve_one("crowd", on=bench(directory), availability=wanted)).availability
    assert availability is not None
    assert availability.status == status


@pytest.mark.requirement("MS-ASCMD_R4622", "MS-ASCMD_R4293")
async def test_too_many_recipients_for_free_busy_data() -> None:
    wanted = AvailabilityOptions(start=datetime(2026, 11, 23, tzinfo=UTC))
    response = await resolve(*["bob"] * 100, availability=wanted)
    assert {a.status for r in response.responses if (a := the_one(r).availability)} == {160}


@pytest.mark.requirement("MS-ASCMD_R2266", "MS-ASCMD_R5430", "MS-ASCMD_R5175")
@pytest.mark.parametrize(
    ("span", "status"),
    [(timedelta(minutes=29), 5), (timedelta(minutes=30), 1), (timedelta(days=42), 1), (timedelta(days=43), 5)],
)
async def test_the_span_of_free_busy_data(span: timedelta, status: int) -> None:
    start = datetime(2026, 11, 23, tzinfo=UTC)
    response = await resolve("bob", availability=AvailabilityOptions(start=start, end=start + span))
    assert response.status == status


async def test_with_the_embedded_directory(tmp_path: Path) -> None:
    async with mailbox(tmp_path) as box:
        await box.store.admin.add_user("bob@example.com", None, BOB_ENTRY)
        answer = await resolve_one("bob@example.com", on=box.bench, certificate_retrieval=FULL)
    found = the_one(answer).certificates
    assert found is not None
    assert found.certificates == (der("bob"),)


class Broken(People):
    """A directory that fails on one name."""

    async def resolve(self, name: str, limit: int) -> Any:
        """See Directory."""
        if name == "bob":
            raise DirectoryUnavailable("down")
        return await super().resolve(name, limit)


@pytest.mark.parametrize("names", [("bob",), ("alice", "bob", "carol")])
async def test_a_directory_that_is_down_is_that_and_no_missing_recipient(names: tuple[str, ...]) -> None:
    with pytest.raises(DirectoryUnavailable):
        await resolve(*names, on=bench(Broken()))
