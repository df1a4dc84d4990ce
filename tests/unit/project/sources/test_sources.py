"""The files that are copied from a source, what they depend on, and the faults of a source."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nixgen.errors import InputError, ModelError, Problem
from nixgen.models import Source
from nixgen.project.sources import Sources, ignore_table, source_faults

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Files below a folder, by path; a path with a final slash is an empty folder."""

    def write(**folders: dict[str, str]) -> Path:
        for top, files in folders.items():
            for name, text in files.items():
                path = tmp_path / top / name
                path.parent.mkdir(parents=True, exist_ok=True)
                if name.endswith("/"):
                    path.mkdir(parents=True, exist_ok=True)
                else:
                    path.write_text(text)
        return tmp_path

    return write


def names(root: Path, source: Source) -> list[str]:
    """What is copied, without folders."""
    entries = Sources(str(root)).listing(source).entries
    return [entry.name.decode() for entry in entries if entry.kind != "folder"]


def problems(root: Path, *sources: Source) -> list[Problem]:
    return list(
        source_faults(Sources(str(root)), ((f"at[{n}]", each) for n, each in enumerate(sources)))
    )


def test_gitignore_files_count_from_the_repository_down_and_inside_the_source(make: Make) -> None:
    top = make(
        outside={".gitignore": "*"},
        repo={
            ".git/": "",
            ".gitignore": "*.o\n/infra/app/top\n",
            "infra/.gitignore": "*.tmp\n!keep.o\n",
            "infra/app/.gitignore": "/local\n",
            "infra/app/a.o": "", "infra/app/keep.o": "", "infra/app/top": "", "infra/app/b.tmp": "",
            "infra/app/local": "", "infra/app/main": "", "infra/app/sub/local": "",
            "infra/app/sub/.gitignore": "!b.tmp", "infra/app/sub/b.tmp": "",
        },
    )  # fmt: skip
    (top / ".gitignore").write_text("*")
    project = top / "repo/infra"
    assert names(project, Source("app")) == [
        ".gitignore", "keep.o", "main", "sub/.gitignore", "sub/b.tmp", "sub/local"
    ]  # fmt: skip
    assert len(names(project, Source("app", gitignore=False))) == 10


def test_without_a_repository_gitignore_files_of_the_project_count(make: Make) -> None:
    top = make(project={".gitignore": "*.o", "app/a.o": "", "app/b": ""})
    (top / ".gitignore").write_text("*")
    assert names(top / "project", Source("app")) == ["b"]


def test_a_source_beside_the_project_follows_its_own_repository(make: Make) -> None:
    files = {"x.o": "", "y.log": "", "z": ""}
    top = make(repo={".gitignore": "*.o"}, **{"repo/infra": {"f": ""}, "repo/app": files})
    assert names(top / "repo/infra", Source("../app")) == ["y.log", "z"]
    (top / "repo/app/.git").write_text("gitdir: elsewhere")
    assert names(top / "repo/infra", Source("../app")) == ["x.o", "y.log", "z"], (
        "a repository of its own"
    )


def test_a_repository_that_ignores_the_project_does_not_count(make: Make) -> None:
    home = make(home={".git/": "", ".gitignore": "*\n!/work\n"}, **{"home/src/shop": {"app/a": ""}})
    assert names(home / "home/src/shop", Source("app")) == ["a"]
    assert problems(home / "home/src/shop", Source("app")) == []


def test_empty_folders_are_left_out(make: Make) -> None:
    top = make(
        app={"empty/": "", "deep/er/": "", "logs/a.log": "", ".gitignore": "*.log", "x/y": ""}
    )
    entries = Sources(str(top)).listing(Source("app")).entries
    assert [entry.name for entry in entries] == [b"", b".gitignore", b"x", b"x/y"]


def test_version_control_and_special_files_are_left_out(make: Make) -> None:
    top = make(app={".git/config": "", "sub/.hg/x": "", ".svn/x": "", ".nixgen/x": "", "a": ""})
    os.mkfifo(top / "app/pipe")
    (top / "app/link").symlink_to("/nowhere")
    assert names(top, Source("app", gitignore=False)) == ["a", "link"]


