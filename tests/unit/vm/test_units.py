"""Waiting for units, ports, sockets and files: the commands in the guest, and their answers."""

from __future__ import annotations

import inspect
import re
import shlex
import socket
import subprocess
from pathlib import Path

import pytest
from fake_guest import FakeGuest

from nixgen.errors import TestError
from nixgen.vm.interface import commands
from nixgen.vm.interface.commands import retry
from nixgen.vm.interface.units import Units
from nixgen.vm.record.journal import Journal

SHOW = "systemctl --no-pager show web.service --property=ActiveState"
USER = "XDG_RUNTIME_DIR=/run/user/$(id -u)"
JOBS = "systemctl list-jobs --full 2>&1"
LOG = "journalctl --no-pager --lines=20 --output=cat --unit web.service 2>&1 || true"


@pytest.fixture
def guest() -> FakeGuest:
    return FakeGuest()


@pytest.fixture
def journal() -> Journal:
    return Journal(lambda _: None)


@pytest.fixture
def units(guest: FakeGuest, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> Units:
    monkeypatch.setattr(commands, "_FIRST_PAUSE", 0.001)
    return Units(guest, journal)


def test_systemctl_of_the_system_and_of_a_user(guest: FakeGuest, units: Units) -> None:
    guest.default = lambda _: "out"
    assert units.systemctl("status x") == (0, "out")
    assert units.systemctl("status x", "alice") == (0, "out")
    assert units.start_job("x.service") == (0, "out")
    assert units.stop_job("x.service", "bob") == (0, "out")
    assert guest.commands == [
        "systemctl status x",
        f"su -l alice --shell /bin/sh -c '{USER} systemctl --user status x'",
        "systemctl start x.service",
        f"su -l bob --shell /bin/sh -c '{USER} systemctl --user stop x.service'",
    ]


def test_the_properties_of_a_unit(guest: FakeGuest, units: Units) -> None:
    guest.answers["systemctl --no-pager show web.service"] = [
        "Id=web.service\nEnvironment=A=1 B=2\nEmpty=\nno pair\n=nameless\n",
        4,
    ]
    assert units.get_unit_info("web.service") == {
        "Id": "web.service",
        "Environment": "A=1 B=2",
        "Empty": "",
    }
    with pytest.raises(TestError) as caught:
        units.get_unit_info("web.service")
    assert caught.value.message == "web: systemctl show web.service failed with exit status 4"


@pytest.mark.parametrize(
    ("answer", "value"),
    [("ActiveState=active\n", "active"), ("ActiveState=\n", ""), ("ActiveState=a=b\n", "a=b")],
)
def test_a_property_of_a_unit(guest: FakeGuest, units: Units, answer: str, value: str) -> None:
    guest.answers[SHOW] = [answer]
    assert units.get_unit_property("web.service", "ActiveState") == value


@pytest.mark.parametrize("answer", ["", "Other=1\n", "ActiveState\n", 1])
def test_a_property_that_a_unit_has_not(guest: FakeGuest, units: Units, answer: str | int) -> None:
    guest.answers[SHOW] = [answer]
    with pytest.raises(TestError, match=r"^web: unit web.service has no property ActiveState: "):
        units.get_unit_property("web.service", "ActiveState")


def test_a_unit_that_becomes_active_is_waited_for(
    guest: FakeGuest, units: Units, journal: Journal
) -> None:
    guest.answers[SHOW] = ["ActiveState=activating\n", "ActiveState=active\n"]
    units.wait_for_unit("web.service")
    assert guest.commands == [SHOW, SHOW]
    assert [entry.title for entry in journal.entries()] == ["wait for unit web.service"]


def test_an_inactive_unit_with_jobs_is_waited_for(guest: FakeGuest, units: Units) -> None:
    guest.answers[SHOW] = ["ActiveState=inactive\n", "ActiveState=active\n"]
    guest.answers[JOBS] = ["1 web.service start running\n"]
    units.wait_for_unit("web.service")
    assert guest.commands == [SHOW, JOBS, SHOW]


def test_a_job_may_end_between_the_two_questions(guest: FakeGuest, units: Units) -> None:
    guest.answers[SHOW] = [
        "ActiveState=inactive\n",
        "ActiveState=activating\n",
        "ActiveState=active\n",
    ]
    guest.answers[JOBS] = ["No jobs running.\n"]
    units.wait_for_unit("web.service")
    assert guest.commands == [SHOW, JOBS, SHOW, SHOW]


def test_a_unit_that_nothing_will_start_ends_the_waiting(guest: FakeGuest, units: Units) -> None:
    guest.answers[SHOW] = ["ActiveState=inactive\n"]
    guest.answers[JOBS] = ["No jobs running.\n"]
    guest.answers[LOG] = ["one\ntwo\n"]
    with pytest.raises(TestError) as caught:
        units.wait_for_unit("web.service")
    assert caught.value.message == (
        "web: unit web.service is inactive and there are no pending jobs"
    )
    assert caught.value.hint == "the end of the unit's journal is below"
    assert caught.value.details == ("one", "two")
    assert guest.commands == [SHOW, JOBS, SHOW, LOG]


def test_a_failed_unit_ends_the_waiting(guest: FakeGuest, units: Units, journal: Journal) -> None:
    show = SHOW.replace("systemctl", "systemctl --user")
    run = f"su -l al --shell /bin/sh -c 'XDG_RUNTIME_DIR=/run/user/$(id -u) {show}'"
    guest.answers[run] = ["ActiveState=failed\n"]
    with pytest.raises(TestError, match="unit web\\.service failed"):
        units.wait_for_unit("web.service", "al")
    assert guest.calls[-1] == ("run", LOG.replace("--unit", "--user-unit"), 30)
    assert [entry.title for entry in journal.entries()] == ["wait for unit web.service of user al"]


def test_the_state_at_the_end_of_the_time_is_told(guest: FakeGuest, units: Units) -> None:
    guest.answers[SHOW] = ["ActiveState=activating\n"]
    with pytest.raises(TestError) as caught:
        units.wait_for_unit("web.service", timeout=0.01)
    assert caught.value.message == "web: unit web.service is still activating after 0.01 s"


def test_a_unit_that_became_active_at_the_last_moment_is_active(
    guest: FakeGuest, units: Units
) -> None:
    guest.answers[SHOW] = ["ActiveState=active\n"]
    units.wait_for_unit("web.service", timeout=0)
    units.wait_for_job("web.service")
    assert guest.commands == [SHOW, SHOW]


def test_a_state_is_required_at_once(guest: FakeGuest, units: Units, journal: Journal) -> None:
    guest.answers[SHOW] = ["ActiveState=active\n"]
    units.require_unit_state("web.service")
    with pytest.raises(TestError, match="is active, not inactive"):
        units.require_unit_state("web.service", "inactive")
    assert guest.commands == [SHOW, SHOW, LOG]
    assert [entry.title for entry in journal.entries()] == [
        "check that unit web.service is active",
        "check that unit web.service is inactive",
    ]


def test_ports_sockets_and_files(guest: FakeGuest, units: Units, journal: Journal) -> None:
    units.wait_for_file("/run/*.pid", timeout=5)
    units.wait_for_open_port(80)
    units.wait_for_open_port(81, "a b", timeout=6)
    units.wait_for_closed_port(82)
    units.wait_for_open_unix_socket("/run/s")
    units.wait_for_open_unix_socket("/run/d", is_datagram=True)
    found = "grep -qE ': [0-9A-F]+ [0-9A-F]+ {} [0-9]+ +[0-9]+ {}$' /proc/net/unix"
    assert guest.calls == [
        ("run", "test -e /run/*.pid", 5),
        ("run", "(: </dev/tcp/localhost/80)", 900),
        ("run", "(: </dev/tcp/'a b'/81)", 6),
        ("run", "! (: </dev/tcp/localhost/82)", 900),
        ("run", found.format("00010000 0001", "/run/s"), 900),
        ("run", found.format("[0-9A-F]+ 0002", "/run/d"), 900),
    ]
    assert [entry.title for entry in journal.entries()] == [
        "wait for file /run/*.pid",
        "wait for TCP port 80 on localhost",
        "wait for TCP port 81 on a b",
        "wait for TCP port 82 on localhost to close",
        "wait for socket /run/s",
        "wait for socket /run/d",
    ]


@pytest.mark.parametrize("datagram", [False, True])
def test_the_kernel_s_table_of_sockets_matches(
    guest: FakeGuest, units: Units, tmp_path: Path, *, datagram: bool
) -> None:
    kind = socket.SOCK_DGRAM if datagram else socket.SOCK_STREAM
    units.wait_for_open_unix_socket(str(tmp_path / "s"), datagram)
    (command,) = guest.commands
    with socket.socket(socket.AF_UNIX, kind) as one:
        one.bind(str(tmp_path / "s"))
        bound = subprocess.run(shlex.split(command), check=False).returncode
        assert bound == (0 if datagram else 1)  # a stream does not listen yet
        if not datagram:
            one.listen()
            assert subprocess.run(shlex.split(command), check=False).returncode == 0


def test_a_script_s_waits_last_fifteen_minutes_unless_told(units: Units) -> None:
    waits = ("wait_for_unit", "wait_for_file", "wait_for_open_port", "wait_for_closed_port")
    more = ("wait_for_open_unix_socket", "wait_until_succeeds", "wait_until_fails", "execute")
    for name in (*waits, *more):
        assert inspect.signature(getattr(units, name)).parameters["timeout"].default == 900
    assert inspect.signature(retry).parameters["timeout_seconds"].default == 900


def test_pauses_of_a_retry_grow_to_one_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        pauses.append(seconds)

    monkeypatch.setattr(commands.time, "monotonic", lambda: now)
    monkeypatch.setattr(commands.time, "sleep", sleep)
    calls: list[bool] = []

    def never(last_try: bool) -> bool:  # noqa: FBT001 - called by `retry`
        calls.append(last_try)
        return False

    with pytest.raises(TestError, match=re.escape("action timed out after 5 seconds")):
        retry(never, 5)
    assert pauses == pytest.approx([0.1, 0.15, 0.225, 0.3375, 0.50625, 0.759375, 1, 1, 0.921875])
    assert calls == [False] * 9 + [True]
    assert now == 105


def test_the_last_chance_may_succeed() -> None:
    retry(lambda last_try: last_try, 0)
    retry(lambda last_try: not last_try, 1)
