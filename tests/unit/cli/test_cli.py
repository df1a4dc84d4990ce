"""The command line: exit statuses, one JSON document, and help that is true."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

import nixgen.cli
from nixgen.cli.app import VERBS, app

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
            "PYTHONPATH": str(HELP.parents[2]),  # the checkout under test, whichever is installed
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


def test_help_txt_equals_the_help_of_typer(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    # through the callback's own option, which entry.py does not shortcut
    real = nixgen_("--help", "--help", cwd=tmp_path).stdout
    if request.config.getoption("--regenerate"):
        HELP.write_text(real)
    assert HELP.read_text() == real, "run: pytest tests/unit/cli/test_cli.py --regenerate"
    assert all(f"  {verb} " in real for verb in VERBS)
    assert nixgen_("--help", cwd=tmp_path).stdout == real
    assert nixgen_(cwd=tmp_path).stdout == real


def test_version_is_printed(tmp_path: Path) -> None:
    done = nixgen_("--version", cwd=tmp_path)
    assert done.stdout == f"nixgen {nixgen.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nonsense"], 2, "No such command"),
        (["list", "--nonsense"], 2, "No such option"),
        (["list", "--project", "/nonexistent"], 2, "there is no infra.py"),
    ],
)
def test_exit_status_is_2_for_wrong_usage(
    tmp_path: Path, arguments: list[str], status: int, message: str
) -> None:
    done = nixgen_(*arguments, cwd=tmp_path)
    assert done.returncode == status
    assert message in done.stderr
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


def test_list_names_targets_with_their_lines(project: Path) -> None:
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


def test_debug_prints_the_traceback_above_the_usual_message(tmp_path: Path) -> None:
    done = nixgen_("list", "--debug", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith(nixgen_("list", cwd=tmp_path).stderr)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dry-run", "--push", "s3://x"], "--push would do nothing"),
        (["--dry-run", "--from", "s3://x"], "--from would do nothing"),
        (["--eval-memory", "much"], "--eval-memory is no amount of memory: 'much'"),
        (["--eval-workers", "0"], "--eval-workers"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    project: Path, arguments: list[str], message: str
) -> None:
    done = nixgen_("build", *arguments, cwd=project)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_generated_files_pass_the_check(project: Path) -> None:
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


def test_a_file_of_the_user_is_not_overwritten(project: Path) -> None:
    own = project / "generated/machines/web.nix"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    done = nixgen_("generate", cwd=project)
    assert done.returncode == 2
    assert "machines/web.nix was not written by nixgen" in done.stderr
    assert own.read_text() == "mine"
    assert not (project / "generated/default.nix").exists()


def test_a_missing_nix_is_reported_with_the_command_that_installs_it(project: Path) -> None:
    done = nixgen_("build", cwd=project, PATH="/nonexistent")
    assert done.returncode == 3
    assert "apt-get install nix-bin" in done.stderr


def test_no_colour_without_a_terminal(project: Path) -> None:
    assert (
        "\x1b" not in nixgen_("list", cwd=project).stdout + nixgen_("nonsense", cwd=project).stderr
    )


def verbs_and_commands() -> list[tuple[tuple[str, ...], Any]]:
    """Every verb and sub-verb with its command of click."""
    found: list[tuple[tuple[str, ...], Any]] = []

    def visit(path: tuple[str, ...], command: Any) -> None:
        found.append((path, command))
        if hasattr(command, "list_commands"):
            for name in command.list_commands(None):
                visit((*path, name), command.get_command(None, name))

    visit((), typer.main.get_command(app))
    return found


COMMANDS = verbs_and_commands()


@pytest.mark.parametrize(
    ("path", "command"), COMMANDS, ids=[" ".join(path) for path, _ in COMMANDS]
)
def test_every_help_ends_with_examples_whose_words_exist(
    path: tuple[str, ...], command: Any
) -> None:
    head, _, lines = (command.epilog or "").partition("Examples:\n")
    assert head == "\b\n", f"nixgen {' '.join(path)} has no example in its help"
    known = dict(COMMANDS)
    own = 0
    for line in lines.splitlines():
        words = shlex.split(line.partition(" | ")[0])
        words = words[words.index("nixgen") + 1 :]
        if words[0] == "help":
            assert tuple(words[1:]) in known
            continue
        verb = next(tuple(words[:n]) for n in (2, 1) if tuple(words[:n]) in known)
        own += verb[: len(path)] == path
        typed = words[: words.index("--")] if "--" in words else words
        options = {each for parameter in known[verb].params for each in parameter.opts}
        assert {word for word in typed if word.startswith("-")} <= options, line
        needed = [each for each in known[verb].params if each.required]
        assert len(typed) - len(verb) >= len(needed), line
    assert own, f"none of the examples of nixgen {' '.join(path)} shows it"


@pytest.mark.parametrize("words", [["build"], ["cache"], ["cache", "push"], ["inputs", "show"]])
def test_help_before_a_verb_and_h_behind_it_print_its_help(
    tmp_path: Path, words: list[str]
) -> None:
    long = nixgen_(*words, "--help", cwd=tmp_path)
    assert long.stdout.startswith(f"Usage: nixgen {' '.join(words)} [OPTIONS]")
    for form in (["help", *words], [*words, "-h"]):
        done = nixgen_(*form, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, long.stdout)


def test_help_of_an_unknown_verb_is_wrong_usage(tmp_path: Path) -> None:
    done = nixgen_("help", "biuld", cwd=tmp_path)
    assert done.returncode == 2
    assert "hint: did you mean: nixgen build" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["list", "--nonsense"], "No such option: --nonsense"),
        (["build", "--jobs", "many"], "Invalid value for '-j' / '--jobs'"),
        (["cache", "pin"], "Missing argument 'NAME'"),
    ],
)
def test_a_usage_error_with_json_prints_a_document(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = nixgen_(*arguments, "--json", cwd=tmp_path)
    document = json.loads(done.stdout)
    assert (done.returncode, document["exit"]) == (2, 2)
    assert (document["schema"], document["kind"]) == ("nixgen/error/1", "UsageError")
    assert document["message"].startswith(message)
    assert f"error: {message}" in done.stderr
    assert "--help` says what can be given" in document["hint"]


PRINTS = """\
import os, subprocess, sys
print("printed")
sys.stdout.flush()
os.system("echo from a shell")
subprocess.run(["echo", "from a child"])
os.write(1, b"to the descriptor\\n")
"""


def test_output_of_infra_py_goes_to_standard_error(project: Path) -> None:
    (project / "infra.py").write_text(PRINTS + GOOD)
    done = nixgen_("list", "--json", cwd=project)
    assert json.loads(done.stdout)["schema"] == "nixgen/targets/1"
    assert done.stderr.splitlines() == [
        "printed",
        "from a shell",
        "from a child",
        "to the descriptor",
    ]


def test_results_come_after_an_infra_py_that_failed_once(project: Path) -> None:
    """Standard output is put right again when infra.py raises."""
    (project / "infra.py").write_text(PRINTS + "1/0\n")
    document = json.loads(nixgen_("list", "--json", cwd=project).stdout)
    assert document["kind"] == "ProjectLoadError"


def shell(line: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which ``nixgen`` is the command under test."""
    code = "from nixgen.cli.entry import main; main()"
    return subprocess.run(
        ["bash", "-c", f"nixgen() {{ {shlex.quote(sys.executable)} -c '{code}' \"$@\"; }}\n{line}"],
        cwd=cwd,
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(HELP.parents[2]),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("words", ["--help", "--version", "list", "list --json", "help build"])
@pytest.mark.parametrize(
    ("to", "status", "message"),
    [
        (">/dev/full", 3, "error: cannot write to standard output: No space left on device\n"),
        ("| true; exit ${PIPESTATUS[0]}", None, ""),
        (">&-", 0, ""),
        ("2>&-", 0, ""),
    ],
)
@pytest.mark.parametrize("environment", [{}, {"PYTHONUNBUFFERED": "1"}])
def test_a_closed_or_full_stdout_is_no_traceback(
    project: Path,
    words: str,
    to: str,
    status: int | None,
    message: str,
    environment: dict[str, str],
) -> None:
    done = shell(f"nixgen {words} {to}", cwd=project, **environment)
    assert done.stderr == message
    # a reader that left may have left before or after the output was written
    assert done.returncode == status or (status is None and done.returncode in {0, 1})


def test_a_reader_that_leaves_early_makes_exit_status_1(project: Path) -> None:
    (project / "infra.py").write_text(
        "from nixgen import Machine, Project\n"
        'project = Project("p", machines=[Machine(f"m{n}") for n in range(6000)])\n'
    )
    done = shell("nixgen list | head -1; exit ${PIPESTATUS[0]}", cwd=project)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.split() == ["machines.m0", "infra.py:2"]


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_a_terminal_without_utf_8_is_no_traceback(
    project: Path, environment: dict[str, str]
) -> None:
    (project / "infra.py").write_text("raise ValueError('größer → kleiner')\n")
    done = nixgen_("list", cwd=project, **environment)
    assert done.returncode == 2
    assert "ValueError: gr\\xf6\\xdfer \\u2192 kleiner" in done.stderr
    assert "Traceback" not in done.stderr
    (project / "infra.py").write_text(GOOD)
    (project / "ä.nix").write_text("{ }\n")
    done = nixgen_("fmt", "ü.nix", cwd=project, **environment)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)


