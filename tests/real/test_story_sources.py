"""An edit of a source rebuilds the derivations that use it; an edit that git ignores rebuilds none."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from nixgen.project.generate import write_generated
from nixgen.project.workspace import Workspace
from nixgen.verbs.evaluate import evaluated

pytestmark = pytest.mark.real

INFRA = """
from nixgen import ConfigFile, Machine, Package, Project, Service, Source, text

def machine(name, source):
    return Machine(name, services=[Service("run", command=["/bin/sh", source])])

project = Project("p", machines=[
    machine("web", Source("web")),
    machine("code", Source("code", include=["*.py"], exclude=["test_*"])),
    machine("beside", Source("../shared")),
    machine("file", Source("motd.txt")),
    machine("none", "-c"),
])
"""
FILES = {
    ".gitignore": "node_modules/\n*.log\n",
    "infra/infra.py": INFRA,
    "infra/motd.txt": "Hello",
    "infra/web/index.html": "1",
    "infra/web/.gitignore": "/dist\n",
    "infra/web/dist/index.js": "1",
    "infra/web/node_modules/left-pad/index.js": "1",
    "infra/web/run.sh": "1",
    "infra/code/main.py": "1",
    "infra/code/test_main.py": "1",
    "infra/code/README": "1",
    "shared/data": "1",
    "shared/x.log": "1",
}
NAMES = ("web", "code", "beside", "file", "none")


@pytest.fixture(scope="module")
def locked(example) -> Path:
    """A project's lock; writing one anew for each test takes longer than all that is tested here."""
    nixgen = example("hello")
    nixgen("inputs", "update")
    return nixgen.folder


@pytest.fixture
def repository(tmp_path: Path, locked: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / ".git").mkdir()
    (tmp_path / "infra/web/link").symlink_to("run.sh")
    for name in ("flake-inputs.json", "debian.lock.json"):
        shutil.copy(locked / name, tmp_path / "infra" / name)
    return tmp_path


def derivations(repository: Path) -> tuple[dict[str, str], bool]:
    """Machine → its derivation, and whether Nix was asked."""
    said: list[object] = []
    outcome = evaluated(Workspace.open(repository / "infra"), observe=said.append)
    assert not outcome.errors
    found = {target.attr.removeprefix("machines."): target.drv for target in outcome.targets}
    assert set(found) == set(NAMES)
    return found, bool(said)


def replace_link(repository: Path) -> None:
    (repository / "infra/web/link").unlink()
    (repository / "infra/web/link").symlink_to("index.html")


UNSEEN: dict[str, Callable[[Path], object]] = {
    "an ignored file": lambda r: (r / "infra/web/dist/index.js").write_text("2"),
    "a file in an ignored folder": lambda r: (r / "infra/web/node_modules/new").write_text("2"),
    "no ignored folder": lambda r: shutil.rmtree(r / "infra/web/node_modules"),
    "an ignored file beside the project": lambda r: (r / "shared/x.log").write_text("2"),
    "an ignored file in a folder of its own": lambda r: [
        (r / "infra/web/logs").mkdir(),
        (r / "infra/web/logs/1.log").write_text("2"),
    ],
    "a file that is not included": lambda r: (r / "infra/code/README").write_text("2"),
    "an excluded file": lambda r: (r / "infra/code/test_main.py").write_text("2"),
    "version control": lambda r: (r / ".git/HEAD").write_text("2"),
}
SEEN: dict[str, tuple[Callable[[Path], object], set[str]]] = {
    "a file": (lambda r: (r / "infra/web/index.html").write_text("2"), {"web"}),
    "the right to run": (lambda r: (r / "infra/web/run.sh").chmod(0o755), {"web"}),
    "a link": (replace_link, {"web"}),
    "an included file": (lambda r: (r / "infra/code/main.py").write_text("2"), {"code"}),
    "a new included file": (lambda r: (r / "infra/code/new.py").write_text("2"), {"code"}),
    "a file beside the project": (lambda r: (r / "shared/data").write_text("2"), {"beside"}),
    "a single file": (lambda r: (r / "infra/motd.txt").write_text("2"), {"file"}),
    "a rule": (lambda r: (r / ".gitignore").write_text("node_modules/\n"), {"beside"}),
    # the file is a part of the source, too
    "a rule in the source": (lambda r: (r / "infra/web/.gitignore").write_text(""), {"web"}),
}


def test_an_edit_of_an_ignored_file_evaluates_nothing(repository: Path) -> None:
    before, asked = derivations(repository)
    assert asked
    for what, edit in UNSEEN.items():
        edit(repository)
        assert derivations(repository) == (before, False), what


