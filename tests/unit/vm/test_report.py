"""The result of a run: the text for people, the JSON document and the JUnit file, word for word."""

from __future__ import annotations

from typing import Literal

import pytest

from nixgen.errors import EngineError, TestError
from nixgen.vm.record.report import Entry, Failure, MachineReport, TestResult, junit_xml

Kind = Literal["subtest", "action", "command", "log"]


def entry(
    kind: Kind,
    title: str,
    *children: Entry,
    start: float = 0.0,
    seconds: float = 0.25,
    ok: bool = True,
    machine: str | None = "web",
    status: int | None = None,
    output: str = "",
) -> Entry:
    return Entry(
        kind=kind,
        title=title,
        machine=machine,
        start=start,
        seconds=seconds,
        ok=ok,
        status=status,
        output=output,
        children=children,
    )


PASSED = TestResult(
    name="smoke",
    seconds=12.3456,
    acceleration="kvm",
    entries=(
        entry(
            "subtest",
            "outer",
            entry("action", "wait", entry("subtest", "inner", seconds=0.05, machine=None)),
            seconds=1.5,
            machine=None,
        ),
        entry("subtest", "second", machine=None),
    ),
    machines=(MachineReport(name="web", boot_seconds=4.56789, console_tail=("up",)),),
)

FAILED = TestResult(
    name="smoke",
    seconds=2.0,
    acceleration="tcg",
    entries=(
        entry(
            "subtest",
            "waits",
            entry("command", "test -e x", start=1.0, status=1, output="no\\n"),
            entry("command", "test -e x", start=2.0, status=1, output="no\nstill no\n"),
            entry("command", "true\nsecond line", start=13.26, status=0, output="hidden\n"),
            entry("log", "a remark", start=1234.5, machine=None),
            entry("action", "not a step of the trail", start=20.0),
            entry("command", "cut off", start=21.0),
            ok=False,
            machine=None,
        ),
    ),
    machines=(
        MachineReport(name="api", boot_seconds=None),
        MachineReport(name="web", boot_seconds=0.5, console_tail=("one", "two")),
    ),
    failure=Failure(
        kind="failed",
        message="web: command failed",
        lines=((3, "check()"), (1, "web.succeed('x')")),
        hint="look at the console",
        details=("some output",),
    ),
)

BROKEN = TestResult(
    name="smoke",
    seconds=0.0,
    acceleration="tcg",
    entries=(),
    machines=(MachineReport(name="web", boot_seconds=None, console_tail=("booting", "panic")),),
    failure=Failure(kind="broken", message="QEMU ended", details=("panic",)),
)


def test_the_text_of_a_passed_run() -> None:
    assert (
        PASSED.text()
        == """\
smoke: passed in 12.3 s (kvm)
  ✓ outer (1.5 s)
    ✓ inner (0.1 s)
  ✓ second (0.2 s)
"""
    )


def test_the_text_of_a_failed_run_ends_with_the_steps_before_it() -> None:
    assert (
        FAILED.text()
        == """\
smoke: failed in 2.0 s (tcg)
  ✗ waits (0.2 s)

web: command failed
  line 3 of the test script: check()
  line 1 of the test script: web.succeed('x')
  some output
hint: look at the console
last steps:
      2.0 s  web: test -e x [exit 1] (2 times)
             no
             still no
     13.3 s  web: true
   1234.5 s  -: a remark
     21.0 s  web: cut off
console of web, its last lines:
  one
  two
"""
    )


def test_a_console_that_the_failure_shows_already_is_not_repeated() -> None:
    assert BROKEN.text() == "smoke: broken in 0.0 s (tcg)\n\nQEMU ended\n  panic\n"


def test_long_trails_outputs_and_consoles_are_cut_at_their_beginning() -> None:
    result = TestResult(
        name="long",
        seconds=1.0,
        acceleration="kvm",
        entries=(
            *(entry("command", f"step {number}", status=0) for number in range(12)),
            entry("command", "last", status=2, output="".join(f"out {n}\n" for n in range(31))),
        ),
        machines=(
            MachineReport(
                name="web", boot_seconds=1.0, console_tail=tuple(f"line {n}" for n in range(26))
            ),
        ),
        failure=Failure(kind="failed", message="no"),
    )
    lines = result.text().splitlines()
    assert lines[:3] == ["long: failed in 1.0 s (kvm)", "", "no"]
    assert lines[3:16] == [
        "last steps:",
        *(f"      0.0 s  web: step {number}" for number in range(1, 12)),
        "      0.0 s  web: last [exit 2]",
    ]
    assert lines[16:46] == [f"             out {number}" for number in range(1, 31)]
    assert lines[46:] == [
        "console of web, its last lines:",
        *(f"  line {number}" for number in range(1, 26)),
    ]


