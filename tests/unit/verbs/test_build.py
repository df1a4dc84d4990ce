"""The steps of a build in order: checks before anything starts, then the packages, then Nix."""

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


MIRRORS = Mirrors(debian=("http://a/debian", "http://b/debian"), security=("http://s",))


class Nix:
    """Evaluates and builds nothing, and notes what it was to do."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.error: Exception | None = None

    def evaluate(self, tree: Tree, attrs: Sequence[str], **_given: Any) -> Evaluated:
        self.did.append(f"evaluate {json.loads(tree.mirrors or '{}').get('debian')}")
        return Evaluated(targets=tuple(evolve(TARGET, attr=attr) for attr in attrs))

    def fetch(self, _evaluation: object, _targets: object, mirrors: Mirrors) -> None:
        self.did.append(f"fetch {mirrors.debian[0]}")

    def realise(self, targets: Sequence[Target], **_given: Any) -> BuildReport:
        self.did.append("realise")
        if self.error is None:
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
    monkeypatch.setattr(evaluate_verb, "base_mirrors", lambda *_: MIRRORS)
    monkeypatch.setattr(evaluate_verb, "evaluate", scripted.evaluate)
    monkeypatch.setattr(build, "fetch_packages", scripted.fetch)
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
    assert nix.did == []
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


def test_packages_are_fetched_before_the_build(workspace: Workspace, nix: Nix) -> None:
    built = build.build(workspace).require()
    assert nix.did == ["evaluate http://a/debian", "fetch http://a/debian", "realise"]
    assert built.paths == ["/nix/store/web"]


def test_packages_are_not_fetched_when_nothing_may_be_built(workspace: Workspace, nix: Nix) -> None:
    substituters = build.Substituters(urls=("http://cache",), public_keys=())
    build.build(workspace, request=Request(jobs=0), substituters=substituters)
    assert nix.did == ["evaluate http://a/debian", "realise"]


def test_a_file_that_no_mirror_has_is_an_error(workspace: Workspace, nix: Nix) -> None:
    nix.error = MirrorError("a.deb is gone", hint="nixgen inputs update")
    built = build.build(workspace)
    assert built.paths == []
    with pytest.raises(MirrorError, match=r"a\.deb is gone"):
        built.require()
    # nothing of this is remembered: the next build asks again
    build.build(workspace)
    assert nix.did[3:] == nix.did[:3]


def test_a_failed_build_names_its_targets(workspace: Workspace, nix: Nix) -> None:
    nix.error = BuildError("exit code 1", hint="read the log")
    built = build.build(workspace)
    with pytest.raises(BuildError, match=r"1 of 1 target failed: machines\.web"):
        built.require()


def test_the_builder_of_the_base_is_added_for_each_architecture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lock = type("Lock", (), {"architectures": {"amd64": "one", "arm64": "two"}})()
    prepared: list[object] = []
    monkeypatch.setattr("nixgen.debian.locking.machine_mirrors", lambda _runner: MIRRORS)
    monkeypatch.setattr(
        "nixgen.debian.bootstrap.ensure_busybox",
        lambda architecture, *_: prepared.append(architecture),
    )
    assert evaluate_verb.base_mirrors(lock, None) is MIRRORS  # type: ignore[arg-type]  # neither is used
    assert prepared == ["one", "two"]


def test_the_signing_key_is_made_once_and_private(workspace: Workspace) -> None:
    path = caches.signing_key(workspace)
    first = path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    assert first.startswith(b"p-1:")
    assert caches.signing_key(workspace).read_bytes() == first
