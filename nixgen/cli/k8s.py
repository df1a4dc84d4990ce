"""The words and the output of ``nixgen k8s render``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nixgen.cli import options

if TYPE_CHECKING:
    from nixgen.kubernetes.document import Document

app = options.verb(
    "Render Kubernetes manifests.", epilog=options.examples("nixgen k8s render shop")
)

_FORMATS = ("yaml", "json")


@app.command(
    "render",
    epilog=options.examples(
        "nixgen k8s render shop | kubectl apply -f -",
        "nixgen k8s render --env staging --out manifests",
    ),
)
def render(
    applications: Annotated[
        list[str] | None,
        typer.Argument(metavar="APP", help="Applications of infra.py. Default: all."),
    ] = None,
    project: options.ProjectFolder = Path(),
    base: options.Base = "debian",
    env: options.Env = None,
    override_input: options.OverrideInput = None,
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="yaml, or json: one List of all.")
    ] = "yaml",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Write a file for each application instead of printing."
        ),
    ] = None,
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Print the manifests of applications for kubectl. Nothing is built, and no cluster is asked.

    Resources stand in an order in which they can be applied, namespaces first. Images have their
    names in the registry. Secrets must already exist in the cluster.
    """
    from nixgen.cli import console
    from nixgen.cli.progress import build_progress
    from nixgen.errors import UsageError
    from nixgen.project.workspace import Workspace
    from nixgen.verbs import k8s

    if form not in _FORMATS:
        raise UsageError(f"there is no format {form!r}", hint=f"use {' or '.join(_FORMATS)}")
    workspace = Workspace.open(project)
    request = options.make_request(
        workspace, base=base, env=env, override_input=override_input, debug=debug
    )
    with build_progress(quiet=json) as observe:
        documents = k8s.rendered(workspace, applications or (), request, observe=observe)
    written = {} if out is None else _write(out, documents, form)
    if json:
        console.print_document(
            "nixgen/manifests/1",
            base=base,
            environment=env,
            applications=[document.value for document in documents],
            files=written,
        )
    elif out is None:
        resources = [resource for document in documents for resource in document.resources]
        console.print_manifests(_text(resources, form), form)
    else:
        for file, changed in written.items():
            console.say(f"{'wrote    ' if changed else 'unchanged'} {file}")


def _write(out: Path, documents: Iterable[Document], form: str) -> dict[str, bool]:
    """Write a file for each application, and return which changed. The others keep their times."""
    from nixgen.files.write import write_atomically

    written: dict[str, bool] = {}
    for application in documents:
        file = out / f"{application.name}.{form}"
        data = _text(application.resources, form).encode()
        try:
            changed = file.read_bytes() != data
        except OSError:
            changed = True
        if changed:
            write_atomically(file, data)
        written[str(file)] = changed
    return written


def _text(resources: Iterable[Mapping[str, Any]], form: str) -> str:
    from nixgen.kubernetes.manifest import to_json, to_yaml

    return to_yaml(resources) if form == "yaml" else to_json(resources)
