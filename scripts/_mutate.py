"""Run a seeded random sample of mutants against the unit, property and golden tests.

cosmic-ray makes the mutants. A coverage run finds the tests that execute each line, so a mutant is
tried with these tests alone, fastest first. Two copies of the checkout are mutated side by side; the
checkout itself is never touched.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from attrs import asdict, frozen
from cosmic_ray.ast import ast_nodes, get_ast_from_path
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from coverage import CoverageData

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("lowering", "syntax", "cache/push", "cache/collect", "oci", "vm")
TESTS = ("tests/unit", "tests/property", "tests/golden")
MOST_TESTS = 400
"""Tests that one mutant is tried with. More would cost minutes for a line that everything runs."""
MOST_FAILING = 3
RUN = "import os, pytest, sys; os._exit(pytest.main(sys.argv[1:]))"
"""pytest without the wait for threads at its end, in which a mutant may hang."""
PYTEST = ("-q", "-x", "-p", "no:cacheprovider", "--hypothesis-seed=0")


@frozen
class Mutant:
    """One small change of one file.

    :param path: the file, relative to the checkout.
    :param line: where the change begins, from 1.
    :param operator: cosmic-ray's name of the kind of change.
    :param occurrence: which of the places in the file that the operator can change.
    """

    path: str
    line: int
    operator: str
    occurrence: int


@frozen
class Result:
    """The outcome of one mutant.

    :param mutant: the change.
    :param killed: whether a test failed.
    :param tests: how many tests were run with it.
    :param before: the line as it is.
    :param after: the line as the mutant has it.
    """

    mutant: Mutant
    killed: bool
    tests: int
    before: str
    after: str


def ignored_lines(path: Path) -> dict[int, list[tuple[int, int]]]:
    """Columns whose mutation can change nothing: annotations, which are never evaluated."""
    spans: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for node in ast.walk(ast.parse(path.read_text())):
        for annotation in (
            getattr(node, "annotation", None),
            getattr(node, "returns", None),
        ):
            if isinstance(annotation, ast.expr):
                end = annotation.end_lineno or annotation.lineno
                for line in range(annotation.lineno, end + 1):
                    first = annotation.col_offset if line == annotation.lineno else 0
                    last = (annotation.end_col_offset or 0) if line == end else 10_000
                    spans[line].append((first, last))
    return spans


def mutants(parts: tuple[str, ...]) -> Iterator[Mutant]:
    """Every mutant of the files below these folders of nixgen/, in a stable order."""
    for path in sorted(path for part in parts for path in (ROOT / "nixgen" / part).rglob("*.py")):
        tree = get_ast_from_path(path)
        ignored = ignored_lines(path)
        for name in sorted(operator_names()):
            operator = get_operator(name)
            if operator.arguments():
                continue
            places = (
                start
                for node in ast_nodes(tree)
                for start, _end in operator().mutation_positions(node)
            )
            for occurrence, (line, column) in enumerate(places):
                if not any(first <= column < last for first, last in ignored[line]):
                    yield Mutant(str(path.relative_to(ROOT)), line, name, occurrence)


def sample(size: int, seed: int, parts: tuple[str, ...]) -> tuple[list[Mutant], int]:
    """The mutants of these parts in a sample of all `PARTS`, and how many mutants all parts have.

    Each part has its share of the sample by its number of mutants, and a generator of its own: the
    parts can be tried one after another, and a change in one moves no mutant of another.
    """
    populations = {part: list(mutants((part,))) for part in PARTS}
    total = sum(map(len, populations.values()))
    chosen: list[Mutant] = []
    for part in parts:
        count = min(round(size * len(populations[part]) / total), len(populations[part]))
        chosen += random.Random(f"{seed} {part}").sample(populations[part], count)
    return chosen, total


def copy_checkout(folder: Path) -> Path:
    """A copy of the files that git knows, as they are on disk."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def pytest(
    checkout: Path, *arguments: str, timeout: float | None = None, coverage: Path | None = None
) -> int:
    """Run pytest in a copy; its exit status, or 124 when the time was up."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
    if coverage:
        environment["COVERAGE_FILE"] = str(coverage)
    with subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments],
        cwd=checkout,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as child:
        try:
            return child.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, 9)
            return 124


@frozen
class Coverage:
    """Which tests execute which lines, and how long each test takes.

    :param tests: for each file and line, the tests by their pytest id; none for a line that runs
        when the file is imported. A line that never runs is missing.
    :param seconds: duration of each test.
    """

    tests: dict[str, dict[int, frozenset[str]]]
    seconds: dict[str, float]

    @classmethod
    def measure(cls, folder: Path, wanted: tuple[str, ...]) -> Coverage:
        """Run tests once in a copy of the checkout.

        :param folder: for the copy.
        :param wanted: folders or files of tests.
        :raises SystemExit: a test fails without any mutant.
        """
        checkout = copy_checkout(folder / "coverage")
        report, measured = folder / "durations.xml", folder / "measured"
        status = pytest(
            checkout,
            *wanted,
            *("-q", "-p", "no:cacheprovider", "-n", "2", "--dist", "loadfile"),
            *("--cov=nixgen", "--cov-context=test", "--cov-report="),
            f"--junit-xml={report}",
            # coverage's own files are read while infra.py runs, and count as the project's
            "--deselect=tests/unit/verbs/test_evaluate.py::test_a_dry_run_leaves_a_stamp",
            coverage=measured,
        )
        # A test that fails by itself would kill every mutant. One or two may, on a loaded machine.
        failing = frozenset(_failing(report))
        if len(failing) > MOST_FAILING or (status and not failing):
            names = ", ".join(sorted(failing)) or f"pytest exits with {status}"
            raise SystemExit(f"tests fail without any mutant: {names}")
        for name in sorted(failing):
            print(f"left out, as it fails without any mutant: {name}", file=sys.stderr)
        data = CoverageData(str(measured))
        data.read()
        tests = {
            str(Path(file).relative_to(checkout)): {
                line: frozenset(
                    test
                    for test, separator, _ in (context.rpartition("|") for context in contexts)
                    if separator and test.rpartition("::")[2] not in failing
                )
                for line, contexts in data.contexts_by_lineno(file).items()
            }
            for file in data.measured_files()
        }
        return cls(tests=tests, seconds=_durations(report))

    @classmethod
    def kept(cls, file: Path | None, folder: Path, wanted: tuple[str, ...]) -> Coverage:
        """The coverage that an earlier run wrote to ``file``; else measured, and written there."""
        if file is not None and file.exists():
            return cls(**_thawed(json.loads(file.read_text())))
        measured = cls.measure(folder, wanted)
        if file is not None:
            file.write_text(json.dumps(asdict(measured), default=sorted))
        return measured

    def covering(self, mutant: Mutant) -> list[str]:
        """The tests of a line, those of the file's own folder first, the fastest first of them."""
        lines = self.tests.get(mutant.path, {})
        own = _own_tests(mutant.path)
        ran = [mutant.line] if mutant.line in lines else _statement(ROOT / mutant.path, mutant.line)
        tests = frozenset().union(*(lines.get(line, frozenset()) for line in ran))
        if not tests and any(line in lines for line in ran):
            # A line that runs when the file is imported: every test that needs the file, and all of
            # the folder, because a test of a constant runs no line.
            tests = frozenset([own]).union(*lines.values())
        return sorted(
            tests,
            key=lambda test: (
                not test.startswith(own),
                self.duration(test),
                test,
            ),
        )[:MOST_TESTS]

    def duration(self, test: str) -> float:
        """Seconds of the slowest case of a test function."""
        return self.seconds.get(test.partition("::")[2].partition("[")[0], 1.0)


