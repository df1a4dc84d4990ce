"""``nixgen k8s render``: evaluate applications into manifests.

Nothing is built. Packages are resolved only if a manifest names a store path.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.evaluate.documents import evaluate_documents
from nixgen.errors import UsageError, closest
from nixgen.kubernetes.document import Document, parse_document
from nixgen.programs.observer import Observer, ignore
from nixgen.programs.runner import SubprocessRunner
from nixgen.project.dependencies import needs_packages
from nixgen.project.generate import write_generated
from nixgen.verbs.evaluate import base_lock, base_mirrors, blame, request_tree
from nixgen.verbs.request import DEFAULT, Request

if TYPE_CHECKING:
    from nixgen.models import Application
    from nixgen.project.workspace import Workspace

__all__ = ["rendered"]


def rendered(
    workspace: Workspace,
    names: Iterable[str] = (),
    request: Request = DEFAULT,
    *,
    observe: Observer = ignore,
) -> tuple[Document, ...]:
    """Generate, and evaluate applications into manifests, in the project's order.

    :param workspace: the project.
    :param names: applications, with or without ``kubernetes.`` before them; all when empty.
    :param request: how to evaluate; nothing is built.
    :param observe: gets the events.
    :raises InputError: an application, base or environment that does not exist.
    :raises EvaluationError: Nix rejects the generated tree.
    :raises OutsideError: no Nix; or no mirror, where a manifest names a store path.
    """
    request.require_known(workspace)
    chosen = _select(workspace, names)
    write_generated(workspace)
    runner = SubprocessRunner()
    packages = any(map(needs_packages, chosen.values()))
    lock = base_lock(workspace, request.base, observe) if packages else None
    from nixgen.debian.mirrors import mirrors_env

    mirrors = mirrors_env(base_mirrors(lock, runner)) if lock else None
    tree = request_tree(workspace, request, mirrors=mirrors)
    values = evaluate_documents(
        tree,
        chosen,
        runner=runner,
        options=NixOptions.of_host(),
        blame=blame(workspace, tree, debug=request.debug),
    )
    return tuple(map(parse_document, values, chosen))


def _select(workspace: Workspace, names: Iterable[str]) -> Mapping[str, Application]:
    """The applications with the given names, by target.

    :raises UsageError: there is no application, or none of that name.
    """
    known = {f"kubernetes.{each.name}": each for each in workspace.project.applications}
    if not known:
        raise UsageError(
            "the project has no applications",
            hint="add Application(…) to Project(applications=[…])",
        )
    wanted = [name if name.startswith("kubernetes.") else f"kubernetes.{name}" for name in names]
    for name in wanted:
        if name not in known:
            own = [each.name for each in known.values()]
            given = name.removeprefix("kubernetes.")
            raise UsageError(
                f"the project has no application {given!r}",
                hint=closest(given, own) or f"it has {', '.join(own)}",
            )
    return {attr: each for attr, each in known.items() if attr in wanted or not wanted}
