"""Why a target is rejected, from what each Nix says of it: one message, the place that is to blame, what to do next.

The traces are of Nix 2.8, 2.26 and 2.34 and of nixpkgs' module system of 26.11, for the modules beside them; without the middle of
long ones.
"""

# ruff: noqa: RUF001 - nixpkgs quotes the names of packages typographically
from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from nixgen.driver.evaluate.refusal import Blame, Ending, all_refusals, refusal
from nixgen.errors import EvaluationError

RECORDINGS = Path(__file__).parents[2] / "recordings"
TRACES = json.loads((RECORDINGS / "evaluation-traces.json").read_text())


class Refusal(NamedTuple):
    message: str
    where: str | None
    details: tuple[str, ...]
    hint: str


TRACE_HINT = "see Nix's whole trace with --debug"
CASES = {
    "conflict": Refusal(
        "The option `networking.hostName' has conflicting definition values:",
        "infra.py:7",
        (
            "- In `generated/machines/conflict.nix': \"second\"",
            "- In `generated/options.nix': \"first\"",
            "Use `lib.mkForce value` or `lib.mkDefault value` to change the priority on any of these definitions.",
            "and at generated/options.nix:6, which is infra.py:6",
        ),
        TRACE_HINT,
    ),
    "unknown": Refusal(
        "The option `networking.hostNme' does not exist. Definition values:",
        "infra.py:4",
        (
            "- In `generated/machines/unknown.nix': \"x\"",
            "Did you mean `networking.hostName' or `networking.firewall'?",
        ),
        "list the options with `nixgen inputs options`; nixgen then checks them, and names the line",
    ),
    "type": Refusal(
        "A definition for option `networking.firewall.enable' is not of type `boolean'. Definition values:",
        "infra.py:5",
        ("- In `generated/machines/type.nix': \"yes\"",),
        TRACE_HINT,
    ),
    "recursion": Refusal(
        "infinite recursion encountered",
        "infra.py:3",
        ("while evaluating the option networking.hostName",),
        "a value refers to itself; follow it with --debug",
    ),
    "missing": Refusal(
        "attribute 'nothing' missing",
        "infra.py:4",
        ("while evaluating the option environment.variables",),
        TRACE_HINT,
    ),
    "thrown": Refusal(
        "no value for X",
        "infra.py:4",
        ("while evaluating the option environment.variables",),
        TRACE_HINT,
    ),
    "assertion": Refusal(
        "Failed assertions:",
        "infra.py:4",
        ("- port 80 is taken twice", "while evaluating the option environment.variables"),
        TRACE_HINT,
    ),
}  # fmt: skip


def blame(root: Path, *, debug: bool = False) -> Blame:
    """Lead every line of a generated file back to the same line of infra.py."""
    return Blame(
        locate=lambda path, line: f"infra.py:{line}" if path.startswith(f"{root}/generated/") else None,
        origins={"machines.x": "infra.py:1"},
        root=root,
        names={Path("/n"): "nixpkgs"},
        debug=debug,
    )  # fmt: skip


def rejected(root: Path, text: str, *, ending: Ending = Ending.ERROR, debug: bool = False) -> EvaluationError:  # fmt: skip
    shutil.copytree(RECORDINGS / "evaluation-modules", root / "generated", dirs_exist_ok=True)
    error = refusal("machines.x", text.replace("/p/", f"{root}/").encode(), ending, blame=blame(root, debug=debug), memory=1 << 30)  # fmt: skip
    assert isinstance(error, EvaluationError)
    return error


@pytest.mark.parametrize("version", TRACES)
@pytest.mark.parametrize("case", CASES)
def test_errors_of_every_version_are_understood(tmp_path: Path, version: str, case: str) -> None:
    error = rejected(tmp_path, TRACES[version][case])
    assert Refusal(error.message, error.where, error.details, error.hint or "") == CASES[case]._replace(
        message=f"machines.x: {CASES[case].message}"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("version", "where", "hint"),
    [
        ("2.8", "infra.py:1", "ulimit -s unlimited"),
        ("2.26", "infra.py:4", "max-call-depth = 100000"),
        ("2.34", "infra.py:4", "max-call-depth = 100000"),
    ],
)
def test_a_stack_overflow_has_a_hint(tmp_path: Path, version: str, where: str, hint: str) -> None:
    error = rejected(tmp_path, TRACES[version]["stack"])
    assert error.message.startswith("machines.x: stack overflow")
    assert error.where == where
    assert hint in (error.hint or "")


