"""The tables of [MS-ASRM] 3.2.5.1, row by row."""

import pytest

from eas_server.commands.rights_answers import Added, People, added, added_without_template, may_forward, may_reply
from eas_server.model.rights import ALL_RIGHTS, Rights
from eas_server.render.rights import in_language, sealed_message

OWN = frozenset({"bob@x", "robert@x"})
TO_ONE, TO_ALL, TO_OTHERS = {"alice@x"}, {"alice@x", "carol@x", "dave@x"}, {"alice@x", "eve@x"}


def people(*named: str, sender: str = "alice@x") -> People:
    """Alice wrote to bob, carol and dave; now bob writes to these."""
    everybody = frozenset({"bob@x", "carol@x", "dave@x"})
    return People(named=frozenset(named), own=OWN, sender=frozenset({sender}), recipients=everybody)


@pytest.mark.requirement("MS-ASRM_R383", "MS-ASRM_R387", "MS-ASRM_R400", "MS-ASRM_R652", "MS-ASRM_R389", "MS-ASRM_R653")
@pytest.mark.requirement("MS-ASRM_R390", "MS-ASRM_R654", "MS-ASRM_R392", "MS-ASRM_R388", "MS-ASRM_R391", "MS-ASRM_R385")
@pytest.mark.parametrize("reply", [False, True])
@pytest.mark.parametrize("reply_all", [False, True])
@pytest.mark.parametrize("modify", [False, True])
def test_who_may_be_answered(*, reply: bool, reply_all: bool, modify: bool) -> None:
    rights = Rights(reply_allowed=reply, reply_all_allowed=reply_all, forward_allowed=modify)
    for with_oneself in (set(), {"bob@x"}, {"bob@x", "robert@x"}):
        assert may_reply(rights, people(*TO_ONE | with_oneself)) == (modify or reply)
        assert may_reply(rights, people(*TO_ALL | with_oneself)) == (modify or reply_all)
        assert may_reply(rights, people(*TO_OTHERS | with_oneself)) == modify
        assert may_reply(rights, people(*with_oneself)) == modify
    for named in ({"carol@x"}, {"carol@x", "dave@x"}, {"alice@x", "carol@x"}, TO_ALL | {"eve@x"}):
        assert may_reply(rights, people(*named)) == modify


def test_an_answer_to_oneself() -> None:
    rights = Rights(reply_allowed=True)
    assert may_reply(rights, people("bob@x", sender="bob@x"))
    assert not may_reply(rights, people("carol@x", sender="bob@x"))
    assert may_reply(Rights(reply_all_allowed=True), people("carol@x", "dave@x", sender="bob@x"))


def test_where_all_are_the_sender() -> None:
    alone = People(
        named=frozenset({"alice@x"}), own=OWN, sender=frozenset({"alice@x"}), recipients=frozenset({"bob@x"})
    )
    assert may_reply(Rights(reply_all_allowed=True), alone)
    assert may_reply(Rights(reply_allowed=True), alone)


def test_an_address_for_answers_counts_as_the_sender() -> None:
    to_list = People(
        named=frozenset({"list@x"}), own=OWN, sender=frozenset({"alice@x", "list@x"}), recipients=frozenset({"bob@x"})
    )
    assert may_reply(Rights(reply_allowed=True), to_list)


@pytest.mark.requirement("MS-ASRM_R384", "MS-ASRM_R386")
def test_what_may_be_forwarded() -> None:
    assert may_forward(Rights(forward_allowed=True))
    assert not may_forward(Rights(reply_allowed=True, reply_all_allowed=True))


Q, A, S, N = Added.QUOTED, Added.ATTACHED, Added.SEALED, Added.NOTHING


@pytest.mark.requirement("MS-ASRM_R253", "MS-ASRM_R254", "MS-ASRM_R255", "MS-ASRM_R256", "MS-ASRM_R257", "MS-ASRM_R258")
@pytest.mark.requirement("MS-ASRM_R259", "MS-ASRM_R260", "MS-ASRM_R261", "MS-ASRM_R262", "MS-ASRM_R263", "MS-ASRM_R264")
@pytest.mark.requirement("MS-ASRM_R265", "MS-ASRM_R266", "MS-ASRM_R267", "MS-ASRM_R268")
@pytest.mark.parametrize(
    ("export", "edit", "whole", "same", "different"),
    [
        (True, True, True, N, N),
        (True, False, True, N, N),
        (False, True, True, N, N),
        (False, False, True, N, N),
        (True, True, False, Q, Q),
        (True, False, False, A, A),
        (False, True, False, Q, S),
        (False, False, False, A, S),
    ],
)
def test_what_is_added(*, export: bool, edit: bool, whole: bool, same: Added, different: Added) -> None:
    rights = Rights(export_allowed=export, edit_allowed=edit)
    assert added(rights, same=True, whole=whole) is same
    assert added(rights, same=False, whole=whole) is different


def test_what_cannot_be_read_is_not_added() -> None:
    assert added(None, same=True, whole=False) is S
    assert added(ALL_RIGHTS, same=False, whole=False) is Q


@pytest.mark.requirement("MS-ASRM_R218", "MS-ASRM_R367")
def test_without_a_template() -> None:
    assert added_without_template(whole=False) is S
    assert added_without_template(whole=True) is N


@pytest.mark.requirement("MS-ASRM_R205", "MS-ASRM_R213", "MS-ASRM_R413", "MS-ASRM_R414", "MS-ASRM_R315")
@pytest.mark.parametrize(
    ("languages", "expected"),
    [
        ((), "E"),
        (("de-at",), "D"),
        (("pt",), "P"),
        (("pt-pt",), "P"),
        (("fr", "de"), "D"),
        (("en", "de"), "E"),
        (("fr",), "E"),
    ],
)
def test_the_closest_language(languages: tuple[str, ...], expected: str) -> None:
    assert in_language({"de": "D", "pt_BR": "P"}, "E", languages) == expected


@pytest.mark.parametrize("header", [b"", b"Subject: x", b"Subject: x\n", b"Subject: x\r\nTo: y\r\n"])
def test_a_sealed_message_is_one(header: bytes) -> None:
    octets = sealed_message(header)
    head, _, rest = octets.partition(b"\r\n\r\n")
    assert b"Content-Type: multipart/mixed" in head
    assert head.startswith(header.strip())
    assert b"\n" not in octets.replace(b"\r\n", b"")
    assert rest.count(b"--=_protected") == 3
