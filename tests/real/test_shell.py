"""``nixgen shell``: what nixgen runs and the project's tools, from Debian packages, run from the store."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from origins import Origins

pytestmark = [pytest.mark.real, pytest.mark.slow]

INFRA = """
from nixgen import Package, Project
project = Project("p", tools=[Package("jq")])
"""


@pytest.fixture(scope="module")
def nixgen(tmp_path_factory: pytest.TempPathFactory, command_line: Any) -> Any:
    folder = tmp_path_factory.mktemp("shell")
    (folder / "infra.py").write_text(INFRA)
    example = Path(__file__).parents[2] / "examples/hello/flake-inputs.json"
    (folder / "flake-inputs.json").write_text(example.read_text())
    return command_line(folder=folder)


def test_a_command_has_the_tools_and_gives_its_status(nixgen: Any) -> None:
    done = nixgen(
        "shell", "--", "sh", "-c", 'echo {} | jq -c; echo "$NIXGEN_SHELL"; exit 7', expect=7
    )
    assert done.stdout.splitlines() == ["{}", "p"]
    assert nixgen("shell", "jq", "--version").stdout.startswith("jq-1")
    refused = nixgen("shell", "no-such-program", expect=2)
    assert "there is no program 'no-such-program' in the shell of p" in refused.stderr


def test_what_nixgen_runs_runs_from_the_store(nixgen: Any, tmp_path: Path) -> None:
    """Each does what nixgen wants of it: found by its own path, with the files that it looks for beside itself."""
    bin_ = nixgen("shell", "--print-path").stdout.strip()
    assert nixgen.document("shell")["path"] == bin_
    origins = Origins.make(tmp_path / "origins")

    def run(*words: object, stdin: str = "") -> str:
        done = subprocess.run(
            [*map(str, words)],
            executable=f"{bin_}/{words[0]}",
            env={"PATH": bin_, "HOME": str(tmp_path)},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("git", "clone", "--quiet", f"file://{origins.repo}", tmp_path / "clone")
    assert (tmp_path / "clone/text").read_text() == "first"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key")
    assert "hostname builder" in run("ssh", "-G", "-F", "/dev/null", "builder")
    run("mksquashfs", origins.tree, tmp_path / "store.squashfs", "-comp", "zstd", "-quiet")
    assert "text" in run("unsquashfs", "-l", tmp_path / "store.squashfs")
    # its firmware and the module of its emulator are files that it finds by relative paths
    machine = ("-machine", "q35,accel=tcg", "-nic", "user,model=virtio-net-pci", "-m", "64")
    status = ("-display", "none", "-monitor", "stdio")
    assert "VM status: running" in run(
        "qemu-system-x86_64", *machine, *status, stdin="info status\nquit\n"
    )


def test_once_locked_it_stays_so(nixgen: Any) -> None:
    nixgen("shell", "--print-path")

    def roots() -> set[str]:
        lock = json.loads((nixgen.folder / "debian.lock.json").read_text())
        return {*lock["architectures"]["amd64"]["roots"]}

    required = {"git", "openssh", "qemu_kvm", "squashfsTools"}
    assert required | {"jq"} <= roots()
    nixgen("inputs", "update", "debian")
    assert required | {"jq"} <= roots()
    (nixgen.folder / "debian.lock.json").unlink()
    nixgen("inputs", "update", "debian")
    assert not required & roots(), "a project that nobody opened a shell for does not lock it"


def test_it_is_built_only_when_it_is_asked_for(nixgen: Any) -> None:
    assert nixgen.document("list")["targets"] == []
    assert nixgen.document("build")["targets"] == []
    (row,) = nixgen.document("build", "shells.default")["targets"]
    assert Path(row["outputs"]["out"], "bin/jq").exists()
