"""The common Status values, [MS-ASCMD] 2.2.2."""

import re
from pathlib import Path

import pytest

from protocol.status import CommonStatus, http_status_before_14
from protocol.versions import V14_0, V14_1, V16_0

REQUIREMENTS = Path(__file__).parents[3] / "shared" / "spec" / "requirements" / "MS-ASCMD.tsv"
_VALUE = re.compile(
    r"\[In Common Status Codes\] ?The value of the element ([\w ]+) is (\d+)\.|"
    r"\[In Common Status Codes\] When .*? The value of the element ([\w ]+) is (\d+)\."
)


def _plain(name: str) -> str:
    return re.sub(r"[ _]", "", name).lower()


@pytest.mark.skipif(not REQUIREMENTS.exists(), reason="the protocol documents are not here")
def test_every_value_of_the_documents_has_its_name():
    stated = {}
    for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines():
        if found := _VALUE.search(line):
            stated[int(found[2] or found[4])] = _plain(found[1] or found[3])
    stated[155] = "m" + stated[155]  # its first letter is missing there
    assert stated == {status.value: _plain(status.name) for status in CommonStatus}


@pytest.mark.requirement(
    "MS-ASCMD_R7461",
    "MS-ASCMD_R7462",
    "MS-ASCMD_R7463",
    "MS-ASCMD_R7546",
    "MS-ASCMD_R7547",
    "MS-ASCMD_R7548",
    "MS-ASCMD_R7550",
    "MS-ASCMD_R7551",
    "MS-ASCMD_R7552",
    "MS-ASCMD_R7553",
    "MS-ASCMD_R7554",
    "MS-ASCMD_R7555",
    "MS-ASCMD_R7556",
    "MS-ASCMD_R7558",
    "MS-ASCMD_R7559",
    "MS-ASCMD_R7562",
    "MS-ASCMD_R7563",
    "MS-ASCMD_R7564",
    "MS-ASCMD_R7565",
    "MS-ASCMD_R7566",
    "MS-ASCMD_R7567",
)
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (101, 400),
        (102, 400),
        (103, 400),
        (106, 400),
        (110, 500),
        (111, 503),
        (112, 403),
        (113, 507),
        (125, 403),
        (126, 403),
        (129, 403),
        (132, 403),
        (137, 501),
        (138, 400),
        (139, 403),
        (140, 449),
        (141, 449),
        (142, 449),
        (143, 449),
        (144, 449),
        (145, 403),
        (147, 400),
        (165, 403),
        (177, 403),
    ],
)
def test_http_before_14(status, expected):
    assert http_status_before_14(CommonStatus(status)) == expected


@pytest.mark.requirement("MS-ASCMD_R7549", "MS-ASCMD_R7557", "MS-ASCMD_R7561")
def test_http_that_depends_on_the_request():
    assert http_status_before_14(CommonStatus.INVALID_IDS, command="SendMail") == 500
    assert http_status_before_14(CommonStatus.SYNC_STATE_NOT_FOUND, command="Provision") == 500
    assert http_status_before_14(CommonStatus.REMOTE_WIPE_REQUESTED, policy_key_sent=False) == 403


def test_values_of_later_features_have_no_http_status():
    assert http_status_before_14(CommonStatus.MESSAGE_PREVIOUSLY_SENT) is None
    assert http_status_before_14(CommonStatus.NO_PICTURE) is None
    for status in CommonStatus:
        http = http_status_before_14(status)
        assert http is None or 400 <= http < 600


@pytest.mark.requirement(
    "MS-ASCMD_R4811", "MS-ASCMD_R5412", "MS-ASCMD_R4954", "MS-ASCMD_R4956", "MS-ASCMD_R4970", "MS-ASCMD_R7467"
)
def test_since():
    assert CommonStatus.INVALID_CONTENT.since is V14_0
    assert CommonStatus.AVAILABILITY_FAILURE.since is V14_0
    assert CommonStatus.MAXIMUM_DEVICES_REACHED.since is V14_0
    for value in (164, 165, 166, 173, 174, 175, 176):
        assert CommonStatus(value).since is V14_1
    for value in (178, 179, 183, 184):
        assert CommonStatus(value).since is V16_0