def test_faults_become_annotations_in_a_job_of_github(project: Path) -> None:
    inner = project / "a,b:c"
    inner.mkdir()
    (inner / "infra.py").write_text(
        "from nixgen import Machine, Project\n"
        'project = Project("p", machines=[\n'
        '    Machine("50%\\nB"),\n'
        "])\n"
    )
    ci = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(project)}
    done = nixgen_("list", "--project", "a,b:c", cwd=project, **ci)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("::")]
    assert line.startswith("::error file=a%2Cb%3Ac/infra.py,line=3::")
    assert "%25" in line
    outside = nixgen_("list", "--project", "a,b:c", cwd=project).stderr
    assert "::error" not in outside


@pytest.mark.parametrize("verb", [["image", "build"], ["image", "run", "images.web"]])
def test_images_can_be_those_of_an_environment(project: Path, verb: list[str]) -> None:
    (project / "infra.py").write_text(
        "from nixgen import Environment, Image, Project, Service\n"
        'web = Service("web", command=["/bin/true"])\n'
        'project = Project("p", images=[Image("web", service=web)],\n'
        '    environments=[Environment("staging")])\n'
    )
    done = nixgen_(*verb, "--env", "nope", cwd=project)
    assert done.returncode == 2
    assert "the project has no environment 'nope'" in done.stderr
    assert "hint: it has staging" in done.stderr
