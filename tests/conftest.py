"""What all tests share.

`@pytest.mark.integration("slapd", …)` names programs of the system: without them the test is skipped and says so, or
fails where EAS_REQUIRE_INTEGRATION is set, as the build machine does. There no test of this mark may be skipped at all.
`@pytest.mark.requirement("MS-ASCMD_R843", …)` names requirements of the protocol documents that the test checks.
Hypothesis tries the same examples each time, however busy the machine is; HYPOTHESIS_PROFILE=explore tries others.
"""

import os
import shutil
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

REQUIRED = bool(os.environ.get("EAS_REQUIRE_INTEGRATION"))
_PROGRAMS = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/sbin"))
"""Daemons are not on everybody's PATH."""


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip or fail what needs a program that is not there."""
    for mark in item.iter_markers("integration"):
        missing = [program for program in mark.args if shutil.which(program, path=_PROGRAMS) is None]
        if missing:
            reason = f"{', '.join(missing)}: not installed"
            if REQUIRED:
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of an integration test into a failure where none is allowed."""
    report = yield
    if REQUIRED and report.skipped and not hasattr(report, "wasxfail") and item.get_closest_marker("integration"):
        report.outcome = "failed"
        report.longrepr = f"skipped where EAS_REQUIRE_INTEGRATION is set: {report.longrepr}"
    return report
