"""Waiting for a machine's systemd units, ports, sockets and files. Interface as in the NixOS driver."""

from __future__ import annotations

import shlex
from typing import NoReturn

from nixgen.errors import TestError
from nixgen.vm.interface.commands import Commands, retry

__all__ = ["Units"]


class Units(Commands):
    """A machine with systemd."""

    def systemctl(self, q: str, user: str | None = None) -> tuple[int, str]:
        """Run systemctl.

        :param q: its arguments, as text for bash.
        :param user: runs ``systemctl --user`` as this user; None means the system's units.
        :returns: exit status and output.
        """
        if user is None:
            return self.execute(f"systemctl {q}")
        inner = f"XDG_RUNTIME_DIR=/run/user/$(id -u) systemctl --user {q}"
        return self.execute(f"su -l {user} --shell /bin/sh -c {shlex.quote(inner)}")

    def get_unit_info(self, unit: str, user: str | None = None) -> dict[str, str]:
        """All properties of a unit, as ``systemctl show`` prints them.

        :param unit: its name.
        :param user: whose unit; None means the system's.
        :raises TestError: systemctl fails.
        """
        status, lines = self.systemctl(f"--no-pager show {shlex.quote(unit)}", user)
        if status != 0:
            raise TestError(f"{self.name}: systemctl show {unit} failed with exit status {status}")
        pairs = (line.partition("=") for line in lines.splitlines())
        return {key: value for key, found, value in pairs if key and found}

    def get_unit_property(self, unit: str, property: str, user: str | None = None) -> str:  # noqa: A002 - as NixOS
        """One property of a unit.

        :param unit: its name.
        :param property: the name of the property.
        :param user: whose unit; None means the system's.
        :raises TestError: the unit has no such property.
        """
        status, line = self.systemctl(
            f"--no-pager show {shlex.quote(unit)} --property={shlex.quote(property)}", user
        )
        key, found, value = line.rstrip("\n").partition("=")
        if status != 0 or not found or key != property:
            raise TestError(f"{self.name}: unit {unit} has no property {property}: {line!r}")
        return value

    def wait_for_unit(self, unit: str, user: str | None = None, timeout: float = 900) -> None:
        """Wait until a unit is active.

        :param unit: its name.
        :param user: whose unit; None means the system's.
        :param timeout: seconds.
        :raises TestError: the unit failed, or it is inactive and no job is going to start it, or the
            time is up. The details are the end of its journal.
        """

        def active(last_try: bool) -> bool:  # noqa: FBT001 - called by `retry`
            state = self.get_unit_property(unit, "ActiveState", user)
            if state == "failed":
                self._give_up(unit, user, "failed")
            if state == "inactive":
                _, jobs = self.systemctl("list-jobs --full 2>&1", user)
                # Asked again, because a job may have finished between the two questions.
                if (
                    "No jobs" in jobs
                    and self.get_unit_property(unit, "ActiveState", user) == "inactive"
                ):
                    self._give_up(unit, user, "is inactive and there are no pending jobs")
            if last_try and state != "active":
                self._give_up(unit, user, f"is still {state} after {timeout:g} s")
            return state == "active"

        with self.nested(f"wait for unit {unit}" + (f" of user {user}" if user else "")):
            retry(active, timeout)

    def require_unit_state(self, unit: str, require_state: str = "active") -> None:
        """Check the state of a unit, without waiting.

        :param unit: its name.
        :param require_state: such as ``active``.
        :raises TestError: it is in another state.
        """
        with self.nested(f"check that unit {unit} is {require_state}"):
            state = self.get_unit_property(unit, "ActiveState")
            if state != require_state:
                self._give_up(unit, None, f"is {state}, not {require_state}")

    def start_job(self, jobname: str, user: str | None = None) -> tuple[int, str]:
        """Run ``systemctl start``.

        :param jobname: name of the unit.
        :param user: whose unit; None means the system's.
        :returns: exit status and output.
        """
        return self.systemctl(f"start {jobname}", user)

    def stop_job(self, jobname: str, user: str | None = None) -> tuple[int, str]:
        """Run ``systemctl stop``.

        :param jobname: name of the unit.
        :param user: whose unit; None means the system's.
        :returns: exit status and output.
        """
        return self.systemctl(f"stop {jobname}", user)

    def wait_for_job(self, jobname: str) -> None:
        """Wait until a unit is active; see `wait_for_unit`.

        :param jobname: name of the unit.
        """
        self.wait_for_unit(jobname)

    def wait_for_file(self, filename: str, timeout: float = 900) -> None:
        """Wait until a file exists.

        :param filename: a word of bash, which may be a pattern.
        :param timeout: seconds.
        """
        self._wait(f"file {filename}", f"test -e {filename}", timeout)

    def wait_for_open_port(self, port: int, addr: str = "localhost", timeout: float = 900) -> None:
        """Wait until a TCP port accepts connections.

        :param port: its number.
        :param addr: the address, as the machine reaches it.
        :param timeout: seconds.
        """
        self._wait(f"TCP port {port} on {addr}", _port_probe(port, addr), timeout)

    def wait_for_closed_port(
        self, port: int, addr: str = "localhost", timeout: float = 900
    ) -> None:
        """Wait until a TCP port accepts no connections.

        :param port: its number.
        :param addr: the address, as the machine reaches it.
        :param timeout: seconds.
        """
        self._wait(f"TCP port {port} on {addr} to close", f"! {_port_probe(port, addr)}", timeout)

    def wait_for_open_unix_socket(
        self,
        addr: str,
        is_datagram: bool = False,  # noqa: FBT001, FBT002 - the driver's signature
        timeout: float = 900,
    ) -> None:
        """Wait until a process listens on a Unix socket.

        :param addr: its path.
        :param is_datagram: whether it is a datagram socket.
        :param timeout: seconds.
        """
        # /proc/net/unix, proc(5): flags (10000: listening), type, state, inode, path.
        kind = "[0-9A-F]+ 0002" if is_datagram else "00010000 0001"
        pattern = shlex.quote(f": [0-9A-F]+ [0-9A-F]+ {kind} [0-9]+ +[0-9]+ {addr}$")
        self._wait(f"socket {addr}", f"grep -qE {pattern} /proc/net/unix", timeout)

    def _wait(self, what: str, command: str, timeout: float) -> None:
        self._repeat(command, what, lambda status: status == 0, timeout)

    def _give_up(self, unit: str, user: str | None, why: str) -> NoReturn:
        scope = "--user-unit" if user else "--unit"
        _, journal = self.execute(
            f"journalctl --no-pager --lines=20 --output=cat {scope} {shlex.quote(unit)} 2>&1 || true",
            timeout=30,
        )
        raise TestError(
            f"{self.name}: unit {unit} {why}",
            hint="the end of the unit's journal is below",
            details=journal.splitlines(),
        )


def _port_probe(port: int, addr: str) -> str:
    # Bash opens the connection itself, so that a guest needs no netcat.
    return f"(: </dev/tcp/{shlex.quote(addr)}/{port:d})"
