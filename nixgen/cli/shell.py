"""``nixgen shell``"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from nixgen.cli.options import (
    Builders,
    Debug,
    Jobs,
    Json,
    ProjectFolder,
    Verbose,
    examples,
    make_request,
    verb,
)
from nixgen.records.document import document

app = verb()


@app.command(
    "shell",
    context_settings={"allow_interspersed_args": False},
    epilog=examples("nixgen shell", "nixgen shell -- node --version"),
)
def shell(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="COMMAND",
            help="A command and its arguments; put -- before it when it has an option that nixgen has, too. Default: your own shell.",
            show_default=False,
        ),
    ] = None,
    project: ProjectFolder = Path(),
    print_path: Annotated[
        bool,
        typer.Option(
            "--print-path",
            help='Only print the folder of the programs, as for direnv: PATH_add "$(nixgen shell --print-path)".',
        ),
    ] = False,
    jobs: Jobs = None,
    builders: Builders = None,
    verbose: Verbose = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Start a shell, or a command, with the project's tools.

    The tools come first on PATH, together with the programs that nixgen itself runs, all from Debian packages. For the
    same from nixpkgs: nix develop ./generated
    """
    import shutil
    import sys

    from nixgen.cli import console
    from nixgen.cli.progress import build_progress
    from nixgen.programs.child import replace
    from nixgen.project.workspace import Workspace
    from nixgen.verbs import shell

    workspace = Workspace.open(project)
    with build_progress(quiet=json or print_path, verbose=verbose) as observe:
        tools = shell.build_tools(
            workspace,
            make_request(workspace, jobs=jobs, builders=builders, debug=debug),
            observe=observe,
        )
    variables = shell.environment(
        workspace.project.name,
        tools,
        program=Path(found).absolute() if (found := shutil.which(sys.argv[0])) else None,
        given=os.environ,
    )
    if json:
        console.print_json(
            document(
                "nixgen/shell/1",
                path=f"{tools}/bin",
                programs=sorted(each.name for each in (tools / "bin").iterdir()),
                variables=variables,
            )
        )
    elif print_path:
        console.say(f"{tools}/bin")
    elif words:
        replace(shell.command(words, variables))
    else:
        replace(shell.interactive(os.environ.get("SHELL"), variables, workspace.state / "shell"))
