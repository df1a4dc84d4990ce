"""Tables of what becomes of hostile texts and of secrets, in Markdown, from the tests themselves.

.venv/bin/python scripts/_tables.py injection    # boots the machine of tests/vm/test_hostile_machine.py
.venv/bin/python scripts/_tables.py secrets
"""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[1]
SINK = ROOT / "tests/golden/cases/kitchen-sink/case.py"
TESTS = ["tests/vm/test_hostile_machine.py", "tests/real/test_plain_data_reaches_files.py"]
#: A token of letters and digits, and texts with characters that writers escape.
VALUES = [
    "ghp0123456789abcdefXYZ",
    "pa$$w%r\"d'\\x\n${next} line",
    "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w\n-----END KEY-----",
]


def readers(folder: Path) -> dict[str, set[str]]:
    """Run the tests, and take from their report which program has read the texts of each field."""
    report = folder / "report.xml"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n",
            "0",
            f"--junitxml={report}",
            "-o",
            "junit_family=xunit1",
            *TESTS,
        ],
        cwd=ROOT,
        check=True,
        stdout=sys.stderr,
    )
    found: dict[str, set[str]] = {}
    for item in ET.parse(report).iter("property"):
        if item.get("name") == "readers":
            for name, programs in json.loads(item.get("value") or "").items():
                found.setdefault(name, set()).update(programs)
    return found


def injection() -> None:
    """Print each text field: what is refused with which words, and what is read by which program."""
    from hostile import CHANGES, hostile, places

    from nixgen.models.rules.check import check
    from nixgen.models.rules.visit import visit_of
    from nixgen.project.load import load_project

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(SINK, folder / "infra.py")
        project = load_project(folder)
        read = readers(folder)
        firsts = {place.name: place for place in reversed(places(project))}
        print(
            f"| field | refused of {len(CHANGES)} | words | read byte for byte by |\n|---|---|---|---|"
        )
        for field, place in sorted(firsts.items()):
            words = []
            for change in CHANGES:
                undo = place.change(hostile(change))
                visit_of.cache_clear()
                words += [problem.message for problem in check(project)[:1]]
                undo()
            said = min(words, key=len, default="").replace("|", "\\|").replace("`", "'")[:110]
            programs = ", ".join(sorted(read.get(field, ())))
            print(f"| {field} | {len(words)} | {said} | {programs} |")


def secrets() -> None:
    """Print each writer and encoder, and whether a scan finds the values that went through it."""
    from nixgen.cache.push.leaks import Scanner

    sys.path.insert(0, str(ROOT / "tests/property"))
    forms: Any = importlib.import_module("test_secret_forms")
    encoders = {
        name: (lambda value, encode=encode: encode(value.encode()))
        for name, encode in forms.ENCODERS.items()
    }
    writers = {
        name: (lambda value, write=write: write(value).encode())
        for name, write in forms.WRITERS.items()
    }
    print("| writer | found |\n|---|---|")
    for name, write in {**writers, **encoders}.items():
        found = sum(
            Scanner.of({"it": value.encode()}).scan([b"x " + write(value) + b" y"]) == {"it"}
            for value in VALUES
        )
        print(f"| {name} | {found} of {len(VALUES)} |")
    print("\n| writer | " + " | ".join(encoders) + " |\n" + "|---" * (len(encoders) + 1) + "|")
    for name, write in writers.items():
        row = []
        for encode in forms.ENCODERS.values():
            # an encoder over what a writer made: the escapes are encoded, too
            results = [
                Scanner.of({"it": value.encode()}).scan([encode(write(value))]) == {"it"}
                for value in VALUES
            ]
            row.append(f"{sum(results)} of {len(results)}")
        print(f"| {name} | " + " | ".join(row) + " |")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tests/support"))
    {"injection": injection, "secrets": secrets}[sys.argv[1]]()