@pytest.mark.slow
def test_an_edit_of_a_copied_file_rebuilds_the_targets_that_use_it(repository: Path) -> None:
    before, _ = derivations(repository)
    for what, (edit, users) in SEEN.items():
        edit(repository)
        after, asked = derivations(repository)
        assert asked, what
        assert {name for name in NAMES if before[name] != after[name]} == users, what
        before = after


@pytest.mark.parametrize("path", [".", ".."])
def test_generated_files_are_no_part_of_a_source(repository: Path, path: str) -> None:
    infra = repository / "infra/infra.py"
    infra.write_text(
        "from nixgen import Machine, Project, Service, Source\n"
        f's = Service("s", command=["/bin/sh", Source("{path}", name="all")])\n'
        'project = Project("p", machines=[Machine("m", services=[s])])\n'
    )
    workspace = Workspace.open(repository / "infra")
    write_generated(workspace)
    (repository / "infra/result").symlink_to("/nix/store")
    (repository / "infra/code/generated").mkdir()
    (repository / "infra/code/generated/parser.py").write_text("")
    done = subprocess.run(
        ["nix-instantiate", "--eval", "--read-write-mode", "--option", "build-users-group", "", "-E",
         f'import ./infra/generated/lib/lib/source.nix {{ ignored = (import ./infra/generated/ignored.nix)."{path}"; path = ./infra/. + "/{path}"; name = "all"; }}'],
        cwd=repository, capture_output=True, text=True, check=True,
    )  # fmt: skip
    copied = Path(done.stdout.strip().strip('"'))
    found = {file.relative_to(copied).as_posix() for file in copied.rglob("*")}
    source = workspace.project.machines[0].services[0].command[1]
    assert found == {entry.name.decode() for entry in workspace.look().listing(source).entries[1:]}
    assert any(name.endswith("code/generated/parser.py") for name in found)
    assert not any(name.endswith(("default.nix", "result")) for name in found)


def test_ignored_folders_are_not_read(repository: Path) -> None:
    """Not even when they are large; by Nix, that is. Python: tests/unit/project/sources/test_sources.py."""
    for package in range(100):
        folder = repository / f"infra/web/node_modules/p{package}"
        folder.mkdir()
        for number in range(100):
            (folder / f"{number}.js").write_text("")
    write_generated(Workspace.open(repository / "infra"))
    (repository / "web.nix").write_text(
        "builtins.scopedImport\n"
        "  { builtins = builtins // {\n"
        "      readDir = path: builtins.trace (toString path) (builtins.readDir path);\n"
        "      path = it: builtins.path (it // {\n"
        "        filter = path: type: builtins.trace path (it.filter path type); });\n"
        "  }; }\n"
        "  ./infra/generated/lib/lib/source.nix\n"
        '  { ignored = (import ./infra/generated/ignored.nix).web; path = ./infra/web; name = "web"; }'
    )
    done = subprocess.run(
        ["nix-instantiate", "--eval", "--option", "build-users-group", "", "web.nix"],
        cwd=repository, capture_output=True, text=True, check=True,
    )  # fmt: skip
    seen = {
        line.partition("infra/web")[2] for line in done.stderr.splitlines() if "trace: " in line
    }
    assert seen == {"", "/.gitignore", "/dist", "/index.html", "/link", "/node_modules", "/run.sh"}


def test_a_flake_copies_the_same_files(repository: Path) -> None:
    """In pure evaluation the tree is a store path, and so is all that it names."""
    workspace = Workspace.open(repository / "infra")
    write_generated(workspace)
    call = (
        "import ./infra/generated/lib/lib/source.nix {\n"
        "  ignored = (import ./infra/generated/ignored.nix).web;\n"
        '  name = "web";\n'
        "  path = ./infra/web;\n"
        "}"
    )
    (repository / "flake.nix").write_text(f"{{ outputs = _: {{ web = {call}; }}; }}")
    (repository / "web.nix").write_text(call)
    options = ["--option", "build-users-group", "", "--extra-experimental-features", "nix-command flakes"]  # fmt: skip

    def path(*words: str) -> str:
        done = subprocess.run(words, cwd=repository, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().strip('"')

    shutil.rmtree(repository / ".git")  # of which Nix would want to know more
    flake = path("nix", "eval", f"path:{repository}#web", *options)
    plain = path("nix-instantiate", "--eval", "--read-write-mode", "web.nix", *options[:3])
    assert flake == plain
    entries = workspace.sources.listing(
        workspace.project.machines[0].services[0].command[1]
    ).entries
    assert sorted(file.relative_to(plain).as_posix() for file in Path(plain).rglob("*")) == sorted(
        entry.name.decode() for entry in entries if entry.name
    ) == [".gitignore", "index.html", "link", "run.sh"]  # fmt: skip
