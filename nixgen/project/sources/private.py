"""Files of sources that look like secrets: the Nix store, to which they are copied, is readable by everybody."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch

from nixgen.errors import Problem
from nixgen.models import Source
from nixgen.project.sources.look import Sources, readable

__all__ = ["private_files"]

#: Names of files that hold passwords and private keys, as their programs name them.
_PRIVATE = (
    ".env",
    ".env.*",
    ".envrc",
    "*.env",
    "*.pem",
    "*.key",
    "*.p8",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.ppk",
    "*.kdbx",
    "*.keytab",
    "id_*",
    ".netrc",
    "_netrc",
    ".pgpass",
    ".my.cnf",
    ".htpasswd",
    ".npmrc",
    ".yarnrc.yml",
    ".pypirc",
    ".git-credentials",
    ".vault-token",
    ".s3cfg",
    ".boto",
    ".dockercfg",
    "kubeconfig",
    "kubeconfig.*",
    "*.kubeconfig",
    "credentials",
    "credentials.json",
    "credentials.toml",
    "credentials.y*ml",
    "service-account*.json",
    "service_account*.json",
    "terraform.tfstate",
    "*.tfvars",
    "secrets.json",
    "secrets.toml",
    "secrets.y*ml",
)
#: Names that look like these, and are public by their purpose.
_PUBLIC = ("*.pub", "*.example", "*.sample", "*.template", "*.dist", "id_*.*")


def private_files(sources: Sources, used: Iterable[tuple[str, Source]]) -> Iterator[Problem]:
    """Find copied files whose names are those of secrets.

    :param sources: the look at the disk.
    :param used: the sources with their model paths.
    :return: one note for each source. A file that ``include`` names is meant, and is not reported.
    :raises InputError: something cannot be read.
    """
    for path, source in used:
        with readable():
            entries = sources.listing(source).entries
        names = [
            os.fsdecode(entry.name) or source.relative_path
            for entry in entries
            if entry.kind in {"file", "executable"}
        ]
        meant = source.include or ()
        found = [
            name
            for name in names
            if _is_private(name) and name not in meant and _pattern(name) not in meant
        ]
        if not found:
            continue
        others = f" and {len(found) - 1} more such files" if found[1:] else ""
        where = str(source.origin).removeprefix(f"{sources.root}/")
        yield Problem(
            path,
            f"{_printable(source.path)} takes {_printable(found[0])}{others} into the Nix store, "
            "which everybody can read",
            where=where if source.origin else None,
            hint=_hint(source, found),
        )


def _hint(source: Source, names: list[str]) -> str:
    """What to write instead."""
    if names == [source.relative_path]:
        return (
            "write Secret(…, file=…) for a file that the machine has; if this is no secret, put it "
            f"into a folder, and write Source(…, include=[{_quoted(_name(names[0]))}])"
        )
    patterns = ", ".join(dict.fromkeys(map(_quoted, map(_pattern, names))))
    kept = ", ".join(_quoted(each) for each in (*(source.include or ("*",)), _pattern(names[0])))
    return f"write Source(…, exclude=[{patterns}]), or include=[{kept}] for what is no secret"


def _pattern(name: str) -> str:
    """A .gitignore pattern of one file."""
    escaped = re.sub(r"([\\*?\[]|^[!#]|\s$)", r"\\\1", name)
    # a pattern is a line of text; git counts "?" as one byte, and such a letter may have more
    return "".join(letter if letter.isprintable() else "*" for letter in escaped)


def _quoted(text: str) -> str:
    """A text as Python source, without letters that a terminal would obey."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _printable(text: str) -> str:
    return text if text.isprintable() else _quoted(text)


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _is_private(path: str) -> bool:
    file = _name(path).lower()
    if path.lower().endswith((".docker/config.json", ".kube/config")):
        return True
    return any(fnmatch(file, each) for each in _PRIVATE) and not any(
        fnmatch(file, each) for each in _PUBLIC
    )
