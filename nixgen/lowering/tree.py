"""A whole `Project` as the files of its generated tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from nixgen import syntax as nix
from nixgen.gitignore import IgnoreTable
from nixgen.lowering.builders import machine_lines
from nixgen.lowering.flake import flake, flake_lock, has_flake
from nixgen.lowering.kubenix import (
    application_module,
    changes_application,
    overlay_application,
)
from nixgen.lowering.nixos import changes, machine_module, overlay_module
from nixgen.lowering.oci import image_expression
from nixgen.lowering.scope import strings
from nixgen.lowering.sources import IGNORED, ignored
from nixgen.lowering.tests import test_module
from nixgen.models import (
    Application,
    Environment,
    Machine,
    Origin,
    Project,
    Test,
    packages_of,
    sources_of,
)

if TYPE_CHECKING:
    from nixgen.documents.inputs import Inputs
    from nixgen.syntax import Expr

__all__ = ["KINDS", "SHELL", "lower", "target_origins", "target_rows"]

#: The target with the tools of who works on the project. It is no part of the platform, so it must be asked for.
SHELL = "shells.default"

#: Kinds of targets, in the order in which people see them, and the field of a project that holds each.
KINDS = {
    "machines": "machines",
    "images": "images",
    "kubernetes": "applications",
    "tests": "tests",
    "packages": "packages",
}

_NO_RULES = IgnoreTable()


def lower(
    project: Project, table: IgnoreTable = _NO_RULES, *, inputs: Inputs | None = None
) -> Mapping[str, Callable[[], Expr | tuple[str, ...]]]:
    """The files of the generated tree: path below ``generated/`` → what makes its expression, or its lines when it
    is not Nix, when it is called.

    One at a time, so that a large project is never in memory as expressions. The project is sound
    (`nixgen.models.require_valid`); lowering has no errors of its own.

    :param table: what .gitignore files say of the project's sources.
    :param inputs: of the flake; without a nixpkgs among them there is none.
    """
    files: dict[str, Callable[[], Expr | tuple[str, ...]]] = {
        "default.nix": partial(_default, project)
    }
    for machine in project.machines:
        files[f"machines/{machine.name}.nix"] = partial(machine_module, machine, project.machines)
    for image in project.images:
        files[f"images/{image.name}.nix"] = partial(image_expression, image)
    for application in project.applications:
        files[f"kubernetes/{application.name}.nix"] = partial(application_module, application)
    for test in project.tests:
        files[f"tests/{test.name}.nix"] = partial(test_module, test)
    for environment in project.environments:
        for machine in _changed(project, environment):
            files[f"environments/{environment.name}/{machine.name}.nix"] = partial(
                overlay_module, machine, environment
            )
        for application in project.applications:
            if changes_application(environment, application):
                files[_overlay(environment, application)] = partial(
                    overlay_application, application, environment
                )
    ignoring = [source for _, source in sources_of(project) if source.gitignore]
    if ignoring:
        files[IGNORED] = partial(ignored, ignoring, table)
    if inputs is not None and has_flake(inputs):
        files["flake.nix"] = partial(flake, project, inputs)
        files["flake.lock"] = partial(flake_lock, inputs)
    if project.builders:
        files["builders"] = partial(machine_lines, project)
    return files


def target_origins(project: Project) -> Mapping[str, Origin | None]:
    """Every target of the project, in the project's order, with the place it was written at."""
    return {
        f"{kind}.{item.name}": item.origin
        for kind, field in KINDS.items()
        for item in getattr(project, field)
    }


