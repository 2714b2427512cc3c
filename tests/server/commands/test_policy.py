"""The pure decisions about policies."""

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas_server.commands.policy import (
    accepted,
    assigned_policy,
    check_policy,
    is_acknowledged,
    offered,
    policy_digest,
    policy_of,
    refusal,
)
from eas_server.commands.policy_rules import RULES, Rule, document
from eas_server.model.device import PolicyState
from eas_server.model.ids import UserId
from eas_server.model.settings import PolicySettings, Settings
from protocol.commands.provision import (
    POLICY_TYPE,
    Compliance,
    Data,
    EASProvisionDoc,
    PolicyStatus,
    Response,
    ResponsePolicy,
    Status,
)
from protocol.elements import Element
from protocol.schema import dump, load
from protocol.status import CommonStatus
from protocol.versions import SUPPORTED, ProtocolVersion
from tests.schemas import assert_valid

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SMIME = {
    "RequireSignedSMIMEMessages": True,
    "RequireEncryptedSMIMEMessages": False,
    "RequireSignedSMIMEAlgorithm": 1,
    "RequireEncryptionSMIMEAlgorithm": 4,
    "AllowSMIMEEncryptionAlgorithmNegotiation": 2,
    "AllowSMIMESoftCerts": False,
}
SHA1 = "0123456789abcdefABCDEF0123456789abcdef01"


def values(rule: Rule) -> list[object]:
    """Good values of a setting, the ends of its range among them."""
    if rule.unset == ():
        return [(SHA1,), (SHA1, SHA1.lower()), ()] if rule.hashes else [("solitaire.exe", "büro"), ()]
    if rule.allowed is None:
        return [False, True]
    return [rule.allowed[0], rule.allowed[-1]]


def told(doc: EASProvisionDoc, version: ProtocolVersion) -> dict[str, object]:
    """The elements of a document as the version sees them; the response must hold by the schema."""
    policy = ResponsePolicy(
        policy_type=POLICY_TYPE, status=PolicyStatus.SUCCESS, policy_key="1", data=Data(document=doc)
    )
    assert_valid(dump(Response(status=Status.SUCCESS, policies=(policy,)), version), "Provision")
    root = dump(doc, version)
    assert load(EASProvisionDoc, root) == doc
    return {child.tag.name: [e.text for e in child.children] or child.text for child in root.children}


@pytest.mark.requirement("MS-ASPROV_R235")
def test_there_is_a_rule_for_each_element() -> None:
    fields = [field.name for field in dataclasses.fields(EASProvisionDoc)]
    assert [rule.field for rule in RULES.values()] == fields
    for name, rule in RULES.items():
        root = dump(document({name: values(rule)[0]}, ()))  # type: ignore[dict-item] # of the right type for its rule
        assert [child.tag.name for child in root.children] == [name]


@pytest.mark.requirement("MS-ASPROV_R921")
@pytest.mark.requirement("MS-ASPROV_R917")
@pytest.mark.requirement("MS-ASPROV_R253")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
@pytest.mark.parametrize("which", [0, -1], ids=["lowest", "highest"])
def test_every_setting_goes_out_at_every_version(which: int, version: ProtocolVersion) -> None:
    settings = {name: values(rule)[which] for name, rule in RULES.items()}
    doc = document(settings, ())  # type: ignore[arg-type] # of the right types for their rules
    assert list(told(doc, version)) == list(RULES)


@pytest.mark.requirement("MS-ASPROV_R354")
@pytest.mark.requirement("MS-ASPROV_R331")
@pytest.mark.requirement("MS-ASPROV_R353")
@pytest.mark.requirement("MS-ASPROV_R343")
@pytest.mark.requirement("MS-ASPROV_R148")
@pytest.mark.requirement("MS-ASPROV_R149")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
def test_the_elements_of_smime(version: ProtocolVersion) -> None:
    assert told(document(SMIME, ()), version) == {
        "RequireSignedSMIMEMessages": "1",
        "RequireEncryptedSMIMEMessages": "0",
        "RequireSignedSMIMEAlgorithm": "1",
        "RequireEncryptionSMIMEAlgorithm": "4",
        "AllowSMIMEEncryptionAlgorithmNegotiation": "2",
        "AllowSMIMESoftCerts": "0",
    }


