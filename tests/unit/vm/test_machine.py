"""Power, keyboard, screen, files and commands of a machine, against a guest that records."""

from __future__ import annotations

import base64
import io
import tarfile
from pathlib import Path

import pytest
from fake_guest import FakeGuest

from nixgen.errors import TestError
from nixgen.vm.channels.shell import Reply
from nixgen.vm.channels.switch import Link
from nixgen.vm.interface.machine import Machine
from nixgen.vm.record.journal import Journal
from nixgen.vm.record.report import Entry


@pytest.fixture
def guest() -> FakeGuest:
    return FakeGuest()


@pytest.fixture
def journal() -> Journal:
    return Journal(lambda _: None)


@pytest.fixture
def machine(guest: FakeGuest, journal: Journal, tmp_path: Path) -> Machine:
    return Machine(guest, journal, out_dir=tmp_path / "out")


def titles(journal: Journal) -> list[tuple[str, str]]:
    return [(entry.kind, entry.title) for entry in journal.entries()]


# Commands


def test_the_result_of_a_command(guest: FakeGuest, machine: Machine) -> None:
    guest.default = lambda _: Reply(status=3, stdout=b"out\xff\n", stderr=b"err\n")
    assert machine.execute("x") == (3, "out\ufffd\n")
    assert machine.execute("x", check_return=False) == (-1, "out\ufffd\n")
    assert machine.execute("x", check_output=False, timeout=None) == (-2, "")
    assert guest.calls == [("run", "x", 900), ("run", "x", 900), ("send", "x")]


def test_a_command_s_step_has_its_status_and_both_outputs(
    guest: FakeGuest, machine: Machine, journal: Journal
) -> None:
    guest.default = lambda _: Reply(status=3, stdout=b"out\n", stderr=b"err\n")
    machine.execute("x")
    (step,) = journal.entries()
    assert (step.kind, step.title, step.machine, step.ok) == ("command", "x", "web", True)
    assert (step.status, step.output) == (3, "out\nerr\n")


def test_the_step_of_a_command_keeps_the_last_4000_characters(
    guest: FakeGuest, machine: Machine, journal: Journal
) -> None:
    guest.default = lambda _: "a" + "b" * 4000
    assert len(machine.succeed("x")) == 4001
    assert journal.entries()[0].output == "b" * 4000


def test_a_machine_that_ends_while_a_command_runs(guest: FakeGuest, machine: Machine) -> None:
    guest.default = lambda _: None
    assert machine.execute("halt", check_return=False) == (-1, "last words")
    for run in (machine.execute, machine.succeed, machine.fail):
        guest.calls.clear()
        guest.connected = True
        with pytest.raises(TestError) as caught:
            run("halt")
        assert caught.value.message == "web ended while it ran: halt"
        assert caught.value.hint == "the end of its console is below"
        assert caught.value.details == ("the console's end",)
        assert guest.calls[1:] == [("wait_exit", 5)]


def test_commands_that_must_succeed(guest: FakeGuest, machine: Machine, journal: Journal) -> None:
    guest.answers = {"a": ["1\n"], "b": ["2\n"]}
    assert machine.succeed("a", "b", timeout=9) == "1\n2\n"
    assert guest.calls == [("run", "a", 9), ("run", "b", 9)]
    long = "".join(f"line {number}\n" for number in range(50)).encode()
    guest.default = lambda _: Reply(status=1, stdout=long)
    with pytest.raises(TestError) as caught:
        machine.succeed("bad", "never run")
    assert caught.value.message == "web: command failed with exit status 1: bad"
    assert caught.value.details == tuple(f"line {number}" for number in range(10, 50))
    assert guest.commands == ["a", "b", "bad"]
    assert [entry.ok for entry in journal.entries()] == [True, True, False]


@pytest.mark.parametrize(
    ("status", "timeout", "message"),
    [
        (124, 5, "exit status 124 (timed out): x"),
        (124, None, "exit status 124: x"),
        (123, 5, "exit status 123: x"),
        (125, 5, "exit status 125: x"),
    ],
)
def test_a_timeout_is_told_when_one_was_given(
    guest: FakeGuest, machine: Machine, status: int, timeout: float | None, message: str
) -> None:
    guest.default = lambda _: status
    with pytest.raises(TestError) as caught:
        machine.succeed("x", timeout=timeout)
    assert caught.value.message == f"web: command failed with {message}"


