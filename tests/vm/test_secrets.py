"""Secrets of a test in a machine: the service reads exactly the value, and nothing else on the host has it."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nixgen.cache.push.leaks import Scanner

pytestmark = [pytest.mark.real, pytest.mark.vm, pytest.mark.slow]

# The service keeps what it reads and prints it; the script prints it in every way, and fails with it in its message.
PROJECT = """
from nixgen import ConfigFile, Generated, Machine, Package, Project, Secret, Service, Test, User

token = Secret("token")
key = Secret("key", file="/var/lib/keys/100% own/key")
reader = Service(
    "reader",
    command=[Package("bash") / "bin/bash", "-c", '''
        cp "$CREDENTIALS_DIRECTORY/token" "$CREDENTIALS_DIRECTORY/key" "$STATE_DIRECTORY"
        echo "the service prints $(< "$CREDENTIALS_DIRECTORY/token")"
        exec sleep infinity
    '''],
    user=User("reader"),
    state_directory="reader",
    secrets=[token, key],
)
box = Machine("box", services=[reader], files={"planted": ConfigFile("planted", PLANTED)})
project = Project("secretive", machines=[box], tests=[
    Test("derived", machines=[box]),
    Test("given", machines=[box], secrets={token: VALUE, key: Generated(length=40, alphabet="äß01")}, script='''
box.wait_for_unit("reader.service")
box.wait_until_succeeds("test -s /var/lib/reader/key")

with subtest("the service reads exactly the value"):
    box.succeed("sha256sum /var/lib/reader/token | grep -q ^DIGEST")
    assert len(box.succeed("cat /var/lib/reader/key")) == 40
    hashes = box.succeed("sha256sum /var/lib/reader/key '/var/lib/keys/100% own/key'").split()
    assert hashes[0] == hashes[2], hashes

with subtest("only root can read the files"):
    for file in "/run/secrets/token", "/var/lib/keys/100% own/key":
        owner = box.succeed(f"stat -c %U:%G:%a '{file}'")
        assert owner == "root:root:400\\\\n", owner
    box.fail("su -s /bin/sh nobody -c 'cat /run/secrets/token'")

with subtest("a restarted machine has the same values"):
    before = box.succeed("sha256sum '/var/lib/keys/100% own/key'")
    box.crash()
    assert box.succeed("sha256sum '/var/lib/keys/100% own/key'") == before

import shlex
text = box.succeed("cat /run/secrets/token")
print("the script prints", text)
box.log(text)
box.succeed(f"echo a command has {shlex.quote(text)} >/dev/console")
box.succeed(f"echo another has {shlex.quote(repr(text))} >/dev/console")
raise Exception(f"the script fails with {text}")
'''),
])
"""


def _command_lines(seen: set[bytes], ended: threading.Event) -> None:
    """Collect the command line of every process of this computer, as `ps` shows it."""
    while not ended.wait(0.1):
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.add(file.read_bytes())
            except OSError:
                continue


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())


def _leaks(scanner: Scanner, places: list[Path]) -> set[str]:
    """Where a value is: the file and the name of the secret."""
    return {
        f"{file}: {name}"
        for place in places
        for file in (_files(place) if place.is_dir() else (place,))
        for name in scanner.scan((file.read_bytes(),))
    }


def test_a_secret_is_read_by_its_service_and_is_nowhere_else(command_line, tmp_path: Path) -> None:
    value = f"{secrets.token_hex(12)}'\"%n $HOME ${{x}} \\ ü€\nsecond-{secrets.token_hex(8)}\n"
    planted = secrets.token_hex(16)
    folder = tmp_path / "project"
    folder.mkdir()
    source = PROJECT.replace("DIGEST", hashlib.sha256(value.encode()).hexdigest())
    (folder / "infra.py").write_text(f"VALUE = {value!r}\nPLANTED = {planted!r}\n{source}")
    nixgen = command_line(folder=folder)
    nixgen("generate")
    (folder / "infra.py").rename(tmp_path / "infra.py")
    (folder / "infra.py").symlink_to(tmp_path / "infra.py")

    seen: set[bytes] = set()
    ended = threading.Event()
    watcher = threading.Thread(target=_command_lines, args=(seen, ended))
    watcher.start()
    try:
        done = nixgen(
            "test", "run", "--console", "--junit", folder / "junit.xml", "--json", expect=1
        )
    finally:
        ended.set()
        watcher.join()

    results = {result["name"]: result for result in json.loads(done.stdout)["tests"]}
    given = results["given"]
    assert results["derived"]["outcome"] == "passed"
    assert given["failure"]["message"] == "Exception: the script fails with ***"
    titles = [step["title"] for step in given["steps"] if step["kind"] == "subtest"]
    assert len(titles) == 3

    # the parts that are random, too: text that is cut or quoted in any way still has one of them
    parts = re.findall("[0-9a-f]{16,}", value)
    scanner = Scanner.of(
        [
            *(("given", text.encode()) for text in (value, *value.splitlines(), *parts)),
            ("planted", planted.encode()),
        ]
    )
    assert any(b"-fw_cfg" in line for line in seen)
    assert not scanner.scan((b"".join(seen),))

    output = (done.stdout + done.stderr).encode()
    assert b"***" in output
    assert not scanner.scan((output,))
    assert scanner.scan((value.encode(),)) == {"given"}

    # everything that the run left on the disk, and everything in the store that it made or used
    drvs = (folder / ".nixgen/gcroots").glob("tests.*")
    tests = [path.resolve() for path in drvs]
    listed = subprocess.run(
        ["nix-store", "--query", "--requisites", *_derivers(tests), *map(str, tests)],
        check=True,
        capture_output=True,
        text=True,
    )
    store = [Path(path) for path in listed.stdout.split()]
    own = [path for path in store if path.suffix == ".drv" or "linux-image" not in path.name]
    leaks = _leaks(scanner, [folder, *own])
    assert {leak.rpartition(" ")[2] for leak in leaks} == {"planted"}
    assert any("/nix/store" in leak for leak in leaks)
    logs = folder / ".nixgen/vm/out/given"
    assert "the service prints ***" in (logs / "box.console.log").read_text()


def _derivers(paths: list[Path]) -> list[str]:
    done = subprocess.run(
        ["nix-store", "--query", "--deriver", *map(str, paths)],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.split()
