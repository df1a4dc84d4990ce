"""Progress: lines in a log, a live view on a terminal, and nothing when it should be quiet."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Iterable

import pytest
from rich.console import Console

from nixgen.cache.push import events as cache
from nixgen.cli import progress, tracking
from nixgen.driver.evaluate import events as evaluation
from nixgen.driver.messages import events as nix
from nixgen.oci import events as oci
from nixgen.vm.record import events as vm
from nixgen.vm.record.report import Entry

HASH = "0" * 32
DRV = f"/nix/store/{HASH}-nginx-1.22.drv"
OTHER = f"/nix/store/{HASH}-redis.drv"
PATH = f"/nix/store/{HASH}-curl"

BUILDS = (
    nix.Message(3, "evaluating 2 targets"),
    nix.Progress("builds", 0, 3, 0, 0),
    nix.BuildStarted(DRV, ""),
    nix.BuildStarted(OTHER, ""),
    nix.BuildPhase(DRV, "unpack"),
    nix.BuildLine(DRV, "compiling [red]ngx.c[/]"),
    nix.Message(1, "warning: [bold]odd[/]"),
    nix.TransferFinished("substitute", PATH, 0.5),
    nix.BuildFinished(DRV, 2.25),
    nix.BuildFailed(OTHER, 1.0, "exit code 7"),
)
PUSH = (
    cache.Planned(paths=9, missing=2, nar_bytes=12_345_678),
    cache.NarRead(path=PATH, size=1000),
    cache.NarStored(path=PATH, nar_size=1000, file_size=10, reused=False),
    cache.Published(path=PATH),
)
FETCH = (
    nix.Message(3, "resolving Debian packages"),
    nix.TransferStarted("fetch", "https://x/[small]", ""),
    nix.TransferProgress("https://x/[small]", 300, 300),
    nix.TransferFinished("fetch", "https://x/[small]", 0.1),
    nix.TransferStarted("fetch", "https://x/[big]", ""),
    nix.TransferProgress("https://x/[big]", 0, 0),
    nix.TransferProgress("https://x/[big]", 45_000_000, 90_000_000),
    nix.TransferFinished("fetch", "https://x/[big]", 12.34),
    nix.TransferStarted("fetch", "https://x/none", ""),
    nix.TransferFinished("fetch", "https://x/none", 5.0),
)
IMAGES = (
    oci.LayersPlanned(images=("api",), layers=2, size=2_000_000),
    oci.LayerReused(digest="sha256:0", size=1),
    oci.LayerStarted(paths=(PATH,)),
    oci.LayerWritten(digest="sha256:1", tar_size=1_000_000, size=500_000, seconds=0.25),
    oci.ImageWritten(image="api:latest", digest="sha256:2", changed=True),
    oci.ImageWritten(image="redis:latest", digest="sha256:3", changed=False),
)
TEST = (
    vm.StoreImageReady(paths=48, size=130_000_000, seconds=0.2, cached=False),
    vm.StoreImageReady(paths=48, size=130_000_000, seconds=0.2, cached=True),
    vm.TestStarted(test="smoke", machines=("web", "db"), acceleration="tcg"),
    vm.MachineStarted(machine="db", pid=1),
    vm.ConsoleLine(machine="db", text="[bold] of systemd", shown=True),
    vm.MachineUp(machine="db", seconds=7.13),
    vm.StepStarted(kind="subtest", machine=None, title="redis answers", depth=0),
    vm.StepFinished(
        entry=Entry(
            kind="command", machine="db", title="true", seconds=0.1, ok=False, status=1, start=0.0
        ),
        depth=1,
    ),
    vm.StepFinished(
        entry=Entry(
            kind="action", machine="db", title="wait for port", seconds=0.1, ok=False, start=0.0
        ),
        depth=1,
    ),
    vm.StepFinished(
        entry=Entry(kind="subtest", machine=None, title="inner", seconds=0.5, ok=False, start=0.0),
        depth=1,
    ),
    vm.StepFinished(
        entry=Entry(
            kind="subtest", machine=None, title="redis answers", seconds=1.5, ok=True, start=0.0
        ),
        depth=0,
    ),
)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal of 100 columns; what was drawn on it."""
    drawn = io.StringIO()
    monkeypatch.setenv("TERM", "xterm")
    console = Console(file=drawn, force_terminal=True, width=100, color_system=None, soft_wrap=True)
    monkeypatch.setattr(progress, "err", lambda: console)
    monkeypatch.setattr(progress, "is_live", lambda: True)
    return drawn


