"""What a build or a dry run depended on, as a stamp: the next of the same can then be over before it starts."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from nixgen.driver.build.roots import Roots
from nixgen.driver.evaluate import nix_files, nix_variables
from nixgen.instant import stamp

if TYPE_CHECKING:
    from nixgen.driver.build.report import BuildReport
    from nixgen.verbs.evaluate import Evaluation

__all__ = ["leave_stamp"]


def leave_stamp(
    evaluation: Evaluation, verb: str, targets: tuple[str, ...], report: BuildReport
) -> None:
    """So that the next build or dry run of the same can be over before it starts."""
    workspace, tree = evaluation.workspace, evaluation.tree
    reached = [key.reached for key in evaluation.keys.values()]
    if workspace.reads.volatile or any(each.doubts for each in reached):
        return
    roots = Roots(workspace.state / "gcroots")
    outputs = [
        (result, name, path)
        for result in report.results
        for name, path in result.target.outputs.items()
    ]
    missing = {path for result, _, path in outputs if result.status == "would build"}
    programs = {
        found
        for name in ("nix-store", "nix-instantiate", "nix-eval-jobs")
        if (found := shutil.which(name))
    }
    stamp.save(
        str(workspace.root),
        stamp.request(
            verb,
            targets,
            base=tree.base,
            environment=tree.environment,
            overrides={name: str(path) for name, path in tree.inputs.items()},
        ),
        [
            (result.attr, "cached" if verb == stamp.BUILD else result.status, result.target.out)
            for result in report.results
        ],
        since=workspace.opened,
        paths=(workspace.dependencies() | {path for each in reached for path in each.paths})
        - workspace.products()
        | programs
        | set(nix_files(os.environ)),
        products=workspace.products(),
        variables=workspace.reads.variables
        | set(nix_variables(os.environ))
        | {"PATH", "NIXGEN_DEBIAN_MIRROR"}
        | {name for each in reached for name in each.variables},
        links={str(roots.link(result.attr, name)): path for result, name, path in outputs}
        if verb == stamp.BUILD
        else {},
        there={path for _, _, path in outputs} - missing
        | {f"{folder}/." for each in reached for folder in each.folders}
        | {result.target.drv for result in report.results if result.status == "would build"},
        absent=missing,
        trees={str(path): known for path, known in evaluation.trees.items()},
    )
