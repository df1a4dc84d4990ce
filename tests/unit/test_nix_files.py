"""The Nix files of this repository that people write."""

from __future__ import annotations

from pathlib import Path

import rfc166

from nixgen.sources import hand_written

REPOSITORY = Path(__file__).parents[2]


@rfc166.WANTED
def test_they_have_the_form_of_rfc_166(tmp_path: Path) -> None:
    names = hand_written(REPOSITORY)
    assert "nix/lib/source.nix" in names
    texts = [(REPOSITORY / name).read_text() for name in names]
    formed = rfc166.formatted(texts, tmp_path / "formed")
    differing = [
        name for name, *pair in zip(names, texts, formed, strict=True) if len(set(pair)) > 1
    ]
    assert differing == [], "run `nixgen fmt`"