def test_a_project_as_a_source_is_copied_without_its_generated_files(make: Make) -> None:
    top = make(project={"infra.py": "", "generated/x": "", "src/generated/y": "", "src/result": ""})
    (top / "project/result").symlink_to("/nix/store/x")
    kept = ["infra.py", "src/generated/y", "src/result"]
    assert names(top / "project", Source(".")) == kept
    assert names(top / "project", Source("..", name="all")) == [f"project/{name}" for name in kept]


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (None, ["*.md"], ["a.py", "dist/x", "test/b.py"]),
        (["*.py"], [], ["a.py", "test/b.py"]),
        (["*.py", "!/test"], [], ["a.py"]),
        (["!/test", "*.py"], [], ["a.py", "test/b.py"]),
        (["test", "!/test/*", "b*"], [], ["test/b.py"]),
        (["test"], [], ["test/README.md", "test/b.py"]),
        (["test/", "!*.md"], [], ["test/b.py"]),
        (["*.py"], ["test"], ["a.py"]),
        (["/*.py"], [], ["a.py"]),
        (["*"], ["!ignored.o", "dist"], ["README.md", "a.py", "ignored.o", "test/README.md", "test/b.py"]),
    ],
)  # fmt: skip
def test_include_and_exclude_choose_files(
    make: Make, include: list[str] | None, exclude: list[str], expected: list[str]
) -> None:
    files = dict.fromkeys(["README.md", "a.py", "dist/x", "ignored.o", "test/README.md", "test/b.py"], "")  # fmt: skip
    top = make(project={".gitignore": "*.o"}, **{"project/app": files})
    assert names(top / "project", Source("app", include=include, exclude=exclude)) == expected


def test_ignored_folders_are_not_read(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    top = make(app={".gitignore": "node_modules/", "a/b": "", "node_modules/c/.gitignore": "*", "node_modules/c/d/e": ""})  # fmt: skip
    seen = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: seen.append(path) or scandir(path))
    sources, source = Sources(str(top)), Source("app")
    sources.digest(source)
    sources.dependencies(source)
    assert list(source_faults(sources, [("", source)])) == []
    assert [os.path.relpath(path, os.fsencode(top)) for path in seen] == [b"app", b"app/a"]


def test_ignored_files_change_neither_rules_nor_digest(make: Make) -> None:
    source = Source("app")
    top = make(app={".gitignore": "node_modules/\n*.log\n", "a/.gitignore": "x", "a/b": "1"})

    def taken() -> tuple[object, bytes]:
        look = Sources(str(top))
        return ignore_table(look, [("", source)]), look.digest(source)

    before = taken()
    make(app={"node_modules/c/.gitignore": "*", "a/x": "", "logs/1.log": "", "a/b.log": "", ".git/x": ""})  # fmt: skip
    assert taken() == before
    make(app={"a/b": "2"})
    assert taken()[0] == before[0]
    assert taken()[1] != before[1]


