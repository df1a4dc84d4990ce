"""The stamp of a build or dry run: everything that its result depended on.

`nixgen.instant.stamp` compares the stamp with the computer as it is, and returns the same result
at once if nothing changed.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from nixgen.driver.build.roots import Roots
from nixgen.driver.evaluate import nix_files, nix_variables
from nixgen.instant import stamp
from nixgen.project.dependencies import build_dependencies, products

if TYPE_CHECKING:
    from nixgen.driver.build.report import BuildReport
    from nixgen.verbs.evaluate import Evaluation

__all__ = ["leave_stamp"]

#: A program that appears, goes away or changes may make another result of the same files.
_PROGRAMS = ("nix-store", "nix-instantiate", "nix-eval-jobs")


def leave_stamp(
    evaluation: Evaluation, verb: str, targets: tuple[str, ...], report: BuildReport
) -> None:
    """Record everything this run depended on, so that an equal later run returns at once.

    Nothing is recorded if something may change without a trace, such as the time that infra.py or
    a Nix file asks for.

    :param evaluation: the evaluation, which has run.
    :param verb: `stamp.BUILD` or `stamp.DRY_RUN`.
    :param targets: as typed.
    :param report: the result; of a build, one without failures.
    """
    dependencies = [key.dependencies for key in evaluation.keys.values()]
    if evaluation.workspace.reads.volatile or any(each.doubts for each in dependencies):
        return
    tree = evaluation.tree
    present, missing = _store_paths(report)
    stamp.save(
        str(evaluation.workspace.root),
        stamp.request(
            verb,
            targets,
            base=tree.base,
            environment=tree.environment,
            overrides={name: str(path) for name, path in tree.inputs.items()},
        ),
        _results(verb, report),
        since=evaluation.workspace.opened,
        paths=_files(evaluation),
        products=products(evaluation.workspace),
        variables=_variables(evaluation),
        links=_links(evaluation.workspace.state, report) if verb == stamp.BUILD else {},
        # Nothing but the existence of these folders counts. With /. at its end, the path of a file
        # that took the place of a folder does not exist.
        there=present | {f"{folder}/." for each in dependencies for folder in each.folders},
        absent=missing,
        trees={str(path): known for path, known in evaluation.trees.items()},
    )


def _store_paths(report: BuildReport) -> tuple[set[str], set[str]]:
    """The paths in the store that a result was found with: those that are there, and the missing.

    There are outputs, and derivations of the other targets, because a dry run that evaluates anew
    would have to make them again. The missing are outputs of targets that would be built. Once one
    of them is there, a dry run has another result.
    """
    pending = [each.target for each in report.results if each.status == "would build"]
    missing = {path for target in pending for path in target.outputs.values()}
    outputs = {path for each in report.results for path in each.target.outputs.values()}
    # Two targets can share an output; one of them may be pending for the sake of another output.
    return outputs - missing | {target.drv for target in pending}, missing


def _results(verb: str, report: BuildReport) -> list[stamp.Result]:
    """The results that an equal later run returns. Whatever a build built is cached by then."""
    return [
        (each.attr, "cached" if verb == stamp.BUILD else each.status, each.target.out)
        for each in report.results
    ]


def _links(state: Path, report: BuildReport) -> dict[str, str]:
    """The roots that the build made: while they are there, collection keeps what they lead to."""
    roots = Roots(state / "gcroots")
    return {
        str(roots.link(each.attr, name)): path
        for each in report.results
        for name, path in each.target.outputs.items()
    }


def _files(evaluation: Evaluation) -> set[str]:
    """Every file and folder that infra.py, nixgen or Nix read, whether it exists or not."""
    return {
        *build_dependencies(evaluation.workspace),
        *(path for key in evaluation.keys.values() for path in key.dependencies.paths),
        *nix_files(os.environ),
        *(path for name in _PROGRAMS if (path := shutil.which(name))),
    }


def _variables(evaluation: Evaluation) -> set[str]:
    """Every environment variable that infra.py, nixgen or Nix read, whether it is set or not."""
    return {
        *evaluation.workspace.reads.variables,
        *(name for key in evaluation.keys.values() for name in key.dependencies.variables),
        *nix_variables(os.environ),
        "PATH",
        "NIXGEN_DEBIAN_MIRROR",
    }
