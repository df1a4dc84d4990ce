"""The command that ``nixgen shell`` starts, as a value."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from nixgen.errors import UsageError
from nixgen.verbs import shell as shells


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    program = tmp_path / "tools/bin/greet"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o755)
    return tmp_path / "tools"


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o755)
    return path


def test_tools_come_first_and_the_running_nixgen_stays(tools: Path, tmp_path: Path) -> None:
    program = executable(tmp_path / "venv/bin/nixgen")

    def path(given: str) -> list[str]:
        found = shells.environment("shop", tools, program=program, given={"PATH": given})
        assert found[shells.NAME] == "shop"
        return found["PATH"].split(":")

    own = f"{tools}/bin"
    assert path("/usr/bin:/bin") == [own, "/usr/bin", "/bin", str(program.parent)]
    # a shell in a shell
    assert path(f"{own}:/bin") == [own, "/bin", str(program.parent)]
    other = executable(tmp_path / "other/nixgen").parent
    assert path(f"{other}:/bin") == [own, str(other), "/bin"]


def test_without_a_path_the_default_of_the_system_is_used(tools: Path) -> None:
    found = shells.environment("shop", tools, program=None, given={})
    assert found["PATH"] == f"{tools}/bin:{os.defpath}"


def test_a_command_must_exist_on_the_path_of_the_shell(tools: Path) -> None:
    variables = {shells.NAME: "shop", "PATH": f"{tools}/bin"}
    found = shells.command(["greet", "--json", "a b"], variables)
    assert found.argv == ("greet", "--json", "a b")
    assert found.env == variables
    with pytest.raises(UsageError, match=r"no program 'sh' in the shell of shop") as caught:
        shells.command(["sh"], variables)
    assert "Project(tools=[Package(…)])" in (caught.value.hint or "")


def test_the_prompt_of_bash_names_the_project_after_the_user_s_own_file(
    tools: Path, tmp_path: Path
) -> None:
    (tmp_path / ".bashrc").write_text("PATH=/usr/bin:/bin\nPS1='mine> '\nalias x=y\n")
    variables = {shells.NAME: "it's", "PATH": f"{tools}/bin:/usr/bin:/bin"}
    found = shells.interactive("/bin/bash", variables, tmp_path / "state")
    assert found.argv[0] == "/bin/bash"
    done = subprocess.run(
        found.argv,
        env={**found.env, "HOME": str(tmp_path)},
        input='greet; echo "$PS1|"; type -t x; exit 5\n',
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 5
    assert done.stdout.splitlines() == ["hello", "(it's) mine> |", "alias"]


@pytest.mark.parametrize(
    ("shell", "program"), [("/usr/bin/fish", "/usr/bin/fish"), (None, "bash"), ("", "bash")]
)
def test_any_other_shell_is_started_as_it_is(
    tmp_path: Path, shell: str | None, program: str
) -> None:
    found = shells.interactive(shell, {shells.NAME: "shop", "PATH": "/bin"}, tmp_path)
    assert found.argv[0] == program
    assert (len(found.argv) == 1) == (program != "bash")
