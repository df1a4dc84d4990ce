"""Completion: its table equals the command line, and real shells complete with it."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import nixgen.instant
from nixgen.cli.completion import table
from nixgen.instant import completion

TABLE = Path(nixgen.instant.__file__).with_name("words.json")
REPOSITORY = Path(nixgen.instant.__file__).parents[2]
INFRA = """\
from nixgen import Cache, Environment, Image, Machine, Project, Service
web = Service("web", command=["/bin/true"])
project = Project(
    "p",
    machines=[Machine("web"), Machine(name='gate')],
    images=[Image("api", service=web)],
    applications=[Application("shop", workloads=[])],
    environments=[Environment("staging")],
    caches=[Cache("main", "s3://bucket")],
    builders=[Builder("big-1", "10.0.0.1")],
)
"""
MANIFEST = {
    "files": {
        "machines/m1.nix": "",
        "kubernetes/blog.nix": "",
        "tests/smoke.nix": "",
        "environments/production/web.nix": "",
        "lib/machines/no.nix": "",
    }
}


def test_the_table_equals_the_command_line(request: pytest.FixtureRequest) -> None:
    rows = [f"{json.dumps(verb)}: {json.dumps(about)}" for verb, about in table().items()]
    real = "{\n" + ",\n".join(rows) + "\n}\n"
    if request.config.getoption("--regenerate"):
        TABLE.write_text(real)
    assert TABLE.read_text() == real, "run: pytest tests/unit/cli/test_completion.py --regenerate"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose infra.py would fail if it were executed."""
    (tmp_path / "infra.py").write_text(INFRA + "raise SystemExit('never run me'\n")
    (tmp_path / "generated").mkdir()
    (tmp_path / "generated/.nixgen.json").write_text(json.dumps(MANIFEST))
    (tmp_path / "generated/default.nix").write_text('{\n  packages = [\n    "hello"\n  ];\n}\n')
    (tmp_path / "flake-inputs.json").write_text('{"inputs": {"debian": {}, "nixpkgs": {}}}')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def words(*before: str, word: str = "") -> list[str]:
    return [found for found, _ in completion.complete(before, word)[0]]


MACHINES = ["machines.gate", "machines.m1", "machines.web"]


@pytest.mark.parametrize(
    ("before", "word", "expected"),
    [
        ([], "bu", ["build"]),
        (["help", "cache"], "ro", ["roots"]),
        (["cache"], "un", ["unpin"]),
        (["build"], "machines.", MACHINES),
        (["build"], "p", ["packages", "packages.hello"]),
        (["build", "machines.m1"], "machines.", ["machines.gate", "machines.web"]),
        (["build", "--dry-run"], "i", ["images", "images.api"]),
        (["image", "build"], "", ["images", "images.api"]),
        (["test", "run"], "", ["tests", "tests.smoke"]),
        (["k8s", "render"], "", ["blog", "shop"]),
        (["build", "--env"], "", ["production", "staging"]),
        (["build"], "--env=s", ["--env=staging"]),
        (["cache", "warm", "--env"], "", ["production", "staging", "none"]),
        (["cache", "push", "--to"], "", ["main"]),
        (["cache", "verify"], "", ["main"]),
        (["build", "--builders"], "", ["big-1", "all", "none"]),
        (["build"], "--dr", ["--dry-run"]),
        (["build", "--dry-run"], "--dr", []),
        (["build", "--override-input", "a=b"], "--over", ["--override-input"]),
        (["build", "--override-input"], "nix", ["nixpkgs="]),
        (["inputs", "update"], "", ["debian", "nixpkgs"]),
        (["build", "--base"], "", ["debian", "nixpkgs"]),
        (["build", "--jobs"], "", []),
        (["nonsense"], "machines", []),
        (["build", "--project", "/nonexistent"], "machines.", []),
    ],
)
def test_the_next_words_are_offered(
    project: Path, before: list[str], word: str, expected: list[str]
) -> None:
    assert words(*before, word=word) == expected


@pytest.mark.parametrize("option", [["--project", "{}"], ["--project={}"]])
def test_names_come_from_the_project_of_the_option_project(
    project: Path, monkeypatch: pytest.MonkeyPatch, option: list[str]
) -> None:
    monkeypatch.chdir("/")
    given = [word.format(project) for word in option]
    assert words("build", *given, word="machines.") == MACHINES


