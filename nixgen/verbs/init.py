"""``nixgen init``: write the files of templates/init, with the name of the new project."""

from __future__ import annotations

import re
from pathlib import Path

from nixgen.errors import UsageError
from nixgen.files.write import write_atomically
from nixgen.render import template_folder
from nixgen.render.resources import default_inputs

__all__ = ["project_name", "scaffold"]

_NAME = "{{ name }}"
#: Files whose real names would mean something to git or Python inside nixgen's own repository.
_RENAMED = {"gitignore": ".gitignore", "infra.py.j2": "infra.py"}


def project_name(folder: Path) -> str:
    """Make a valid name of a project from the name of its folder.

    :param folder: the folder.
    """
    words = re.findall(r"[a-z0-9]+", folder.resolve().name.lower())
    name = "-".join(words)[:63].strip("-")
    return name if name and name[0].isalpha() else f"project-{name}".rstrip("-")


def scaffold(folder: Path) -> tuple[str, ...]:
    """Write a new project.

    :param folder: the folder of the project, which is made if it is missing.
    :return: the written paths, relative to the folder.
    :raises UsageError: one of the files exists. Nothing is written then.
    :raises StoreError: the folder cannot be written.
    """
    source = template_folder() / "init"
    files = {
        file.relative_to(source)
        .with_name(_RENAMED.get(file.name, file.name))
        .as_posix(): file.read_bytes()
        for file in sorted(source.rglob("*"))
        if file.is_file()
    }
    files["infra.py"] = files["infra.py"].replace(_NAME.encode(), project_name(folder).encode())
    files["flake-inputs.json"] = default_inputs().read_bytes()
    present = [path for path in files if (folder / path).exists()]
    # an existing .gitignore is likely and harmless; anything else means that somebody works here
    in_the_way = [path for path in present if path != ".gitignore"]
    if in_the_way:
        raise UsageError(
            f"{folder / in_the_way[0]} exists already",
            hint="choose an empty folder: nixgen init DIR",
            details=[str(folder / path) for path in in_the_way[1:]],
        )
    for path, data in files.items():
        if path not in present:
            write_atomically(folder / path, data)
    return tuple(path for path in sorted(files) if path not in present)
