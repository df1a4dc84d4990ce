"""Test scripts on machines whose guest is a bash of this host: passes, failures and reports."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from nixgen.errors import EngineError, TestError
from nixgen.vm.channels.console import Console
from nixgen.vm.channels.qmp import Qmp
from nixgen.vm.channels.shell import Shell
from nixgen.vm.interface.keys import key_name
from nixgen.vm.interface.machine import Machine
from nixgen.vm.interface.script import Driver, compile_script, run_script
from nixgen.vm.record.events import ConsoleLine, Event, StepFinished
from nixgen.vm.record.journal import Journal
from nixgen.vm.record.report import MachineReport, TestResult, junit_xml

Run = Callable[..., TestResult]


class LocalGuest:
    """A guest that is a bash of this host; its console is a socket the test writes to."""

    def __init__(self, name: str, state: Path, journal: Journal) -> None:
        self.name = name
        self._state = state
        self._journal = journal
        self._child: subprocess.Popen[bytes] | None = None
        self.connected = False
        self.up_again = True

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    @property
    def monitor(self) -> Qmp:
        raise EngineError("no monitor here")

    def console_tail(self) -> tuple[str, ...]:
        return self.console.tail() if self._child else ()

    def start(self, *, allow_reboot: bool = False) -> None:
        if self.running:
            return
        if self.name == "dead":
            raise EngineError("dead ended while booting", details=("Kernel panic",))
        ours, theirs = socket.socketpair()
        console, self._console_end = socket.socketpair()
        self.console = Console(console, lambda line: self._journal.console(self.name, line))
        with theirs:
            self._child = subprocess.Popen(
                ["bash", "--norc"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                env={**os.environ, "TMPDIR": str(self._state), "CONSOLE": str(os.getpid())},
            )
        self.shell = Shell(ours, self.name)
        self._console_end.sendall(b"\x1b[32mbooted " + self.name.encode() + b"\x1b[0m\r\n")

    def connect(self) -> None:
        self.start()
        self.connected = True

    def disconnect(self) -> None:
        self.connected = False

    def wait_exit(self, timeout: float | None) -> bool:
        if self._child is not None:
            self._child.wait(10)
            self.connected = False
            self.shell.close()
            self._console_end.close()
            self.console.close()
        return True

    def power_off(self) -> None:
        if self._child is not None:
            self._child.kill()
            self.wait_exit(None)


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def run(tmp_path: Path, events: list[Event]) -> Iterator[Run]:
    guests: list[LocalGuest] = []

    def run(script: str, *names: str) -> TestResult:
        journal = Journal(events.append)
        out = tmp_path / "out"
        out.mkdir()
        machines = []
        for name in names or ("web",):
            state = tmp_path / name
            state.mkdir()
            guests.append(LocalGuest(name, state, journal))
            machines.append(Machine(guests[-1], journal, out_dir=out))
        failure = run_script(
            script, compile_script(script), Driver(tuple(machines), journal), journal
        )
        return TestResult(
            name="smoke",
            seconds=journal.elapsed,
            acceleration="none",
            entries=journal.entries(),
            machines=tuple(
                MachineReport(name=g.name, boot_seconds=0.5, console_tail=g.console_tail())
                for g in guests
            ),
            failure=failure,
        )

    yield run
    for guest in guests:
        guest.power_off()


def test_a_script_of_the_nixos_driver_passes(run: Run, tmp_path: Path) -> None:
    result = run(
        f"""
start_all()
with subtest("commands"):
    assert machines == [api_1, web]
    assert api_1.succeed("echo a", "echo b") == "a\\nb\\n"
    assert "bad" in web.fail("echo bad; exit 1")
    assert web.execute("exit 4") == (4, "")
    assert web.execute("echo x", check_return=False) == (-1, "x\\n")
    web.wait_until_succeeds("mkdir {tmp_path}/once", timeout=5)
    web.wait_until_fails("mkdir {tmp_path}/once", timeout=5)
    web.wait_for_file("{tmp_path}/onc*", timeout=5)
    web.wait_for_console_text("booted w.b", timeout=5)
with subtest("outer"):
    with subtest("inner"):
        log.info("a line")
        t.assertEqual(1, 1)
        retry(lambda last: True, 1)
    with log.nested("group"):
        web.sleep(0)
assert web.is_up() and driver.machines == machines
"""
        "",
        "api-1",
        "web",
    )
    assert result.failure is None
    assert [name for name, _ in result.subtests] == ["commands", "outer", "outer / inner"]
    assert result.passed
    result.check()


def test_files_go_both_ways(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "run.sh").write_bytes(b"#!/bin/sh\n\0")
    (source / "deep" / "run.sh").chmod(0o750)
    result = run(f"""
machine.copy_from_host("{source}", "{tmp_path}/new/copy")
machine.copy_from_host_via_shell("{source}/deep/run.sh", "{tmp_path}/single")
machine.copy_from_vm("{tmp_path}/new/copy", "back")
""")
    assert result.failure is None, result.text()
    copied = tmp_path / "new" / "copy" / "deep" / "run.sh"
    assert copied.read_bytes() == b"#!/bin/sh\n\0"
    assert copied.stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "single").read_bytes() == b"#!/bin/sh\n\0"
    assert (tmp_path / "out/back/copy/deep/run.sh").read_bytes() == b"#!/bin/sh\n\0"


def test_a_failed_assertion_shows_its_line(run: Run) -> None:
    result = run("""
def check(count):
    assert count == 2, "one is two"

with subtest("good"):
    web.succeed("true")
with subtest("bad"):
    check(1)
