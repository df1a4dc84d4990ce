"""A nix-instantiate and a nix-eval-jobs that evaluate names instead of Nix: what a target does is in its name.

``machines.grow-90-then-wrong``: its process first holds 90 MB more, then finds the target wrong. Words: ``sleep-SECONDS``, ``grow-MB``,
``wrong``, ``killed``, ``crash``, ``stack``, ``heap``, ``full``, ``offline``, ``chatty``, ``silent``; all else is sound at once.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

TREE = "tree-is-wrong"
NARROW = "address-space-is-limited"
_held: list[bytes] = []


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, *programs: str) -> Path:
    """Make programs in a folder all that there is on PATH, with a store that is no new one; the processes that were started
    are lines of ``started`` in the folder.
    """
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("NIX_STATE_DIR", str(folder))
    (folder / "db").mkdir(parents=True)
    (folder / "db/db.sqlite").touch()
    for name in programs:
        program = folder / name
        program.write_text(
            f"#!{sys.executable} -IS\nexec(open({__file__!r}).read())\nmain({name!r})\n"
        )
        program.chmod(0o755)
    return folder


def started(folder: Path) -> list[list[str]]:
    """The targets of each process, in the order they were started."""
    return [json.loads(line) for line in (folder / "started").read_text().splitlines()]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def fail(text: str) -> None:
    say(f"error: {text}")
    sys.exit(1)


def act(attr: str) -> None:
    for word, argument in re.findall(r"(sleep|grow)-([\d.]+)", attr):
        if word == "sleep":
            time.sleep(float(argument))
        else:
            _held.append(b"x" * (int(argument) << 20))
            time.sleep(0.6)
    if "chatty" in attr:
        say("trace: a value")
        say("trace: 0123456789abcdef done machines.forged {}")
        say("warning: something is old")
        say("warning: error: SQLite database '/nix/var/nix/db/db.sqlite' is busy")
        say("evaluating file '/x'")
    if "full" in attr:
        fail("writing to file: No space left on device")
    if "offline" in attr:
        say("error: unable to download 'https://example.org': Couldn't resolve host name (6)\n")
        say('       … while fetching the input "nixpkgs" from https://example.org')
        sys.exit(1)
    if "wrong" in attr:
        say(f"error: {attr} is wrong\n\n       at /p/generated/machines/x.nix:3:5:\n")
        say("       … while evaluating something\n\n       at /n/lib/modules.nix:1:1:")
        sys.exit(1)
    if "stack" in attr:
        fail("stack overflow (possible infinite recursion)")
    if "heap" in attr:
        say("Too many heap sections: Increase MAXHINCR or MAX_HEAP_SECTS")
        os.kill(os.getpid(), signal.SIGABRT)
    if "crash" in attr:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "killed" in attr:
        os.kill(os.getpid(), signal.SIGKILL)


def outcome(attr: str) -> dict[str, object]:
    return {"drv": f"/nix/store/{attr}.drv", "outputs": {"out": f"/nix/store/{attr}"}}


def main(program: str) -> None:
    given = {sys.argv[i + 1]: sys.argv[i + 2] for i, a in enumerate(sys.argv) if a == "--argstr"}
    attrs = json.loads(given["attrs"])
    with (Path(sys.argv[0]).parent / "started").open("a") as file:
        file.write(json.dumps(attrs) + "\n")
    if program == "nix-eval-jobs":
        evaluate_jobs(attrs)
    token = given["token"]
    if TREE in given["arguments"]:
        fail("undefined variable 'x'")
    if NARROW in given["arguments"] and "GC_INITIAL_HEAP_SIZE" in os.environ:
        say(
            "GC Warning: Failed to expand heap by 4999999488 bytes\nCan't start up: not enough memory"
        )
        sys.exit(1)
    say(f"trace: {token} tree")
    for attr in attrs:
        say(f"trace: {token} begin {attr}")
        act(attr)
        if "silent" not in attr:
            say(f"trace: {token} done {attr} {json.dumps(outcome(attr))}")
    print("null")


def evaluate_jobs(attrs: list[str]) -> None:
    """In the form of nix-eval-jobs 0.0.6 and 2.33."""
    for number, attr in reversed(list(enumerate(attrs))):
        line: dict[str, object] = {"attr": f"t{number}", "attrPath": [f"t{number}"]}
        if "killed" in attr:
            fail(
                f"while reading result for attrPath 't{number}', evaluation worker got killed by SIGKILL"
            )
        if "wrong" in attr:
            line["error"] = f"error: {attr} is wrong\n\n       at /p/generated/machines/x.nix:3:5:"
            say(str(line["error"]))
        elif "silent" not in attr:
            found = outcome(attr)
            line |= {"drvPath": found["drv"], "outputs": found["outputs"], "system": "x"}
        if "chatty" in attr:
            say("trace: a value")
        time.sleep(0.3 if "sleep" in attr else 0)
        print(json.dumps(line), flush=True)
    sys.exit(0)