@pytest.mark.parametrize(
    ("before", "word", "rest"),
    [
        (["build", "--project"], "", "folders"),
        (["build"], "--project=", "folders"),
        (["cache", "push"], "/nix/st", "files"),
        (["fmt"], "", "files"),
        (["build", "--override-input"], "nixpkgs=", "folders"),
        (["build", "--override-input"], "nix", "nospace"),
    ],
)
def test_options_with_paths_ask_the_shell_for_them(
    project: Path, before: list[str], word: str, rest: str
) -> None:
    assert completion.complete(before, word)[1] == rest


def test_a_name_that_a_shell_would_run_is_not_offered(project: Path) -> None:
    evil = {"files": dict.fromkeys(("machines/$(reboot).nix", "machines/a b.nix", "tests/-x.nix"))}
    (project / "generated/.nixgen.json").write_text(json.dumps(evil))
    (project / "infra.py").write_text("Cache('`id`')\nMachine('a;b')\nMachine('\\n')\n")
    assert words("build", word="machines.") == []
    assert words("test", "run") == ["tests"]
    assert words("cache", "verify") == []


@pytest.mark.parametrize("text", ["", "[]", "{", '{"files": 7}', "\xff\x00"])
def test_broken_files_offer_fewer_words_and_no_error(
    project: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    for file in (
        "infra.py",
        "generated/.nixgen.json",
        "generated/default.nix",
        "flake-inputs.json",
    ):
        (project / file).write_bytes(text.encode("latin-1"))
    for before in (["build"], ["k8s", "render"], ["inputs", "update"], ["build", "--env"]):
        completion.answer("zsh", [*before, ""])
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "breaks", "printed"),
    [
        (" build --env=st", "=:", "staging\n"),
        (" build --env=st", "", "--env=staging\n"),
        (" build 'machines.w", "=:", "machines.web\n"),
        (" k8s render ", "=:", "blog\nshop\n"),
    ],
)
def test_bash_gets_the_part_of_the_word_that_it_replaces(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    breaks: str,
    printed: str,
) -> None:
    monkeypatch.setenv("_NIXGEN_LINE", line)
    monkeypatch.setenv("_NIXGEN_BREAKS", breaks)
    completion.answer("bash", [])
    assert capsys.readouterr().out == printed


