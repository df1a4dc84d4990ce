"""A build with nothing to do is recognised, and nothing else is."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nixgen.files.fingerprint import fingerprint
from nixgen.instant import stamp
from nixgen.project.dependencies import build_dependencies
from nixgen.project.generate import write_generated
from nixgen.project.infra_reads import recording
from nixgen.project.workspace import Workspace

REQUEST = stamp.request(stamp.BUILD, ("machines",), base="debian", environment=None, overrides={})
INFRA = """
import os
from pathlib import Path
from nixgen import ConfigFile, Machine, Project, Service, Source
import sibling
flag = os.environ.get("SHOP_FLAG", "off")
extra = Path(__file__).with_name("extra.txt").exists()
run = Service("run", command=["/bin/sh", Source("app")], environment={"FLAG": flag})
project = Project(sibling.NAME, machines=[Machine("web", services=[run])])
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "infra.py").write_text(INFRA)
    (tmp_path / "sibling.py").write_text('NAME = "shop"\n')
    (tmp_path / "app/deep").mkdir(parents=True)
    (tmp_path / "app/deep/server.js").write_text("1")
    (tmp_path / "flake-inputs.json").write_text('{"schema": "nixgen/inputs/1", "inputs": {}}')
    (tmp_path / "out").write_text("built")
    (tmp_path / "nixpkgs/lib").mkdir(parents=True)
    (tmp_path / "root").symlink_to(tmp_path / "out")
    workspace = Workspace.open(tmp_path)
    write_generated(workspace)
    assert not workspace.reads.volatile
    old = time.time() - 60
    (tmp_path / ".nixgen/cache").mkdir(parents=True)
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.utime(path, (old, old), follow_symlinks=False)
    stamp.save(
        str(tmp_path),
        REQUEST,
        [("machines.web", "cached", str(tmp_path / "out"))],
        since=time.time_ns(),
        products=set(),
        paths={
            path
            for path in build_dependencies(workspace)
            if not path.startswith(str(tmp_path / ".nixgen"))
        },
        variables=workspace.reads.variables,
        links={str(tmp_path / "root"): str(tmp_path / "out")},
        there={str(tmp_path / "out")},
        absent={str(tmp_path / "not-built")},
        trees={str(tmp_path / "nixpkgs"): fingerprint(str(tmp_path / "nixpkgs"))},
    )
    known = [("machines.web", "cached", str(tmp_path / "out"))]
    assert stamp.load(str(tmp_path), REQUEST) == known
    return tmp_path