def target_rows(project: Project, environment: str | None) -> Mapping[str, Callable[[], Expr]]:
    """Target → what makes ``default.nix`` as it would be if the project had this target alone, and no environment but this.

    That is everything that the target's evaluation reads of the real one.
    """
    environments = [each for each in project.environments if each.name == environment]
    nothing: dict[str, Any] = dict.fromkeys((*KINDS.values(), "tools"), ())
    empty = attrs.evolve(project, **nothing | {"environments": environments})
    # they count for every target, used by it or not, for they change the set of all packages
    names = _package_names(project)
    shell = attrs.evolve(empty, tools=project.tools)
    rows: dict[str, Callable[[], Expr]] = {SHELL: partial(_default, shell, names)}
    for kind, field in KINDS.items():
        for item in getattr(project, field):
            fields: dict[str, Any] = {field: (item,)}
            if isinstance(item, Test):
                fields["machines"] = item.machines  # whose environments the test reads, too
            rows[f"{kind}.{item.name}"] = partial(_default, attrs.evolve(empty, **fields), names)
    return rows


def _default(project: Project, names: Mapping[str, Expr] | None = None) -> Expr:
    """The entry of the tree: data only. What is done with it is written by hand, in lib/project.nix.

    :param names: of packages, see `_package_names`; those of the project when None.
    """
    arguments: list[nix.Inherit | tuple[str, Expr]] = [
        nix.Inherit(("base", "environment", "inputs", "system")),
        ("lock", nix.Path("../debian.lock.json")),
        ("name", nix.Str(project.name)),
        (
            "environments",
            nix.AttrSet(
                {
                    environment.name: _files(
                        f"environments/{environment.name}",
                        (machine.name for machine in _changed(project, environment)),
                    )
                    for environment in project.environments
                }
            ),
        ),
        ("images", _files("images", (image.name for image in project.images))),
        (
            "kubernetes",
            nix.AttrSet(
                {
                    application.name: _application(project, application)
                    for application in project.applications
                }
            ),
        ),
        (
            "machines",
            nix.AttrSet({machine.name: _machine(machine) for machine in project.machines}),
        ),
        ("packageNames", nix.AttrSet(_package_names(project) if names is None else names)),
        ("pins", nix.Path("../flake-inputs.json")),
        ("packages", strings(package.name for package in project.packages)),
        ("tests", nix.AttrSet({test.name: _test(test) for test in project.tests})),
        ("tools", strings(package.name for package in project.tools)),
    ]
    return nix.Function(
        (
            nix.Formal("base", nix.Str("debian")),
            nix.Formal("system", nix.Select(nix.Var("builtins"), ("currentSystem",))),
            nix.Formal("inputs", nix.AttrSet()),
            nix.Formal("environment", nix.Null()),
        ),
        nix.Call(
            nix.Call(nix.Var("import"), (nix.Path("./lib/project.nix"),)), (nix.AttrSet(arguments),)
        ),
    )


def _files(folder: str, names: Iterable[str]) -> Expr:
    return nix.AttrSet({name: nix.Path(f"./{folder}/{name}.nix") for name in names})


def _changed(project: Project, environment: Environment) -> Iterable[Machine]:
    return (machine for machine in project.machines if changes(environment, machine))


def _machine(machine: Machine) -> Expr:
    module = nix.Path(f"./machines/{machine.name}.nix")
    return nix.AttrSet({"module": module, "system": nix.Str(machine.system)})


def _overlay(environment: Environment, application: Application) -> str:
    return f"environments/{environment.name}/kubernetes/{application.name}.nix"


def _application(project: Project, application: Application) -> Expr:
    overlays = {
        environment.name: nix.Path(f"./{_overlay(environment, application)}")
        for environment in project.environments
        if changes_application(environment, application)
    }
    return nix.AttrSet(
        {
            "module": nix.Path(f"./kubernetes/{application.name}.nix"),
            "overlays": nix.AttrSet(overlays),
        }
    )


def _test(test: Test) -> Expr:
    nodes = strings(sorted(machine.name for machine in test.machines))
    return nix.AttrSet({"module": nix.Path(f"./tests/{test.name}.nix"), "nodes": nodes})


def _package_names(project: Project) -> dict[str, Expr]:
    """Packages whose attribute path on nixpkgs is not their name."""
    return {
        package.name: nix.Str(package.nixpkgs)
        for _, package in packages_of(project)
        if package.nixpkgs is not None
    }
