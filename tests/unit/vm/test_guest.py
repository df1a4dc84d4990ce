"""A machine as a process: its channels, its disk, its end, and the errors of one that does not boot."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import fake_qemu
import pytest
from attrs import evolve

from nixgen.errors import EngineError, MissingToolError, StoreError, TestError
from nixgen.programs.command import Command
from nixgen.vm.channels.switch import Link
from nixgen.vm.qemu import guest as module
from nixgen.vm.qemu.accel import KVM, TCG, Acceleration
from nixgen.vm.qemu.guest import Host, QemuGuest
from nixgen.vm.qemu.hypervisor import Hypervisor
from nixgen.vm.record.events import ConsoleLine, Event, MachineStarted, MachineStopped, MachineUp
from nixgen.vm.record.journal import Journal
from nixgen.vm.spec import NodeSpec

NODE = NodeSpec(name="web", kernel=Path("/k"), initrd=Path("/i"), toplevel="/nix/store/m")


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def host(tmp_path: Path, events: list[Event], monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    for name in ("bin", "disks", "logs"):
        (tmp_path / name).mkdir()
    fake_qemu.install(tmp_path / "bin", monkeypatch)
    with Hypervisor() as hypervisor:
        yield Host(
            system="x86_64-linux",
            acceleration=TCG,
            store_image=tmp_path / "image",
            scratch_dir=tmp_path / "disks",
            log_dir=tmp_path / "logs",
            journal=Journal(events.append),
            hypervisor=hypervisor,
        )


@pytest.fixture
def guest(host: Host) -> Iterator[QemuGuest]:
    guest = QemuGuest(NODE, host, ())
    yield guest
    guest.power_off()


def without_console(events: list[Event]) -> list[type]:
    return [type(event) for event in events if not isinstance(event, ConsoleLine)]


def until(condition: object) -> None:
    """Wait for something that another process does soon."""
    end = time.monotonic() + 20
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_machine_that_is_off_has_no_channels(guest: QemuGuest) -> None:
    assert (guest.running, guest.connected, guest.pid) == (False, False, None)
    assert guest.console_tail() == ()
    assert guest.wait_exit(0)
    for channel in ("console", "shell", "monitor"):
        with pytest.raises(TestError) as caught:
            getattr(guest, channel)
        assert caught.value.message == "web is not running"
        assert caught.value.hint == "call start() first"
    guest.cut()
    guest.power_off()


def test_a_started_machine_has_a_console_and_a_monitor_but_no_shell_yet(
    guest: QemuGuest, events: list[Event]
) -> None:
    guest.start()
    assert guest.running
    assert not guest.connected
    assert guest.console.wait("booting web", 20)
    assert guest.monitor.human("info") == "monitor ran info"
    with pytest.raises(TestError, match="web is not running"):
        _ = guest.shell
    pid = guest.pid
    guest.start()  # nothing: it runs
    assert guest.pid == pid
    assert [e for e in events if not isinstance(e, ConsoleLine)] == [
        MachineStarted(machine="web", pid=pid or 0)
    ]


def test_a_connected_machine_runs_commands(guest: QemuGuest, events: list[Event]) -> None:
    guest.connect()
    assert (guest.running, guest.connected) == (True, True)
    assert guest.shell.run("echo $((1+1))", timeout=None).stdout == b"2\n"
    first = guest.boot_seconds
    assert first is not None
    assert 0 < first < 60
    guest.connect()  # nothing: it is connected
    assert without_console(events) == [MachineStarted, MachineUp]
    guest.power_off()
    guest.start()
    assert not guest.connected
    with pytest.raises(TestError, match="web is not running"):
        _ = guest.shell
    guest.connect()
    assert guest.boot_seconds == first  # of the first boot
    assert without_console(events)[2:] == [MachineStopped, MachineStarted, MachineUp]


def test_the_process_has_the_arguments_of_the_model(host: Host) -> None:
    links = (Link("web"), Link("web"))
    node = evolve(NODE, vlans=(1, 2), cmdline="quiet", memory=100, disk_size=1)
    guest = QemuGuest(node, host, links)
    try:
        guest.start()
        argv = Path("/proc", str(guest.pid), "cmdline").read_text().split("\0")
        assert argv[argv.index("-m") + 1] == "100"
        assert argv[argv.index("-append") + 1] == (
            "quiet nixgen.toplevel=/nix/store/m nixgen.shell=1"
        )
        cards = [word for word in argv if word.startswith("dgram,")]
        assert cards == [
            f"dgram,id=vlan{number},local.type=fd,local.str={link.remote.fileno()}"
            for number, link in enumerate(links, start=1)
        ]
        assert any(f"file.filename={host.scratch_dir}/web.raw," in word for word in argv)
        assert "-no-reboot" in argv
    finally:
        guest.power_off()
        for link in links:
            link.close()


def test_frames_of_the_time_before_the_boot_are_forgotten(host: Host) -> None:
    link = Link("web")
    link.local.send(b"old")
    guest = QemuGuest(evolve(NODE, vlans=(1,)), host, (link,))
    try:
        guest.start()
        link.remote.setblocking(False)
        with pytest.raises(BlockingIOError):
            link.remote.recv(10)
    finally:
        guest.power_off()
        link.close()


def test_an_option_that_qemu_refuses_is_told_with_qemu_s_message(host: Host) -> None:
    guest = QemuGuest(evolve(NODE, cmdline="fake.refuse"), host, ())
    with pytest.raises(EngineError) as caught:
        guest.start()
    assert caught.value.message == "QEMU did not start web"
    assert caught.value.hint == "its messages are below; `nixgen doctor` checks this machine"
    assert caught.value.details == ("fake QEMU runs web", "fake QEMU: no such option")
    guest.wait_exit(None)


@pytest.mark.parametrize(
    ("acceleration", "hint"),
    [
        (TCG, "the end of its console is below"),
        (KVM, "the end of its console is below; if KVM is at fault, try --accel tcg"),
    ],
)
def test_a_machine_that_ends_while_booting(
    host: Host, acceleration: Acceleration, hint: str
) -> None:
    panicking = evolve(NODE, cmdline="fake.panic")
    guest = QemuGuest(panicking, evolve(host, acceleration=acceleration), ())
    with pytest.raises(EngineError) as caught:
        guest.connect()
    assert caught.value.message == "web ended while booting"
    assert caught.value.hint == hint
    assert caught.value.details == ("Kernel panic",)
    assert not guest.running
    assert guest.boot_seconds is None


def test_a_machine_that_never_offers_its_shell(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(
        "nixgen.vm.channels.shell.Shell.wait_ready", lambda _, seconds: bool(waits.append(seconds))
    )
    guest = QemuGuest(evolve(NODE, cmdline="fake.mute"), host, ())
    with pytest.raises(EngineError) as caught:
        guest.connect()
    assert waits == [480]
    assert caught.value.message == "web did not offer its shell within 480 s"
    assert not guest.connected
    assert guest.running
    guest.power_off()


def test_the_patience_of_an_emulated_machine_is_eight_minutes() -> None:
    assert module.BOOT_SECONDS * KVM.patience == 120
    assert module.BOOT_SECONDS * TCG.patience == 480


def test_a_powered_off_machine_keeps_its_console_and_its_disk(
    host: Host, events: list[Event]
) -> None:
    guest = QemuGuest(evolve(NODE, disk_size=2), host, ())
    disk = host.scratch_dir / "web.raw"
    guest.start()
    assert disk.stat().st_size == 2 << 20
    guest.console.wait("booting", 20)
    guest.power_off()
    assert not guest.running
    assert guest.pid is None
    assert guest.console_tail() == ("booting web",)
    assert without_console(events) == [MachineStarted, MachineStopped]
    disk.write_bytes(b"kept")
    guest.connect()
    guest.power_off()
    assert disk.read_bytes() == b"kept"
    assert (host.log_dir / "web.console.log").read_text() == "booting web\n" * 2


def test_a_disk_that_cannot_be_made_is_named(host: Host) -> None:
    guest = QemuGuest(evolve(NODE, disk_size=2), evolve(host, scratch_dir=Path("/proc/none")), ())
    with pytest.raises(StoreError) as caught:
        guest.start()
    assert caught.value.message == (
        "cannot create web's disk /proc/none/web.raw: No such file or directory"
    )
    assert caught.value.hint == "free space there, or give another state directory"


def test_waiting_for_the_end_of_a_machine_that_runs_takes_no_longer_than_told(
    guest: QemuGuest,
) -> None:
    guest.start()
    assert not guest.wait_exit(0)
    assert not guest.wait_exit(0.05)
    assert guest.running
    guest.connect()
    guest.shell.send("systemctl poweroff 2>/dev/null || poweroff")
    assert guest.wait_exit(None)
    assert not guest.running


def test_a_cut_machine_is_off(guest: QemuGuest) -> None:
    guest.connect()
    guest.cut()
    until(lambda: not guest.running)
    assert not guest.connected
    assert guest.wait_exit(0)


def test_a_restarting_guest_greets_again(guest: QemuGuest, events: list[Event]) -> None:
    guest.start(allow_reboot=True)
    guest.connect()
    first = guest.boot_seconds
    guest.monitor.human("sendkey ctrl-alt-delete")
    guest.disconnect()
    assert guest.running
    assert not guest.connected
    guest.connect()
    assert guest.shell.run("echo back", timeout=None).stdout == b"back\n"
    assert guest.boot_seconds == first
    assert without_console(events) == [MachineStarted, MachineUp, MachineUp]


def test_leaving_the_hypervisor_ends_what_it_started(tmp_path: Path) -> None:
    with Hypervisor() as hypervisor:
        child = hypervisor.launch(
            Command(argv=("sh", "-c", "echo out; echo err >&2; exec sleep 60")),
            descriptors=(),
            log=tmp_path / "log",
        )
        assert child.poll() is None
        until(lambda: (tmp_path / "log").read_text() == "out\nerr\n")
    assert child.poll() is not None


def test_a_program_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with Hypervisor() as hypervisor, pytest.raises(MissingToolError, match="qemu-of-nobody"):
        hypervisor.launch(Command(argv=("qemu-of-nobody",)), descriptors=(), log=tmp_path / "log")
    assert not (tmp_path / "log").exists()


def test_a_machine_of_a_killed_process_is_killed_too(tmp_path: Path) -> None:
    """The kernel is asked to, through setpriv."""
    with Hypervisor() as hypervisor:
        child = hypervisor.launch(
            Command(argv=("sh", "-c", "grep SigQ /proc/self/status; exec sleep 60")),
            descriptors=(),
            log=tmp_path / "log",
        )
        until(lambda: b"sleep" in Path(f"/proc/{child.pid}/cmdline").read_bytes())
        # its own process group: Ctrl-C of the terminal is for nixgen alone
        assert Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[2] == str(
            child.pid
        )