def test_commands_that_must_fail(guest: FakeGuest, machine: Machine, journal: Journal) -> None:
    guest.default = lambda _: Reply(status=1, stdout=b"no\n")
    assert machine.fail("x", "y", timeout=3) == "no\nno\n"
    assert guest.calls == [("run", "x", 3), ("run", "y", 3)]
    guest.default = lambda _: "yes\n"
    with pytest.raises(TestError) as caught:
        machine.fail("x")
    assert caught.value.message == "web: command unexpectedly succeeded: x"
    assert caught.value.details == ("yes",)
    assert [entry.ok for entry in journal.entries()] == [True, True, False]


def test_commands_are_repeated_until_they_do_as_wanted(
    guest: FakeGuest, machine: Machine, journal: Journal
) -> None:
    guest.answers = {"a": [1, "done"], "b": ["yet", Reply(status=2, stdout=b"gone")]}
    assert machine.wait_until_succeeds("a") == "done"
    assert machine.wait_until_fails("b", timeout=7) == "gone"
    assert guest.calls == [("run", "a", 900)] * 2 + [("run", "b", 7)] * 2
    assert titles(journal) == [
        ("action", "wait for success: a"),
        ("action", "wait for failure: b"),
    ]


def test_waiting_in_vain_shows_the_last_output(guest: FakeGuest, machine: Machine) -> None:
    long = "".join(f"line {number}\n" for number in range(50)).encode()
    guest.default = lambda _: Reply(status=1, stdout=long)
    with pytest.raises(TestError) as caught:
        machine.wait_until_succeeds("x", timeout=0.01)
    assert caught.value.message == "web: waited 0.01 s in vain for success: x"
    assert caught.value.details == tuple(f"line {number}" for number in range(10, 50))


def test_a_machine_that_ends_is_not_waited_for(guest: FakeGuest, machine: Machine) -> None:
    guest.default = lambda _: None
    with pytest.raises(TestError, match="web ended while it ran: x"):
        machine.wait_until_succeeds("x")
    assert guest.commands == ["x"]


def test_the_first_command_waits_for_the_boot(
    guest: FakeGuest, machine: Machine, journal: Journal
) -> None:
    guest.connected = guest.running = False
    machine.connect()
    machine.succeed("x")
    assert guest.calls == [("connect",), ("run", "x", None)]
    assert titles(journal) == [
        ("action", "wait for the machine to finish booting"),
        ("command", "x"),
    ]
    assert journal.entries()[0].machine == "web"


# Power


def test_power_of_a_machine_that_is_off(guest: FakeGuest, machine: Machine) -> None:
    guest.running = guest.connected = False
    machine.shutdown()
    machine.crash()
    assert guest.calls == []
    assert (machine.booted, machine.connected, machine.is_up()) == (False, False, False)
    machine.start()
    machine.start()
    assert guest.calls == [("start", False)]
    assert (machine.booted, machine.connected) == (True, False)


def test_power_of_a_machine_that_runs(guest: FakeGuest, machine: Machine, journal: Journal) -> None:
    assert (machine.booted, machine.connected, machine.is_up(), machine.pid) == (
        True,
        True,
        True,
        7,
    )
    machine.shutdown()
    assert guest.calls == [
        ("send", "systemctl poweroff 2>/dev/null || poweroff"),
        ("wait_exit", None),
    ]
    machine.start(allow_reboot=True)
    machine.crash()
    machine.wait_for_shutdown()
    assert guest.calls[2:] == [("start", True), ("power_off",), ("wait_exit", None)]
    assert titles(journal) == [
        ("action", "shut down"),
        ("action", "start"),
        ("action", "crash"),
        ("action", "wait for power off"),
    ]


def test_a_reboot_is_ctrl_alt_delete(guest: FakeGuest, machine: Machine, journal: Journal) -> None:
    machine.reboot()
    assert guest.calls == [("human", "sendkey ctrl-alt-delete"), ("disconnect",)]
    (reboot,) = journal.entries()
    assert (reboot.title, [child.title for child in reboot.children]) == (
        "reboot",
        ["press 'ctrl-alt-delete'"],
    )