CHANGES: dict[str, Callable[[Path], object]] = {
    "a file": lambda app: (app / "a").write_text("2"),
    "a name": lambda app: (app / "a").rename(app / "b"),
    "the right to run": lambda app: (app / "a").chmod(0o755),
    "a new file": lambda app: (app / "sub/new").write_text(""),
    "where a link leads": lambda app: ((app / "link").unlink(), (app / "link").symlink_to("b")),
    "a file for a link": lambda app: ((app / "link").unlink(), (app / "link").write_text("a")),
    "rules in the source": lambda app: (app / ".gitignore").write_text("a"),
    "rules above the source": lambda app: (app.parent / ".gitignore").write_text("a"),
    "a repository": lambda app: (app / ".git").mkdir(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_a_copied_file_changes_a_dependency(make: Make, change: str) -> None:
    """By the digest, if Nix would see them, and by the paths that decide."""
    top = make(project={"app/a": "1", "app/sub/b": "", ".gitignore": "*.log"})
    app = top / "project/app"
    (app / "link").symlink_to("a")
    old = 1_000_000_000
    for path in (app, *app.rglob("*")):
        os.utime(path, (old, old), follow_symlinks=False)

    def seen() -> dict[str, object]:
        found = {}
        for path in Sources(str(top / "project")).dependencies(Source("app")):
            try:
                status = Path(path).stat()
                found[path] = (status.st_mtime_ns, status.st_size, status.st_ino, status.st_mode)
            except OSError:
                found[path] = None
        return found

    before, digest = seen(), Sources(str(top / "project")).digest(Source("app"))
    CHANGES[change](app)
    after = seen()
    assert {path: after.get(path) for path in before} != before
    same = Sources(str(top / "project")).digest(Source("app")) == digest
    assert same == (change == "a repository")


def test_rules_begin_at_the_outermost_folder_that_has_rules(make: Make) -> None:
    top = make(
        repo={".git/": "", "infra/.gitignore": "# none\n", "infra/app/sub/.gitignore": "*.o\n",
              "infra/app/x": "", "web/y": "", "web/.gitignore": "/dist/\n"},
    )  # fmt: skip
    project = top / "repo/infra"

    def table(*sources: Source) -> object:
        found = ignore_table(Sources(str(project)), (("", source) for source in sources))
        return {
            "rules": {t: {f: [rule.posix for rule in rules] for f, rules in folders.items()} for t, folders in found.rules.items()},
            "places": dict(found.places),
        }  # fmt: skip

    app, web, none = Source("app"), Source("../web"), Source("app/x")
    assert table(app, web, none) == {
        "rules": {"../web": {"": ["dist/"]}, "app": {"sub": ["[^/]*[.]o"]}},
        "places": {"../web": ("../web", ""), "app": ("app", "")},
    }
    (top / "repo/.gitignore").write_text("*.log")
    assert table(app, Source("app", gitignore=False), web, none) == {
        "rules": {
            "..": {"": ["[^/]*[.]log"], "infra/app/sub": ["[^/]*[.]o"], "web": ["dist/"]},
        },
        "places": {"../web": ("..", "web"), "app": ("..", "infra/app"), "app/x": ("..", "infra/app/x")},
    }  # fmt: skip


def test_rules_that_nix_cannot_express_are_refused(make: Make) -> None:
    top = make(project={"app/a": ""})
    project = top / "project"
    (project / ".gitignore").write_bytes(b"fine\ncaf\xe9\n#\xe9\n[\xc3\xa9]x\n")
    with pytest.raises(ModelError) as caught:
        ignore_table(Sources(str(project)), [("at", Source("app")), ("again", Source("app"))])
    assert [(p.path, p.where) for p in caught.value.problems] == [
        ("at", ".gitignore:2"),
        ("at", ".gitignore:4"),
    ]
    assert [problem.message for problem in caught.value.problems] == [
        (
            "the rule at .gitignore:2 cannot be translated to Nix:"
            " it is not UTF-8, and text in Nix has to be UTF-8"
        ),
        (
            "the rule at .gitignore:4 cannot be translated to Nix:"
            " git compares single bytes, and a character outside ASCII in […] is several bytes"
        ),
    ]
    assert {problem.hint for problem in caught.value.problems} == {
        "rewrite the rule, or ignore all .gitignore files with Source(…, gitignore=False)"
    }
    assert ignore_table(Sources(str(project)), [("", Source("app", gitignore=False))]).rules == {}


def test_a_source_can_be_one_file(make: Make) -> None:
    top = make(project={"a.conf": "1", "b.conf": "", ".gitignore": "b.*"})
    assert names(top / "project", Source("a.conf")) == [""]
    found = problems(top / "project", Source("a.conf"), Source("b.conf"), Source("a.conf", exclude=["x"]))  # fmt: skip
    assert [(p.path, p.message) for p in found] == [
        ("at[1]", "b.conf is left out as a whole by .gitignore:1"),
        ("at[2]", "a.conf is a file: there is nothing to choose from"),
    ]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Source("absent"), "there is no absent in the project"),
        (Source("link"), "link is a link, and only the link would be copied"),
        (Source("dist"), "dist is left out as a whole by .gitignore:2"),
        (Source("dist/js"), "dist/js is left out as a whole by .gitignore:2"),
        (Source("dist", gitignore=False), None),
        (Source("logs"), "logs would be empty: everything in it is left out"),
        (Source("app", include=["*.css"]), "app would be empty: include=[…] matches nothing"),
        (
            Source("app", include=["a", "b", "*.css"]),
            "nothing that is copied from app is called 'b'",
        ),
        (
            Source("app", include=["a", "a.log"]),
            "nothing that is copied from app is called 'a.log'",
        ),
        (Source("app", include=["a", "!b"]), None),
        (Source("empty"), None),
        (Source("pipe"), "pipe is neither a file nor a folder"),
    ],
)
def test_a_faulty_source_is_reported(make: Make, source: Source, message: str | None) -> None:
    top = make(project={".gitignore": "*.log\n/dist\n", "dist/js/x": "", "logs/x.log": "", "app/a": "", "app/a.log": "", "empty/": ""})  # fmt: skip
    (top / "project/link").symlink_to("app")
    os.mkfifo(top / "project/pipe")
    found = problems(top / "project", source)
    assert [problem.message for problem in found] == ([message] if message else [])
    assert all(problem.hint for problem in found)


def test_a_path_that_cannot_be_read_is_named(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    top = make(project={".gitignore": "x", "app/a": ""})

    def refuse(path: object, *_rest: object) -> object:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(InputError, match=r"project/\.gitignore cannot be read: Permission denied"):
        Sources(str(top / "project")).listing(Source("app"))
    with pytest.raises(InputError, match=r"app/a cannot be read: Permission denied"):
        Sources(str(top / "project")).digest(Source("app", gitignore=False))
