"""Rendering many applications at once, by either base: one Nix for all."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nixgen.lowering import lower
from nixgen.models import Project
from nixgen.render import render

__all__ = ["CASES", "KUBENIX", "render_files", "render_projects", "render_text"]

_HERE = Path(__file__).parent
_REPOSITORY = _HERE.parents[1]
CASES = _HERE / "kubernetes_cases.nix"
#: Arguments that choose the real kubenix; nothing chooses the Debian base.
KUBENIX = {
    name: os.environ[variable]
    for name, variable in {"nixpkgs": "NIXGEN_NIXPKGS", "kubenix": "NIXGEN_KUBENIX"}.items()
    if variable in os.environ
}


def render_text(applications: str, trees: Mapping[str, str], *more: str) -> Any:
    """The documents of a Nix expression of lists of modules by name; null for those that fail."""
    arguments = ["--arg", "repository", str(_REPOSITORY), "--arg", "applications", applications]
    for name, tree in trees.items():
        arguments += ["--arg", name, tree]
    done = subprocess.run(
        [
            "nix-instantiate",
            "--eval",
            "--strict",
            "--json",
            *arguments,
            *more,
            str(_HERE / "kubernetes_render.nix"),
        ],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def render_files(
    folder: Path, modules: Mapping[str, Sequence[str]], trees: Mapping[str, str]
) -> Any:
    """The documents of applications whose modules are files below ``folder``."""
    listing = folder / "applications.nix"
    rows = (
        f'  "{name}" = [ {" ".join(f"./{path}" for path in paths)} ];'
        for name, paths in modules.items()
    )
    listing.write_text("{{\n{}\n}}\n".format("\n".join(rows)))
    return render_text(f"import {listing}", trees)


def render_projects(
    projects: Sequence[Project], trees: Mapping[str, str], *, environment: str | None = None
) -> list[dict[str, Any]]:
    """For each project, its applications' documents by name."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        modules: dict[str, list[str]] = {}
        for number, project in enumerate(projects):
            tree, _ = render(lower(project))
            for path, data in tree.items():
                if path.startswith("lib/"):
                    continue
                file = folder / f"{number}/generated" / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
            for application in project.applications:
                files = [f"kubernetes/{application.name}.nix"]
                overlay = f"environments/{environment}/kubernetes/{application.name}.nix"
                if overlay in tree:
                    files.append(overlay)
                modules[f"{number} {application.name}"] = [
                    f"{number}/generated/{file}" for file in files
                ]
        found = render_files(folder, modules, trees)
    return [
        {
            application.name: found[f"{number} {application.name}"]
            for application in project.applications
        }
        for number, project in enumerate(projects)
    ]
