"""The engine under a real QEMU, with a kernel of a few bytes: it greets on the serial line and halts.

Debian's kernel, systemd and the shell are the shop example's business; this is what they stand on.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from nixgen.errors import EngineError, TestError
from nixgen.programs.runner import SubprocessRunner
from nixgen.vm.qemu import accel
from nixgen.vm.record.events import ConsoleLine, Event, MachineStarted, StoreImageReady
from nixgen.vm.record.report import TestResult
from nixgen.vm.run.run import run_test
from nixgen.vm.run.session import session
from nixgen.vm.spec import ClosurePath, NodeSpec, TestSpec

pytestmark = pytest.mark.vm

GREETING = b"hello from the kernel\r\n\0"


def tiny_kernel(greeting: bytes = GREETING) -> bytes:
    """A bzImage whose real-mode setup writes ``greeting`` to the first serial port, then halts.

    Layout: the Linux/x86 boot protocol 2.00 (Documentation/arch/x86/boot.rst in Linux).
    """
    code = bytes.fromhex(
        "baf803"  # mov dx, 0x3f8
        "be7a00"  # mov si, greeting
        "2eac84c07403eeebf7"  # each byte until NUL: out dx, al
        "f4ebfd"  # halt for ever
    )
    image = bytearray(32768)
    image[0x1F1] = 4  # sectors of setup code
    image[0x1FE:0x200] = b"\x55\xaa"
    image[0x200:0x202] = b"\xeb\x66"  # jump over the header
    image[0x202:0x208] = b"HdrS\x00\x02"
    image[0x211] = 1  # the kernel proper loads at 1 MiB
    image[0x268 : 0x268 + len(code)] = code
    image[0x268 + len(code) : 0x268 + len(code) + len(greeting)] = greeting
    return bytes(image)


@pytest.fixture
def spec(tmp_path: Path) -> TestSpec:
    (tmp_path / "kernel").write_bytes(tiny_kernel())
    (tmp_path / "initrd").write_bytes(b"nothing")
    package = tmp_path / "store" / "abc-package"
    package.mkdir(parents=True)
    (package / "file").write_text("content")
    node = NodeSpec(
        name="web",
        number=1,
        kernel=tmp_path / "kernel",
        initrd=tmp_path / "initrd",
        toplevel="/nix/store/m",
        memory=64,
        disk_size=16,
        vlans=(1,),
        addresses={"1": "192.168.1.1"},
    )
    return TestSpec(
        name="tiny",
        system="x86_64-linux",
        script="",
        nodes=(node,),
        closure=(ClosurePath(path=str(package), nar_hash="sha256:1", nar_size=7),),
    )


def changed(spec: TestSpec, script: str, **node: Any) -> TestSpec:
    return evolve(spec, script=script, nodes=(evolve(spec.nodes[0], **node),))


def run(spec: TestSpec, state: Path, events: list[Event], timeout: float = 60) -> TestResult:
    return run_test(
        spec,
        state_dir=state / "state",
        observe=events.append,
        timeout=timeout,
        acceleration=accel.TCG,
    )


def assert_gone(events: list[Event]) -> None:
    for event in events:
        if isinstance(event, MachineStarted):
            assert not Path("/proc", str(event.pid)).exists()


def test_console_monitor_screen_and_power(spec: TestSpec, tmp_path: Path) -> None:
    events: list[Event] = []
    script = """
