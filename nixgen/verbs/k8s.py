"""Applications as manifests, by evaluation alone: no derivation is built, and packages are looked at only where a manifest
names a store path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.evaluate import Tree
from nixgen.driver.evaluate.documents import evaluate_documents
from nixgen.errors import UsageError, closest
from nixgen.kubernetes.document import Document, parse_document
from nixgen.lowering import needs_packages
from nixgen.programs.runner import SubprocessRunner
from nixgen.verbs.evaluate import NO_OVERRIDES, base_lock, blame, offered_mirrors, require_known

if TYPE_CHECKING:
    from nixgen.models import Application
    from nixgen.project.workspace import Workspace

__all__ = ["rendered"]


def rendered(
    workspace: Workspace,
    names: Iterable[str] = (),
    *,
    base: str = "debian",
    environment: str | None = None,
    overrides: Mapping[str, Path] = NO_OVERRIDES,
    debug: bool = False,
    observe: Callable[[Any], None] = lambda _event: None,
) -> tuple[Document, ...]:
    """Generate, and evaluate the applications of these names in the project's order; all when none is given.

    :param names: with or without ``kubernetes.`` before them.
    :raises InputError: an application, base or environment that does not exist.
    :raises EvaluationError: Nix rejects the generated tree.
    :raises OutsideError: no Nix; or no mirror, where a manifest names a store path.
    """
    require_known(workspace, base, environment, overrides)
    chosen = _select(workspace, names)
    workspace.write_generated()
    runner = SubprocessRunner()
    packages = any(map(needs_packages, chosen.values()))
    lock = base_lock(workspace, base, observe) if packages else None
    tree = Tree(
        file=workspace.generated / "default.nix",
        base=base,
        environment=environment,
        inputs=overrides,
        mirrors=next(offered_mirrors(lock, runner)) if lock else None,
    )
    values = evaluate_documents(
        tree,
        chosen,
        runner=runner,
        options=NixOptions.of_host(),
        blame=blame(workspace, tree, debug=debug),
    )
    return tuple(map(parse_document, values, chosen))


def _select(workspace: Workspace, names: Iterable[str]) -> Mapping[str, Application]:
    """Target → application.

    :raises UsageError: there is none of that name, or none at all.
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
