"""docs/packages.md says what the cases of tests/packages did, and all of it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "packages_script", REPOSITORY / "scripts/_packages.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_made_of_the_results(script: ModuleType) -> None:
    results = json.loads(script.RESULTS.read_text())
    assert script.PAGE.read_text() == script.page(results), "scripts/packages writes it"


def test_each_case_has_a_result_of_its_action(script: ModuleType) -> None:
    results = json.loads(script.RESULTS.read_text())
    missing = [case.attribute for case in script.cases_without_a_row(results)]
    assert not missing, f"scripts/packages -k '{' or '.join(missing)}'"
    assert set(results["packages"]) <= {case.attribute for case in script.all_cases()}


def test_a_program_that_the_suite_has_is_tried(script: ModuleType) -> None:
    results = json.loads(script.RESULTS.read_text())
    assert set(script.WANTED) == {
        *results["absent"],
        *(set(script.WANTED) & set(results["packages"])),
    }


def test_a_run_of_some_cases_leaves_the_other_rows(script: ModuleType, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        """<testsuites><testsuite>
          <testcase name="test_a_package_runs_where_only_its_closure_is[jq]"><properties>
            <property name="packages" value="[&quot;jq 2&quot;]"/><property name="closure" value="3400000"/>
          </properties></testcase>
          <testcase name="test_a_package_runs_in_an_image[jq]"><failure/></testcase>
          <testcase name="test_of_something_else"/>
        </testsuite></testsuites>"""
    )
    rows = script.rows_of(report)
    assert rows == {"jq": {"packages": ["jq 2"], "megabytes": 3, "store": True, "image": False}}
    before = {"packages": {"git": {"store": True, "action": "old"}, "gone": {"store": True}}}
    assert "git" in {case.attribute for case in script.cases_without_a_row(before)}
    after = script.merged(before, rows)["packages"]
    assert sorted(after) == ["git", "jq"]
    assert after["git"]["store"] is True
    assert after["git"]["action"] == "old"
    assert after["jq"]["action"] != "old"
    assert "| `jq` | jq 2 | " in script.page({"suite": "s", "absent": ["caddy"], "packages": after})
    assert "| 3 MB | yes | no |" in script.page(
        {"suite": "s", "absent": ["caddy"], "packages": after}
    )