def test_a_tab_loads_nothing_but_the_standard_library(project: Path) -> None:
    code = (
        "import sys; from nixgen.cli import entry\n"
        "try: entry.main()\n"
        "except SystemExit: pass\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}\n"
        "    - set(sys.stdlib_module_names) - {'__main__', '__mp_main__'}\n"
        "    - {n for n in sys.modules if n.startswith(('_', 'sitecustomize'))}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "build", ""],
        env={"_NIXGEN_COMPLETE": "fish", "PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "machines.web" in done.stdout
    assert done.stderr == "['nixgen']\n"


# real shells

START = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
SETUP = {
    "bash": "PS1='rea''dy> '; eval \"$(nixgen completion bash)\"",
    "zsh": "PROMPT='rea''dy> '; eval \"$(nixgen completion zsh)\"",
    "fish": "nixgen completion fish | source; function fish_prompt; echo -n 'rea''dy> '; end",
}


class Terminal:
    """A shell on a pseudo-terminal."""

    def __init__(self, shell: str, folder: Path, environment: dict[str, str]) -> None:
        self._own, other = pty.openpty()
        self._child = subprocess.Popen(
            ["setsid", "--ctty", *START[shell]],  # fish wants a terminal of its own
            stdin=other,
            stdout=other,
            stderr=other,
            cwd=folder,
            env=environment,
        )
        os.close(other)

    def press(self, keys: str) -> None:
        os.write(self._own, keys.encode())

    def read_until(self, done: Callable[[str], bool]) -> str:
        """Read what is drawn until it is enough; a shell that never draws it fails the test."""
        drawn = ""
        deadline = time.monotonic() + 120
        while not done(drawn):
            assert time.monotonic() < deadline, f"the shell drew only {drawn!r}"
            if select.select([self._own], [], [], 0.1)[0]:
                try:
                    drawn += os.read(self._own, 4096).decode(errors="replace")
                except OSError:
                    pytest.fail(f"the shell ended and drew {drawn!r}")
        return drawn

    def close(self) -> None:
        os.close(self._own)
        self._child.kill()
        self._child.wait()


@pytest.fixture(params=sorted(START))
def typed(request: pytest.FixtureRequest, project: Path) -> Iterator[Callable[[str], list[str]]]:
    """Type keys in a real shell; what is returned are the arguments that nixgen was run with."""
    shell: str = request.param
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    programs, home, log = project / "bin", project / "home", project / "log"
    programs.mkdir()
    home.mkdir()
    program = programs / "nixgen"
    program.write_text(
        "#!/bin/sh\n"
        f'if [ -n "$_NIXGEN_COMPLETE" ] || [ "$1" = completion ]; then\n'
        f"  exec {sys.executable} -c 'from nixgen.cli.entry import main; main()' \"$@\"\n"
        "fi\n"
        f"printf '%s\\n' \"$@\" > {log}.new && mv {log}.new {log}\n"
    )
    program.chmod(0o755)
    environment = {
        "PATH": f"{programs}:/usr/bin:/bin",
        "HOME": str(home),
        "TERM": "dumb" if shell == "bash" else "xterm",
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    terminal = Terminal(shell, project, environment)
    try:
        terminal.press(f"{SETUP[shell]}\r")
        terminal.read_until(lambda drawn: "ready> " in drawn)

        def run(keys: str) -> list[str]:
            log.unlink(missing_ok=True)
            terminal.press(f"{keys}\r")
            drawn = terminal.read_until(lambda _: log.exists())
            for word in ("Traceback", "rror:", "Usage:"):
                assert word not in drawn
            return log.read_text().splitlines()

        yield run
    finally:
        terminal.close()


def test_a_real_shell_completes(typed: Callable[[str], list[str]], project: Path) -> None:
    assert typed("nixgen bui\t") == ["build"]
    assert typed("nixgen cache prov\t") == ["cache", "provision"]
    assert typed("nixgen build machines.w\t --dry-r\t") == ["build", "machines.web", "--dry-run"]
    assert typed("nixgen build --env st\t") == ["build", "--env", "staging"]
    assert typed("nixgen build --env=st\t") == ["build", "--env=staging"]
    assert typed("nixgen cache push --to ma\t") == ["cache", "push", "--to", "main"]
    assert typed("nixgen k8s render sh\t") == ["k8s", "render", "shop"]
    assert typed("nixgen help inp\t upd\t") == ["help", "inputs", "update"]
    (project / "folder-of-mine").mkdir()
    # zsh takes a slash back that it has put there itself
    for verb in ("list --project ", "fmt "):
        name = typed(f"nixgen {verb}folder\t")[-1]
        assert name.removesuffix("/") == "folder-of-mine"


@pytest.mark.parametrize(
    ("words", "file", "line"),
    [
        (["completion", "bash", "--install"], ".bashrc", 'eval "$(nixgen completion bash)"'),
        (["completion", "zsh", "--install"], ".zshrc", 'eval "$(nixgen completion zsh)"'),
        (
            ["--install-completion", "fish"],
            ".config/fish/config.fish",
            "nixgen completion fish | source",
        ),
    ],
)
def test_installing_adds_one_line_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command_line: Callable[..., Any],
    words: list[str],
    file: str,
    line: str,
) -> None:
    start = tmp_path / file
    start.parent.mkdir(parents=True, exist_ok=True)
    start.write_text("# mine")
    run = command_line(folder=tmp_path, environment={"HOME": str(tmp_path)})
    for _ in range(2):
        assert run(*words).returncode == 0
        assert start.read_text() == f"# mine\n{line}\n"


def test_the_default_is_the_user_s_shell_and_an_unknown_one_is_refused(
    tmp_path: Path, command_line: Callable[..., Any]
) -> None:
    done = command_line(folder=tmp_path, environment={"SHELL": "/usr/bin/fish"})(
        "--show-completion"
    )
    assert done.stdout.startswith("# Completion of nixgen for fish.")
    done = command_line(folder=tmp_path)("completion", "tcsh", expect=2)
    assert "hint: name one of bash, zsh, fish" in done.stderr
