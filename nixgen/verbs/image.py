"""``nixgen image``: OCI layouts and containers of built images."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from nixgen.programs.observer import Observer, ignore
from nixgen.programs.runner import SubprocessRunner

if TYPE_CHECKING:
    from nixgen.oci.ship.engine import RunningContainer
    from nixgen.oci.write.report import ImageReport
    from nixgen.project.workspace import Workspace
    from nixgen.verbs.build import Built

__all__ = ["build_images", "running"]


def build_images(
    workspace: Workspace, built: Built, *, out: Path | None = None, observe: Observer = ignore
) -> tuple[ImageReport, ...]:
    """Write the OCI layouts of the images in a build, layered jointly.

    :param workspace: the project; it keeps the layers for later builds.
    :param built: the outcome of building images; targets of other kinds are left out.
    :param out: folder of the layouts. None: ``.nixgen/images``.
    :param observe: gets the events of `nixgen.oci.events`.
    :raises StoreError: a store path is gone, or the disk is full.
    """
    from nixgen.oci.plan.spec import read_spec
    from nixgen.oci.write.build import write_images

    specs = [
        read_spec(Path(target.out)) for target in built.targets if target.attr.startswith("images.")
    ]
    return write_images(
        specs, out or workspace.state / "images", workspace.state / "layers", observe
    )


def running(
    workspace: Workspace, report: ImageReport
) -> contextlib.AbstractContextManager[RunningContainer]:
    """Run a built image in the first engine that works, and remove the container after the block.

    :param workspace: the project.
    :param report: the image.
    :raises EngineError: no engine works, or it refuses the image.
    """
    from nixgen.oci.ship import engine as engines

    runner = SubprocessRunner()
    engine = engines.find_engine(runner, workspace.state / "containers")
    image = engines.load(report.layout, engine, runner)
    return engines.run(image, engine, runner)
