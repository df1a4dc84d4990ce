"""Kubernetes: the versions that applications can be written for."""

from __future__ import annotations

import json
from pathlib import Path

from nixgen.models.kubernetes import KUBERNETES_VERSIONS

SUBSET = Path(__file__).parents[3] / "nix/bases/debian/kubernetes/subset.json"


def test_the_model_and_the_debian_base_know_the_same_versions() -> None:
    assert list(KUBERNETES_VERSIONS) == json.loads(SUBSET.read_text())["versions"]
