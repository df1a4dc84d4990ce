"""What a user can get wrong, and what the world can: one clear report, the right exit status, nothing lost."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import attrs
import pytest

pytestmark = pytest.mark.real

CLOSED = "http://127.0.0.1:9/debian"


@pytest.fixture(scope="module")
def built(example):
    nixgen = example("hello")
    nixgen("build")
    return nixgen


@pytest.fixture
def hello(built, example):
    """A copy that may be spoilt: locked and generated, without memory of a build."""
    return example("hello", source=built.folder)


@pytest.fixture
def programs(tmp_path):
    """A PATH with the named programs and nothing else."""

    def folder(*names):
        place = tmp_path / "bin"
        place.mkdir()
        for name in names:
            (place / name).symlink_to(shutil.which(name))
        return {"PATH": str(place)}

    return folder


def report(done, *parts):
    """The failure is told, and not as a traceback."""
    assert "Traceback" not in done.stderr
    for part in ("error: ", *parts):
        assert part in done.stderr, done.stderr


def with_environment(nixgen, **environment):
    return attrs.evolve(nixgen, environment={**nixgen.environment, **environment})


def test_no_nix(hello, programs):
    report(with_environment(hello, **programs("git"))("build", expect=3), "apt-get install nix-bin")


def test_no_apt_and_no_mirror(hello, programs):
    (hello.folder / "debian.lock.json").unlink()
    bare = with_environment(hello, **programs("nix", "nix-store", "nix-instantiate"))
    report(bare("build", expect=3), "no Debian mirror is known", "set NIXGEN_DEBIAN_MIRROR")


def test_an_unreachable_mirror(hello, programs, tmp_path):
    (hello.folder / "debian.lock.json").unlink()
    bare = with_environment(
        hello,
        **programs("nix", "nix-store", "nix-instantiate"),
        NIXGEN_DEBIAN_MIRROR=CLOSED,
        XDG_CACHE_HOME=str(tmp_path),
    )
    report(bare("build", expect=3), "cannot be downloaded", "refused", "check the network")


def change_package(nixgen, **fields):
    """Spoil one package of the lock, whose file is then in no store."""
    path = nixgen.folder / "debian.lock.json"
    lock = json.loads(path.read_text())
    package = lock["architectures"]["amd64"]["packages"]["python3.11-minimal"]
    package.update(fields)
    path.write_text(json.dumps(lock))
    return package


def test_a_package_that_is_not_what_was_locked(hello):
    change_package(hello, sha256="0" * 64)
    report(
        hello("build", expect=3),
        "python3.11-minimal_",
        "is not the file that was locked",
        "nixgen inputs update debian",
    )


def test_a_superseded_package(hello):
    change_package(
        hello, sha256="1" * 64, path="pool/main/p/python3.11/python3.11-minimal_0_amd64.deb"
    )
    report(
        hello("build", expect=3), "python3.11-minimal_", "superseded", "nixgen inputs update debian"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "debian.lock.json is not JSON"),
        ('{"schema": "nixgen/debian-lock/9"}', "nixgen/debian-lock/9"),
        ('{"schema": "nixgen/debian-lock/1", "suite": "bookworm"}', "architectures"),
    ],
)
def test_a_lock_that_cannot_be_read(hello, text, says):
    (hello.folder / "debian.lock.json").write_text(text)
    report(hello("build", expect=2), says, "nixgen inputs update debian")
    assert (hello.folder / "debian.lock.json").read_text() == text


def test_an_update_mends_a_broken_lock(hello):
    lock = hello.folder / "debian.lock.json"
    before = lock.read_text()
    lock.write_text("{")
    hello("inputs", "update")
    assert lock.read_text() == before
    report(hello("inputs", "update", "nixpkgs", expect=2), "no input 'nixpkgs'")


def test_pins_that_cannot_be_read(hello):
    (hello.folder / "flake-inputs.json").write_text(
        '{"schema": "nixgen/inputs/1", "inputs": {"debian": {"type": "cvs"}}}'
    )
    (hello.folder / "debian.lock.json").unlink()
    report(hello("build", expect=2), "inputs.debian.type", "flake-inputs.json")


def test_an_unknown_package_is_told_with_its_place_and_the_nearest(hello):
    infra = hello.folder / "infra.py"
    infra.write_text(infra.read_text().replace('Package("python3")', 'Package("pythn3")'))
    done = hello("build", "--json", expect=2)
    (problem,) = json.loads(done.stdout)["problems"]
    assert problem["where"] == "infra.py:5"
    assert "python3" in problem["hint"]


def test_an_unknown_option_points_at_the_machine(hello):
    module = hello.folder / "generated/lib/bases/debian/machine/options.nix"
    assert module.exists()
    expression = (
        f'(import {hello.folder}/generated/lib {{ base = "debian"; system = "x86_64-linux"; lock = {hello.folder}/debian.lock.json; }})'
        '.machine { name = "web"; modules = [ { services.nginx.enable = true; } ]; }'
    )
    done = subprocess.run(
        ["nix-instantiate", "--expr", expression], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "services.nginx" in done.stderr
    assert "web" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["build", "machine.web"], 2, "did you mean machines.web?"),
        (["build", "--base", "arch"], 2, "the bases are debian and nixpkgs"),
        (["build", "--env", "moon"], 2, "no environment 'moon'"),
        (["cache", "push", "--to", "ftp://x"], 2, "is not the address of a cache"),
        (["image", "build", "machines.web"], 2, "machines.web is not an image"),
        (["test", "run", "images.web"], 2, "images.web is not a test"),
        (["test", "run"], 2, "the project has no tests"),
        (["inputs", "update", "nothing"], 2, "no input 'nothing'"),
    ],
)
def test_wrong_words(hello, arguments, status, says):
    report(hello(*arguments, expect=status), says)


def test_an_s3_that_is_not_there(hello):
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    done = with_environment(hello, **keys)(
        "cache", "push", "--to", "s3://bucket?endpoint=http://127.0.0.1:9", expect=3
    )
    report(done, "does not answer")


def test_a_key_that_others_can_read(hello):
    hello("cache", "keygen", "test-1", "--out", "key")
    (hello.folder / "key").chmod(0o644)
    report(hello("cache", "push", "--key", "key", expect=2), "key", "chmod")


@pytest.mark.parametrize(
    ("verb", "program", "says"),
    [("test", "qemu-system-x86_64", "qemu-system-x86"), ("image", "podman", "podman")],
)
def test_missing_tools_are_named_with_their_package(example, programs, verb, program, says):
    """Built first, with everything there; then run with what nixgen itself needs and no more."""
    nixgen = example("hello")
    infra = nixgen.folder / "infra.py"
    infra.write_text(
        infra.read_text().replace(
            '"hello",\n', '"hello",\n    tests=[__import__("nixgen").Test("up", machines=[])],\n'
        )
    )
    report(nixgen("list", expect=2), "a test needs at least one machine")
    infra.write_text(
        infra.read_text()
        .replace(
            "project = Project(",
            'from nixgen import Test\nmachine = Machine("db")\nproject = Project(',
        )
        .replace(
            '__import__("nixgen").Test("up", machines=[])',
            'Test("up", machines=[machine], script="pass")',
        )
        .replace('machines=[Machine("web", services=[web])]', "machines=[machine]")
    )
    nixgen("build")
    bare = with_environment(
        nixgen, **programs("nix", "nix-store", "nix-instantiate", "git", "mksquashfs", "apt-get")
    )
    arguments = ["test", "run"] if verb == "test" else ["image", "run", "images.web"]
    report(bare(*arguments, expect=3), f"apt-get install {says}")


@pytest.fixture
def read_only(hello):
    if os.geteuid() != 0:
        pytest.skip("mounting read-only needs root")
    subprocess.run(["mount", "--bind", hello.folder, hello.folder], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", hello.folder], check=True)
    yield hello
    subprocess.run(["umount", hello.folder], check=True)


@pytest.mark.parametrize("arguments", [["build"], ["image", "build"], ["cache", "push"]])
def test_a_read_only_project(read_only, arguments):
    report(read_only(*arguments, expect=3), "Read-only file system")


@pytest.mark.parametrize("delay", [0.3, 0.6, 1.0, 1.5, 2.2])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_ended_at_any_moment_the_next_run_succeeds(hello, delay, how):
    infra = hello.folder / "infra.py"
    # something to build that no store has yet
    site = hello.folder / "site/index.html"
    site.write_text(f"Hello {time.time_ns()}")
    infra.write_text(infra.read_text().replace('"web"', '"web-2"'))
    child = hello.start("cache", "push")
    with child:
        time.sleep(delay)
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(how)
        _, errors = child.communicate(timeout=60)
    if how == signal.SIGINT and child.returncode:
        assert child.returncode == 130, errors
        # on a busy computer it may still have been loading, with nothing to say yet
        assert not errors or "everything finished so far is kept" in errors
        assert "Traceback" not in errors
    hello("cache", "push")
    assert hello.document("build")["targets"][0]["status"] == "cached"
    assert not [path for path in Path(hello.folder).rglob(".*.??????") if path.is_file()]


def test_a_reader_that_leaves_early(hello):
    done = subprocess.run(
        f"{' '.join(map(repr, hello.program[:1]))} -c {hello.program[2]!r} list | head -n 1",
        shell=True, cwd=hello.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.startswith("machines.web")
    assert done.stderr == ""
