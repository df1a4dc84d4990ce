"""The steps of a build in order: checks before anything starts, then one mirror after the other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from nixgen.debian.mirrors import Mirrors
from nixgen.driver.build.failures import Failure
from nixgen.driver.build.report import BuildReport, TargetResult
from nixgen.driver.evaluate import Evaluated, Target, Tree
from nixgen.errors import BuildError, MirrorError, UsageError
from nixgen.project.workspace import Workspace
from nixgen.verbs import build, caches
from nixgen.verbs import evaluate as evaluate_verb
from nixgen.verbs.request import Request

TARGET = Target(attr="machines.web", drv="/nix/store/web.drv", outputs={"out": "/nix/store/web"})


class Nix:
    """Evaluates and builds nothing; some mirrors lack files."""

    def __init__(self) -> None:
        self.evaluated: list[str | None] = []
        self.lacking: set[str | None] = set()
        self.error: Exception = MirrorError("a.deb is gone", hint="nixgen inputs update")

    def evaluate(self, tree: Tree, attrs: Sequence[str], **_given: Any) -> Evaluated:
        self.evaluated.append(tree.mirrors)
        return Evaluated(
            targets=tuple(
                evolve(TARGET, attr=attr, drv=f"/nix/store/{tree.mirrors}.drv") for attr in attrs
            )
        )

    def realise(self, targets: Sequence[Target], **_given: Any) -> BuildReport:
        if self.evaluated[-1] not in self.lacking:
            return BuildReport(results=(TargetResult(target=targets[0], status="built"),))
        failure = Failure(
            drv="/nix/store/a.deb.drv",
            reason="404",
            log=(),
            targets=("machines.web",),
            seconds=0.0,
            error=self.error,  # type: ignore[arg-type]
        )
        return BuildReport(
            results=(TargetResult(target=targets[0], status="failed"),), failures=(failure,)
        )


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "infra.py").write_text(
        "from nixgen import Environment, Machine, Service, Package, Project\n"
        'api = Service("api", command=[Package("x").program], environment={"A": "a"})\n'
        'project = Project("p", machines=[Machine("web", services=[api])],\n'
        '    environments=[Environment("staging", variables={"A": "b"})])\n'
    )
    return Workspace.open(tmp_path)


@pytest.fixture
def nix(monkeypatch: pytest.MonkeyPatch) -> Nix:
    scripted = Nix()
    monkeypatch.setattr(evaluate_verb, "nix_identity", lambda: "a nix")
    monkeypatch.setattr(evaluate_verb, "base_lock", lambda *_, **_named: object())
    monkeypatch.setattr(
        evaluate_verb, "offered_mirrors", lambda *_: iter(["first", "second", "third"])
    )
    monkeypatch.setattr(evaluate_verb, "evaluate", scripted.evaluate)
    monkeypatch.setattr(build, "realise", scripted.realise)
    return scripted


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (((), Request(base="gentoo")), "there is no base 'gentoo'"),
        (((), Request(environment="live")), "no environment 'live'"),
        (((), Request(overrides={"nixpkgs": Path()})), "the base debian reads no trees"),
        ((["machines.wbe"],), "no target 'machines.wbe'"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_starts(
    workspace: Workspace, nix: Nix, arguments: tuple[Any, ...], says: str
) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        build.build(workspace, *arguments)
    assert caught.value.hint
    assert nix.evaluated == []
    assert not workspace.generated.exists()


def test_overridden_inputs_reach_the_evaluation_and_its_key(
    workspace: Workspace, nix: Nix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    def evaluate(tree: Tree, attrs: Sequence[str], **named: Any) -> Evaluated:
        if attrs:
            given.append(tree.inputs)
        for target in (found := nix.evaluate(tree, attrs)).targets:
            # of a derivation that exists, and so is remembered
            named["keep"](evolve(target, drv=str(tmp_path)), None)
        return found

    monkeypatch.setattr(evaluate_verb, "evaluate", evaluate)
    (tree := tmp_path / "tree").mkdir()
    for overrides in ({}, {"nixpkgs": tree}, {"nixpkgs": tree}, {}):
        build.build(workspace, request=Request(base="nixpkgs", overrides=overrides))
    assert given == [{}, {"nixpkgs": tree}]
    (tree / "default.nix").touch()
    build.build(workspace, request=Request(base="nixpkgs", overrides={"nixpkgs": tree}))
    assert given == [{}, {"nixpkgs": tree}, {"nixpkgs": tree}]


def test_only_the_first_mirror_is_used_when_it_has_every_file(
    workspace: Workspace, nix: Nix
) -> None:
    built = build.build(workspace).require()
    assert nix.evaluated == ["first"]
    assert built.paths == ["/nix/store/web"]


def test_files_that_a_mirror_lacks_come_from_the_next_one(workspace: Workspace, nix: Nix) -> None:
    nix.lacking = {"first", "second"}
    build.build(workspace).require()
    assert nix.evaluated == ["first", "second", "third"]


def test_a_file_that_no_mirror_has_is_an_error(workspace: Workspace, nix: Nix) -> None:
    nix.lacking = {"first", "second", "third"}
    built = build.build(workspace)
    assert nix.evaluated == ["first", "second", "third"]
    assert built.paths == []
    with pytest.raises(MirrorError, match=r"a\.deb is gone"):
        built.require()
    # nothing of this is remembered: the next build asks again
    build.build(workspace)
    assert nix.evaluated[3:] == ["first", "second", "third"]


def test_a_failed_build_is_not_tried_with_another_mirror(workspace: Workspace, nix: Nix) -> None:
    nix.lacking, nix.error = {"first"}, BuildError("exit code 1", hint="read the log")
    built = build.build(workspace)
    assert nix.evaluated == ["first"]
    with pytest.raises(BuildError, match=r"1 of 1 target failed: machines\.web"):
        built.require()


def test_mirrors_are_offered_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    mirrors = Mirrors(
        debian=("http://a/debian", "http://b/debian"), security=("http://s/debian-security",)
    )
    lock = type("Lock", (), {"architectures": {"amd64": "one"}})()
    prepared: list[object] = []
    monkeypatch.setattr("nixgen.debian.locking.machine_mirrors", lambda _runner: mirrors)
    monkeypatch.setattr(
        "nixgen.debian.bootstrap.ensure_busybox",
        lambda architecture, *_: prepared.append(architecture),
    )
    offered = [json.loads(text) for text in evaluate_verb.offered_mirrors(lock, None)]  # type: ignore[arg-type]
    assert prepared == ["one"]
    assert [offer["debian"] for offer in offered] == ["http://a/debian", "http://b/debian"]
    assert {offer["debian-security"] for offer in offered} == {"http://s/debian-security"}


def test_the_signing_key_is_made_once_and_private(workspace: Workspace) -> None:
    path = caches.signing_key(workspace)
    first = path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    assert first.startswith(b"p-1:")
    assert caches.signing_key(workspace).read_bytes() == first