def test_what_is_not_configured_does_not_go_out() -> None:
    assert told(document({}, ()), SUPPORTED[-1]) == {}
    asked = document({"RequireEncryptedSMIMEMessages": True}, ())
    assert told(asked, SUPPORTED[-1]) == {"RequireEncryptedSMIMEMessages": "1"}


@pytest.mark.requirement("MS-ASPROV_R1044")
@pytest.mark.requirement("MS-ASPROV_R1045")
@pytest.mark.requirement("MS-ASPROV_R652")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
def test_what_was_set_and_is_unset_is_taken_back(version: ProtocolVersion) -> None:
    taken_back = told(document({}, frozenset(RULES)), version)
    assert list(taken_back) == list(RULES)
    empty = {name for name, text in taken_back.items() if text in ("", [])}
    assert empty == {
        "MinDevicePasswordLength",
        "MaxInactivityTimeDeviceLock",
        "MaxDevicePasswordFailedAttempts",
        "MaxAttachmentSize",
        "DevicePasswordExpiration",
        "UnapprovedInROMApplicationList",
        "ApprovedApplicationList",
    }, "where the schema has room for an empty tag"
    assert taken_back["AllowSimpleDevicePassword"] == "1"  # MS-ASPROV_R141
    assert taken_back["AlphanumericDevicePasswordRequired"] == "0"  # MS-ASPROV_R187
    assert taken_back["DevicePasswordHistory"] == "0"  # MS-ASPROV_R229
    assert taken_back["AllowBluetooth"] == "2"


def test_a_setting_that_is_set_again_goes_out_with_its_value() -> None:
    assert told(document({"MinDevicePasswordLength": 6}, ["MinDevicePasswordLength", "Gone"]), SUPPORTED[0]) == {
        "MinDevicePasswordLength": "6"
    }


# --- the check of a configuration ---------------------------------------------------------------------------------


@pytest.mark.requirement("MS-ASPROV_R288")
@pytest.mark.requirement("MS-ASPROV_R245")
@pytest.mark.requirement("MS-ASPROV_R282")
@pytest.mark.requirement("MS-ASPROV_R257")
@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("MinDevicePasswordLength", 0, "must be a whole number from 1 to 16"),
        ("MinDevicePasswordLength", 17, "must be a whole number from 1 to 16"),
        ("MinDevicePasswordLength", True, "must be a whole number from 1 to 16"),
        ("MinDevicePasswordLength", "4", "must be a whole number from 1 to 16"),
        ("MaxDevicePasswordFailedAttempts", 3, "must be a whole number from 4 to 16"),
        ("MinDevicePasswordComplexCharacters", 5, "must be a whole number from 1 to 4"),
        ("MaxCalendarAgeFilter", 1, "must be one of 0, 4, 5, 6, 7"),
        ("MaxEmailAgeFilter", 6, "must be a whole number from 0 to 5"),
        ("MaxEmailBodyTruncationSize", -2, "must be a whole number from -1 to 4294967295"),
        ("AllowBluetooth", 3, "must be a whole number from 0 to 2"),
        ("RequireSignedSMIMEAlgorithm", 2, "must be one of 0, 1"),
        ("RequireEncryptionSMIMEAlgorithm", 5, "must be one of 0, 1, 2, 3, 4"),
        ("AllowCamera", 1, "must be true or false"),
        ("ApprovedApplicationList", ["abc"], "must be a list of SHA-1 hashes, 40 hexadecimal digits each"),
        ("ApprovedApplicationList", SHA1, "must be a list of texts that are not empty"),
        ("UnapprovedInROMApplicationList", [""], "must be a list of texts that are not empty"),
        ("allowcamera", True, "is no setting of [MS-ASPROV] 2.2.2.28"),
    ],
)
def test_problems_name_policy_and_setting(key: str, value: object, problem: str) -> None:
    assert check_policy("staff", {"AllowWiFi": True, key: value}) == [f"policy staff: {key} {problem}"]


