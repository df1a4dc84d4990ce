"""A whole run of a test, from its machines' start to its result, with a stand-in for QEMU."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import fake_qemu
import pytest

from nixgen.errors import MissingToolError, StoreError, TestError
from nixgen.programs.command import Command, Completed
from nixgen.vm.qemu.accel import TCG
from nixgen.vm.record.events import (
    ConsoleLine,
    Event,
    MachineStarted,
    MachineStopped,
    MachineUp,
    StepFinished,
    StepStarted,
    StoreImageReady,
    TestStarted,
)
from nixgen.vm.record.report import MachineReport, TestResult
from nixgen.vm.run.run import run_test
from nixgen.vm.run.session import session
from nixgen.vm.spec import ClosurePath, NodeSpec, SecretSpec, TestSpec


class ImageMaker:
    """A runner that makes disk images of a few bytes."""

    def __init__(self) -> None:
        self.commands: list[Command] = []

    def run(self, command: Command) -> Completed:
        self.commands.append(command)
        target = command.argv[command.argv.index("-keep-as-directory") - 1]
        Path(target).write_bytes(b"image")
        return Completed(status=0)

    def lines(self, command: Command, on_line: object, **_: object) -> Completed:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    fake_qemu.install(tmp_path / "bin", monkeypatch)


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def spec(script: str, tmp_path: Path, **nodes: dict[str, object]) -> TestSpec:
    """A test of machines by name, each with what differs from a small one."""
    return TestSpec(
        name="smoke",
        system="x86_64-linux",
        script=script,
        nodes=tuple(
            NodeSpec(
                name=name,
                number=number,
                kernel=Path("/k"),
                initrd=Path("/i"),
                toplevel=f"/nix/store/{name}",
                **changes,  # type: ignore[arg-type]
            )
            for number, (name, changes) in enumerate((nodes or {"web": {}}).items(), start=1)
        ),
        closure=(ClosurePath(path=str(tmp_path), nar_hash="sha256:1", nar_size=10),),
    )


@pytest.fixture
def run(tmp_path: Path, state: Path, events: list[Event]):  # type: ignore[no-untyped-def]
    def run(
        script: str, *, keep: bool = False, timeout: float = 60, **nodes: dict[str, object]
    ) -> TestResult:
        return run_test(
            spec(script, tmp_path, **nodes),
            state_dir=state,
            observe=events.append,
            keep=keep,
            timeout=timeout,
            runner=ImageMaker(),
            acceleration=TCG,
        )

    return run


def steps(events: list[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, ConsoleLine | StepStarted)]


def test_a_passing_run_tells_each_event_once_and_in_order(run, events: list[Event]) -> None:  # type: ignore[no-untyped-def]
    result = run("web.succeed('true')\nweb.wait_for_console_text('booting web')", web={}, idle={})
    assert result.passed
    assert (result.name, result.acceleration, result.failure) == ("smoke", "tcg", None)
    image, started, booting, up, boot, command, waited, stopped = steps(events)
    assert isinstance(image, StoreImageReady)
    assert (image.paths, image.size, image.cached) == (1, 5, False)
    assert 0 <= image.seconds < 60
    assert started == TestStarted(test="smoke", machines=("web", "idle"), acceleration="tcg")
    assert isinstance(booting, MachineStarted)
    assert booting.machine == "web"
    assert isinstance(up, MachineUp)
    assert up.machine == "web"
    assert 0 < up.seconds < 60
    assert isinstance(boot, StepFinished)
    assert (boot.entry.kind, boot.entry.title, boot.entry.ok) == (
        "action",
        "wait for the machine to finish booting",
        True,
    )
    assert isinstance(command, StepFinished)
    assert (
        command.entry.kind,
        command.entry.title,
        command.entry.machine,
        command.entry.status,
    ) == (
        "command",
        "true",
        "web",
        0,
    )
    assert isinstance(waited, StepFinished)
    assert (waited.entry.title, waited.entry.status) == (
        "wait for booting web on the console",
        None,
    )
    assert stopped == MachineStopped(machine="web")
    assert [e.text for e in events if isinstance(e, ConsoleLine)] == ["booting web"]
    assert result.machines == (
        MachineReport(name="web", boot_seconds=up.seconds, console_tail=("booting web",)),
        MachineReport(name="idle", boot_seconds=None, console_tail=()),
    )
    assert 0 < result.seconds < 60


def test_nothing_of_a_run_is_left_but_its_logs(run, state: Path) -> None:  # type: ignore[no-untyped-def]
    result = run("web.succeed('true')\npid = web.pid\nlog.info(str(pid))", web={"disk_size": 1})
    pid = result.entries[-1].title
    assert not Path("/proc", pid).exists()
    assert sorted(file.name for file in state.iterdir()) == ["out", "store"]
    out = state / "out" / "smoke"
    assert sorted(file.name for file in out.iterdir()) == ["web.console.log", "web.qemu.log"]
    assert (out / "web.console.log").read_text() == "booting web\n"
    assert (out / "web.qemu.log").read_text() == "fake QEMU runs web\n"


def test_a_kept_disk_is_beside_the_logs_and_as_large_as_the_model_says(run, state: Path) -> None:  # type: ignore[no-untyped-def]
    run("web.start()", keep=True, web={"disk_size": 3})
    assert (state / "out" / "smoke" / "web.raw").stat().st_size == 3 << 20


def test_a_session_keeps_no_disk_unless_told(tmp_path: Path, state: Path) -> None:
    with session(
        spec("", tmp_path, web={"disk_size": 1}),
        state_dir=state,
        observe=lambda _: None,
        runner=ImageMaker(),
        acceleration=TCG,
    ) as machines:
        machines.driver.start_all()
        assert [file.name for file in state.glob("run-*/*")] == ["web.raw"]
        assert machines.symbols()["web"] is machines.driver.machines[0]
    assert not (state / "out" / "smoke" / "web.raw").exists()


def test_the_files_of_an_earlier_run_go_when_the_test_starts_again(run, state: Path) -> None:  # type: ignore[no-untyped-def]
    run("import pathlib; (web.out_dir / 'picture.png').touch()")
    assert (state / "out" / "smoke" / "picture.png").exists()
    run("pass")
    assert list((state / "out").iterdir()) == [state / "out" / "smoke"]
    assert list((state / "out" / "smoke").iterdir()) == []


def test_disks_of_killed_runs_are_removed_and_those_of_living_runs_stay(run, state: Path) -> None:  # type: ignore[no-untyped-def]
    dead, living, other = (
        state / name for name in ("run-999999999-a", f"run-{os.getpid()}-b", "run-x-c")
    )
    for folder in (dead, living, other):
        folder.mkdir(parents=True)
        (folder / "web.raw").touch()
    run("pass")
    assert sorted(state.glob("run-*")) == sorted([living, other])


def test_machines_of_one_network_share_a_switch(run) -> None:  # type: ignore[no-untyped-def]
    result = run(
        "assert [len(m._links) for m in machines] == [2, 1, 0]\n"
        "assert [link.node for link in a._links] == ['a', 'a']\n"
        "a.block()\n"
        "assert not any(link.plugged for link in a._links)\n"
        "assert b._links[0].plugged\n"
        "a.unblock()\n"
        "assert all(link.plugged for link in a._links)\n"
        "a._links[1].remote.send(b'\\xff' * 6 + bytes(20))\n"
        "b._links[0].remote.settimeout(5)\n"
        "assert b._links[0].remote.recv(100) == b'\\xff' * 6 + bytes(20)\n",
        a={"vlans": (1, 2)},
        b={"vlans": (2,)},
        c={},
    )
    assert result.failure is None, result.text()


@pytest.mark.parametrize("in_main_thread", [True, False])
def test_a_script_that_takes_too_long_is_ended(run, *, in_main_thread: bool) -> None:  # type: ignore[no-untyped-def]
    script = "web.wait_for_console_text('never')"
    results: list[TestResult] = []
    if in_main_thread:
        results.append(run(script, timeout=0.3))
    else:
        thread = threading.Thread(target=lambda: results.append(run(script, timeout=0.3)))
        thread.start()
        thread.join()
    (failure,) = (result.failure for result in results)
    assert failure is not None
    assert failure.kind == "failed"
    assert failure.message == "the script did not finish within 0.3 s"
    assert failure.lines == ((1, "web.wait_for_console_text('never')"),)
    assert failure.hint == "see what it waited for below, or give the test a longer timeout"


def test_a_machine_that_is_started_when_time_is_up_is_ended_too(
    run,
    monkeypatch: pytest.MonkeyPatch,  # type: ignore[no-untyped-def]
) -> None:
    monkeypatch.setattr("nixgen.vm.run.run._AGAIN_SECONDS", 0.1)
    results: list[TestResult] = []
    script = "import time; time.sleep(0.2)\nweb.wait_for_console_text('never')"
    thread = threading.Thread(target=lambda: results.append(run(script, timeout=0.1)))
    thread.start()
    thread.join(30)
    assert results[0].failure is not None
    assert results[0].failure.message == "the script did not finish within 0.1 s"


def test_an_endless_loop_is_ended_though_it_catches_everything(run) -> None:  # type: ignore[no-untyped-def]
    result = run("while True:\n    try:\n        web\n    except Exception: pass", timeout=0.1)
    assert result.failure is not None
    assert result.failure.message == "the script did not finish within 0.1 s"


@pytest.mark.parametrize("in_main_thread", [True, False])
def test_a_failure_in_time_stays_what_it_is(run, *, in_main_thread: bool) -> None:  # type: ignore[no-untyped-def]
    results: list[TestResult] = []
    thread = threading.Thread(target=lambda: results.append(run("assert False, 'mine'")))
    if in_main_thread:
        thread.run()
    else:
        thread.start()
        thread.join()
    assert results[0].failure is not None
    assert results[0].failure.message == "assertion failed: mine"


def test_a_script_that_is_not_python_starts_nothing(run, events: list[Event]) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TestError, match="not Python"):
        run("if")
    assert events == []


def test_without_qemu_the_package_is_named(
    tmp_path: Path, state: Path, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(MissingToolError, match="qemu-system-x86_64"),
        session(spec("", tmp_path), state_dir=state, observe=events.append),
    ):
        pass
    assert events == []
    assert not state.exists()


def test_a_folder_that_cannot_be_emptied_is_named(run, state: Path) -> None:  # type: ignore[no-untyped-def]
    state.mkdir()
    (state / "out").touch()
    with pytest.raises(StoreError) as caught:
        run("pass")
    assert caught.value.message == f"cannot write {state}/out/smoke: Not a directory"
    assert caught.value.hint == "give another state directory, or free space there"


def test_qemu_reads_secrets_from_memory_and_no_output_has_them(
    tmp_path: Path, state: Path, events: list[Event], capfd: pytest.CaptureFixture[str]
) -> None:
    script = r"""
file = "/proc/$FAKE_QEMU/fd/$(tr '\\0' '\\n' </proc/$FAKE_QEMU/cmdline | sed -n 's,.*file=/dev/fd/,,p')"
text = web.succeed(f"tar -xO -f {file}")
assert text == "hunter-" + "22222\n", text
assert web.succeed(f"readlink {file}").startswith("/memfd:")
web.crash()
assert web.succeed(f"tar -xO -f {file}") == text
print("printed", text)
web.succeed("echo " + text)
raise Exception(text)
"""
    token = SecretSpec(name="token", file="/run/secrets/token", given=True)
    result = run_test(
        spec(script, tmp_path, web={"secrets": (token,)}),
        state_dir=state,
        observe=events.append,
        secrets={token.file: "hunter-22222\n"},
        runner=ImageMaker(),
        acceleration=TCG,
    )
    assert result.failure is not None
    assert result.failure.message == "Exception: ***"
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "printed ***\n")
    assert "hunter-2" not in repr(result) + repr(events) + result.text()
    assert not [
        file for file in state.rglob("*") if file.is_file() and b"hunter-2" in file.read_bytes()
    ]
