"""kubectl, which has a YAML reader of its own, reads each hostile text of a manifest as it was."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hostile import CHANGES

from nixgen.kubernetes.manifest import to_yaml

pytestmark = pytest.mark.real


def test_kubectl_reads_hostile_text_of_a_manifest_as_it_was(tmp_path: Path) -> None:
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not installed (apt-get install kubernetes-client)")
    texts = [f"{start}text{end}" for start, end in CHANGES if "\0" not in end]
    data = {f"text{number}": each for number, each in enumerate([*texts, "".join(texts)])}
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "texts", "labels": {"before": "kept"}},
        "data": data,
    }
    file = tmp_path / "manifest.yaml"
    file.write_text(to_yaml([manifest]))
    argv = ["kubectl", "label", "--local", "-f", str(file), "-o", "json", "read=yes"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data"] == data
