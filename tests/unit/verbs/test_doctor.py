"""doctor makes every check, never raises, and names the command that installs a missing program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nixgen.driver.commands import access
from nixgen.verbs.doctor import Finding, examine

CODE = "from nixgen.cli.entry import main; main()"


def doctor(*arguments: str, cwd: Path, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CODE, "doctor", *arguments],
        cwd=cwd,
        env={"PATH": path, "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        capture_output=True,
        text=True,
        check=False,
    )


def by_name(folder: Path) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine(folder)}


@pytest.fixture
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A computer with no program at all."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("NIXGEN_DEBIAN_MIRROR", raising=False)
    return tmp_path


def test_without_any_program_everything_is_named_and_nothing_raises(nothing: Path) -> None:
    found = by_name(nothing)
    assert found["Python"].ok
    missing = {name: finding.mend for name, finding in found.items() if not finding.ok}
    assert missing["Nix"] == "apt-get install nix-bin"
    assert missing["qemu-system-x86_64"] == "apt-get install qemu-system-x86"
    assert missing["mksquashfs"] == "apt-get install squashfs-tools"
    assert missing["nixfmt"] == "nix profile install nixpkgs#nixfmt"
    assert missing["container engine"] == "apt-get install podman"
    assert "NIXGEN_DEBIAN_MIRROR" in (missing["Debian mirror"] or "")
    assert all(missing.values()), "whatever is missing has a command that mends it"
    assert found["KVM"].ok, "machines boot without it"


def test_the_mirror_can_come_from_the_environment(
    nothing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIXGEN_DEBIAN_MIRROR", "http://mirror.invalid/debian")
    mirror = by_name(nothing)["Debian mirror"]
    assert (mirror.ok, mirror.mend) == (True, None)


def test_moto_without_its_server_does_not_count_as_an_emulator(
    nothing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Debian's python3-moto leaves it."""
    monkeypatch.setattr(
        "nixgen.cache.serve.emulator.find_spec", lambda name: None if name == "flask_cors" else name
    )
    emulator = by_name(nothing)["S3 emulator"]
    assert (emulator.ok, emulator.mend) == (False, "pip install 'nixgen[emulator]'")


def test_a_nix_that_fails_counts_as_missing(nothing: Path) -> None:
    broken = nothing / "bin/nix-instantiate"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    assert not by_name(nothing)["Nix"].ok


@pytest.fixture
def read_only_store(nothing: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A computer whose store this user cannot write; the path where its daemon would listen."""
    program = nothing / "bin/nix-instantiate"
    program.write_text("#!/bin/sh\necho 'nix-instantiate (Nix) 2.8.0'\n")
    program.chmod(0o755)
    socket = nothing / "daemon-socket/socket"
    socket.parent.mkdir()
    monkeypatch.setenv("NIX_DAEMON_SOCKET_PATH", str(socket))
    monkeypatch.setenv("NIX_STORE_DIR", str(nothing / "store"))
    monkeypatch.setattr(access, "_may_write", lambda path: path == socket)
    return socket


def test_a_store_that_cannot_be_written_is_named(nothing: Path, read_only_store: Path) -> None:
    found = by_name(nothing)
    assert found["Nix"].detail == "nix-instantiate (Nix) 2.8.0"
    assert not found["Nix store"].ok
    assert found["Nix store"].required
    assert "nix-users" in (found["Nix store"].mend or "")
    read_only_store.touch()
    assert by_name(nothing)["Nix store"].detail == "through the daemon"


def test_a_full_disk_and_a_folder_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    assert not by_name(gone)[f"space in {gone}"].ok
    usage = type("Usage", (), {"free": 1})
    monkeypatch.setattr("nixgen.verbs.doctor.shutil.disk_usage", lambda _place: usage)
    assert by_name(tmp_path)[f"space in {tmp_path}"].mend == "nix-collect-garbage"


def test_exit_status_is_3_when_a_required_tool_is_missing(tmp_path: Path) -> None:
    done = doctor(cwd=tmp_path, path=str(tmp_path))
    assert done.returncode == 3
    assert "missing Nix" in done.stdout
    assert "all at once: apt-get install " in done.stdout
    assert done.stderr == ""


def test_findings_are_a_json_document(tmp_path: Path) -> None:
    done = doctor("--json", cwd=tmp_path, path=str(tmp_path))
    assert done.returncode == 3
    document = json.loads(done.stdout)
    assert document["schema"] == "nixgen/doctor/1"
    (nix,) = [finding for finding in document["findings"] if finding["name"] == "Nix"]
    assert nix == {
        "name": "Nix",
        "ok": False,
        "detail": "not found",
        "needed_for": "everything",
        "mend": "apt-get install nix-bin",
    }


@pytest.mark.real
def test_a_computer_that_runs_these_tests_lacks_nothing_required(tmp_path: Path) -> None:
    done = doctor(cwd=tmp_path, path=os.environ["PATH"])
    assert done.returncode == 0, done.stdout