def feed(observe: Callable[[object], None], events: Iterable[object]) -> None:
    for event in events:
        observe(event)


VERBOSE = [
    "warning: [bold]odd[/]",
    "fetched curl (0.5 s)",
    "built   nginx-1.22 (2.2 s)",
    "FAILED  redis (1.0 s)",
]


@pytest.mark.parametrize(("verbose", "lines"), [(True, VERBOSE), (False, [VERBOSE[0], VERBOSE[3]])])
def test_a_log_of_builds_has_a_line_for_each_path_only_when_it_is_verbose(
    capsys: pytest.CaptureFixture[str], *, verbose: bool, lines: list[str]
) -> None:
    with progress.build_progress(quiet=False, verbose=verbose) as observe:
        feed(observe, BUILDS)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == lines


RETRIES = (
    "warning: unable to download 'https://x/nar': HTTP error 503; retrying in 300 ms",
    "error: unable to download 'https://x/nar': HTTP error 503; retrying from offset 7 in 300 ms",
    "warning: error: unable to download 'https://x/nar': HTTP error 503; retrying in 300 ms",
)


@pytest.mark.parametrize("text", RETRIES)
@pytest.mark.parametrize("verbose", [False, True])
def test_a_download_that_nix_tries_again_is_no_error(
    capsys: pytest.CaptureFixture[str], text: str, *, verbose: bool
) -> None:
    with progress.build_progress(quiet=False, verbose=verbose) as observe:
        feed(observe, [nix.Message(1, text)])
        observe.tell()  # type: ignore[attr-defined]
    *lines, summary = capsys.readouterr().err.splitlines()
    assert len(lines) == verbose
    for line in (*lines, summary):
        assert "error:" not in line
        assert "retrying" in line
        assert "unable to download 'https://x/nar': HTTP error 503" in line


UNTRUSTED = (
    "warning: the substitute for '/nix/store/a' from 'https://x' is not signed by any of the keys in 'trusted-public-keys'",
    "warning: ignoring substitute for '/nix/store/b' from 'https://x', as it's not signed by any of the keys in 'trusted-public-keys'",
    "warning: the substitute for '/nix/store/a' from 'https://y' is not signed by any of the keys in 'trusted-public-keys'",
)


@pytest.mark.parametrize("verbose", [False, True])
def test_a_cache_without_a_trusted_key_gets_one_line(
    capsys: pytest.CaptureFixture[str], *, verbose: bool
) -> None:
    with progress.build_progress(quiet=False, verbose=verbose) as observe:
        feed(observe, [nix.Message(1, text) for text in UNTRUSTED])
    lines = capsys.readouterr().err.splitlines()
    assert lines == [*(UNTRUSTED if verbose else (UNTRUSTED[0], UNTRUSTED[2]))]


#: The first line of a retry whose last line, with "retrying", is behind the answer of the server.
FIRST_LINE = "warning: error: unable to download 'https://x/nar': HTTP error 503"


