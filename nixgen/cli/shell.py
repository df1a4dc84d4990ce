"""The words and the output of ``nixgen shell``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from nixgen.cli import options

app = options.verb()


@app.command(
    "shell",
    context_settings={"allow_interspersed_args": False},
    epilog=options.examples("nixgen shell", "nixgen shell -- node --version"),
)
def shell(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="COMMAND",
            help="A command and its arguments; put -- before it when it has an option that nixgen has, too. Default: your own shell.",
        ),
    ] = None,
    project: options.ProjectFolder = Path(),
    print_path: Annotated[
        bool,
        typer.Option(
            "--print-path",
            help='Only print the folder of the programs, as for direnv: PATH_add "$(nixgen shell --print-path)".',
        ),
    ] = False,
    jobs: options.Jobs = None,
    builders: options.Builders = None,
    verbose: options.Verbose = False,
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Start a shell, or a command, with the project's tools.

    The tools come first on PATH, together with the programs that nixgen itself runs, all from
    Debian packages. For the same from nixpkgs: nix develop ./generated
    """
    import shutil
    import sys

    from nixgen.cli import console
    from nixgen.cli.progress import build_progress
    from nixgen.programs.child import replace
    from nixgen.project.workspace import Workspace
    from nixgen.verbs import shell

    workspace = Workspace.open(project)
    request = options.make_request(workspace, jobs=jobs, builders=builders, debug=debug)
    with build_progress(quiet=json or print_path, verbose=verbose) as observe:
        tools = shell.build_tools(workspace, request, observe=observe)
    variables = shell.environment(
        workspace.project.name,
        tools,
        program=Path(found).absolute() if (found := shutil.which(sys.argv[0])) else None,
        given=os.environ,
    )
    if json:
        console.print_document(
            "nixgen/shell/1",
            path=f"{tools}/bin",
            programs=sorted(each.name for each in (tools / "bin").iterdir()),
            variables=variables,
        )
    elif print_path:
        console.say(f"{tools}/bin")
    elif words:
        replace(shell.command(words, variables))
    else:
        replace(shell.interactive(os.environ.get("SHELL"), variables, workspace.state / "shell"))
