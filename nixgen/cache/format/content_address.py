"""Content-addressed store paths. Their name follows from their content, so they need no signature.

Source of the rules: ``makeStorePath``, ``makeTextPath`` and ``makeFixedOutputPath`` of Nix
(src/libstore/store-api.cc), described in the manual's chapter "Store Path Specification".
"""

from __future__ import annotations

from nixgen.cache.format.narinfo import NarInfo
from nixgen.store.digest import Hash
from nixgen.store.path import content_path, path_name

__all__ = ["follows_from_content"]


def follows_from_content(info: NarInfo) -> bool:
    """Whether the path's ``CA`` field and its references give exactly its name.

    Nix accepts such a path without a signature, and compares its bytes with the field.

    :param info: the path; without a ``CA`` field the answer is False.
    """
    method, _, digest = (info.ca or "").partition(":")
    own = info.base_name in info.references
    others = sorted(f"{info.store_directory}/{name}" for name in info.references)
    others = [path for path in others if path != info.store_path]
    recursive = digest.startswith("r:")
    try:
        content = Hash.parse(digest.removeprefix("r:"))
    except ValueError:
        return False
    if method == "text" and not own and not recursive and content.algorithm == "sha256":
        expected = _path(info, ":".join(["text", *others]), content)
    elif method == "fixed" and recursive and content.algorithm == "sha256":
        expected = _path(info, ":".join(["source", *others, *(["self"] if own else [])]), content)
    elif method == "fixed" and not info.references:
        inner = f"fixed:out:{'r:' if recursive else ''}{content.algorithm}:{content.hex}:"
        expected = _path(info, "output:out", Hash.of(inner.encode()))
    else:
        return False
    return expected == info.store_path


def _path(info: NarInfo, kind: str, content: Hash) -> str:
    return content_path(kind, content, path_name(info.store_path), folder=info.store_directory)
