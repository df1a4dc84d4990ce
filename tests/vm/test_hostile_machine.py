"""No text of a user becomes anything else in a machine: its own programs read it, byte for byte.

One machine carries every change of every text of `hostile_machine` that the models accept, and is booted once. systemd, its
services, getent, sysctl, the shell, the kernel and an HTTP server tell what they were given.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hostile_machine import ENVIRONMENT, UNREAD, Plan, evidence

pytestmark = [pytest.mark.real, pytest.mark.vm, pytest.mark.slow]

_HERE = Path(__file__).parent
_SUPPORT = _HERE.parent / "support"

_INFRA = """
import sys
from pathlib import Path

sys.path.insert(0, {support!r})
from hostile_machine import machine_project, read_copies

project = machine_project(read_copies(Path(__file__).with_name("copies.json")))
"""


def test_programs_of_a_machine_read_hostile_text_as_it_was(tmp_path, command_line, record_property):
    plan = Plan.make()
    (tmp_path / "copies.json").write_text(plan.to_json())
    (tmp_path / "infra.py").write_text(_INFRA.format(support=str(_SUPPORT)))
    shutil.copytree(_HERE / "hostile/tools", tmp_path / "tools")
    nixgen = command_line(folder=tmp_path)
    nixgen("inputs", "update", "debian")
    (result,) = nixgen.document("test", "run", "--env", ENVIRONMENT)["tests"]
    assert (result["outcome"], result["failure"]) == ("passed", None)
    (file,) = (tmp_path / ".nixgen/vm/out").glob("*/read.json")
    read = json.loads(file.read_text())
    found = evidence(plan.copies, read)
    assert not found.wrong, "\n".join(found.wrong)
    assert {name for name, readers in found.readers.items() if not readers} == UNREAD
    assert (read["verify"], read["failed"]) == ("", "")
    # nothing became an account of its own
    roots = [
        key
        for key, value in read.items()
        if key.startswith("passwd\t") and key.endswith("\t2") and value == "0"
    ]
    assert roots == ["passwd\troot\t2"]
    record_property(
        "readers", json.dumps({name: sorted(each) for name, each in found.readers.items()})
    )
