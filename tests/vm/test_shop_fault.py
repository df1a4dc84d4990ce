"""A machine with the services of examples/shop: a derived script, and the report of a fault."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

pytestmark = [pytest.mark.real, pytest.mark.vm, pytest.mark.slow]

#: `derived` has no script: nixgen writes one from ports and health checks. The first subtest of `fault` holds the service
#: to what tests/real/test_story_image.py holds its container to.
PROJECT = '''
from nixgen import Machine, Package, Project, Test
import infra_shop as shop

app = Machine("app", services=[shop.api, shop.cache], packages=[Package("curl")])
project = Project("faulty", machines=[app], tests=[
    Test("derived", machines=[app]),
    Test("fault", machines=[app], script="""
with subtest("the API answers as in its container"):
    app.wait_for_unit("api.service")
    app.wait_for_open_port(8080)
    answers = [app.succeed(f"curl -fsS http://localhost:8080{path}") for path in ("/", "/healthz")]
    assert answers == ["Hello World!\\\\n", "ok\\\\n"], answers

with subtest("the deliberate fault"):
    app.succeed("curl --fail --silent --show-error http://localhost:6380/")

with subtest("never reached"):
    pass
"""),
])
'''


def test_a_derived_test_passes_and_a_fault_has_a_clear_report(example):
    nixgen = example("shop")
    (nixgen.folder / "infra.py").rename(nixgen.folder / "infra_shop.py")
    (nixgen.folder / "infra.py").write_text(PROJECT)
    done = nixgen("test", "run", "--junit", "junit.xml", expect=1)

    assert "derived: passed" in done.stdout
    assert "✓ app: api is up" in done.stdout
    assert "✓ app: redis is up" in done.stdout

    _, found, report = done.stdout.partition("fault: failed")
    assert found, done.stdout
    assert "✓ the API answers as in its container" in report
    assert "✗ the deliberate fault" in report
    assert "never reached" not in report
    assert "command failed with exit status 7" in report
    assert 'line 9 of the test script: app.succeed("curl --fail' in report
    assert "Failed to connect to localhost port 6380" in report
    assert "console of app, its last lines:" in report
    assert "Traceback" not in done.stdout + done.stderr

    derived, fault = ET.parse(nixgen.folder / "junit.xml").getroot()
    assert [derived.get(key) for key in ("tests", "failures", "errors")] == ["3", "0", "0"]
    assert [fault.get(key) for key in ("tests", "failures", "errors")] == ["3", "2", "0"]
    failed = {case.get("name"): case.find("failure") for case in fault.iter("testcase")}
    assert failed["the API answers as in its container"] is None
    assert "exit status 7" in failed["the deliberate fault"].get("message")
