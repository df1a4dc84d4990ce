"""The S3 emulator that keeps its objects in a folder."""

from __future__ import annotations

from pathlib import Path

from nixgen.cache.serve.emulator import _files


def test_a_file_that_another_request_is_writing_is_no_object(tmp_path: Path) -> None:
    (tmp_path / "nar").mkdir()
    for name in ("nix-cache-info", "nar/a.nar", "nar/.tmp-x7"):
        (tmp_path / name).write_text("x")
    assert set(_files(tmp_path)) == {"nix-cache-info", "nar/a.nar"}