def test_the_root_is_switched_without_waiting_for_an_answer(
    guest: FakeGuest, machine: Machine
) -> None:
    guest.default = lambda _: "ActiveState=active\n"
    machine.switch_root()
    assert guest.calls[1:] == [
        ("send", "systemctl isolate --no-block initrd-switch-root.target >/dev/null 2>&1"),
        ("disconnect",),
        ("connect",),
    ]
    assert "show initrd.target" in guest.commands[0]


def test_cables(guest: FakeGuest, journal: Journal, tmp_path: Path) -> None:
    links = (Link("web"), Link("web"))
    machine = Machine(guest, journal, links=links, out_dir=tmp_path)
    machine.block()
    assert not any(link.plugged for link in links)
    machine.unblock()
    assert all(link.plugged for link in links)
    assert titles(journal) == [
        ("log", "network cables pulled"),
        ("log", "network cables plugged in"),
    ]
    for link in links:
        link.close()


# Files


def packed(*members: tuple[str, bytes | None, int]) -> str:
    """What tar and base64 print in the guest; a member without contents is a directory."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content, mode in members:
            member = tarfile.TarInfo(name)
            member.mode = mode
            member.size = len(content or b"")
            member.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            archive.addfile(member, io.BytesIO(content or b""))
    return base64.encodebytes(buffer.getvalue()).decode()


def test_files_of_the_guest_come_without_dangerous_modes(
    guest: FakeGuest, machine: Machine, tmp_path: Path
) -> None:
    guest.default = lambda _: packed(
        ("logs", None, 0o777), ("logs/a", b"1", 0o6777), ("logs/b", b"2", 0), ("x/c", b"3", 0o640)
    )
    machine.copy_from_vm("/var/my logs", "back")
    assert guest.commands == ["tar -C /var -chf - 'my logs' | base64"]
    back = tmp_path / "out" / "back"
    modes = {
        str(file.relative_to(back)): (file.read_bytes(), file.stat().st_mode & 0o7777)
        for file in back.rglob("*")
        if file.is_file()
    }
    assert modes == {
        "logs/a": (b"1", 0o755),
        "logs/b": (b"2", 0o600),
        "x/c": (b"3", 0o640),
    }


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x"])
def test_a_guest_cannot_write_outside_the_directory(
    guest: FakeGuest, machine: Machine, name: str
) -> None:
    guest.default = lambda _: packed((name, b"evil", 0o644))
    with pytest.raises(TestError) as caught:
        machine.copy_from_vm("/x")
    assert caught.value.message == f"the machine sent a file that leaves the directory: {name}"


@pytest.mark.parametrize("target", ["..", "/etc", "a/../../b"])
def test_a_script_cannot_copy_outside_the_output_directory(
    guest: FakeGuest, machine: Machine, target: str
) -> None:
    with pytest.raises(TestError) as caught:
        machine.copy_from_vm("/x", target)
    assert caught.value.message == f"copy_from_vm: {target!r} leaves the output directory"
    assert guest.calls == []


def test_files_of_the_host_belong_to_root_in_the_guest(
    guest: FakeGuest, machine: Machine, tmp_path: Path
) -> None:
    source = tmp_path / "tool"
    source.write_text("#!/bin/sh\n")
    source.chmod(0o711)
    guest.answers["mktemp"] = ["/tmp/x\n"]
    machine.copy_from_host(str(source), "/opt/my tools/renamed")
    written = next(call for call in guest.calls if call[0] == "write")
    with tarfile.open(fileobj=io.BytesIO(written[1])) as archive:
        (member,) = archive.getmembers()
    assert (member.name, member.mode, member.uid, member.gid) == ("renamed", 0o711, 0, 0)
    assert (member.uname, member.gname) == ("root", "root")
    assert written[2] == "/tmp/x"
    assert guest.commands == [
        "mktemp",
        "mkdir -p '/opt/my tools' && tar -C '/opt/my tools' -xf /tmp/x; rm -f /tmp/x",
    ]


def test_a_file_that_the_host_has_not(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(TestError) as caught:
        machine.copy_from_host(str(tmp_path / "none"), "/x")
    assert caught.value.message == f"copy_from_host: no {tmp_path}/none on the host"


def test_a_file_that_cannot_be_written_in_the_guest(
    guest: FakeGuest, machine: Machine, tmp_path: Path
) -> None:
    (tmp_path / "one").write_text("1")
    guest.default = lambda target: (
        Reply(status=1, stdout=b"", stderr=b"no\nspace\xff\n") if target == "/x" else ""
    )
    with pytest.raises(TestError) as caught:
        machine.copy_from_host_via_shell(str(tmp_path / "one"), "/x")
    assert caught.value.message == "web: cannot write /x"
    assert caught.value.details == ("no", "space\ufffd")
    guest.default = lambda target: None if target == "/x" else ""
    with pytest.raises(TestError, match="web ended while /x was written"):
        machine.copy_from_host_via_shell(str(tmp_path / "one"), "/x")


# Console, keyboard, screen


def test_text_on_the_console(guest: FakeGuest, machine: Machine, journal: Journal) -> None:
    guest.running = False
    machine.wait_for_console_text("login:")
    machine.wait_for_console_text("login:", timeout=3)
    assert guest.calls == [("start", False), ("wait", "login:", None), ("wait", "login:", 3)]
    with pytest.raises(TestError) as caught:
        machine.wait_for_console_text("never")
    assert caught.value.message == "web: 'never' did not appear on the console"
    assert caught.value.details == ("the console's end",)
    machine.send_console("root\n")
    assert guest.calls[-1] == ("send", "root\n")
    assert titles(journal)[-1] == ("action", "wait for never on the console")


def test_keys_are_pressed_with_pauses(
    guest: FakeGuest, machine: Machine, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("nixgen.vm.interface.machine.time.sleep", pauses.append)
    machine.send_key("A")
    machine.send_key("ret", delay=None, log=False)
    machine.send_chars("a b")
    machine.send_chars("c", delay=0.5)
    assert guest.calls == [
        ("human", f"sendkey {key}") for key in ("shift-a", "ret", "a", "spc", "b", "c")
    ]
    assert pauses == [0.01, 0.01, 0.01, 0.01, 0.5]
    assert titles(journal) == [
        ("log", "press 'A'"),
        ("action", "type 'a b'"),
        ("action", "type 'c'"),
    ]
    assert [entry.children for entry in journal.entries()] == [(), (), ()]


def test_the_monitor_and_the_screen(
    guest: FakeGuest,
    machine: Machine,
    journal: Journal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert machine.send_monitor_command("info") == "ran info"
    for name in ("desk", "desk.v2.png", "deep/x.png", f"{tmp_path}/y.png"):
        machine.screenshot(name)
    assert guest.calls == [
        ("human", "info"),
        *(
            ("execute", "screendump", {"filename": f"{tmp_path}/{file}", "format": "png"})
            for file in ("out/desk.png", "out/desk.v2.png", "deep/x.png", "y.png")
        ),
    ]
    assert [title for _, title in titles(journal)] == [
        "monitor: info",
        "screenshot desk.png",
        "screenshot desk.v2.png",
        "screenshot x.png",
        "screenshot y.png",
    ]


def test_the_text_of_a_terminal(guest: FakeGuest, machine: Machine, journal: Journal) -> None:
    show = "fold -w$(stty -F /dev/tty1 size | cut -d' ' -f2) /dev/vcs1"
    guest.answers[show] = ["boot\n", "web login:\n"]
    machine.wait_until_tty_matches("1", "log[i]n")
    assert guest.commands == [show, show]
    with pytest.raises(TestError, match="action timed out"):
        machine.wait_until_tty_matches("1", "never", timeout=0.01)

    def logs(entry: Entry) -> list[str]:
        return [each.title for each in entry.children if each.kind == "log"]

    first, second = journal.entries()
    assert (first.title, logs(first)) == ("wait for log[i]n on tty1", [])
    assert (second.title, logs(second)) == (
        "wait for never on tty1",
        ["tty1 shows: web login:\n"],
    )


def test_sleep_log_and_name(guest: FakeGuest, machine: Machine, journal: Journal) -> None:
    machine.sleep(2)
    machine.log("a remark")
    assert guest.commands == ["sleep 2"]
    assert titles(journal) == [("command", "sleep 2"), ("log", "a remark")]
    assert journal.entries()[1].machine == "web"
    assert repr(machine) == "<Machine 'web'>"
