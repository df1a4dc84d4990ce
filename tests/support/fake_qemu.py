"""A stand-in for QEMU: it speaks QEMU's monitor protocol, and its guest is a bash of this host.

The kernel command line chooses what it does:

- ``fake.refuse``: print a message and end, as QEMU does for an option that it does not know.
- ``fake.panic``: print a line on the console and end before the shell greets.
- ``fake.mute``: run, but never offer the shell.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

PROGRAM = r"""
import json, os, select, signal, socket, subprocess, sys

def descriptor(name):
    prefix = f"socket,id={name},fd="
    return int(next(word for word in sys.argv if word.startswith(prefix)).removeprefix(prefix))

name, cmdline = (sys.argv[sys.argv.index(option) + 1] for option in ("-name", "-append"))
print("fake QEMU runs", name, flush=True)
if "fake.refuse" in cmdline:
    sys.exit("fake QEMU: no such option")
shell, qmp, console = (socket.socket(fileno=descriptor(n)) for n in ("shell", "qmp", "console"))
guest = None

def boot():
    global guest
    console.sendall(f"\x1b[32mbooting {name}\x1b[0m\r\n".encode())
    if "fake.mute" not in cmdline:
        shell.sendall(b"firmware\r\nNIXGEN-SHELL-READY\r\n")
        guest = subprocess.Popen(
            ["bash", "--norc"], stdin=shell, stdout=shell, stderr=subprocess.DEVNULL,
            env={**os.environ, "PATH": os.path.dirname(sys.argv[0]) + ":" + os.environ["PATH"],
                 "FAKE_QEMU": str(os.getpid())},
        )

def end(*_):
    if guest is not None:
        guest.kill()
        guest.wait()
    os._exit(0)

def answer(asked):
    command, given = asked["execute"], asked["arguments"]
    if command == "qmp_capabilities" or command == "query-status":
        return {"return": {}}
    if command == "screendump":
        with open(given["filename"], "w") as file:
            file.write(given["format"])
        return {"return": {}}
    if command == "human-monitor-command":
        return {"return": f"monitor ran {given['command-line']}"}
    return {"error": {"class": "CommandNotFound", "desc": f"no command {command}"}}

signal.signal(signal.SIGTERM, end)
qmp.sendall(b'{"QMP": {"version": {}}}\n')
if "fake.panic" not in cmdline:
    boot()
pending = b""
while True:
    if select.select([qmp], [], [], 0.02)[0]:
        pending += qmp.recv(65536)
        *lines, pending = pending.split(b"\n")
        for line in lines:
            asked = json.loads(line)
            if asked["execute"] == "quit":
                end()
            qmp.sendall(b'{"event": "STOP"}\n' + json.dumps(answer(asked)).encode() + b"\n")
            if asked["execute"] == "query-status" and "fake.panic" in cmdline:
                console.sendall(b"Kernel panic\r\n")
                os._exit(1)
            if asked["arguments"].get("command-line") == "sendkey ctrl-alt-delete":
                if "-no-reboot" in sys.argv:
                    end()
                guest.kill()
                guest.wait()
                boot()
    if guest is not None and guest.poll() is not None:
        end()
"""

SYSTEMCTL = "#!/bin/sh\nexit 1\n"
"""A guest without systemd; the host's systemctl is out of its reach."""
POWEROFF = "#!/bin/sh\nkill -s TERM $FAKE_QEMU\n"


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the stand-in first on PATH.

    :param folder: an existing folder for it.
    :param monkeypatch: takes it from PATH again.
    """
    for name, text in {
        "qemu-system-x86_64": f"#!{sys.executable} -IS\n{PROGRAM}",
        "systemctl": SYSTEMCTL,
        "poweroff": POWEROFF,
    }.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
