"""A machine as test scripts see it: NixOS' test driver's interface (see `nixgen.vm.interface.commands`)."""

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
from nixgen.vm.interface.commands import Guest, retry
from nixgen.vm.interface.keys import key_name
from nixgen.vm.interface.units import Units
from nixgen.vm.record.journal import Journal

__all__ = ["Machine"]


class Machine(Units):
    """One machine of a test; `nixgen.vm.interface.script` gives them to the script by name.

    :param links: its network cables, for `block`.
    :param out_dir: where `copy_from_vm` and `screenshot` put files.
    """

    def __init__(
        self, guest: Guest, journal: Journal, *, links: tuple[Link, ...] = (), out_dir: Path
    ) -> None:
        super().__init__(guest, journal)
        self._links = links
        self.out_dir = out_dir

    # Power

    def start(self, allow_reboot: bool = False) -> None:  # noqa: FBT001, FBT002 - as NixOS
        """Start the machine without waiting for its boot; a reboot ends it unless allowed."""
        if not self._guest.running:
            with self.nested("start"):
                self._guest.start(allow_reboot=allow_reboot)

    def connect(self) -> None:
        """Wait until commands can be run; every command does this by itself."""
        self._connected()

    def is_up(self) -> bool:
        """Whether the machine runs and has answered."""
        return self._guest.connected

    @property
    def booted(self) -> bool:
        return self._guest.running

    @property
    def connected(self) -> bool:
        return self._guest.connected

    @property
    def pid(self) -> int | None:
        """Of its QEMU; None when it is off."""
        return self._guest.pid

    def shutdown(self) -> None:
        """Power off in order and wait for the end."""
        if self._guest.running:
            with self.nested("shut down"):
                self._connected()
                # A guest's `poweroff` may be busybox's, to which systemd does not listen.
                self._guest.shell.send("systemctl poweroff 2>/dev/null || poweroff")
                self._guest.wait_exit(None)

    def crash(self) -> None:
        """Cut the power."""
        if self._guest.running:
            with self.nested("crash"):
                self._guest.power_off()

    def reboot(self) -> None:
        """Press Ctrl+Alt+Delete; needs ``start(allow_reboot=True)``. The next command waits for the boot."""
        with self.nested("reboot"):
            self.send_key("ctrl-alt-delete")
            self._guest.disconnect()

    def wait_for_shutdown(self) -> None:
        """Wait until the machine is off."""
        with self.nested("wait for power off"):
            self._guest.wait_exit(None)

    def switch_root(self) -> None:
        """From the initrd to the system, for an initrd that runs systemd and the shell."""
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
        """Copy a file or directory to ``target``, keeping permission bits; the owner becomes root."""
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
        """Copy one file's contents to ``target``."""
        with self.nested(f"copy {source} to {target}"):
            self.succeed(f"mkdir -p {shlex.quote(str(PurePosixPath(target).parent))}")
            self._write(Path(source).read_bytes(), target)

    def copy_from_vm(self, source: str, target_dir: str = "") -> None:
        """Copy a file or directory into the test's output directory, under ``target_dir``."""
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
        """Wait until ``regex`` matches on the serial console, in lines no earlier call has consumed."""
        self.start()
        with self.nested(f"wait for {regex} on the console"):
            if not self._guest.console.wait(regex, timeout):
                raise TestError(
                    f"{self.name}: {regex!r} did not appear on the console",
                    details=self._guest.console_tail(),
                )

    def send_console(self, chars: str) -> None:
        """Type on the serial console."""
        self._guest.console.send(chars)

    def send_key(self, key: str, delay: float | None = 0.01, log: bool | None = True) -> None:  # noqa: FBT001, FBT002 - as NixOS
        """Press a key, such as ``"a"`` or ``"ctrl-alt-delete"`` (names of QEMU's ``sendkey``)."""
        if log:
            self.log(f"press {key!r}")
        self._guest.monitor.human(f"sendkey {key_name(key)}")
        if delay is not None:
            time.sleep(delay)

    def send_chars(self, chars: str, delay: float | None = 0.01) -> None:
        """Type on the keyboard."""
        with self.nested(f"type {chars!r}"):
            for char in chars:
                self.send_key(char, delay, log=False)

    def send_monitor_command(self, command: str) -> str:
        """A line for QEMU's monitor; what it answers."""
        with self.nested(f"monitor: {command}"):
            return self._guest.monitor.human(command)

    def screenshot(self, filename: str) -> None:
        """Write the screen as PNG; a bare name goes to the test's output directory."""
        file = Path(filename if "." in filename else f"{filename}.png")
        if len(file.parts) == 1:
            file = self.out_dir / file
        with self.nested(f"screenshot {file.name}"):
            self._guest.monitor.execute("screendump", filename=str(file.absolute()), format="png")

    def get_tty_text(self, tty: str) -> str:
        """The visible text of the virtual terminal ``tty``."""
        columns = f"$(stty -F /dev/tty{tty} size | cut -d' ' -f2)"
        return self.execute(f"fold -w{columns} /dev/vcs{tty}")[1]

    def wait_until_tty_matches(self, tty: str, regexp: str, timeout: float = 900) -> None:
        """Wait until ``regexp`` matches what is visible on the terminal."""

        def matches(last_try: bool) -> bool:  # noqa: FBT001 - called by `retry`
            text = self.get_tty_text(tty)
            if last_try:
                self.log(f"tty{tty} shows: {text}")
            return re.search(regexp, text) is not None

        with self.nested(f"wait for {regexp} on tty{tty}"):
            retry(matches, timeout)

    def sleep(self, secs: float) -> None:
        """Sleep in the guest's time."""
        self.succeed(f"sleep {secs}")


def _root_owned(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def _extract(archive: tarfile.TarFile, target: Path) -> None:
    """Files and directories only: a guest is not trusted to stay inside ``target``."""
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
