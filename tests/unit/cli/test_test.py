"""``nixgen test run`` with tests that Nix itself runs, and ``nixgen image run``."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from nixgen.cli.app import run
from nixgen.driver.build.failures import Failure
from nixgen.driver.build.report import BuildReport, TargetResult
from nixgen.driver.evaluate import Target
from nixgen.errors import BuildError, NixgenError, StoreError
from nixgen.verbs import build
from nixgen.verbs.build import Built

INFRA = """\
from nixgen import Image, Machine, Project, Service, Test
web = Service("web", command=["/bin/true"])
machine = Machine("web", services=[web])
project = Project(
    "p",
    machines=[machine],
    images=[Image("web", service=web), Image("api", service=web)],
    tests=[Test("up", machines=[machine], script="pass"), Test("down", machines=[machine], script="pass")],
)
"""
FULL = StoreError("the disk of the Nix store is full", hint="nix-collect-garbage")

Nixpkgs = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """The handlers of the test runner, which a command line replaces."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "infra.py").write_text(INFRA)
    return tmp_path


@pytest.fixture
def nixpkgs(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Nixpkgs:
    """Run the tests of the project with builds that end as given: exit status, stdout, stderr.

    A test is named by what failed: its own derivation, or one that it needs.
    """

    def outcome(failed: dict[str, str], error: NixgenError | None) -> Built:
        report = BuildReport(
            results=tuple(
                TargetResult(
                    target=Target(
                        attr=f"tests.{name}",
                        drv=f"/nix/store/{name}.drv",
                        outputs={"out": f"/nix/store/{name}"},
                    ),
                    status="failed" if name in failed else "built",
                    seconds=2.5,
                )
                for name in ("up", "down")
            ),
            failures=tuple(
                Failure(
                    drv=drv,
                    reason="exit code 1",
                    log=("unit web.service failed",),
                    targets=(f"tests.{name}",),
                    seconds=2.5,
                    error=error or BuildError("it failed"),
                )
                for name, drv in failed.items()
            ),
        )
        return Built(
            report=report,
            origins={},
            base="nixpkgs",
            environment=None,
            started=datetime.now(UTC),
            seconds=3.0,
        )

    def answer(
        *words: str, failed: dict[str, str] | None = None, error: NixgenError | None = None
    ) -> tuple[int, str, str]:
        def fake(*_given: Any, **_named: Any) -> Built:
            return outcome(failed or {}, error)

        monkeypatch.setattr(build, "build", fake)
        monkeypatch.setattr("nixgen.cli.console._printed", [])
        try:
            status = run(["test", "run", "--base", "nixpkgs", "--project", str(project), *words])
        except SystemExit as ended:
            status = int(ended.code or 0)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return answer


def test_a_test_that_nix_ran_is_in_the_document(nixpkgs: Nixpkgs, project: Path) -> None:
    junit = project / "junit.xml"
    status, out, _ = nixpkgs("--json", "--junit", str(junit))
    document = json.loads(out)
    assert (status, document["schema"]) == (0, "nixgen/tests/1")
    assert [(each["name"], each["outcome"], each["seconds"]) for each in document["tests"]] == [
        ("up", "passed", 2.5),
        ("down", "passed", 2.5),
    ]
    assert document["tests"][0]["acceleration"] == "nix"
    assert [suite.get("name") for suite in ET.parse(junit).getroot()] == ["up", "down"]


def test_a_test_that_failed_inside_nix_is_in_the_document(nixpkgs: Nixpkgs) -> None:
    failed = {"down": "/nix/store/down.drv"}
    status, out, _ = nixpkgs("--json", failed=failed)
    up, down = json.loads(out)["tests"]
    assert (status, up["outcome"], down["outcome"]) == (1, "passed", "failed")
    assert down["failure"]["details"] == ["unit web.service failed"]
    assert "/nix/store/down.drv" in down["failure"]["hint"]
    status, out, _ = nixpkgs(failed=failed)
    assert status == 1
    assert "up: passed in 2.5 s (nix)" in out
    assert "down: failed in 2.5 s (nix)" in out


@pytest.mark.parametrize(
    ("failed", "error", "status", "kind"),
    [
        ({"down": "/nix/store/machine.drv"}, None, 1, "BuildError"),
        ({"down": "/nix/store/down.drv"}, FULL, 3, "StoreError"),
    ],
)
def test_tests_that_could_not_run_are_an_error(
    nixpkgs: Nixpkgs, failed: dict[str, str], error: NixgenError | None, status: int, kind: str
) -> None:
    found, out, err = nixpkgs("--json", failed=failed, error=error)
    document = json.loads(out)
    assert (found, document["schema"], document["kind"]) == (status, "nixgen/error/1", kind)
    assert document["message"] in err


def test_only_one_image_runs_at_a_time(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    assert run(["image", "run", "images"]) == 2
    error = capsys.readouterr().err
    assert "images is 2 images" in error
    assert "images.web, images.api" in error


def test_a_value_in_infra_py_is_no_secret_from_a_build(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = INFRA.replace("import ", "import Generated, Secret, ").replace(
        'command=["/bin/true"]', 'command=["/bin/true"], secrets=[token]'
    )
    text = text.replace("web = Service", 'token = Secret("token")\nweb = Service')
    text = text.replace('Test("up", ', 'Test("up", secrets={token: "correct horse"}, ')
    (project / "infra.py").write_text(text)
    status = run(["test", "run", "tests.up", "--base", "nixpkgs", "--project", str(project)])
    error = capsys.readouterr().err
    assert status == 2
    assert "test up gives a value to a secret" in error
    assert "correct horse" not in error
