"""``nixgen image build|run``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nixgen.cli.options import Base, Debug, Json, ProjectFolder, Targets, verb

app = verb("Assemble OCI images and run them.")


@app.command("build")
def build(
    targets: Targets = None,
    project: ProjectFolder = Path(),
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Where the OCI layouts go; .nixgen/images by default.",
            show_default=False,
        ),
    ] = None,
    base: Base = "debian",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Build images into OCI layout directories, layered jointly over all images of the project."""
    from nixgen.cli import console
    from nixgen.pipeline import Workspace

    workspace = Workspace.open(project)
    with console.build_progress(quiet=json) as observe:
        outcome = workspace.build(
            workspace.select(targets or ("images",)), base=base, debug=debug, observe=observe
        )
    outcome.raise_failures()
    with console.image_progress(quiet=json) as observe_images:
        reports = workspace.build_images(outcome, out=out, observe=observe_images)
    if json:
        console.print_json(
            {"schema": "nixgen/images/1", "images": [report.document() for report in reports]}
        )
    else:
        console.print_images(reports)


@app.command("run")
def run(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Such as images.api.")],
    project: ProjectFolder = Path(),
    base: Base = "debian",
    debug: Debug = False,
) -> None:
    """Build one image and run it in a container engine, until interrupted. Host networking; nothing is left behind."""
    from nixgen.cli import console
    from nixgen.pipeline import Workspace

    workspace = Workspace.open(project)
    with console.build_progress(quiet=False) as observe:
        outcome = workspace.build(
            workspace.select((target,)), base=base, debug=debug, observe=observe
        )
    outcome.raise_failures()
    with console.image_progress(quiet=False) as observe_images:
        (report,) = workspace.build_images(outcome, out=None, observe=observe_images)
    workspace.run_image(report, announce=console.note)
