"""A change evaluates the targets that depend on it again, and no others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from nixgen.driver.evaluate import Evaluated, Target, Tree
from nixgen.driver.evaluate.events import EvaluationMessage
from nixgen.driver.store.store import Store
from nixgen.errors import EvaluationError
from nixgen.instant import stamp
from nixgen.project.workspace import Workspace
from nixgen.verbs import build
from nixgen.verbs import evaluate as evaluate_verb
from nixgen.verbs.request import Request

INFRA = """
from nixgen import Environment, Image, Machine, NixModule, Package, Project, Service, Source, Test
def service(name, *words):
    return Service(name, command=["/bin/sh", *words], environment={"A": "a"})
web = Machine("web", services=[service("web", Source("app"))])
db = Machine("db", services=[service("db")], modules=[NixModule("modules/db.nix")])
spare = Machine("spare")
project = Project("p", machines=[web, db, spare], packages=[Package("curl")],
    images=[Image("web", service=service("web", Source("app")))],
    tests=[Test("all", machines=[web, db], script="pass")],
    environments=[Environment("prod", variables={"A": "b"})])
"""
FILES = {
    "infra.py": INFRA,
    "flake-inputs.json": '{"schema": "nixgen/inputs/1", "inputs": {}}',
    "app/server.js": "1",
    "modules/db.nix": "{ imports = [ ./shared.nix ]; }",
    "modules/shared.nix": "{ }",
    "modules/unused.nix": "{ }",
}
ALL = {"machines.web", "machines.db", "machines.spare", "images.web", "tests.all", "packages.curl"}
WITH_APP = {"machines.web", "images.web", "tests.all"}
WITH_DB = {"machines.db", "tests.all"}
NIXPKGS = Request(base="nixpkgs")


class Project:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.evaluated: list[str] = []
        self.wrong: set[str] = set()
        self.meanwhile: Callable[[], object] = lambda: None
        self.events: list[Any] = []
        for name, text in FILES.items():
            self.write(name, text)
        (root / "drv").touch()

    def write(self, name: str, text: str) -> None:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def evaluate(self, _tree: Tree, attrs: Sequence[str], **given: Any) -> Evaluated:
        """In the place of Nix: every derivation is the same file, which exists."""
        self.evaluated += attrs
        self.meanwhile()
        targets = []
        for attr in attrs:
            if attr not in self.wrong:
                out = str(self.root / "outputs" / attr)
                target = Target(attr=attr, drv=str(self.root / "drv"), outputs={"out": out})
                targets.append(target)
                given["keep"](target, 1.0)
        errors = {attr: EvaluationError(f"{attr}: no") for attr in attrs if attr in self.wrong}
        return Evaluated(targets=tuple(targets), errors=errors)

    def again(self, **given: Any) -> set[str]:
        """What a run evaluates."""
        self.evaluated = []
        targets = given.pop("targets", ())
        request = Request(base="nixpkgs", **given)
        evaluate_verb.evaluated(
            Workspace.open(self.root), targets, request, observe=self.events.append
        )
        return set(self.evaluated)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = Project(tmp_path)
    monkeypatch.setattr(evaluate_verb, "nix_identity", lambda: "a nix")
    monkeypatch.setattr(evaluate_verb, "evaluate", project.evaluate)
    return project


def test_without_a_change_nothing_is_evaluated(project: Project) -> None:
    assert project.again() == ALL
    assert project.again() == set()


@pytest.mark.parametrize(
    ("change", "evaluated"),
    [
        (lambda p: p.write("app/server.js", "2"), WITH_APP),
        (lambda p: p.write("modules/shared.nix", "{ a = 1; }"), WITH_DB),
        (lambda p: p.write("modules/unused.nix", "{ a = 1; }"), set()),
        (lambda p: p.replace("infra.py", 'Machine("spare"', 'Machine("spare", packages=[Package("x")]'), {"machines.spare"}),
        (lambda p: p.replace("infra.py", 'Machine("spare"', 'Machine("spare", system="aarch64-linux"'), {"machines.spare"}),
        (lambda p: p.replace("infra.py", 'script="pass"', 'script="pass # more"'), {"tests.all"}),
        (lambda p: p.replace("infra.py", 'Test("all"', 'Test("other"'), {"tests.other"}),
        (lambda p: p.replace("infra.py", 'service("db")', 'service("db", "-x")'), WITH_DB),
        (lambda p: p.replace("infra.py", 'packages=[Package("curl")]', 'packages=[Package("curl"), Package("jq")]'), {"packages.jq"}),
        (lambda p: p.replace("infra.py", 'Package("curl")', 'Package("curl", nixpkgs="curlFull")'), ALL),
        (lambda p: p.replace("infra.py", '{"A": "b"}', '{"A": "c"}'), set()),
        (lambda p: p.replace("flake-inputs.json", "{}", "{ }"), ALL),
        (lambda p: (p.root / "README").write_text(""), set()),
    ],
)  # fmt: skip
def test_a_change_evaluates_the_targets_that_depend_on_it(
    project: Project, change: Callable[[Project], object], evaluated: set[str]
) -> None:
    project.again()
    change(project)
    assert project.again() == evaluated
    assert project.again() == set()


def test_an_environment_changes_its_machines_alone(project: Project) -> None:
    project.again()
    changed = {"machines.web", "machines.db", "tests.all"}
    assert project.again(environment="prod") == ALL, "which environment it is may be read anywhere"
    project.replace("infra.py", '{"A": "b"}', '{"A": "c"}')
    assert project.again(environment="prod") == changed
    assert project.again() == set()


def test_after_a_change_is_taken_back_nothing_is_evaluated(project: Project) -> None:
    project.again()
    project.write("app/server.js", "2")
    project.again()
    project.write("app/server.js", "1")
    assert project.again() == set()


def test_only_the_requested_targets_are_evaluated(project: Project) -> None:
    assert project.again(targets=["images"]) == {"images.web"}
    assert project.again(targets=["machines.web", "images"]) == {"machines.web"}


def test_only_targets_with_errors_are_evaluated_again(project: Project) -> None:
    project.wrong = {"machines.db"}
    assert project.again() == ALL
    assert project.again() == {"machines.db"}
    project.wrong = set()
    assert project.again() == {"machines.db"}
    assert project.again() == set()


def test_targets_that_are_evaluated_every_time_are_reported_once(project: Project) -> None:
    project.write("modules/shared.nix", "builtins.currentTime")
    assert project.again() == ALL
    assert project.again() == WITH_DB
    said = {event.text for event in project.events if isinstance(event, EvaluationMessage)}
    assert said == {
        "machines.db and 1 more are evaluated every time: modules/shared.nix:1 asks what time it is (currentTime)"
    }


def test_an_evaluation_whose_file_is_edited_meanwhile_is_not_remembered(project: Project) -> None:
    """Nobody knows which of both Nix saw, so neither is remembered."""
    project.meanwhile = lambda: project.write("app/server.js", "2")
    assert project.again() == ALL
    project.meanwhile = lambda: None
    assert project.again() == WITH_APP
    project.write("app/server.js", "1")
    assert project.again() == WITH_APP


def test_another_nix_or_another_override_evaluates_again(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.again()
    (tree := tmp_path / "tree").mkdir()
    assert project.again(overrides={"nixpkgs": tree}) == ALL
    assert project.again(overrides={"nixpkgs": tree}) == set()
    (tree / "default.nix").touch()
    assert project.again(overrides={"nixpkgs": tree}) == ALL
    monkeypatch.setattr(evaluate_verb, "nix_identity", lambda: "another nix")
    assert project.again() == ALL
    monkeypatch.setenv("NIX_CONFIG", "system = x")
    assert project.again() == ALL


class Valid:
    """A store with some of the outputs."""

    def __init__(self, paths: set[str]) -> None:
        self.paths = paths

    def valid(self, paths: Any) -> set[str]:
        return self.paths & set(paths)


def test_a_dry_run_reports_which_outputs_exist(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = str(project.root / "outputs/machines.web")
    monkeypatch.setattr(Store, "of_host", lambda: Valid({there}))
    built = build.dry_run(Workspace.open(project.root), request=NIXPKGS)
    assert {result.attr: result.status for result in built.report.results} == {
        **dict.fromkeys(ALL, "would build"),
        "machines.web": "cached",
    }
    assert built.paths == [there]
    assert built.require() is built


def test_a_dry_run_reports_every_error(project: Project) -> None:
    project.wrong = {"machines.db", "machines.spare"}
    with pytest.raises(EvaluationError, match="2 of 6 targets cannot be evaluated"):
        build.dry_run(Workspace.open(project.root), request=NIXPKGS)


@pytest.mark.parametrize(
    ("change", "stands"),
    [
        (lambda _: None, True),
        (lambda p: p.write("modules/shared.nix", "{ a = 1; }"), False),
        (lambda p: p.write("modules/unused.nix", "{ a = 1; }"), True),
        (lambda p: p.write("outputs/machines.db", "built"), False),
        (lambda p: (p.root / "outputs/machines.web").unlink(), False),
        (lambda p: (p.root / "drv").unlink(), False),
    ],
)
def test_a_dry_run_leaves_a_stamp(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Project], object],
    stands: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setattr(stamp, "_RACY_NS", 0)
    project.write("outputs/machines.web", "built")
    there = str(project.root / "outputs/machines.web")
    monkeypatch.setattr(Store, "of_host", lambda: Valid({there}))
    build.dry_run(Workspace.open(project.root), ["machines"], NIXPKGS)
    asked = stamp.request(stamp.DRY_RUN, ("machines",), base="nixpkgs", environment=None, overrides={})  # fmt: skip
    change(project)
    known = stamp.load(str(project.root), asked)
    assert (known is not None) is stands
    if known is not None:
        assert ("machines.web", "cached", there) in known
        assert {status for _, status, _ in known} == {"cached", "would build"}


def test_targets_that_are_evaluated_every_time_leave_no_stamp(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamp, "_RACY_NS", 0)
    monkeypatch.setattr(Store, "of_host", lambda: Valid(set()))
    project.write("modules/shared.nix", "builtins.currentTime")
    build.dry_run(Workspace.open(project.root), request=NIXPKGS)
    assert not list((project.root / ".nixgen/cache").glob("stamp*"))