@pytest.mark.parametrize("text", [RETRIES[0], RETRIES[2], FIRST_LINE])
@pytest.mark.parametrize("verbose", [False, True])
def test_a_download_that_nix_tries_again_during_an_evaluation_is_no_error(
    capsys: pytest.CaptureFixture[str], text: str, *, verbose: bool
) -> None:
    with progress.build_progress(quiet=False, verbose=verbose) as observe:
        feed(observe, [evaluation.EvaluationMessage(text=text)])
        observe.tell()  # type: ignore[attr-defined]
        feed(observe, [evaluation.TargetEvaluated(attr="machines.web", seconds=None)])
        observe.tell()  # type: ignore[attr-defined]
    *lines, during, _, after = capsys.readouterr().err.splitlines()
    assert len(lines) == verbose
    for line in (*lines, during):
        assert "error:" not in line
        assert "retrying" in line
        assert "unable to download 'https://x/nar': HTTP error 503" in line
    assert "retrying" not in after


def test_a_log_gets_a_line_for_each_minute_of_waiting(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    printed: list[str] = []
    told = threading.Event()

    def note(text: str) -> None:
        printed.append(text)
        if text.startswith("building"):
            told.set()

    monkeypatch.setattr(progress, "_MINUTE", 0.01)
    monkeypatch.setattr(progress, "note", note)
    with progress.build_progress(quiet=False) as observe:
        feed(observe, [*BUILDS[:6], *PUSH[:2]])
        assert told.wait(timeout=120)
    line = next(line for line in printed if line.startswith("building"))
    assert re.fullmatch(
        r"building 0/3: nginx-1.22, redis; pushed 0/2 paths, 1.0 kB \(\d+ s\)", line
    )
    count = len(printed)
    assert not [each for each in threading.enumerate() if each.name == "progress"]
    assert len(printed) == count, "nothing is told once the work is over"


EVALUATION = (
    evaluation.EvaluationStarted(targets=3, remembered=17),
    evaluation.TargetStarted(attr="machines.web"),
    evaluation.TargetStarted(attr="machines.db"),
    evaluation.EvaluationMessage(text="trace: [bold]odd[/]"),
    evaluation.TargetEvaluated(attr="machines.db", seconds=2.25),
    evaluation.TargetRefused(attr="machines.web"),
    evaluation.TargetEvaluated(attr="images.api", seconds=0.1),
)


def test_an_evaluation_in_a_log_is_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.build_progress(quiet=False) as observe:
        feed(observe, EVALUATION)
    assert capsys.readouterr().err.splitlines() == [
        "trace: [bold]odd[/]",
        "evaluated 1/3 machines.db (2.2 s)",
        "FAILED  2/3 machines.web",
    ], "what takes no time is not worth a line"


def test_the_live_view_counts_targets(terminal: io.StringIO) -> None:
    view = progress._LiveBuilds()
    feed(view, EVALUATION[:3])
    assert view._render().plain.startswith("evaluating 0/3  machines.web, machines.db")
    feed(view, EVALUATION[3:6])
    assert view._render().plain.startswith("evaluating 2/3")
    feed(view, EVALUATION[6:])
    assert view._render().plain.startswith("evaluated 3 targets")
    drawn = terminal.getvalue()
    assert "FAILED  2/3 machines.web" in drawn
    assert "trace: [bold]odd[/]" in drawn


def test_the_live_view_prints_nothing_while_it_is_locked(
    terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that draws holds a lock of its own when it asks for the view: both would wait for each other."""
    view = progress._LiveBuilds()
    free = []
    monkeypatch.setattr(
        view.live.console, "print", lambda _line: free.append(not view._lock.locked())
    )
    feed(view, [*BUILDS, *REMOTE, *EVALUATION, cache.UpstreamSilent(url="u", reason="r")])
    assert len(free) == 8
    assert all(free)


def test_the_live_view_is_one_line_however_many_are_evaluated(terminal: io.StringIO) -> None:
    view = progress._LiveBuilds()
    feed(view, [evaluation.EvaluationStarted(targets=99, remembered=0)])
    feed(view, [evaluation.TargetStarted(attr=f"machines.m-{number}") for number in range(99)])
    assert max(map(len, view._render().plain.splitlines())) <= 100


REMOTE = (
    nix.BuilderUnavailable("gone", ("the builder gone (10.0.0.9) cannot be reached",)),
    nix.BuilderUnavailable("gone", ("the builder gone (10.0.0.9) cannot be reached",)),
    nix.BuildStarted(DRV, "big-1"),
    nix.BuilderUnavailable("gone", ("the builder gone (10.0.0.9) cannot be reached",)),
    nix.BuilderUnavailable("odd", ("the builder odd [failed]",)),
    nix.BuildStarted(OTHER, ""),
    nix.BuildFinished(DRV, 2.25),
    nix.BuildFailed(OTHER, 1.0, "exit code 7"),
)


def test_builders_in_a_log_are_named_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.build_progress(quiet=False, verbose=True) as observe:
        feed(observe, REMOTE[:2])
        assert capsys.readouterr().err == "", "who builds instead is not known yet"
        feed(observe, REMOTE[2:])
    assert capsys.readouterr().err.splitlines() == [
        "warning: the builder gone (10.0.0.9) cannot be reached; building on big-1",
        "warning: the builder odd [failed]; building here",
        "built   nginx-1.22 on big-1 (2.2 s)",
        "FAILED  redis (1.0 s)",
    ]


def test_the_live_view_names_builders(terminal: io.StringIO) -> None:
    view = progress._LiveBuilds()
    feed(view, REMOTE[:6])
    here, there = (line for line in view._render().plain.splitlines() if " s " in line[1:])
    assert {line.split(" s ")[1].strip() for line in (here, there)} == {
        "nginx-1.22 on big-1",
        "redis",
    }
    assert "the builder odd [failed]; building here" in terminal.getvalue()
    assert terminal.getvalue().count("gone (10.0.0.9)") == 1


def test_a_push_in_a_log_is_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.tracked(tracking.PushTracker(), quiet=False) as observe:
        feed(observe, PUSH)
    assert capsys.readouterr() == ("", "2 of 9 paths to push, 12.3 MB\n")
    with progress.tracked(tracking.PushTracker(), quiet=False, verbose=True) as observe:
        feed(observe, PUSH)
    assert capsys.readouterr().err.splitlines()[1:] == ["pushed  curl"]


def test_downloads_in_a_log_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.tracked(tracking.FetchTracker("big"), quiet=False) as observe:
        feed(observe, FETCH)
    assert capsys.readouterr().err.splitlines() == [
        "resolving Debian packages",
        "fetched https://x/[big], 45.0 MB (12.3 s)",
    ]


def test_images_in_a_log_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.tracked(tracking.ImageTracker(), quiet=False) as observe:
        feed(observe, IMAGES)
    assert capsys.readouterr().err.splitlines() == [
        "image   api:latest",
        "image   redis:latest (unchanged)",
    ]
    with progress.tracked(tracking.ImageTracker(), quiet=False, verbose=True) as observe:
        feed(observe, IMAGES)
    assert capsys.readouterr().err.splitlines() == [
        "layer   500.0 kB (0.2 s)",
        "image   api:latest",
        "image   redis:latest (unchanged)",
    ]


@pytest.mark.parametrize("serial", [False, True])
def test_tests_in_a_log_are_lines(capsys: pytest.CaptureFixture[str], *, serial: bool) -> None:
    with progress.test_progress(quiet=False, serial=serial) as observe:
        feed(observe, TEST)
    assert capsys.readouterr().err.splitlines() == [
        "disk    48 paths, 130.0 MB (0.2 s)",
        "boot    smoke: web, db (tcg, software emulation)",
        *(["db| [bold] of systemd"] if serial else []),
        "up      db (7.1 s)",
        "FAILED  db: wait for port",
        "FAILED    inner (0.5 s)",
        "passed  redis answers (1.5 s)",
    ]


def test_quiet_prints_nothing(capsys: pytest.CaptureFixture[str], terminal: io.StringIO) -> None:
    with progress.build_progress(quiet=True) as observe:
        feed(observe, BUILDS)
    with progress.tracked(tracking.PushTracker(), quiet=True) as observe:
        feed(observe, PUSH)
    with progress.tracked(tracking.ImageTracker(), quiet=True) as observe:
        feed(observe, IMAGES)
    with progress.tracked(tracking.FetchTracker("big"), quiet=True) as observe:
        feed(observe, FETCH)
    with progress.test_progress(quiet=True, serial=True) as observe:
        feed(observe, TEST)
    assert (capsys.readouterr(), terminal.getvalue()) == (("", ""), "")


def test_the_live_view_shows_what_runs(terminal: io.StringIO) -> None:
    view = progress._LiveBuilds()
    assert view._render().plain.startswith("starting")
    feed(view, BUILDS[:1])
    assert view._render().plain.startswith("evaluating 2 targets")
    feed(view, BUILDS[1:6])
    head, *rows = view._render().plain.splitlines()
    assert head.startswith("0/3 built")
    assert len(rows) == 2
    assert "nginx-1.22  compiling [red]ngx.c[/]" in rows[0], "a builder's words are not markup"
    assert "redis" in rows[1]
    feed(view, BUILDS[6:])
    assert view._render().plain.startswith("1/3 built, 1 fetched, 1 failed")
    assert "\n" not in view._render().plain
    assert "warning: [bold]odd[/]" in terminal.getvalue()
    assert "FAILED  redis (1.0 s)" in terminal.getvalue()


def test_the_live_view_stays_short(terminal: io.StringIO) -> None:
    view = progress._LiveBuilds()
    feed(view, [nix.BuildStarted(f"/nix/store/{HASH}-n{number}.drv", "") for number in range(20)])
    feed(view, [nix.BuildLine(f"/nix/store/{HASH}-n0.drv", "x" * 500)])
    rows = view._render().plain.splitlines()
    assert rows[-1] == "  … and 12 more"
    assert len(rows) == 10
    assert max(map(len, rows)) <= 100


def test_a_terminal_gets_the_live_views(terminal: io.StringIO) -> None:
    with progress.build_progress(quiet=False) as observe:
        feed(observe, BUILDS)
    with progress.tracked(tracking.PushTracker(), quiet=False) as observe:
        feed(observe, PUSH)
    with progress.tracked(tracking.ImageTracker(), quiet=False) as observe:
        feed(observe, IMAGES)
    with progress.tracked(tracking.FetchTracker("big"), quiet=False) as observe:
        feed(observe, FETCH[:7])
    drawn = terminal.getvalue()
    for part in ("1/3 built", "FAILED  redis", "pushing", "12.3 MB", "layers", "2.0 MB"):
        assert part in drawn
    assert "fetching big" in drawn
    assert "45.0/90.0 MB" in drawn
    assert "https://x/[big]" in drawn
    # a view that vanishes shows the cursor again
    assert drawn.count("\x1b[?25l") == drawn.count("\x1b[?25h") == 4


def test_a_failure_in_the_middle_restores_the_terminal(terminal: io.StringIO) -> None:
    def fail() -> None:
        with progress.build_progress(quiet=False) as observe:
            feed(observe, BUILDS[:4])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    hidden, shown = (terminal.getvalue().rindex(code) for code in ("\x1b[?25l", "\x1b[?25h"))
    assert hidden < shown, "the cursor is left visible"


def test_a_live_view_needs_a_real_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert progress.is_live() is False
    monkeypatch.setattr("sys.stderr", type("Tty", (io.StringIO,), {"isatty": lambda _self: True})())
    monkeypatch.setenv("TERM", "xterm")
    assert progress.is_live() is True
    monkeypatch.setenv("TERM", "dumb")
    assert progress.is_live() is False


def test_store_paths_are_named_without_their_digests() -> None:
    assert tracking.store_name(PATH) == "curl"
    assert tracking.store_name("http://mirror/pool/a.deb") == "a.deb"
