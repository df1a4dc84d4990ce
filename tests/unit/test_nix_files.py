"""Nix text that people write: the files of this repository, and its templates."""

from __future__ import annotations

from pathlib import Path

import rfc166

from nixgen.project.sources import hand_written
from nixgen.render.channel import ChannelTarget, ChannelText

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


@rfc166.WANTED
def test_so_have_the_files_of_a_channel(tmp_path: Path) -> None:
    attrs = ("machines.web", "images.api", "packages.redis")
    text = ChannelText(
        name="shop",
        project="shop",
        tree="project/generated",
        base="debian",
        environment=None,
        substituters=("https://cache.example.org", "https://other.example.org"),
        keys=("cache-1:AAAA",),
        targets=tuple(ChannelTarget(attr, "x86_64-linux", "/nix/store/x") for attr in attrs),
    )
    texts = [data.decode() for data in text.files().values()]
    assert rfc166.formatted(texts, tmp_path / "formed") == texts