@pytest.mark.parametrize("version", TRACES)
def test_debug_adds_the_whole_trace(tmp_path: Path, version: str) -> None:
    text = TRACES[version]["conflict"]
    error = rejected(tmp_path, text, debug=True)
    plain = rejected(tmp_path, text)
    assert error.details[: len(plain.details)] == plain.details
    assert len(error.details) > len(text.splitlines())
    assert "--debug" not in (error.hint or "")


PACKAGE = """\
error: Package ‘unrar-5.9.2’ in /n/pkgs/tools/archivers/unrar/default.nix:42 has an unfree license (‘unfree’), refusing to evaluate.

       a) For `nixos-rebuild` you can set
         { nixpkgs.config.allowUnfree = true; }
       in configuration.nix to override this.


       … while evaluating 'handleEvalIssue'

       at /n/pkgs/stdenv/generic/check-meta.nix:152:23:
"""


def test_a_refused_package_names_the_variable_that_allows_it(tmp_path: Path) -> None:
    """The advice of nixpkgs is left out: nixgen reads no such configuration. The variable works."""
    error = rejected(tmp_path, PACKAGE)
    assert error.message == (
        "machines.x: Package ‘unrar-5.9.2’ in nixpkgs/pkgs/tools/archivers/unrar/default.nix:42 has an unfree license"
        " (‘unfree’), refusing to evaluate."
    )
    assert error.where == "infra.py:1"
    assert error.details == ()
    assert "NIXPKGS_ALLOW_UNFREE=1" in (error.hint or "")


def test_a_long_message_is_shortened(tmp_path: Path) -> None:
    text = "error: many\n" + "".join(f"       line {number}\n" for number in range(40))
    error = rejected(tmp_path, text)
    assert error.details[-1] == "… and 28 more lines; see them with --debug"
    assert len(error.details) == 13
    assert "line 39" in rejected(tmp_path, text, debug=True).details


@pytest.mark.parametrize(
    ("ending", "text", "says"),
    [
        (Ending.TOO_LARGE, "", "its evaluation needs more than 1G of memory"),
        (Ending.KILLED, "", "its evaluation was killed"),
        (Ending.SIGNAL, "", "its evaluation ended by a signal"),
        (Ending.ERROR, "", "its evaluation failed and said nothing"),
        (Ending.ERROR, "error: out of memory", "its evaluation ran out of memory: out of memory"),
    ],
)
def test_an_ending_without_a_trace_has_a_message(
    tmp_path: Path, ending: Ending, text: str, says: str
) -> None:
    error = rejected(tmp_path, text, ending=ending)
    assert error.message.startswith(f"machines.x: {says}")
    assert error.where == "infra.py:1"
    assert error.hint


def test_warnings_of_the_collector_are_left_out(tmp_path: Path) -> None:
    warnings = "GC Warning: Failed to expand heap by 8388608 bytes\n" * 30
    text = f"error: out of memory\n{warnings}"
    assert rejected(tmp_path, text).details == ()
    assert any("GC Warning" in line for line in rejected(tmp_path, text, debug=True).details)


def error(message: str, where: str | None = None) -> EvaluationError:
    return EvaluationError(message, where=where, hint="h")


def test_equal_errors_are_listed_once_with_all_targets() -> None:
    errors = {
        **{f"machines.m{n}": error(f"machines.m{n}: no lock", "infra.py:1") for n in range(6)},
        "machines.x": error("machines.x: no lock", "infra.py:9"),
        "images.y": error("images.y: other"),
    }
    found = all_refusals(errors, 30)
    assert found is not None
    assert found.message == "8 of 30 targets cannot be evaluated"
    assert [(each.path, each.message, each.where, each.hint) for each in found.problems] == [
        ("machines.m0, machines.m1, machines.m2 and 3 more", "no lock", "infra.py:1", "h"),
        ("machines.x", "no lock", "infra.py:9", "h"),
        ("images.y", "other", None, "h"),
    ]


def test_a_single_error_is_unchanged() -> None:
    only = error("machines.x: no lock")
    assert all_refusals({"machines.x": only}, 5) is only
    assert all_refusals({}, 5) is None