""")
    assert result.outcome == "failed"
    text = result.text()
    assert "✓ good" in text
    assert "✗ bad" in text
    assert "assertion failed: one is two" in text
    assert "line 8 of the test script: check(1)" in text
    assert 'line 3 of the test script: assert count == 2, "one is two"' in text
    with pytest.raises(TestError, match="one is two"):
        result.check()


def test_a_failed_command_shows_output_errors_and_console(run: Run) -> None:
    result = run('web.succeed("echo some output; echo some error >&2; exit 7")')
    assert result.failure is not None
    assert result.failure.kind == "failed"
    assert "exit status 7" in result.failure.message
    assert result.failure.details == ("some output", "some error")
    assert "  booted web" in result.text()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("web.succeed('sleep 9', timeout=1)", "timed out"),
        ("web.fail('true')", "unexpectedly succeeded"),
        ("web.wait_until_succeeds('echo no; false', timeout=0.3)", "in vain for success"),
        ("web.wait_for_console_text('never', timeout=0.2)", "did not appear"),
        ("web.succeed('kill -9 $$')", "ended while it ran"),
        ("raise ValueError('mine')", "ValueError: mine"),
        ("import sys; sys.exit(3)", "exited with 3"),
        ("t.assertEqual(1, 2)", "1 != 2"),
        ("create_machine('qemu')", "not supported"),
        ("retry(lambda last: False, 0.2)", "timed out after 0.2"),
    ],
)
def test_a_failure_has_its_message_and_its_line(run: Run, script: str, message: str) -> None:
    result = run(script)
    assert result.failure is not None
    assert result.failure.kind == "failed"
    assert message in result.failure.message
    assert result.failure.lines[0][0] == 1


@pytest.mark.parametrize("end", ["sys.exit(0)", "sys.exit()", "raise SystemExit"])
def test_a_script_may_end_early_in_success(run: Run, end: str) -> None:
    result = run(
        f"import sys\nwith subtest('first'):\n    web.succeed('true')\n    {end}\nweb.succeed('false')"
    )
    assert result.failure is None
    assert result.passed
    assert [(name, entry.ok) for name, entry in result.subtests] == [("first", True)]
    assert [entry.title for entry in result.subtests[0][1].children][-1] == "true"
    assert "✓ first" in result.text()
    result.check()


@pytest.mark.parametrize("status", ["1", "'too slow'"])
def test_an_exit_that_is_not_success_fails_its_subtest_too(run: Run, status: str) -> None:
    result = run(f"import sys\nwith subtest('first'):\n    sys.exit({status})")
    assert result.failure is not None
    assert result.failure.kind == "failed"
    assert result.failure.lines == ((3, f"sys.exit({status})"),)
    assert [(name, entry.ok) for name, entry in result.subtests] == [("first", False)]


def test_a_broken_driver_is_not_a_failed_test(run: Run) -> None:
    result = run("start_all()", "dead")
    assert result.outcome == "broken"
    with pytest.raises(EngineError, match="ended while booting"):
        result.check()
    assert "Kernel panic" in result.text()
    case = ET.fromstring(junit_xml([result])).findall(".//testcase/error")
    assert len(case) == 1


def test_a_script_may_catch_an_error(run: Run) -> None:
    result = run("""
try:
    with subtest("tried"):
        web.succeed("false")
except Exception:
    pass
""")
    assert result.passed


def test_a_script_that_is_not_python_shows_the_line() -> None:
    with pytest.raises(TestError, match="line 2") as caught:
        compile_script("ok = 1\nif True print(1)\n")
    assert caught.value.details == ("if True print(1)",)


def test_junit_counts_and_escapes(run: Run) -> None:
    result = run("""
with subtest("a < b & \\x07"):
    web.succeed("true")
with subtest("bad"):
    web.succeed("printf '\\\\001]]>' ; false")
""")
    root = ET.fromstring(junit_xml([result]))
    suite = root.find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "2", "0")
    names = [case.get("name") for case in suite.findall("testcase")]
    assert names == ["a < b & \ufffd", "bad", "test script"]
    assert len(suite.findall("testcase/failure")) == 2
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "exit status 1" in (failure.text or "")


def test_json_has_the_tree(run: Run) -> None:
    result = run('with subtest("one"):\n    web.succeed("echo x")\n')
    document = result.to_json()
    assert document["schema"] == "nixgen/test-result/1"
    assert document["outcome"] == "passed"
    assert document["failure"] is None
    (subtest,) = document["steps"]
    command = subtest["children"][-1]
    assert (subtest["kind"], command["title"], command["status"], command["output"]) == (
        "subtest",
        "echo x",
        0,
        "x\n",
    )


def test_the_observer_sees_depth_and_the_console_switch(run: Run, events: list[Event]) -> None:
    run(
        'serial_stdout_off()\nmachine.wait_for_console_text("booted")\n'
        'with subtest("s"):\n    machine.succeed("true")\n'
    )
    lines = [event for event in events if isinstance(event, ConsoleLine)]
    assert [(line.text, line.shown) for line in lines] == [("booted web", False)]
    steps = [event for event in events if isinstance(event, StepFinished)]
    assert [
        (step.entry.kind, step.depth) for step in steps if step.entry.kind in ("command", "subtest")
    ] == [
        ("command", 1),
        ("subtest", 0),
    ]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("a", "a"),
        ("A", "shift-a"),
        ("1", "1"),
        ("!", "shift-1"),
        ("_", "shift-minus"),
        ("?", "shift-slash"),
        ("\n", "ret"),
        ("ctrl-alt-delete", "ctrl-alt-delete"),
    ],
)
def test_keys(key: str, name: str) -> None:
    assert key_name(key) == name
