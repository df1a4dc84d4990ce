"""Run the cases of tests/packages, keep their results, and write docs/packages.md from them.

usage: scripts/packages [pytest arguments]

The results are in tests/packages/results.json: a row for each case. With arguments that choose some
cases (``-k redis``), the rows of the others stay as they are.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from nixgen.debian.locking import open_index
from nixgen.debian.policy import refusals
from nixgen.programs.runner import SubprocessRunner

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "tests/support"))

from package_cases import PackageCase, all_cases  # noqa: E402 - the path is known only now

RESULTS = REPOSITORY / "tests/packages/results.json"
PAGE = REPOSITORY / "docs/packages.md"
SUITE = "bookworm"
#: Programs that have a case wherever the suite has a package of them: name → Debian packages.
WANTED = {
    "caddy": ("caddy",),
    "keydb": ("keydb-server", "keydb"),
    "traefik": ("traefik",),
    "valkey": ("valkey-server",),
}
#: The name of a test function → the root that its case ran in.
ROOTS = {
    "test_a_package_runs_where_only_its_closure_is": "store",
    "test_a_package_runs_in_an_image": "image",
}

HEAD = """\
# Debian packages that run from the store

Every package of this table did a real action, twice: in a root that has nothing but the package's
closure in `/nix/store`, `/etc/passwd`, `/etc/hosts` and a shell; and in the root of an image. No
`/usr` of the computer could be seen. `scripts/packages` ran the actions on {suite}, and wrote this
page from their results ({passed} of {count} did both). The scripts are in `tests/packages/cases`.
The suite has no package of {absent}.

A package that is not here may run as well: most do. Name it in `Package("name")`, build, and run
it in `nixgen shell` or an image. When it does not find a file:

- A library of Python, Perl, Ruby, PHP or Node belongs into `with_packages` of the interpreter
  ([Libraries of languages](machines.md#libraries-of-languages)).
- A file that another package has belongs into `packages` of the service or the image, or its
  package into `Package("name", debian=["name", "name-data"])`.
- A folder below `/var` or `/run` is the service's: `Service(state_directory=…)`, or `files`.

| `Package(…)` | Debian packages | action | closure | store | image |
|---|---|---|--:|---|---|
"""

REFUSED = """
## Packages that are refused

These can be built, and cannot run from the store. A build on the Debian base refuses them at the
line that names them.

| packages | reason | instead |
|---|---|---|
"""


def rows_of(report: Path) -> dict[str, dict[str, Any]]:
    """The results of a run: attribute → what the tests of its case recorded.

    :param report: the JUnit XML that pytest wrote.
    """
    rows: dict[str, dict[str, Any]] = {}
    for test in ET.parse(report).iter("testcase"):
        named = re.fullmatch(r"(\w+)\[(.+)\]", test.get("name", ""))
        if named is None or named[1] not in ROOTS:
            continue
        row = rows.setdefault(named[2], {})
        row[ROOTS[named[1]]] = test.find("failure") is None and test.find("error") is None
        for each in test.iter("property"):
            name, value = each.get("name"), each.get("value", "")
            if name == "packages":
                row["packages"] = json.loads(value)
            elif name == "closure":
                row["megabytes"] = round(int(value) / 1e6)
    return rows


def absent() -> list[str]:
    """The programs of `WANTED` that the suite has no package of."""
    with open_index(SUITE, "amd64", SubprocessRunner()) as index:
        return [
            name
            for name, packages in WANTED.items()
            if not any(index.versions(package) for package in packages)
        ]


def merged(before: dict[str, Any], rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The results with the rows of a run put in. Rows of cases that are gone are left out."""
    kept = before.get("packages", {})
    packages = {}
    for case in sorted(all_cases(), key=lambda each: each.attribute):
        row = kept.get(case.attribute, {})
        if case.attribute in rows:
            # a result of another action says nothing about this one
            still = row if row.get("action") == case.action else {}
            row = {**still, **rows[case.attribute], "action": case.action}
        if row:
            packages[case.attribute] = row
    return {"suite": SUITE, "packages": packages}


def page(results: dict[str, Any]) -> str:
    """The text of docs/packages.md.

    :param results: the content of results.json.
    """
    rows = results["packages"]
    passed = sum(row.get("store", False) and row.get("image", False) for row in rows.values())
    text = HEAD.format(
        suite=results["suite"],
        passed=passed,
        count=len(rows),
        absent=", ".join(results["absent"]),
    )
    for name, row in rows.items():
        marks = ["yes" if row.get(root) else "no" for root in ROOTS.values()]
        packages = ", ".join(row.get("packages", ["not built"]))
        cells = [f"`{name}`", packages, row["action"], f"{row.get('megabytes', 0)} MB", *marks]
        text += f"| {' | '.join(cells)} |\n"
    text += REFUSED
    for refusal in refusals():
        examples = ", ".join(f"`{name}`" for name in refusal.examples)
        text += (
            f"| {examples} | {refusal.reason} | {refusal.instead.replace('|', chr(92) + '|')} |\n"
        )
    return text


def cases_without_a_row(results: dict[str, Any]) -> list[PackageCase]:
    """The cases that the results do not know, or know with another action."""
    rows = results["packages"]
    return [
        case
        for case in all_cases()
        if case.attribute not in rows or rows[case.attribute]["action"] != case.action
    ]


def main(arguments: list[str]) -> int:
    """Run the cases, and write both files.

    :param arguments: for pytest.
    """
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    with tempfile.TemporaryDirectory(prefix="nixgen-packages-") as folder:
        report = Path(folder) / "report.xml"
        status = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "tests/packages", "-v"),
                *("--numprocesses", "2", f"--junitxml={report}"),
                # the default family has no properties of tests
                *("-o", "junit_family=xunit1", *arguments),
            ],
            env={**os.environ, "NIXGEN_ALL_PACKAGES": "1"},
            cwd=REPOSITORY,
            check=False,
        ).returncode
        rows = rows_of(report)
    results = {**merged(before, rows), "absent": absent()}
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(page(results))
    print(f"wrote {RESULTS.relative_to(REPOSITORY)} and {PAGE.relative_to(REPOSITORY)}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