CHANGES: dict[str, Callable[[Path], object]] = {
    "infra.py": lambda p: (p / "infra.py").write_text(INFRA + "\n"),
    "a module beside it": lambda p: (p / "sibling.py").write_text('NAME = "shop2"\n'),
    "a source file": lambda p: (p / "app/deep/server.js").write_text("2"),
    "a new source file": lambda p: (p / "app/deep/new.js").write_text("2"),
    "a removed source file": lambda p: (p / "app/deep/server.js").unlink(),
    "a source made executable": lambda p: (p / "app/deep/server.js").chmod(0o755),
    "a generated file": lambda p: (p / "generated/machines/web.nix").write_text("{ }"),
    "a generated file gone": lambda p: (p / "generated/lib/project.nix").unlink(),
    "the lock appears": lambda p: (p / "debian.lock.json").write_text("{}"),
    "the pins": lambda p: (p / "flake-inputs.json").write_text("{ }"),
    "a file that infra.py asked for": lambda p: (p / "extra.txt").write_text(""),
    "the output is gone": lambda p: (p / "out").unlink(),
    "the root is gone": lambda p: (p / "root").unlink(),
    "what was not there is": lambda p: (p / "not-built").write_text(""),
    "a file in a tree": lambda p: (p / "nixpkgs/lib/new.nix").write_text("{ }"),
    "a tree is gone": lambda p: (p / "nixpkgs").rename(p / "elsewhere"),
    "the stamp is damaged": lambda p: (p / ".nixgen/cache/stamp-build.json").write_text("{"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_makes_the_stamp_useless(project: Path, change: str) -> None:
    CHANGES[change](project)
    assert stamp.load(str(project), REQUEST) is None


def test_a_variable_that_infra_py_reads_counts(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNRELATED", "x")
    assert stamp.load(str(project), REQUEST) is not None
    monkeypatch.setenv("SHOP_FLAG", "on")
    assert stamp.load(str(project), REQUEST) is None


def test_another_request_does_not_use_the_stamp(project: Path) -> None:
    def known(
        verb: str = stamp.BUILD,
        targets: tuple[str, ...] = ("machines",),
        base: str = "debian",
        environment: str | None = None,
        **overrides: str,
    ) -> bool:
        asked = stamp.request(
            verb, targets, base=base, environment=environment, overrides=overrides
        )
        return stamp.load(str(project), asked) is not None

    assert known()
    assert not known(targets=("images",))
    assert not known(base="nixpkgs")
    assert not known(environment="prod")
    assert not known(nixpkgs="/x")
    assert not known(verb=stamp.DRY_RUN)


def test_a_file_that_changed_just_now_is_not_trusted(tmp_path: Path) -> None:
    file = tmp_path / "just-now"
    file.write_text("1")
    stamp.save(
        str(tmp_path),
        REQUEST,
        [],
        since=time.time_ns(),
        paths={str(file)},
        products=set(),
        variables=set(),
        links={},
        there=set(),
        absent=set(),
        trees={},
    )
    assert stamp.load(str(tmp_path), REQUEST) is None


@pytest.mark.parametrize(("seconds", "made", "stands"), [(60, False, True), (10, False, False), (10, True, True)])  # fmt: skip
def test_a_file_that_was_edited_while_nixgen_ran_is_not_trusted(
    tmp_path: Path,
    seconds: int,
    made: bool,  # noqa: FBT001
    stands: bool,  # noqa: FBT001
) -> None:
    """What is said is of the file that was read, 30 seconds ago; unless nixgen wrote it itself since."""
    file = tmp_path / "file"
    file.write_text("1")
    then = time.time() - seconds
    os.utime(file, (then, then))
    stamp.save(
        str(tmp_path),
        REQUEST,
        [],
        since=time.time_ns() - 30 * 10**9,
        paths=set() if made else {str(file)},
        products={str(file)} if made else set(),
        variables=set(),
        links={},
        there=set(),
        absent=set(),
        trees={},
    )
    assert (stamp.load(str(tmp_path), REQUEST) is not None) is stands


@pytest.mark.parametrize(
    "code",
    [
        "import subprocess; subprocess.run(['true'])",
        "import os; dict(os.environ)",
        "import os; os.environ['A'] = 'b'",
        "open('written.txt', 'w').close()",
        "import os; os.system('true')",
    ],
)
def test_reads_that_cannot_be_recorded_are_volatile(
    tmp_path: Path, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("A", "a")
    with recording() as reads:
        exec(code, {})
    assert reads.volatile


def test_compiled_modules_of_python_do_not_count_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("VALUE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.pycache_prefix", str(tmp_path / "elsewhere"))
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    for _ in ("compiled", "found compiled"):
        monkeypatch.delitem(sys.modules, "only_here", raising=False)
        with recording() as reads:
            exec("import only_here", {})
        assert list((tmp_path / "elsewhere").rglob("only_here.*.pyc"))
        assert not reads.volatile
        mine = {path for path in reads.paths if "only_here" in path}
        assert mine == {str(tmp_path / "only_here.py")}, "the source counts, and nothing else"


def test_recording_ends(tmp_path: Path) -> None:
    with recording() as reads:
        pass
    (tmp_path / "x").write_text("")
    assert not reads.volatile
    assert not reads.paths
    assert type(os.environ).__name__ == "_Environ"
    assert type(os.environ).__module__ == "os"