def test_outcomes() -> None:
    assert [(each.outcome, each.passed) for each in (PASSED, FAILED, BROKEN)] == [
        ("passed", True),
        ("failed", False),
        ("broken", False),
    ]


def test_a_result_as_an_error() -> None:
    PASSED.check()
    with pytest.raises(TestError) as failed:
        FAILED.check()
    assert failed.value.message == "test smoke: web: command failed"
    assert failed.value.hint == "look at the console"
    assert failed.value.details == tuple(FAILED.text().splitlines())
    with pytest.raises(EngineError, match="test smoke: QEMU ended"):
        BROKEN.check()


def test_the_document() -> None:
    assert PASSED.to_json() == {
        "schema": "nixgen/test-result/1",
        "name": "smoke",
        "outcome": "passed",
        "seconds": 12.346,
        "acceleration": "kvm",
        "machines": [{"name": "web", "bootSeconds": 4.568, "consoleTail": ["up"]}],
        "steps": [
            {
                **STEP,
                "kind": "subtest",
                "title": "outer",
                "machine": None,
                "seconds": 1.5,
                "children": [
                    {
                        **STEP,
                        "kind": "action",
                        "title": "wait",
                        "children": [
                            {
                                **STEP,
                                "kind": "subtest",
                                "title": "inner",
                                "machine": None,
                                "seconds": 0.05,
                            }
                        ],
                    }
                ],
            },
            {**STEP, "kind": "subtest", "title": "second", "machine": None},
        ],
        "failure": None,
    }


STEP: dict[str, object] = {
    "machine": "web",
    "start": 0.0,
    "seconds": 0.25,
    "ok": True,
    "status": None,
    "output": "",
    "children": [],
}


def test_the_failure_in_the_document_and_times_in_milliseconds() -> None:
    document = FAILED.to_json()
    assert document["failure"] == {
        "kind": "failed",
        "message": "web: command failed",
        "lines": [
            {"number": 3, "source": "check()"},
            {"number": 1, "source": "web.succeed('x')"},
        ],
        "hint": "look at the console",
        "details": ["some output"],
    }
    assert [machine["bootSeconds"] for machine in document["machines"]] == [None, 0.5]
    exact = TestResult(
        name="x",
        seconds=1.23456,
        acceleration="kvm",
        entries=(entry("log", "l", start=1.00049, seconds=0.0006),),
        machines=(),
    ).to_json()
    assert (exact["seconds"], exact["steps"][0]["start"], exact["steps"][0]["seconds"]) == (
        1.235,
        1.0,
        0.001,
    )


def test_the_junit_file() -> None:
    assert (
        junit_xml([PASSED, FAILED, BROKEN]).decode()
        == """\
<?xml version="1.0" encoding="utf-8"?>
<testsuites name="nixgen">
  <testsuite name="smoke" tests="4" failures="0" errors="0" skipped="0" time="12.346">
    <testcase classname="smoke" name="outer" time="1.500" />
    <testcase classname="smoke" name="outer / inner" time="0.050" />
    <testcase classname="smoke" name="second" time="0.250" />
    <testcase classname="smoke" name="test script" time="12.346" />
    <system-out>console of web:
up</system-out>
  </testsuite>
  <testsuite name="smoke" tests="2" failures="2" errors="0" skipped="0" time="2.000">
    <testcase classname="smoke" name="waits" time="0.250">
      <failure message="web: command failed">web: command failed
  line 3 of the test script: check()
  line 1 of the test script: web.succeed('x')
  some output
hint: look at the console</failure>
    </testcase>
    <testcase classname="smoke" name="test script" time="2.000">
      <failure message="web: command failed">web: command failed
  line 3 of the test script: check()
  line 1 of the test script: web.succeed('x')
  some output
hint: look at the console</failure>
    </testcase>
    <system-out>console of web:
one
two</system-out>
  </testsuite>
  <testsuite name="smoke" tests="1" failures="0" errors="1" skipped="0" time="0.000">
    <testcase classname="smoke" name="test script" time="0.000">
      <error message="QEMU ended">QEMU ended
  panic</error>
    </testcase>
    <system-out>console of web:
booting
panic</system-out>
  </testsuite>
</testsuites>
"""
    )


def test_a_fault_that_the_script_caught_is_none() -> None:
    caught = TestResult(
        name="x",
        seconds=0.0,
        acceleration="kvm",
        entries=(entry("subtest", "tried", ok=False),),
        machines=(),
    )
    assert '<testcase classname="x" name="tried" time="0.250" />' in junit_xml([caught]).decode()
    assert 'failures="0"' in junit_xml([caught]).decode()