def test_good_values_have_no_problem() -> None:
    for name, rule in RULES.items():
        for value in values(rule):
            assert check_policy("staff", {name: value}) == []


# --- the phases ---------------------------------------------------------------------------------------------------


def counting(*keys: int) -> object:
    """A source of keys that gives these."""
    left = list(keys)
    return lambda _: left.pop(0)


@pytest.mark.requirement("MS-ASPROV_R606")
@given(st.integers(1, 2**32 - 1), st.integers(1, 2**32 - 1), st.integers(0, 2**32))
def test_keys_are_new_each_time(key: int, pending: int, seed: int) -> None:
    state = PolicyState(key=key, pending_key=pending)
    draw = Random(seed).getrandbits
    begun = offered(state, PolicySettings(), draw)
    assert begun.key == key
    assert begun.pending_key not in (0, key, pending)
    done = accepted(begun, Compliance.FULL, NOW, draw)
    assert done.key not in (0, key, begun.pending_key)
    assert 0 < done.key < 2**32
    assert done.pending_key == 0


def test_zero_and_keys_in_use_are_drawn_again() -> None:
    begun = offered(PolicyState(key=5), PolicySettings(), counting(0, 5, 7))  # type: ignore[arg-type] # a list is one
    assert begun.pending_key == 7


@pytest.mark.requirement("MS-ASPROV_R657")
def test_the_temporary_key_is_good_once_and_for_one_policy() -> None:
    policy = PolicySettings(settings={"AllowCamera": False})
    state = offered(PolicyState(key=5), policy, counting(7))  # type: ignore[arg-type] # a list is one
    assert is_acknowledged(state, policy, "7")
    assert is_acknowledged(state, policy, " 7 ")
    assert not is_acknowledged(state, policy, "5")
    assert not is_acknowledged(state, policy, "")
    assert not is_acknowledged(state, PolicySettings(settings={"AllowCamera": True}), "7")
    done = accepted(state, Compliance.FULL, NOW, counting(9))  # type: ignore[arg-type] # a list is one
    assert not is_acknowledged(done, policy, "7")
    assert not is_acknowledged(done, policy, "0")
    assert (done.key, done.digest, done.acknowledged, done.partial) == (9, policy_digest(policy), NOW, False)
    assert done.settings == {"AllowCamera"}


@pytest.mark.requirement("MS-ASPROV_R684")
@pytest.mark.requirement("MS-ASPROV_R687")
def test_a_strict_policy_wants_the_whole_of_it() -> None:
    strict, lenient = PolicySettings(strict=True), PolicySettings()
    assert [refusal(c, strict) for c in Compliance] == [
        None,
        CommonStatus.DEVICE_NOT_FULLY_PROVISIONABLE,
        CommonStatus.DEVICE_NOT_FULLY_PROVISIONABLE,
        CommonStatus.EXTERNALLY_MANAGED_DEVICES_NOT_ALLOWED,
    ]
    assert all(refusal(c, lenient) is None for c in Compliance)
    assert accepted(PolicyState(), Compliance.PARTIAL, NOW, counting(1)).partial  # type: ignore[arg-type] # a list is one


def test_the_policy_of_a_user() -> None:
    staff = PolicySettings(name="staff", strict=True)
    alice, bob = UserId("alice@example.com"), UserId("bob@example.com")
    settings = Settings(policies={"staff": staff}, default_policy="none", policy_of_user={alice: "staff"})
    assert policy_of(settings, alice) is staff
    assert assigned_policy(settings, bob) is None
    assert policy_of(settings, bob) == PolicySettings(name="none")


def test_an_element_is_what_it_was_when_read() -> None:
    root = dump(document({"AllowCamera": False, "MinDevicePasswordLength": 4}, ["AllowWiFi"]))
    assert isinstance(root, Element)
    assert load(EASProvisionDoc, root) == EASProvisionDoc(
        allow_camera=False, min_device_password_length=4, allow_wifi=True
    )


def test_every_setting_is_described() -> None:
    described = (Path(__file__).resolve().parents[3] / "docs" / "policies.md").read_text()
    assert [line.split("`")[1] for line in described.splitlines() if line.startswith("| `")] == list(RULES)
