"""``nixgen image build|run``"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nixgen.cli.options import (
    Base,
    Builders,
    Debug,
    Env,
    Json,
    OverrideInput,
    ProjectFolder,
    Targets,
    Verbose,
    examples,
    make_request,
    verb,
)
from nixgen.records.document import document

if TYPE_CHECKING:
    from nixgen.oci.write.report import ImageReport

app = verb(
    "Assemble OCI images and run them.",
    epilog=examples("nixgen image build", "nixgen image run images.api"),
)


@app.command(
    "build", epilog=examples("nixgen image build", "nixgen image build images.api --env staging")
)
def build(
    targets: Targets = None,
    project: ProjectFolder = Path(),
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Folder for the OCI layouts. Default: .nixgen/images.",
            show_default=False,
        ),
    ] = None,
    base: Base = "debian",
    env: Env = None,
    override_input: OverrideInput = None,
    builders: Builders = None,
    verbose: Verbose = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Build images into OCI layout directories, layered jointly over all images of the project."""
    from nixgen.cli import console
    from nixgen.cli.progress import build_progress, image_progress
    from nixgen.project.workspace import Workspace
    from nixgen.verbs import build, images
    from nixgen.verbs.select import select_images

    workspace = Workspace.open(project)
    wanted = {attr.removeprefix("images.") for attr in select_images(workspace, targets or ())}
    request = make_request(
        workspace,
        base=base,
        env=env,
        override_input=override_input,
        builders=builders,
        debug=debug,
    )
    with build_progress(quiet=json, verbose=verbose) as observe:
        # all images: layers are shared, and which are worth sharing must not depend on the targets given
        built = build.build(workspace, ("images",), request, observe=observe).require()
    with image_progress(quiet=json, verbose=verbose) as observe_images:
        reports = images.build_images(workspace, built, out=out, observe=observe_images)
    chosen = [report for report in reports if report.name in wanted]
    if json:
        console.print_json(
            document(
                "nixgen/images/1",
                images=list(map(_document, chosen)),
            )
        )
    else:
        console.print_images(chosen)


def _document(report: ImageReport) -> dict[str, Any]:
    return {
        "name": report.name,
        "ref": report.ref,
        "layout": str(report.layout),
        "digest": report.digest,
        "config": report.config_digest,
        "size": report.size,
        "changed": report.changed,
        "layers": [
            {
                "digest": layer.info.digest,
                "size": layer.info.size,
                "reused": layer.reused,
                "why": layer.why,
                "paths": list(layer.paths),
            }
            for layer in report.layers
        ],
    }


@app.command("run", epilog=examples("nixgen image run images.api"))
def run(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Such as images.api.")],
    project: ProjectFolder = Path(),
    base: Base = "debian",
    env: Env = None,
    override_input: OverrideInput = None,
    builders: Builders = None,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Build one image and run it in a container engine until interrupted.

    The container uses the network of this computer, and is removed at the end.
    """
    from nixgen.cli import console
    from nixgen.cli.progress import build_progress, image_progress
    from nixgen.project.workspace import Workspace
    from nixgen.verbs import build, images
    from nixgen.verbs.select import select_image

    workspace = Workspace.open(project)
    attr = select_image(workspace, target)
    request = make_request(
        workspace,
        base=base,
        env=env,
        override_input=override_input,
        builders=builders,
        debug=debug,
    )
    with build_progress(quiet=False, verbose=verbose) as observe:
        built = build.build(workspace, ("images",), request, observe=observe).require()
    with image_progress(quiet=False, verbose=verbose) as observe_images:
        reports = images.build_images(workspace, built, observe=observe_images)
    report = next(report for report in reports if f"images.{report.name}" == attr)
    with images.running(workspace, report) as container:
        console.note(
            f"{report.ref} runs in {container.engine}, on this computer's network; stop with Ctrl-C"
        )
        with contextlib.suppress(KeyboardInterrupt):
            while container.running():
                time.sleep(0.5)
            console.note(container.logs().rstrip())
            raise typer.Exit(container.wait())
