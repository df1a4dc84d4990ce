"""Results go to standard output and the rest to standard error, plain without a terminal."""

from __future__ import annotations

import io
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest

from nixgen.cache.bucket.pace import PaceStatistics
from nixgen.cache.push.missing import PushPlan
from nixgen.cache.push.push import PushReport
from nixgen.cache.push.upload import Uploaded
from nixgen.cli import console
from nixgen.cli._session import print_pushed
from nixgen.driver.build.report import BuildReport, Status, TargetResult
from nixgen.driver.evaluate import Target
from nixgen.driver.store.store import PathInfo
from nixgen.errors import ModelError, Problem, StaleError, UsageError
from nixgen.oci.write.report import ImageReport
from nixgen.render import Changes
from nixgen.verbs.build import Built
from nixgen.verbs.doctor import Finding
from nixgen.vm.record.report import Entry, TestResult

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process prints one JSON document, and one console belongs to one standard output."""
    monkeypatch.setattr(console, "_printed", [])
    console.out.cache_clear()
    console.err.cache_clear()


def target(attr: str) -> Target:
    name = attr.replace(".", "-")
    return Target(attr=attr, drv=f"/nix/store/{name}.drv", outputs={"out": f"/nix/store/{name}"})


def test_results_of_a_build_are_a_line_for_each_target(capsys: Capture) -> None:
    results = (
        TargetResult(target=target("machines.web"), status="built", seconds=1.0),
        TargetResult(target=target("machines.db"), status="cached"),
        TargetResult(target=target("images.api"), status="failed"),
    )
    built = Built(
        report=BuildReport(results=results),
        origins={},
        base="debian",
        environment=None,
        started=datetime.now(UTC),
        seconds=2.5,
    )
    console.print_built(built)
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "built   machines.web  /nix/store/machines-web",
        "cached  machines.db   /nix/store/machines-db",
        "failed  images.api",
    ]
    assert printed.err == "3 targets in 2.5 s\n"
    console.print_built(attrs.evolve(built, report=BuildReport(results=results[:1])))
    assert capsys.readouterr().err == "1 target in 2.5 s\n"


@pytest.mark.parametrize(
    ("statuses", "summary"),
    [
        (("cached", "would build"), "1 of 2 targets would be built; evaluated in 2.5 s"),
        (("cached", "cached"), "all 2 targets are there; evaluated in 2.5 s"),
        (("cached",), "1 target is there; evaluated in 2.5 s"),
        (("would build",), "1 of 1 target would be built; evaluated in 2.5 s"),
    ],
)
def test_a_dry_run_prints_the_targets_that_would_be_built(
    capsys: Capture, statuses: tuple[Status, ...], summary: str
) -> None:
    results = tuple(
        TargetResult(target=target(attr), status=status)
        for attr, status in zip(("machines.web", "images.api"), statuses, strict=False)
    )
    console.print_planned(
        Built(
            report=BuildReport(results=results),
            origins={},
            base="debian",
            environment=None,
            started=datetime.now(UTC),
            seconds=2.5,
        )
    )
    printed = capsys.readouterr()
    assert [line.split() for line in printed.out.splitlines()] == [
        [*result.status.split(), result.attr, result.target.out] for result in results
    ]
    assert all(line[11] == " " and line[12] != " " for line in printed.out.splitlines())
    assert printed.err == f"{summary}\n"


def test_a_push_prints_its_outcome(capsys: Capture) -> None:
    def info(path: str, size: int) -> PathInfo:
        return PathInfo(path=path, nar_hash="sha256:0", nar_size=size, references=())

    report = PushReport(
        cache="s3://bucket",
        plan=PushPlan(
            closure=9,
            missing=(info("/nix/store/a", 2_500_000),),
            upstream=(info("/nix/store/b", 4_000), info("/nix/store/c", 6_000)),
        ),
        uploaded=None,
        requests=PaceStatistics(requests=3, repeated=0, throttled=0),
        seconds=1.0,
    )
    print_pushed(report, where="s3://bucket")
    assert capsys.readouterr().out.splitlines() == [
        "left to upstreams: 2 paths, 10.0 kB",
        "would push 1 of 9 paths, 2.5 MB",
        "     2.5 MB  /nix/store/a",
    ]
    uploaded = Uploaded(published=1, nar_bytes=2_500_000, file_bytes=1000)
    done = attrs.evolve(report, plan=attrs.evolve(report.plan, upstream=()), uploaded=uploaded)
    print_pushed(done, where="s3://bucket")
    assert (
        capsys.readouterr().out
        == "pushed 1 of 9 paths (2.5 MB, 1.0 kB sent) to s3://bucket in 1.0 s\n"
    )
    print_pushed(attrs.evolve(done, plan=attrs.evolve(done.plan, missing=())), where="s3://bucket")
    assert capsys.readouterr().out == "s3://bucket has all 9 paths already (1.0 s)\n"


def test_images_are_a_table(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    report = ImageReport(
        name="api",
        ref="api:latest",
        layout=tmp_path / ".nixgen/images/api",
        digest="sha256:" + "a" * 64,
        config_digest="sha256:" + "b" * 64,
        layers=(),
        changed=True,
        seconds=1.0,
    )
    console.print_images([report])
    shown = capsys.readouterr().out
    for part in (
        "image",
        "api:latest",
        "0 B",
        "0 (0 new)",
        "sha256:aaaaaaaaaaaa",
        ".nixgen/images/api",
    ):
        assert part in shown
    assert str(tmp_path) not in shown


def test_a_table_in_a_pipe_is_not_folded(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    console.print_table(["name", "text"], [("a", "long " * 60), ("b", "")])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["a", *["long"] * 60] in lines


def test_the_result_of_a_test_lists_its_steps(capsys: Capture) -> None:
    entry = Entry(kind="subtest", title="it answers", machine=None, start=0, seconds=1.0, ok=True)
    result = TestResult(
        name="smoke", seconds=3.0, acceleration="tcg", entries=(entry,), machines=()
    )
    console.print_test(result)
    assert capsys.readouterr().out == "smoke: passed in 3.0 s (tcg)\n  ✓ it answers (1.0 s)\n"
    hostile = attrs.evolve(result, entries=(attrs.evolve(entry, title="a\x1b[2J\rb"),))
    console.print_test(hostile)
    assert r"✓ a\x1b[2J\rb" in capsys.readouterr().out


def test_targets_are_listed_with_their_lines(capsys: Capture) -> None:
    console.print_targets({"machines.web": "infra.py:3", "images.a": None})
    assert capsys.readouterr().out == "machines.web  infra.py:3\nimages.a\n"
    console.print_targets({})
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "no targets yet" in printed.err


def test_generated_files_are_listed(capsys: Capture) -> None:
    changes = Changes(
        folder=Path("/p/generated"),
        written={"default.nix": b"", "lib/a.nix": b"", "lib/b.nix": b""},
        removed=("machines/old.nix",),
        foreign=(),
        kept=("machines/mine.nix",),
        manifest=b"",
    )
    console.print_generated(changes)
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "wrote   generated/default.nix",
        "wrote   generated/lib (2 files)",
        "removed generated/machines/old.nix",
    ]
    assert "machines/mine.nix is stale, but was edited" in printed.err


def test_differences_are_plain_off_a_terminal(capsys: Capture) -> None:
    lines = ["--- a\n", "+++ b\n", "@@ -1 +1 @@\n", "-old\n", "+new\n", " same\n"]
    console.print_diff(lines)
    assert capsys.readouterr().out == "".join(lines)


MANIFEST = "---\nkind: Namespace\nmetadata:\n  name: shop\n"


def test_manifests_for_a_program_are_unchanged(capsys: Capture) -> None:
    console.print_manifests(MANIFEST, "yaml")
    assert capsys.readouterr().out == MANIFEST


def test_manifests_on_a_terminal_have_colours_and_the_same_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", Terminal())
    console.print_manifests(MANIFEST, "yaml")
    shown = sys.stdout.getvalue()
    assert "\x1b[" in shown
    assert re.sub(r"\x1b\[[0-9;]*m", "", shown) == MANIFEST


def test_findings_of_doctor_end_with_one_command(capsys: Capture) -> None:
    missing = [
        Finding(
            name=name,
            detail="not found",
            needed_for="everything",
            mend=f"apt-get install {package}",
        )
        for name, package in (("Nix", "nix-bin"), ("QEMU", "qemu-system-x86"))
    ]
    fine = Finding(name="Python", detail="3.11.2", needed_for="everything")
    console.print_findings([fine, *missing])
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "ok      Python  3.11.2"
    assert shown[1] == "missing Nix     not found"
    assert shown[2].endswith("needed for everything; run: apt-get install nix-bin")
    assert shown[-1] == "all at once: apt-get install nix-bin qemu-system-x86"


def test_errors_are_printed_with_their_place_and_hint(capsys: Capture) -> None:
    error = ModelError(
        [
            Problem("machines.web.memory", "is too little", where="infra.py:3", hint="give 256"),
            Problem("machines.db.name", "is taken"),
        ]
    )
    console.report_error(error)
    printed = capsys.readouterr()
    assert printed.out == ""
    for part in (
        "error: ",
        "machines.web.memory: is too little",
        "at infra.py:3",
        "hint: give 256",
    ):
        assert part in printed.err


def test_an_error_holds_nothing_that_a_terminal_obeys(capsys: Capture) -> None:
    hostile = "a\x1b]0;title\x07b\x9bc\u202ed\x1b[2Je\rf"
    problem = Problem(f"machines.{hostile}", f"is {hostile}", where=f"/{hostile}:1", hint=hostile)
    error = ModelError([problem])
    error.details = (hostile, "\x1b[31mred\x1b[0m")
    console.report_error(error)
    printed = capsys.readouterr().err
    harmless = r"a\x1b]0;title\x07b\x9bc\u202ed\x1b[2Je\rf"
    assert printed.count(harmless) == 5
    # the colours of a log stay
    assert "\x1b[31mred\x1b[0m" in printed
    assert printed.count("\x1b") == 2
    assert not re.search(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u202e]", printed)


def test_a_table_shows_its_cells_as_they_are(capsys: Capture) -> None:
    console.print_table(["what"], [("[red]a[/red] [b :smile:",)])
    assert "[red]a[/red] [b :smile:" in capsys.readouterr().out


def test_an_error_is_the_json_document_unless_one_was_printed(capsys: Capture) -> None:
    console.report_error(UsageError("no", hint="yes"), as_json=True)
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert (document["schema"], document["message"], document["hint"]) == (
        "nixgen/error/1",
        "no",
        "yes",
    )
    assert document["exit"] == 2
    assert "error: no" in printed.err
    # results that were printed before say it already
    console.report_error(StaleError("stale", hint="generate"), as_json=True)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_234_567, "1.2 MB"),
        (5_000_000_000, "5.0 GB"),
        (7 * 10**12, "7.0 TB"),
    ],
)
def test_sizes_have_units_of_powers_of_ten(size: int, shown: str) -> None:
    assert console.human_size(size) == shown


@pytest.mark.parametrize(
    ("variables", "painted"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "dumb"}, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, False),
    ],
)
def test_colour_needs_a_terminal_without_no_color(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], *, painted: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    class Terminal:
        def isatty(self) -> bool:
            return True

    text = console._paint("x", "bold red", Terminal())
    assert text == ("\x1b[1;31mx\x1b[0m" if painted else "x")