start_all()
web.wait_for_console_text("hello .* kernel", timeout=30)
assert web.booted and not web.is_up()
assert "running" in web.send_monitor_command("info status")
web.send_chars("a?")
web.screenshot("screen")
web.crash()
assert web.pid is None
web.start()
web.wait_for_console_text("hello", timeout=30)
"""
    result = run(changed(spec, script), tmp_path, events)
    assert result.passed, result.text()
    out = tmp_path / "state" / "out" / "tiny"
    assert (out / "screen.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "web.console.log").read_text().count("hello from the kernel") == 2
    assert [event.text for event in events if isinstance(event, ConsoleLine)].count(
        "hello from the kernel"
    ) == 2
    assert not list((tmp_path / "state").glob("run-*"))
    assert_gone(events)


def test_a_refused_start_is_an_engine_error(spec: TestSpec, tmp_path: Path) -> None:
    result = run(changed(spec, "start_all()", kernel=tmp_path / "absent"), tmp_path, [])
    assert result.outcome == "broken"
    assert "could not open kernel file" in result.text()
    with pytest.raises(EngineError):
        result.check()


def test_a_machine_that_never_offers_its_shell(
    spec: TestSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nixgen.vm.qemu.guest.BOOT_SECONDS", 0.5)
    events: list[Event] = []
    result = run(changed(spec, 'web.succeed("true")'), tmp_path, events)
    assert result.outcome == "broken"
    assert "did not offer its shell within 2 s" in result.text()
    assert "hello from the kernel" in result.text()
    assert_gone(events)


def test_the_time_limit_ends_an_endless_loop(spec: TestSpec, tmp_path: Path) -> None:
    events: list[Event] = []
    started = time.monotonic()
    result = run(changed(spec, "start_all()\nwhile True:\n    pass\n"), tmp_path, events, 1.0)
    assert time.monotonic() - started < 10
    assert result.outcome == "failed"
    assert "did not finish within 1 s" in result.text()
    assert "of the test script: " in result.text()
    assert_gone(events)


def test_the_time_limit_off_the_main_thread(spec: TestSpec, tmp_path: Path) -> None:
    events: list[Event] = []
    results: list[TestResult] = []
    waiting = changed(spec, 'web.wait_for_console_text("never")')
    thread = threading.Thread(
        target=lambda: results.append(run(waiting, tmp_path, events, timeout=1.0))
    )
    thread.start()
    thread.join(20)
    assert [result.outcome for result in results] == ["failed"]
    assert "did not finish within 1 s" in results[0].text()
    assert_gone(events)


def test_nothing_starts_for_a_script_that_is_not_python(spec: TestSpec, tmp_path: Path) -> None:
    events: list[Event] = []
    with pytest.raises(TestError, match="not Python"):
        run(changed(spec, "this is not"), tmp_path, events)
    assert events == []


def test_the_disk_of_the_closure_is_reproducible_and_cached(spec: TestSpec, tmp_path: Path) -> None:
    images = []
    for place in ("one", "two", "two"):
        events: list[Event] = []
        assert run(changed(spec, ""), tmp_path / place, events).passed
        images.append(next(event for event in events if isinstance(event, StoreImageReady)))
        time.sleep(1.1 if place == "one" else 0)  # a clock in the image would show
    assert [image.cached for image in images] == [False, False, True]
    files = [next(tmp_path.glob(f"{place}/state/store/*.squashfs")) for place in ("one", "two")]
    assert files[0].name == files[1].name
    assert files[0].read_bytes() == files[1].read_bytes()
    listing = subprocess.run(
        ["unsquashfs", "-lls", files[0]], capture_output=True, check=True, text=True
    ).stdout
    assert "squashfs-root/abc-package/file" in listing


def test_a_session_offers_the_script_s_names(spec: TestSpec, tmp_path: Path) -> None:
    events: list[Event] = []
    with session(
        spec, state_dir=tmp_path / "state", observe=events.append, keep=True, acceleration=accel.TCG
    ) as machines:
        names = machines.symbols()
        exec("start_all(); machine.wait_for_console_text('hello', timeout=30)", names)
        assert names["web"].booted
    assert_gone(events)
    assert (tmp_path / "state" / "out" / "tiny" / "web.raw").stat().st_size == 16 << 20


def test_the_probe_s_boot_sector_boots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Emulation always works, so a False from KVM is KVM's."""
    monkeypatch.setattr(accel, "KVM", accel.TCG)
    assert accel._boots(SubprocessRunner())


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_machine_outlives_a_killed_driver(
    spec: TestSpec, tmp_path: Path, how: signal.Signals
) -> None:
    program = f"""
import signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
import test_vm_engine as engine
from nixgen.vm.spec import ClosurePath, NodeSpec, TestSpec
spec = {spec!r}
def observe(event):
    if isinstance(event, engine.MachineStarted):
        print("pid", event.pid, flush=True)
script = "start_all()\\nweb.wait_for_console_text('never')"
engine.run_test(engine.changed(spec, script), state_dir=Path({str(tmp_path)!r}), observe=observe,
    acceleration=engine.accel.TCG)
"""
    program = program.replace("PosixPath(", "Path(")
    driver = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert driver.stdout is not None
        found = re.match(r"pid (\d+)", driver.stdout.readline())
        assert found is not None, driver.communicate()[1]
        time.sleep(0.2)
        os.kill(driver.pid, how)
        driver.communicate(timeout=120)
    finally:
        driver.kill()
        driver.communicate()
    end = time.monotonic() + 5
    while _alive(int(found[1])):
        assert time.monotonic() < end
        time.sleep(0.05)
    if how is signal.SIGINT:
        assert not list(tmp_path.glob("run-*"))


def _alive(pid: int) -> bool:
    """A zombie is dead: whoever adopted it may take its time to notice."""
    try:
        return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
