"""The words and the output of ``nixgen image build|run``."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nixgen.cli import options

if TYPE_CHECKING:
    from nixgen.oci.write.report import ImageReport
    from nixgen.project.workspace import Workspace
    from nixgen.verbs.request import Request

app = options.verb(
    "Assemble OCI images and run them.",
    epilog=options.examples("nixgen image build", "nixgen image run images.api"),
)


@app.command(
    "build",
    epilog=options.examples("nixgen image build", "nixgen image build images.api --env staging"),
)
def build(
    targets: options.Targets = None,
    project: options.ProjectFolder = Path(),
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Folder for the OCI layouts. Default: .nixgen/images."
        ),
    ] = None,
    base: options.Base = "debian",
    env: options.Env = None,
    override_input: options.OverrideInput = None,
    builders: options.Builders = None,
    verbose: options.Verbose = False,
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Build images into OCI layout directories, layered jointly over all images of the project."""
    from nixgen.cli import console
    from nixgen.project.workspace import Workspace
    from nixgen.verbs.select import select_images

    workspace = Workspace.open(project)
    wanted = {attr.removeprefix("images.") for attr in select_images(workspace, targets or ())}
    request = options.make_request(
        workspace,
        base=base,
        env=env,
        override_input=override_input,
        builders=builders,
        debug=debug,
    )
    reports = _build(workspace, request, out=out, quiet=json, verbose=verbose)
    chosen = [report for report in reports if report.name in wanted]
    if json:
        console.print_document("nixgen/images/1", images=list(map(_document, chosen)))
    else:
        console.print_images(chosen)


def _build(
    workspace: Workspace, request: Request, *, out: Path | None = None, quiet: bool, verbose: bool
) -> tuple[ImageReport, ...]:
    """Build all images. They share layers, and the layers must not depend on the targets given."""
    from nixgen.cli.progress import build_progress, tracked
    from nixgen.cli.tracking import ImageTracker
    from nixgen.verbs import build
    from nixgen.verbs.image import build_images

    with build_progress(quiet=quiet, verbose=verbose) as observe:
        built = build.build(workspace, ("images",), request, observe=observe).require()
    with tracked(ImageTracker(), quiet=quiet, verbose=verbose) as observe_images:
        return build_images(workspace, built, out=out, observe=observe_images)


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
                "why": layer.plan.why,
                "paths": [entry.path for entry in layer.plan.paths],
            }
            for layer in report.layers
        ],
    }


@app.command("run", epilog=options.examples("nixgen image run images.api"))
def run(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Such as images.api.")],
    project: options.ProjectFolder = Path(),
    base: options.Base = "debian",
    env: options.Env = None,
    override_input: options.OverrideInput = None,
    builders: options.Builders = None,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Build one image and run it in a container engine until interrupted.

    The container uses the network of this computer, and is removed at the end.
    """
    from nixgen.cli import console
    from nixgen.project.workspace import Workspace
    from nixgen.verbs.image import running
    from nixgen.verbs.select import select_image

    workspace = Workspace.open(project)
    attr = select_image(workspace, target)
    request = options.make_request(
        workspace,
        base=base,
        env=env,
        override_input=override_input,
        builders=builders,
        debug=debug,
    )
    reports = _build(workspace, request, quiet=False, verbose=verbose)
    report = next(report for report in reports if f"images.{report.name}" == attr)
    with running(workspace, report) as container:
        console.note(
            f"{report.ref} runs in {container.engine}, on this computer's network; stop with Ctrl-C"
        )
        with contextlib.suppress(KeyboardInterrupt):
            while container.running():
                time.sleep(0.5)
            console.note(container.logs().rstrip())
            raise typer.Exit(container.wait())
