"""The command line: exit statuses, one JSON document, and help that is true."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import nixgen.cli
from nixgen.cli.app import VERBS

HELP = Path(nixgen.cli.__file__).with_name("help.txt")
GOOD = 'from nixgen import Machine, Project\nproject = Project("p", machines=[Machine("web")])\n'


def nixgen_(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from nixgen.cli.entry import main; main()", *map(str, arguments)],
        cwd=cwd,
        env={
            "PATH": "/usr/bin:/bin",
            "COLUMNS": "80",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(HELP.parents[3]),  # the checkout under test, whichever is installed
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "infra.py").write_text(GOOD)
    return tmp_path


def test_the_instant_help_is_what_typer_would_print(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    # through the callback's own option, which entry.py does not shortcut
    real = nixgen_("--help", "--help", cwd=tmp_path).stdout
    if request.config.getoption("--regenerate"):
        HELP.write_text(real)
    assert HELP.read_text() == real, "run: pytest tests/unit/cli/test_cli.py --regenerate"
    assert all(f"  {verb} " in real for verb in VERBS)
    assert nixgen_("--help", cwd=tmp_path).stdout == real
    assert nixgen_(cwd=tmp_path).stdout == real


def test_version(tmp_path: Path) -> None:
    done = nixgen_("--version", cwd=tmp_path)
    assert done.stdout == f"nixgen {nixgen.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["nonsense"], 2, "No such command"),
        (["list", "--nonsense"], 2, "No such option"),
        (["list", "--project", "/nonexistent"], 2, "there is no infra.py"),
    ],
)
def test_wrong_usage_is_two(tmp_path: Path, arguments: list[str], status: int, says: str) -> None:
    done = nixgen_(*arguments, cwd=tmp_path)
    assert done.returncode == status
    assert says in done.stderr
    assert "Traceback" not in done.stderr


LATE = """
import os
from nixgen.cli.entry import main

class Late:
    def __del__(self, kill=os.kill, process=os.getpid()):
        kill(process, 2)

late = Late()
main()
"""


def test_ctrl_c_after_the_work_does_not_change_its_status(project: Path) -> None:
    """It comes while Python takes itself apart."""
    done = subprocess.run(
        [sys.executable, "-c", LATE, "list"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("machines.web")


def test_list(project: Path) -> None:
    assert nixgen_("list", cwd=project).stdout.split() == ["machines.web", "infra.py:2"]
    document = json.loads(nixgen_("list", "--json", cwd=project).stdout)
    assert document["schema"] == "nixgen/targets/1"
    assert document["targets"] == [{"attr": "machines.web", "where": "infra.py:2"}]


def test_problems_are_all_shown_with_their_lines(project: Path) -> None:
    (project / "infra.py").write_text(
        "from nixgen import Machine, Project\n"
        'a = Machine("A")\n'
        'b = Machine("b", memory=1)\n'
        'project = Project("p", machines=[a, b])\n'
    )
    done = nixgen_("list", cwd=project)
    assert done.returncode == 2
    for part in ("2 problems", "machines.A.name", "infra.py:2", "machines.b.memory", "infra.py:3"):
        assert part in done.stderr
    document = json.loads(nixgen_("list", "--json", cwd=project).stdout)
    assert [problem["where"] for problem in document["problems"]] == ["infra.py:2", "infra.py:3"]
    assert document["exit"] == 2


def test_debug_shows_the_traceback_and_what_is_always_told(tmp_path: Path) -> None:
    done = nixgen_("list", "--debug", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith(nixgen_("list", cwd=tmp_path).stderr)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--dry-run", "--push", "s3://x"], "--push would do nothing"),
        (["--dry-run", "--from", "s3://x"], "--from would do nothing"),
        (["--eval-memory", "much"], "--eval-memory is no amount of memory: 'much'"),
        (["--eval-workers", "0"], "--eval-workers"),
    ],
)
def test_what_makes_no_sense_is_refused(project: Path, arguments: list[str], says: str) -> None:
    done = nixgen_("build", *arguments, cwd=project)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_generate_then_check(project: Path) -> None:
    stale = nixgen_("generate", "--check", cwd=project)
    assert stale.returncode == 1
    assert "+++ b/generated/machines/web.nix" in stale.stdout
    assert not (project / "generated").exists()
    assert nixgen_("generate", cwd=project).returncode == 0
    fresh = nixgen_("generate", "--check", cwd=project)
    assert (fresh.returncode, fresh.stdout) == (0, "generated/ is up to date\n")
    (project / "infra.py").write_text(GOOD.replace('"web"', '"app"'))
    document = json.loads(nixgen_("generate", "--json", cwd=project).stdout)
    assert document["removed"] == ["machines/web.nix"]
    assert "machines/app.nix" in document["written"]


def test_a_file_of_the_users_is_not_overwritten(project: Path) -> None:
    own = project / "generated/machines/web.nix"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    done = nixgen_("generate", cwd=project)
    assert done.returncode == 2
    assert "machines/web.nix was not written by nixgen" in done.stderr
    assert own.read_text() == "mine"
    assert not (project / "generated/default.nix").exists()


def test_no_nix_says_how_to_get_it(project: Path) -> None:
    done = nixgen_("build", cwd=project, PATH="/nonexistent")
    assert done.returncode == 3
    assert "apt-get install nix-bin" in done.stderr


def test_no_colour_where_nobody_looks(project: Path) -> None:
    assert (
        "\x1b" not in nixgen_("list", cwd=project).stdout + nixgen_("nonsense", cwd=project).stderr
    )