def _own_tests(path: str) -> str:
    """The folder of unit tests that lies as the folder of a module does, or the nearest above."""
    folder = Path("tests/unit", *Path(path).parts[1:-1])
    while not (ROOT / folder).is_dir():
        folder = folder.parent
    return str(folder)


def _thawed(document: dict[str, Any]) -> dict[str, Any]:
    tests = {
        file: {int(line): frozenset(names) for line, names in lines.items()}
        for file, lines in document["tests"].items()
    }
    return {"tests": tests, "seconds": document["seconds"]}


@cache
def _statements(path: Path) -> tuple[range, ...]:
    """The lines of every statement of a file, the smallest statements first."""
    spans = (
        range(node.lineno, (node.end_lineno or node.lineno) + 1)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.stmt)
    )
    return tuple(sorted(spans, key=len))


def _statement(path: Path, line: int) -> range:
    """The lines of the statement around ``line``: coverage may count only some of them."""
    return next((span for span in _statements(path) if line in span), range(line, line + 1))


def _durations(report: Path) -> dict[str, float]:
    from xml.etree import ElementTree as ET

    longest: dict[str, float] = {}
    for case in ET.parse(report).iter("testcase"):
        name = case.attrib["name"].partition("[")[0]
        longest[name] = max(longest.get(name, 0.0), float(case.attrib["time"]))
    return longest


def _failing(report: Path) -> list[str]:
    from xml.etree import ElementTree as ET

    return [
        case.attrib["name"]
        for case in ET.parse(report).iter("testcase")
        if case.find("failure") is not None or case.find("error") is not None
    ]


