"""The result of a run, and its forms: text, JSON and JUnit XML.

The XML follows the schema that Jenkins and GitLab read: a ``failure`` is a test that failed, an
``error`` is a fault of the driver.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Literal, TypeAlias
from xml.etree import ElementTree as ET

from attrs import frozen

from nixgen.errors import EngineError, OutsideError, TestError
from nixgen.records.document import document
from nixgen.records.structure import to_json

__all__ = ["Entry", "Failure", "MachineReport", "StepKind", "TestResult", "junit_xml"]

_LEGAL_XML = re.compile(r"[^\t\n\r -\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")
_SHOWN_STEPS = 12
_SHOWN_OUTPUT = 30
_SHOWN_CONSOLE = 25


StepKind: TypeAlias = Literal["subtest", "action", "command", "log"]


@frozen(kw_only=True)
class Entry:
    """A step that has ended.

    :param kind: of the step.
    :param title: such as the command.
    :param machine: name of the machine; None for a step of no machine.
    :param start: seconds from the start of the script.
    :param seconds: the time it took.
    :param ok: whether the script went on.
    :param status: exit status of a command.
    :param output: the end of a command's output.
    :param children: the steps inside it.
    """

    kind: StepKind
    title: str
    machine: str | None
    start: float
    seconds: float
    ok: bool
    status: int | None = None
    output: str = ""
    children: tuple[Entry, ...] = ()


@frozen(kw_only=True)
class Failure:
    """The reason why a run did not pass.

    :param kind: ``failed`` for a fault of the script or its machines, ``broken`` for a fault of the
        driver, of QEMU or of the host.
    :param message: what happened.
    :param lines: (number, text) of the script's lines that were running, outermost first.
    :param hint: what to do next.
    :param details: further lines, such as the output of a command.
    """

    kind: Literal["failed", "broken"]
    message: str
    lines: tuple[tuple[int, str], ...] = ()
    hint: str | None = None
    details: tuple[str, ...] = ()


@frozen(kw_only=True)
class MachineReport:
    """A machine of a run.

    :param name: of the machine.
    :param boot_seconds: from the start of QEMU until the shell answered. None when the script ran no
        command on the machine, or it never answered.
    :param console_tail: the last lines of its console.
    """

    name: str
    boot_seconds: float | None
    console_tail: tuple[str, ...] = ()


@frozen(kw_only=True)
class TestResult:
    """The result of a run.

    :param name: of the test.
    :param seconds: the time that the run took.
    :param acceleration: ``kvm`` or ``tcg``; ``nix`` for a test that ran inside a build.
    :param entries: the steps of the script.
    :param machines: the machines that the test booted.
    :param failure: None for a run that passed.
    """

    __test__ = False

    name: str
    seconds: float
    acceleration: str
    entries: tuple[Entry, ...]
    machines: tuple[MachineReport, ...]
    failure: Failure | None = None

    @property
    def passed(self) -> bool:
        """Whether the run passed."""
        return self.failure is None

    @property
    def outcome(self) -> Literal["passed", "failed", "broken"]:
        """The result in a word; see `Failure`."""
        return "passed" if self.failure is None else self.failure.kind

    @property
    def subtests(self) -> tuple[tuple[str, Entry], ...]:
        """All subtests, in order, each with its path, such as ``("api / answers", entry)``."""
        return tuple(_subtests(self.entries, ()))

    def check(self) -> None:
        """Raise an error, unless the run passed.

        :raises TestError: the test failed; the details are the report.
        :raises EngineError: the driver, QEMU or the host has a fault.
        """
        if self.failure is None:
            return
        error: type[TestError | OutsideError] = (
            TestError if self.failure.kind == "failed" else EngineError
        )
        raise error(
            f"test {self.name}: {self.failure.message}",
            hint=self.failure.hint,
            details=self.text().splitlines(),
        )

    def text(self) -> str:
        """The report for people: the subtests, and for a failure the line and the steps before it."""
        lines = [
            f"{self.name}: {self.outcome} in {self.seconds:.1f} s ({self.acceleration})",
            *_tree(self.entries, 1),
        ]
        if self.failure is not None:
            lines += ["", *_failure_text(self.failure), *self._trail()]
        return "\n".join(lines) + "\n"

    def to_json(self) -> dict[str, Any]:
        """The document, of schema ``nixgen/test-result/1``; durations are in seconds."""
        failure = self.failure
        return document(
            "nixgen/test-result/1",
            name=self.name,
            outcome=self.outcome,
            seconds=round(self.seconds, 3),
            acceleration=self.acceleration,
            machines=_in_milliseconds(to_json(self.machines)),
            steps=_in_milliseconds(to_json(self.entries)),
            failure=failure
            and {
                **to_json(failure),
                "lines": [{"number": number, "source": line} for number, line in failure.lines],
            },
        )

    def _trail(self) -> Iterator[str]:
        steps = [entry for entry in _flat(self.entries) if entry.kind in ("command", "log")]
        # Waiting repeats a command many times; the last time stands for all.
        runs = [
            list(same) for _, same in groupby(steps, key=lambda e: (e.machine, e.title, e.status))
        ]
        if runs:
            yield "last steps:"
        for run in runs[-_SHOWN_STEPS:]:
            last = run[-1]
            status = f" [exit {last.status}]" if last.status else ""
            times = f" ({len(run)} times)" if len(run) > 1 else ""
            title = last.title.partition("\n")[0]
            yield f"  {last.start:7.1f} s  {last.machine or '-'}: {title}{status}{times}"
            if last.status:
                yield from (f"{'':13}{line}" for line in last.output.splitlines()[-_SHOWN_OUTPUT:])
        details = () if self.failure is None else self.failure.details
        for machine in self.machines:
            # The failure may have the same lines.
            if machine.console_tail and machine.console_tail[-1:] != details[-1:]:
                yield f"console of {machine.name}, its last lines:"
                yield from (f"  {line}" for line in machine.console_tail[-_SHOWN_CONSOLE:])


def junit_xml(results: Iterable[TestResult]) -> bytes:
    """The results as a JUnit file.

    It has a ``testsuite`` for each test, with a ``testcase`` for each subtest and one for the script.

    :param results: of the tests.
    """
    root = ET.Element("testsuites", name="nixgen")
    for result in results:
        failure = result.failure
        cases = result.subtests
        # A script may catch the error of a subtest; then the subtest does not count as failed.
        faults = 0 if failure is None else 1 + sum(not entry.ok for _, entry in cases)
        suite = ET.SubElement(
            root,
            "testsuite",
            name=_xml(result.name),
            tests=str(len(cases) + 1),
            failures=str(faults if result.outcome == "failed" else 0),
            errors=str(faults if result.outcome == "broken" else 0),
            skipped="0",
            time=f"{result.seconds:.3f}",
        )
        tag = "error" if result.outcome == "broken" else "failure"
        for path, entry in cases:
            case = _case(suite, result.name, path, entry.seconds)
            if not entry.ok:
                _fault(case, tag, failure)
        case = _case(suite, result.name, "test script", result.seconds)
        if failure is not None:
            _fault(case, tag, failure)
        for machine in result.machines:
            if machine.console_tail:
                out = ET.SubElement(suite, "system-out")
                out.text = _xml("\n".join([f"console of {machine.name}:", *machine.console_tail]))
    ET.indent(root)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root) + b"\n"


def _case(suite: ET.Element, test: str, name: str, seconds: float) -> ET.Element:
    return ET.SubElement(
        suite, "testcase", classname=_xml(test), name=_xml(name), time=f"{seconds:.3f}"
    )


def _fault(case: ET.Element, tag: str, failure: Failure | None) -> None:
    if failure is not None:
        element = ET.SubElement(case, tag, message=_xml(failure.message))
        element.text = _xml("\n".join(_failure_text(failure)))


def _xml(text: str) -> str:
    return _LEGAL_XML.sub("\ufffd", text)


def _failure_text(failure: Failure) -> Iterator[str]:
    yield failure.message
    for number, source in failure.lines:
        yield f"  line {number} of the test script: {source}"
    yield from (f"  {line}" for line in failure.details)
    if failure.hint:
        yield f"hint: {failure.hint}"


def _tree(entries: Iterable[Entry], depth: int) -> Iterator[str]:
    for entry in entries:
        if entry.kind == "subtest":
            mark = "✓" if entry.ok else "✗"
            yield f"{'  ' * depth}{mark} {entry.title} ({entry.seconds:.1f} s)"
        yield from _tree(entry.children, depth + (entry.kind == "subtest"))


def _subtests(entries: Iterable[Entry], path: tuple[str, ...]) -> Iterator[tuple[str, Entry]]:
    for entry in entries:
        here = (*path, entry.title) if entry.kind == "subtest" else path
        if entry.kind == "subtest":
            yield " / ".join(here), entry
        yield from _subtests(entry.children, here)


def _flat(entries: Iterable[Entry]) -> Iterator[Entry]:
    for entry in entries:
        yield from _flat(entry.children)
        yield entry


def _in_milliseconds(value: Any) -> Any:
    """A JSON value whose fractions have three digits."""
    match value:
        case float():
            return round(value, 3)
        case list():
            return list(map(_in_milliseconds, value))
        case dict():
            return {name: _in_milliseconds(item) for name, item in value.items()}
    return value
