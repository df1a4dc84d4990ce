"""Store paths as values."""

from __future__ import annotations

import pytest

from nixgen.store.path import StorePath, base_name, path_digest, path_name

DIGEST = "0123456789abcdfghijklmnpqrsvwxyz"


@pytest.mark.parametrize("folder", ["/nix/store", "/home/me/store"])
@pytest.mark.parametrize("name", ["nginx-1.22", "a", "+-._?=", "x" * 211])
def test_a_path_is_read_and_written(folder: str, name: str) -> None:
    text = f"{folder}/{DIGEST}-{name}"
    parsed = StorePath.parse(text)
    assert (parsed.digest, parsed.name, parsed.folder) == (DIGEST, name, folder)
    assert str(parsed) == text
    assert parsed.base_name == f"{DIGEST}-{name}"
    assert (base_name(text), path_digest(text), path_name(text)) == (parsed.base_name, DIGEST, name)


def test_a_base_name_is_a_path_of_the_default_store() -> None:
    assert str(StorePath.parse(f"{DIGEST}-x")) == f"/nix/store/{DIGEST}-x"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/nix/store",
        f"/{DIGEST}-x",
        f"store/{DIGEST}-x",
        f"/nix/store/{DIGEST}",
        f"/nix/store/{DIGEST}-",
        f"/nix/store/{DIGEST}-x/bin",
        f"/nix/store/{DIGEST}-x\n",
        f"/nix/store/{DIGEST}-{'x' * 212}",
        f"/nix/store/{DIGEST[:-1]}e-x",  # e is no digit of Nix's base 32
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a store path"):
        StorePath.parse(text)


def test_a_path_of_another_store_is_refused_where_the_store_is_given() -> None:
    with pytest.raises(ValueError, match="is not a store path"):
        StorePath.parse(f"/nix/store/{DIGEST}-x", folder="/home/me/store")
