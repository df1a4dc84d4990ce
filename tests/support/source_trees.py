"""Trees with .gitignore files for Hypothesis, and what git, Python and Nix make of them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen
from hypothesis import strategies as st

from nixgen import syntax as nix
from nixgen.lowering.sources import ignored, rules
from nixgen.models import Source
from nixgen.project.sources import Sources, ignore_table
from nixgen.render import nix_library

#: For git, without anybody's settings.
ENVIRONMENT = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}

# one word each; those with spaces and ends of lines are added below
_NAMES = r"""
a b ab abc A 1 a\b c.log d.o .h é - ] [ ^ * ** a**b !x #y z\ {x} (x) x+ $ | ~ src build
"""
_PIECES = r"""
a b ab * ** / ? . + ( ) { } $ ^ | - ] ~ , A 1 é src build .log *.o **/ /** /**/ ! # \ \a \* \/
[a-z] [!a] [^b] [] []] [-a] [a-] [a-c-e] [\]] [z-a] [a-\c] [[] [[:] [!/] [/] [^^] [^-] [+.]
[[:alpha:]] [[:punct:]] [[:space:]] [^[:alnum:]] [[:alpha:]-x] [[:foo:]]
"""
NAMES = [*_NAMES.split(), "a b", "x ", "\t", "new\nline"]
PIECES = [*_PIECES.split(), " ", "\\ ", "\r"]

_SURROUNDINGS = ("{}", "!{}", "/{}", "{}/", "!/{}/", "{} ", "**/{}")
PATTERNS = st.builds(
    lambda pattern, around: around.replace("{}", pattern),
    st.one_of(
        st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join),
        st.lists(st.sampled_from([*NAMES, "*", "**", "?*", "[ab]*"]), min_size=1, max_size=3).map(
            "/".join
        ),
    ),
    st.sampled_from(_SURROUNDINGS),
)
GITIGNORES = st.builds(
    lambda lines, end, last: (end.join(lines) + (end if last else "")).encode(),
    st.lists(PATTERNS, min_size=1, max_size=5),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)

#: What a folder holds: text of a file, and whether it may be run; the target of a link; or a folder.
Content = tuple[bytes, bool] | str | Mapping[str, Any]

_LEAVES: st.SearchStrategy[Content] = st.one_of(
    st.tuples(st.just(b"x"), st.booleans()), st.sampled_from(["..", "nowhere"])
)
_FOLDERS: st.SearchStrategy[Any] = st.recursive(
    st.dictionaries(st.sampled_from(NAMES), _LEAVES, max_size=5),
    lambda inner: st.builds(
        lambda entries, text: entries if text is None else {**entries, ".gitignore": (text, False)},
        st.dictionaries(st.sampled_from(NAMES), st.one_of(_LEAVES, inner), min_size=1, max_size=6),
        st.one_of(st.none(), st.none(), GITIGNORES),
    ),
    max_leaves=30,
)


@frozen
class Case:
    """A repository, and a source in it.

    :param pick: which of its folders is the source, if there are as many.
    """

    tree: Mapping[str, Content]
    pick: int
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()

    def source(self) -> Source:
        inside = [name for name, content in sorted(self.tree.items()) if isinstance(content, dict)]
        chosen = [".", *inside][self.pick % (len(inside) + 1)]
        return Source(chosen, include=self.include, exclude=self.exclude, name="s")


CASES = st.builds(
    lambda tree, text, pick: Case({**tree, ".gitignore": (text, False)}, pick),
    _FOLDERS,
    GITIGNORES,
    st.integers(0, 3),
)
CHOOSING_CASES = st.builds(
    lambda case, include, exclude: Case(case.tree, case.pick, include, exclude),
    CASES,
    st.one_of(st.none(), st.lists(PATTERNS, min_size=1, max_size=3).map(tuple)),
    st.lists(PATTERNS, max_size=2).map(tuple),
)


def write(folder: Path, tree: Mapping[str, Content]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in tree.items():
        path = folder / name
        match content:
            case dict():
                write(path, content)
            case str():
                path.symlink_to(content)
            case text, executable:
                path.write_bytes(text)
                path.chmod(0o755 if executable else 0o644)


#: Path from the source → file, executable, folder or link.
Found = Mapping[bytes, str]


def counted(sources: Sources, source: Source) -> Found:
    """By Python."""
    _, *entries = sources.listing(source).entries
    return {entry.name: entry.kind for entry in entries}


def make_repository(folder: Path) -> None:
    """One for all trees: making one takes git longer than listing a tree."""
    subprocess.run(["git", "init", "--quiet", "--bare", folder], check=True, env=ENVIRONMENT)


def added(folder: Path, top: Path, repository: Path) -> set[bytes]:
    """The files and links below a folder that git would add.

    :param top: of the tree.
    """
    done = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard", "-z", "--", "."],
        cwd=folder,
        env={**ENVIRONMENT, "GIT_DIR": str(repository), "GIT_WORK_TREE": str(top)},
        check=True,
        capture_output=True,
    )
    return set(done.stdout.split(b"\0")) - {b""}


def copied(folder: Path, cases: Sequence[tuple[Sources, Source]]) -> list[Found]:
    """By Nix, to a store below ``folder``, all in one evaluation."""
    folder.mkdir(exist_ok=True)
    (folder / "source.nix").write_bytes((nix_library() / "lib/source.nix").read_bytes())
    calls = nix.List(tuple(_call(folder, *case) for case in cases))
    (folder / "all.nix").write_text(nix.print_file(calls).text)
    done = subprocess.run(
        [
            *("nix-instantiate", "--option", "build-users-group", ""),
            *("--eval", "--strict", "--json", "--read-write-mode", "all.nix"),
        ],
        cwd=folder,
        env={
            **os.environ,
            **{f"NIX_{name}_DIR": str(folder / name.lower()) for name in ("STORE", "STATE", "LOG")},
        },
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return [dict(_on_disk(os.fsencode(path))) for path in json.loads(done.stdout)]


def _call(folder: Path, sources: Sources, source: Source) -> nix.Expr:
    """As generated files have it, but from ``folder``."""
    table = ignored([source], ignore_table(sources, [("", source)]))
    path = os.path.relpath(sources.place(source), folder)
    arguments: dict[str, nix.Expr] = {
        "name": nix.Str("s"),
        "path": nix.Path(path),
        "ignored": nix.Select(table, (source.relative_path,)),
        "exclude": rules(source.exclude_rules),
    }
    if source.include is not None:
        arguments["include"] = rules(source.include_rules)
    function = nix.Call(nix.Var("import"), (nix.Path("./source.nix"),))
    return nix.Call(function, (nix.AttrSet(arguments),))


def _on_disk(folder: bytes, name: bytes = b"") -> Iterator[tuple[bytes, str]]:
    for entry in os.scandir(folder):
        inner = b"%s/%s" % (name, entry.name) if name else entry.name
        if entry.is_symlink():
            yield inner, "link"
        elif entry.is_dir():
            yield inner, "folder"
            yield from _on_disk(entry.path, inner)
        else:
            yield inner, "executable" if entry.stat().st_mode & 0o100 else "file"
