"""Builds by the real Nix, of derivations that take milliseconds, in a temporary store."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from attrs import define, field

from nixgen.driver.build.build import realise
from nixgen.driver.build.report import BuildReport
from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.evaluate import EvaluationCache, Tree, evaluate
from nixgen.driver.messages.events import (
    BuildFailed,
    BuildFinished,
    BuildLine,
    BuildStarted,
    Progress,
)
from nixgen.driver.store.store import Store
from nixgen.errors import BuildError, MirrorError, StoreError
from nixgen.programs.command import Command, Completed
from nixgen.programs.runner import SubprocessRunner

pytestmark = pytest.mark.real

TREE = """\
{ base ? "debian", system ? builtins.currentSystem, inputs ? { }, environment ? null }:
let
  make = name: script: extra:
    derivation ({ inherit name system; builder = "/bin/sh"; args = [ "-c" script ]; } // extra);
  dep = make "dep" "echo one; echo two; echo dep > $out" { };
  bad = make "bad" "i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo line $i; done; echo why >&2; exit 7" { };
in
{
  machines.web = make "web" "read x < ${dep}; echo $x web > $out" { };
  machines.two = make "two" "echo > $out; echo > $doc" { outputs = [ "out" "doc" ]; };
  machines.broken = make "broken" "echo ${bad} > $out" { };
  machines.also-broken = make "also" "echo ${bad} > $out" { };
  images.worse = make "worse" "exit 3" { };
  images.mute = make "mute" ":" { };
  packages.slow = make "slow" "echo $$ > @STATE@/pid; exec @SLEEP@ @SECONDS@; " { };
  packages.after = make "after" "echo partial > $out; echo $$ > @STATE@/pid; while ! test -e @STATE@/go; do @SLEEP@ 0.05; done; echo whole > $out" { };
  packages.deb = derivation {
    name = "nginx_1.22_all.deb"; inherit system; builder = "builtin:fetchurl"; url = "@URL@";
    outputHashMode = "flat"; outputHashAlgo = "sha256"; outputHash = "@HASH@";
    unpack = false; executable = false; preferLocalBuild = true;
  };
}
"""


@define
class Counting:
    """The real runner, which records the commands that it ran."""

    commands: list[Command] = field(factory=list)
    _inner: SubprocessRunner = field(factory=lambda: SubprocessRunner(grace=3))

    def run(self, command: Command) -> Completed:
        self.commands.append(command)
        return self._inner.run(command)

    def lines(self, command: Command, on_line, **more) -> Completed:
        self.commands.append(command)
        return self._inner.lines(command, on_line, **more)


@define
class Project:
    root: Path
    runner: Counting = field(factory=Counting)
    events: list = field(factory=list)

    def write(self, **words: str) -> None:
        text = TREE
        settings = {
            "STATE": str(self.root),
            "SLEEP": "/bin/sleep",
            "SECONDS": "60",
            "URL": "http://127.0.0.1:9/debian/nginx.deb",
            "HASH": "0" * 52,
        }
        for name, value in (settings | words).items():
            text = text.replace(f"@{name}@", value)
        (self.root / "generated").mkdir(exist_ok=True)
        (self.root / "generated/default.nix").write_text(text)

    def build(self, *attrs: str, **more) -> BuildReport:
        options = NixOptions.of_host()
        store = Store.of_host(options=options, runner=self.runner)
        file = self.root / "generated/default.nix"
        key = hashlib.sha256(file.read_bytes()).hexdigest()
        cache = EvaluationCache(self.root / ".nixgen/cache/evaluations")
        known = dict(cache.load(dict.fromkeys(attrs, key)))
        missing = [attr for attr in attrs if attr not in known]
        found = evaluate(Tree(file=file), missing, runner=self.runner, options=options)
        for target in found.require():
            known[target.attr] = target
            cache.save(key, target)
        return realise(
            [known[attr] for attr in attrs],
            runner=self.runner,
            options=options,
            store=store,
            gcroots=self.root / ".nixgen/gcroots",
            observe=self.events.append,
            **more,
        )


@pytest.fixture
def project(tmp_path: Path, monkeypatch) -> Project:
    for name in ("STORE", "STATE", "LOG"):
        monkeypatch.setenv(f"NIX_{name}_DIR", str(tmp_path / "nix" / name.lower()))
    monkeypatch.setenv("NIX_CONFIG", "sandbox = false\ndownload-attempts = 1")
    root = tmp_path / "project"
    root.mkdir()
    project = Project(root)
    project.write()
    return project


def statuses(report: BuildReport) -> dict[str, str]:
    return {result.attr: result.status for result in report.results}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_a_second_build_is_cached_and_starts_no_process(project):
    report = project.build("machines.web", "machines.two")
    assert statuses(report) == {"machines.web": "built", "machines.two": "built"}
    assert report.error() is None
    web = report.results[0].target
    assert Path(web.out).read_text() == "dep web\n"
    roots = project.root / ".nixgen/gcroots"
    assert sorted(link.name for link in roots.iterdir()) == [
        "machines.two",
        "machines.two-doc",
        "machines.web",
    ]
    assert (roots / "machines.web").readlink() == Path(web.out)
    lines = [event.text for event in project.events if isinstance(event, BuildLine)]
    assert lines == ["one", "two"]
    for kind, count in ((BuildStarted, 3), (BuildFinished, 3), (BuildFailed, 0)):
        assert sum(isinstance(event, kind) for event in project.events) == count
    last = [e for e in project.events if isinstance(e, Progress) and e.what == "builds"][-1]
    assert (last.done, last.failed, last.running) == (last.expected, 0, 0)

    project.runner.commands.clear()
    started = time.perf_counter()
    report = project.build("machines.web", "machines.two")
    assert time.perf_counter() - started < 0.5
    assert statuses(report) == {"machines.web": "cached", "machines.two": "cached"}
    assert project.runner.commands == []


def test_roots_protect_built_outputs_only(project):
    report = project.build("machines.web", "machines.two")
    web, two = (result.target for result in report.results)
    (project.root / ".nixgen/gcroots/machines.two-doc").unlink()
    (project.root / ".nixgen/gcroots/machines.two").unlink()
    done = project.runner.run(Command(argv=("nix-store", "--gc", *NixOptions.of_host().arguments)))
    assert done.ok
    assert Path(web.out).exists()
    assert not Path(two.out).exists()
    assert statuses(project.build("machines.web", "machines.two")) == {
        "machines.web": "cached",
        "machines.two": "built",
    }


def test_a_lost_root_is_made_again_without_a_build(project):
    project.build("machines.web")
    link = project.root / ".nixgen/gcroots/machines.web"
    link.unlink()
    project.runner.commands.clear()
    assert statuses(project.build("machines.web")) == {"machines.web": "cached"}
    assert link.is_symlink()
    assert len(project.runner.commands) == 1


def test_roots_of_removed_targets_are_removed(project):
    project.build("machines.web", "machines.two")
    roots = project.root / ".nixgen/gcroots"
    (roots / "a file").write_text("mine")
    project.build("machines.two", known=["machines.two", "images.mute"])
    assert sorted(x.name for x in roots.iterdir()) == ["a file", "machines.two", "machines.two-doc"]


def test_a_folder_in_the_place_of_a_root_is_a_store_error(project):
    (project.root / ".nixgen/gcroots/machines.web").mkdir(parents=True)
    with pytest.raises(StoreError, match="cannot make the GC root"):
        project.build("machines.web")


def test_failures_are_reported_with_log_and_targets_and_the_others_finish(project):
    report = project.build(
        "machines.broken", "images.worse", "machines.web", "machines.also-broken"
    )
    assert statuses(report) == {
        "machines.broken": "failed",
        "images.worse": "failed",
        "machines.web": "built",
        "machines.also-broken": "failed",
    }
    failures = {failure.name: failure for failure in report.failures}
    assert set(failures) == {"bad", "worse"}
    bad = failures["bad"]
    assert bad.targets == ("machines.broken", "machines.also-broken")
    assert bad.log == (*(f"line {n}" for n in range(17, 41)), "why")
    assert "exit code 7" in bad.reason
    assert failures["worse"].log == ()
    error = report.error({"machines.broken": "infra.py:12", "images.worse": "infra.py:30"})
    assert isinstance(error, BuildError)
    assert error.message.startswith("3 of 4 targets failed")
    assert any("infra.py:12" in line for line in error.details)
    assert error.where in {"infra.py:12", "infra.py:30"}
    failed = [event.drv for event in project.events if isinstance(event, BuildFailed)]
    assert sorted(failed) == sorted(failure.drv for failure in report.failures)
    assert not (project.root / ".nixgen/gcroots/machines.broken").is_symlink()


def test_a_builder_without_output_fails(project):
    report = project.build("images.mute")
    assert "failed to produce output" in report.failures[0].reason


def test_an_unreachable_mirror_is_a_mirror_error(project):
    report = project.build("packages.deb")
    error = report.error()
    assert isinstance(error, MirrorError)
    assert "127.0.0.1:9" in error.message
    assert [type(failure.error) for failure in report.failures] == [MirrorError]


def test_the_error_of_a_superseded_package_has_a_hint(project):
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Gone(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *args) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Gone) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            project.write(URL=f"http://127.0.0.1:{server.server_port}/debian/nginx.deb")
            error = project.build("packages.deb").error()
        finally:
            server.shutdown()
            thread.join()
    assert isinstance(error, MirrorError)
    assert "superseded" in error.message
    assert "nixgen inputs update debian" in error.hint


def test_a_deleted_derivation_is_instantiated_again(project):
    report = project.build("machines.web")
    target = report.results[0].target
    (project.root / ".nixgen/gcroots/machines.web").unlink()
    done = project.runner.run(Command(argv=("nix-store", "--gc", *NixOptions.of_host().arguments)))
    assert done.ok
    assert not Path(target.drv).exists()
    assert statuses(project.build("machines.web")) == {"machines.web": "built"}


def test_ctrl_c_stops_the_builder_and_the_next_run_succeeds(project):
    pid_file = project.root / "pid"

    def interrupt() -> None:
        wait_for(pid_file.exists)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        project.build("packages.slow")
    thread.join()
    pid = int(pid_file.read_text())
    wait_for(lambda: not alive(pid), 5)
    project.write(SECONDS="0")
    assert statuses(project.build("machines.web")) == {"machines.web": "built"}


SCRIPT = """
import sys
from pathlib import Path
from nixgen.driver.build.build import realise
from nixgen.driver.evaluate import Tree, evaluate
from nixgen.driver.commands.nix import NixOptions
from nixgen.programs.runner import SubprocessRunner
from nixgen.driver.store.store import Store
root = Path(sys.argv[1])
runner, options, store = SubprocessRunner(), NixOptions.of_host(), Store.of_host()
tree = Tree(file=root / "generated/default.nix")
targets = evaluate(tree, ["packages.after"], runner=runner, options=options).require()
realise(targets, runner=runner, options=options, store=store, gcroots=root / ".nixgen/gcroots")
"""


def test_the_run_after_a_killed_run_succeeds(project):
    pid_file = project.root / "pid"
    with subprocess.Popen([sys.executable, "-c", SCRIPT, str(project.root)]) as child:
        wait_for(pid_file.exists)
        child.kill()
    # The orphaned Nix may hold the lock for a moment, or finish: both are fine.
    threading.Timer(0.3, (project.root / "go").touch).start()
    report = project.build("packages.after")
    assert report.ok
    assert Path(report.results[0].target.out).read_text() == "whole\n"
    pid = int(pid_file.read_text())
    wait_for(lambda: not alive(pid), 5)
    assert statuses(project.build("packages.after")) == {"packages.after": "cached"}


def test_damaged_state_is_made_again(project):
    project.build("machines.web")
    remembered = project.root / ".nixgen/cache/evaluations"
    remembered.write_bytes(remembered.read_bytes()[:-20])
    assert statuses(project.build("machines.web")) == {"machines.web": "cached"}
    before = len(project.runner.commands)
    assert statuses(project.build("machines.web")) == {"machines.web": "cached"}
    assert len(project.runner.commands) == before, "it is whole again"
