"""A machine in a test script, with the interface of the NixOS test driver; see `Commands`."""

from __future__ import annotations

import base64
import io
import re
import shlex
import tarfile
import time
from pathlib import Path, PurePosixPath

from nixgen.errors import TestError
from nixgen.vm.channels.shell import ShellClosed
from nixgen.vm.channels.switch import Link
from nixgen.vm.interface.commands import retry
from nixgen.vm.interface.keys import key_name
from nixgen.vm.interface.units import Units
from nixgen.vm.qemu.guest import QemuGuest
from nixgen.vm.record.journal import Journal

__all__ = ["Machine"]


class Machine(Units):
    """A machine of a test. Scripts have it under its name; see `nixgen.vm.interface.script`.

    :param guest: the machine's process and channels.
    :param journal: records the steps.
    :param links: its network cables, for `block`.
    :param out_dir: the folder for the files of `copy_from_vm` and `screenshot`.
    """

    def __init__(
        self, guest: QemuGuest, journal: Journal, *, links: tuple[Link, ...] = (), out_dir: Path
    ) -> None:
        super().__init__(guest, journal)
        self._links = links
        self.out_dir = out_dir

    # Power

    def start(self, allow_reboot: bool = False) -> None:  # noqa: FBT001, FBT002 - as NixOS
        """Start the machine, without waiting for its boot.

        :param allow_reboot: False makes a reboot end the machine.
        """
        if not self._guest.running:
            with self.nested("start"):
                self._guest.start(allow_reboot=allow_reboot)

    def connect(self) -> None:
        """Wait until the machine can run commands. Every command does this by itself."""
        self._connected()

    def is_up(self) -> bool:
        """Whether the machine runs, and has answered."""
        return self._guest.connected

    @property
    def booted(self) -> bool:
        """Whether the machine has been started, and still runs."""
        return self._guest.running

    @property
    def connected(self) -> bool:
        """Whether the machine runs, and has answered."""
        return self._guest.connected

    @property
    def pid(self) -> int | None:
        """The process id of its QEMU; None when it is off."""
        return self._guest.pid

    def shutdown(self) -> None:
        """Power off as the guest's own `poweroff` does, and wait for the end."""
        if self._guest.running:
            with self.nested("shut down"):
                self._connected()
                # The guest's `poweroff` may be that of busybox, to which systemd does not listen.
                self._guest.shell.send("systemctl poweroff 2>/dev/null || poweroff")
                self._guest.wait_exit(None)

    def crash(self) -> None:
        """Cut the power."""
        if self._guest.running:
            with self.nested("crash"):
                self._guest.power_off()

    def reboot(self) -> None:
        """Press Ctrl+Alt+Delete. The next command waits for the boot.

        The machine must have been started with ``start(allow_reboot=True)``.
        """
        with self.nested("reboot"):
            self.send_key("ctrl-alt-delete")
            self._guest.disconnect()

    def wait_for_shutdown(self) -> None:
        """Wait until the machine is off."""
        with self.nested("wait for power off"):
            self._guest.wait_exit(None)

    def switch_root(self) -> None:
        """Go on from the initrd to the system, in an initrd with systemd and the test's shell."""
        self.wait_for_unit("initrd.target")
        self.execute(
            "systemctl isolate --no-block initrd-switch-root.target >/dev/null 2>&1",
            check_return=False,
            check_output=False,
        )
        self._guest.disconnect()
        self._connected()

    # Network

    def block(self) -> None:
        """Pull the cables between this machine and the others."""
        for link in self._links:
            link.unplug()
        self.log("network cables pulled")

    def unblock(self) -> None:
        """Undo `block`."""
        for link in self._links:
            link.plug()
        self.log("network cables plugged in")

    # Files

    def copy_from_host(self, source: str, target: str) -> None:
        """Copy a file or directory into the machine. It keeps its mode; its owner becomes root.

        :param source: path on the host.
        :param target: path in the machine.
        :raises TestError: the host has no ``source``, or the machine cannot write ``target``.
        """
        path = Path(source)
        if not path.exists():
            raise TestError(f"copy_from_host: no {source} on the host")
        with self.nested(f"copy {source} to {target}"):
            where = PurePosixPath(target)
            buffer = io.BytesIO()
            with tarfile.open(fileobj=buffer, mode="w") as archive:
                archive.add(path, arcname=where.name, filter=_root_owned)
            temporary = self.succeed("mktemp").strip()
            self._write(buffer.getvalue(), temporary)
            parent = shlex.quote(str(where.parent))
            self.succeed(f"mkdir -p {parent} && tar -C {parent} -xf {temporary}; rm -f {temporary}")

    def copy_from_host_via_shell(self, source: str, target: str) -> None:
        """Copy the content of one file into the machine.

        :param source: path on the host.
        :param target: path in the machine.
        """
        with self.nested(f"copy {source} to {target}"):
            self.succeed(f"mkdir -p {shlex.quote(str(PurePosixPath(target).parent))}")
            self._write(Path(source).read_bytes(), target)

    def copy_from_vm(self, source: str, target_dir: str = "") -> None:
        """Copy a file or directory out of the machine.

        :param source: path in the machine.
        :param target_dir: a folder in the output directory of the test.
        :raises TestError: ``target_dir`` leaves the output directory.
        """
        with self.nested(f"copy {source} from the machine"):
            path = PurePosixPath(source)
            target = (self.out_dir / target_dir).resolve()
            if not target.is_relative_to(self.out_dir.resolve()):
                raise TestError(f"copy_from_vm: {target_dir!r} leaves the output directory")
            packed = self.succeed(
                f"tar -C {shlex.quote(str(path.parent))} -chf - {shlex.quote(path.name)} | base64"
            )
            with tarfile.open(fileobj=io.BytesIO(base64.b64decode(packed))) as archive:
                _extract(archive, target)

    def _write(self, content: bytes, target: str) -> None:
        self._connected()
        try:
            reply = self._guest.shell.write_file(content, target)
        except ShellClosed as closed:
            raise self.ended(f"while {target} was written") from closed
        if reply.status != 0:
            raise TestError(
                f"{self.name}: cannot write {target}",
                details=reply.stderr.decode(errors="replace").splitlines(),
            )

    # Console, keyboard, screen

    def wait_for_console_text(self, regex: str, timeout: float | None = None) -> None:
        """Wait for text on the serial console, in lines that no earlier call has consumed.

        :param regex: a regular expression.
        :param timeout: seconds; None waits until the machine ends.
        :raises TestError: the text did not appear.
        """
        self.start()
        with self.nested(f"wait for {regex} on the console"):
            if not self._guest.console.wait(regex, timeout):
                raise TestError(
                    f"{self.name}: {regex!r} did not appear on the console",
                    details=self._guest.console_tail(),
                )

    def send_console(self, chars: str) -> None:
        """Type on the serial console.

        :param chars: the text.
        """
        self._guest.console.send(chars)

    def send_key(self, key: str, delay: float | None = 0.01, log: bool | None = True) -> None:  # noqa: FBT001, FBT002 - as NixOS
        """Press a key.

        :param key: a character, or a name of QEMU's ``sendkey`` such as ``"ctrl-alt-delete"``.
        :param delay: seconds to wait afterwards.
        :param log: whether the report gets a line about it.
        """
        if log:
            self.log(f"press {key!r}")
        self._guest.monitor.human(f"sendkey {key_name(key)}")
        if delay is not None:
            time.sleep(delay)

    def send_chars(self, chars: str, delay: float | None = 0.01) -> None:
        """Type on the keyboard.

        :param chars: the text.
        :param delay: seconds to wait after each key.
        """
        with self.nested(f"type {chars!r}"):
            for char in chars:
                self.send_key(char, delay, log=False)

    def send_monitor_command(self, command: str) -> str:
        """Run a command of QEMU's monitor.

        :param command: as a person types it.
        :returns: the text that the monitor prints.
        """
        with self.nested(f"monitor: {command}"):
            return self._guest.monitor.human(command)

    def screenshot(self, filename: str) -> None:
        """Write the screen to a PNG file.

        :param filename: a path; a name without a folder goes to the output directory of the test.
        """
        file = Path(filename if "." in filename else f"{filename}.png")
        if len(file.parts) == 1:
            file = self.out_dir / file
        with self.nested(f"screenshot {file.name}"):
            self._guest.monitor.execute("screendump", filename=str(file.absolute()), format="png")

    def get_tty_text(self, tty: str) -> str:
        """The visible text of a virtual terminal.

        :param tty: its number.
        """
        columns = f"$(stty -F /dev/tty{tty} size | cut -d' ' -f2)"
        return self.execute(f"fold -w{columns} /dev/vcs{tty}")[1]

    def wait_until_tty_matches(self, tty: str, regexp: str, timeout: float = 900) -> None:
        """Wait for visible text on a virtual terminal.

        :param tty: its number.
        :param regexp: a regular expression.
        :param timeout: seconds.
        """

        def matches(last_try: bool) -> bool:  # noqa: FBT001 - called by `retry`
            text = self.get_tty_text(tty)
            if last_try:
                self.log(f"tty{tty} shows: {text}")
            return re.search(regexp, text) is not None

        with self.nested(f"wait for {regexp} on tty{tty}"):
            retry(matches, timeout)

    def sleep(self, secs: float) -> None:
        """Sleep, by the clock of the guest.

        :param secs: seconds.
        """
        self.succeed(f"sleep {secs}")


def _root_owned(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def _extract(archive: tarfile.TarFile, target: Path) -> None:
    """Extract files and directories, and nothing else, below ``target``; the guest is not trusted."""
    for member in archive:
        name = PurePosixPath(member.name)
        if name.is_absolute() or ".." in name.parts:
            raise TestError(f"the machine sent a file that leaves the directory: {member.name}")
        path = target / name
        if member.isdir():
            path.mkdir(parents=True, exist_ok=True)
        elif member.isfile() and (content := archive.extractfile(member)) is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.read())
            path.chmod(member.mode & 0o755 | 0o600)
