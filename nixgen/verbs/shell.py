"""``nixgen shell``: a command or a shell with the tools of a project first on PATH."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from nixgen.errors import UsageError
from nixgen.files.write import write_atomically
from nixgen.programs.command import Command
from nixgen.programs.observer import Observer, ignore
from nixgen.project.workspace import SHELL, Workspace
from nixgen.verbs.build import build
from nixgen.verbs.request import DEFAULT, Request

__all__ = ["NAME", "build_tools", "command", "environment", "interactive"]

#: The environment variable with the name of the project, for prompts.
NAME = "NIXGEN_SHELL"


def build_tools(
    workspace: Workspace, request: Request = DEFAULT, *, observe: Observer = ignore
) -> Path:
    """Build the tools of the project, and the programs that nixgen runs, from Debian packages.

    :param workspace: the project; its roots keep the tools as long as it exists.
    :param request: how to build.
    :param observe: gets the events.
    :return: a folder with ``bin/``.
    :raises InputError, WorkError, OutsideError: as `nixgen.verbs.build.build`.
    """
    built = build(
        workspace,
        (SHELL,),
        request,
        gcroots=workspace.state / "shell" / "gcroots",
        observe=observe,
    ).require()
    return Path(built.targets[0].out)


def environment(
    project: str, tools: Path, *, program: Path | None, given: Mapping[str, str]
) -> dict[str, str]:
    """The environment variables that the shell sets.

    :param project: the name of the project.
    :param tools: the folder with ``bin/``.
    :param program: the nixgen that runs; its folder comes last on PATH when PATH has no nixgen.
    :param given: the environment that nixgen was started with.
    """
    own = f"{tools}/bin"
    path = [part for part in given.get("PATH", os.defpath).split(os.pathsep) if part != own]
    if program is not None and shutil.which("nixgen", path=os.pathsep.join(path)) is None:
        path.append(str(program.parent))
    return {NAME: project, "PATH": os.pathsep.join([own, *path])}


def command(words: Sequence[str], variables: Mapping[str, str]) -> Command:
    """The command that the user typed.

    :param words: the program and its arguments.
    :param variables: the variables of the shell, see `environment`.
    :raises UsageError: there is no such program.
    """
    if shutil.which(words[0], path=variables["PATH"]) is None:
        raise UsageError(
            f"there is no program {words[0]!r} in the shell of {variables[NAME]}",
            hint="add a package that has it: Project(tools=[Package(…)])",
        )
    return Command(argv=tuple(words), env=variables)


def interactive(shell: str | None, variables: Mapping[str, str], state: Path) -> Command:
    """The user's own shell. The prompt of bash also names the project.

    :param shell: the path or name of the user's shell, as in SHELL.
    :param variables: the variables of the shell, see `environment`.
    :param state: a folder for bash's start-up file.
    """
    name = os.path.basename(shell or "bash")  # noqa: PTH119 - a name, not a file
    if name != "bash":
        return Command(argv=(shell or "sh",), env=variables)
    # The user's own file may change PATH and the prompt, so both are set after it.
    lines = [
        "[ ! -r ~/.bashrc ] || . ~/.bashrc",
        f"PATH={shlex.quote(variables['PATH'].partition(os.pathsep)[0])}:$PATH",
        f"PS1={shlex.quote(f'({variables[NAME]}) ')}$PS1",
    ]
    file = state / "bashrc"
    write_atomically(file, "".join(f"{line}\n" for line in lines).encode())
    return Command(argv=(shell or "bash", "--rcfile", str(file), "-i"), env=variables)
