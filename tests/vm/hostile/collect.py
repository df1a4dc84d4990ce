"""Collects what the programs of a machine took out of its files, as one JSON object: place → text.

Nothing is compared here, and nothing is parsed that a program does not print unambiguously: buses and
files speak JSON and NUL, and an account has a fixed number of fields.
"""
# Names of files are bytes here, which pathlib does not take.
# ruff: noqa: PTH113, PTH115, PTH118, PTH119, PTH207, UP031

import glob
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

found = {}


def put(place, value):
    key = "\t".join(place)
    while key in found:  # a second account or file of one name is a place of its own
        key += " again"
    found[key] = value


def run(*argv):
    return subprocess.run(argv, capture_output=True, check=True).stdout.decode(
        "utf-8", "surrogateescape"
    )


def text(path):
    return Path(path).read_bytes().decode("utf-8", "surrogateescape")


def leaves(place, value, ordered):
    if isinstance(value, dict):
        for key, item in value.items():
            leaves((*place, key), item, ordered)
    elif (
        isinstance(value, list)
        and value
        and all(isinstance(each, str) for each in value)
        and not ordered
    ):
        # systemd keeps dependencies in no order
        for item in value:
            put((*place, item), "")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            leaves((*place, str(index)), item, ordered)
    else:
        put(place, value if isinstance(value, str) else json.dumps(value))


def units(names):
    for name in names:
        path = "/org/freedesktop/systemd1/unit/" + re.sub(
            "[^A-Za-z0-9]", lambda it: "_%02x" % ord(it[0]), name
        )
        answer = json.loads(
            run(
                "busctl",
                "--json=short",
                "call",
                "org.freedesktop.systemd1",
                path,
                "org.freedesktop.DBus.Properties",
                "GetAll",
                "s",
                "",
            )
        )
        properties = {key: value["data"] for key, value in answer["data"][0].items()}
        for key, value in properties.items():
            leaves(("bus", name, key), value, key.startswith("Exec") or key == "Environment")
        process = Path("/proc", str(properties["MainPID"]))
        for index, word in enumerate(text(process / "cmdline").split("\0")):
            put(("process", name, "cmdline", str(index)), word)
        for variable in text(process / "environ").split("\0"):
            key, _, value = variable.partition("=")
            put(("process", name, "environ", key), value)
        put(("process", name, "cwd"), os.readlink(process / "cwd"))
        for file in glob.glob("/run/credentials/" + name + "/*"):
            put(("credential", name, os.path.basename(file)), text(file))


def shown(names):
    """`systemctl show` prints texts as they are, and lists with escapes: only the former are unambiguous."""
    for block in run(
        "systemctl", "show", "-p", "Id,Description,WorkingDirectory,User,Group", *names
    ).split("\n\n"):
        values = dict(line.split("=", 1) for line in block.strip("\n").split("\n"))
        for key, value in values.items():
            put(("show", values["Id"], key), value)


def accounts():
    for database, fields in (("passwd", 7), ("group", 4), ("shadow", 9)):
        for line in run("getent", database).removesuffix("\n").split("\n"):
            values = line.split(":")
            if len(values) != fields:
                put((database, line), "has another number of fields")
            for index, value in enumerate(values):
                put((database, values[0], str(index)), value)


def tree(top):
    for folder, folders, files in os.walk(os.fsencode(top)):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            if b"copy" not in path or path.startswith(b"/etc/systemd/"):
                continue
            state = os.lstat(path)
            place = ("file", path.decode("utf-8", "surrogateescape"))
            put((*place, "mode"), "%o" % state.st_mode)
            put((*place, "owner"), "%d" % state.st_uid)
            if stat.S_ISLNK(state.st_mode):
                put((*place, "target"), os.readlink(path).decode("utf-8", "surrogateescape"))
            if os.path.isfile(path):
                put((*place, "content"), text(os.fsdecode(path)))


def settings():
    """The settings of machines that are not booted, one after the other."""
    for file in sorted(glob.glob("/nix/store/*-machine-set*/etc/sysctl.d/60-nixos.conf")):
        machine = re.search("-machine-(set[a-z0-9]+)/", file)[1]
        run("/usr/lib/systemd/systemd-sysctl", file)
        for key in sys.argv[1:]:
            value = run("sysctl", "-n", key)
            put(("sysctl", machine, key), value.removesuffix("\n"))


names = sorted(os.path.basename(file) for file in glob.glob("/etc/systemd/system/copy*.service"))
units(names)
shown(names)
accounts()
for top in ("/srv", "/etc", "/run/health"):
    tree(top)
for unit in names:
    for file in glob.glob("/run/" + unit.removesuffix(".service") + "/setup"):
        for index, word in enumerate(text(file).split("\0")):
            put(("setup", unit, str(index)), word)
for word in text("/proc/cmdline").removesuffix("\n").split(" "):
    put(("kernel", word), "")
for path in text("/run/requests").removesuffix("\n").split("\n"):
    put(("http", path), "")
for variable in run("bash", "-c", ". /etc/profile; env -0").split("\0"):
    key, _, value = variable.partition("=")
    put(("profile", key), value)
for host in set(re.findall(r"[^ \n]+\.example(?![^ \n])", text("/etc/hosts"))):
    put(("hosts", host), run("getent", "hosts", host).split()[0])
settings()
verified = subprocess.run(
    ["systemd-analyze", "verify", "--man=no", *(f"/etc/systemd/system/{name}" for name in names)],
    capture_output=True,
    check=False,
)
put(("verify",), (verified.stdout + verified.stderr).decode("utf-8", "surrogateescape"))
put(("failed",), run("systemctl", "--failed", "--plain", "--no-legend"))
json.dump(found, sys.stdout)