def attempt(checkout: Path, mutant: Mutant, tests: list[str], seconds: float) -> Result | None:
    """Try one mutant in a copy of the checkout. None when it is no program, or the same one.

    :param seconds: a test that takes longer hangs, and so has noticed the mutant.
    """
    file = checkout / mutant.path
    original = file.read_text()
    changed = mutate_code(original, get_operator(mutant.operator)(), mutant.occurrence)
    if changed is None or not _is_another_program(original, changed):
        return None
    pairs = zip(original.splitlines(), changed.splitlines(), strict=False)
    before, after = next(((a, b) for a, b in pairs if a != b), ("", ""))
    file.write_text(changed)
    try:
        # 5: no test was collected, so nothing noticed the change
        limit = ("-o", "faulthandler_exit_on_timeout=true", "-o", f"faulthandler_timeout={seconds}")
        status = pytest(checkout, *PYTEST, "-n0", *limit, *tests, timeout=1800) if tests else 5
    finally:
        file.write_text(original)
    return Result(mutant, status not in {0, 5}, len(tests), before.strip(), after.strip())


def _is_another_program(original: str, changed: str) -> bool:
    try:
        return ast.dump(ast.parse(original)) != ast.dump(ast.parse(changed))
    except SyntaxError:
        return False


def run(chosen: list[Mutant], coverage: Coverage, folder: Path, workers: int) -> list[Result]:
    """Try all mutants, a copy of the checkout for each worker; progress goes to standard error."""
    waiting: Queue[Mutant] = Queue()
    for mutant in chosen:
        waiting.put(mutant)
    results: list[Result] = []
    started = time.monotonic()

    def work(number: int) -> None:
        checkout = copy_checkout(folder / f"copy-{number}")
        while True:
            try:
                mutant = waiting.get_nowait()
            except Empty:
                return
            tests = coverage.covering(mutant)
            seconds = max([30, *(10 * coverage.duration(test) for test in tests)])
            if result := attempt(checkout, mutant, tests, seconds):
                results.append(result)
                word = "killed" if result.killed else "SURVIVED"
                print(
                    f"{len(results)}/{len(chosen)} {time.monotonic() - started:.0f} s {word} "
                    f"{mutant.path}:{mutant.line}  {result.before}  →  {result.after}",
                    file=sys.stderr,
                    flush=True,
                )

    threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def table(results: list[Result], parts: tuple[str, ...]) -> str:
    """Mutants and killed mutants of each part, as text."""
    rows = [f"{'part':<16} {'mutants':>8} {'killed':>8} {'share':>7}"]
    for part in (*parts, ""):
        of_part = [each for each in results if each.mutant.path.startswith(f"nixgen/{part}")]
        killed = sum(each.killed for each in of_part)
        share = killed / len(of_part) if of_part else 1.0
        rows.append(f"{part or 'all':<16} {len(of_part):>8} {killed:>8} {share:>7.1%}")
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=460, help="how many mutants (default: 460)")
    parser.add_argument("--seed", type=int, default=1, help="of the sample (default: 1)")
    parser.add_argument(
        "--part",
        action="append",
        choices=PARTS,
        help="try only the mutants of the sample in this folder of nixgen/",
    )
    parser.add_argument("--workers", type=int, default=2, help="mutants tried at a time")
    parser.add_argument("--least", type=float, default=0.85, help="share that has to be killed")
    parser.add_argument("--again", type=Path, help="try the survivors of this report once more")
    parser.add_argument(
        "--tests", action="append", help=f"run only these tests, for a quick look (of {TESTS})"
    )
    parser.add_argument("--coverage", type=Path, help="file that keeps the coverage for later runs")
    parser.add_argument("--report", type=Path, help="write all results as JSON")
    given = parser.parse_args()
    parts = tuple(given.part or PARTS)
    if given.again:
        known = [row["mutant"] for row in json.loads(given.again.read_text()) if not row["killed"]]
        chosen = [Mutant(**row) for row in known]
    else:
        chosen, population = sample(given.sample, given.seed, parts)
        print(f"{len(chosen)} of {population} mutants, seed {given.seed}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as name:
        coverage = Coverage.kept(given.coverage, Path(name), tuple(given.tests or TESTS))
        results = run(chosen, coverage, Path(name), given.workers)
    if given.report:
        given.report.write_text(json.dumps([asdict(each) for each in results], indent=1) + "\n")
    for each in results:
        if not each.killed:
            where = f"{each.mutant.path}:{each.mutant.line}"
            print(f"survived {where} ({each.tests} tests)\n  - {each.before}\n  + {each.after}")
    print(table(results, parts))
    return sum(each.killed for each in results) < given.least * len(results)


if __name__ == "__main__":
    sys.exit(main())
