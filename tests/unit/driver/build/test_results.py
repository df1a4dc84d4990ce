import json
from datetime import UTC, datetime
from pathlib import Path

from nixgen.driver.build.failures import Failure
from nixgen.driver.build.report import BuildReport, TargetResult
from nixgen.driver.build.results import results_document, source_commit
from nixgen.driver.evaluate import Target
from nixgen.errors import BuildError, MirrorError, MissingToolError, StoreError
from nixgen.programs.command import Completed
from nixgen.testing import ScriptedRunner

FIXTURE = (Path(__file__).parents[2] / "recordings/results.json").read_text()
WEB = Target(
    attr="machines.web",
    drv="/nix/store/262sidn973dqy60ypzg038v5aqz47px2-web.drv",
    outputs={"out": "/nix/store/3r5sr23d2qmmyg985rqwn2zibg9lzdcw-web"},
)
API = Target(
    attr="images.api",
    drv="/nix/store/80z48k5v7fsxvxgnckm3hdf7bw6w49z5-api.drv",
    outputs={"out": "/nix/store/04xpgjp3wwdzb93763wxrkg57wvqvs18-api"},
)


def failure(error=None, name: str = "api") -> Failure:
    return Failure(
        drv=f"/nix/store/80z48k5v7fsxvxgnckm3hdf7bw6w49z5-{name}.drv",
        reason="failed with exit code 1",
        log=("the last words",),
        targets=("images.api",),
        seconds=0.5,
        error=error or BuildError("api failed"),
    )


def report(*failures: Failure) -> BuildReport:
    return BuildReport(
        results=(
            TargetResult(target=WEB, status="built", seconds=1.25),
            TargetResult(target=API, status="failed"),
        ),
        failures=failures or (failure(),),
        seconds=12.5,
    )


def test_the_document_of_a_report_is_the_recorded_one():
    results = results_document(
        report(),
        base="debian",
        system="x86_64-linux",
        commit="6ee5ac9d3f0b6c0a2f2e5b1b9f3f0f4a5b6c7d8e",
        started=datetime(2026, 11, 23, 3, 45, 12, 99, tzinfo=UTC),
        origins={"machines.web": "infra.py:12"},
    )
    assert json.dumps(results, indent=2, ensure_ascii=False) + "\n" == FIXTURE


def test_there_may_be_no_commit(tmp_path):
    step = ("git", "-C", "*", "rev-parse", "HEAD")
    runner = ScriptedRunner.of(
        (step, Completed(status=0, stdout=b"abc\n")),
        (step, Completed(status=128)),
        (step, MissingToolError("git is not installed")),
    )
    assert [source_commit(runner, tmp_path) for _ in range(3)] == ["abc", None, None]


def test_a_failure_names_its_targets_and_the_users_line():
    error = report().error({"images.api": "infra.py:20"})
    assert isinstance(error, BuildError)
    assert error.message == "1 of 2 targets failed: images.api"
    assert error.where == "infra.py:20"
    assert error.details == (
        f"api: failed with exit code 1 ({API.drv})",
        "  needed by images.api, infra.py:20",
        "  │ the last words",
    )
    assert error.hint == f"the whole log: nix-store --read-log {API.drv}"


def test_the_disk_and_the_mirror_are_blamed_before_the_derivation():
    mirror, full = MirrorError("mirror"), StoreError("full")
    assert report(failure(), failure(mirror)).error() is mirror
    assert report(failure(mirror), failure(full)).error() is full
