"""`nixgen fmt`, with a stand-in for nixfmt that replaces a tab by two spaces and rejects a ``?``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nixgen.driver.tools.formatting import Formatted, Formatter, Rejected, format_files
from nixgen.errors import InputError, MissingToolError, StaleError
from nixgen.programs.runner import SubprocessRunner
from nixgen.project.sources import hand_written

STAND_IN = """\
#!/bin/sh
text=$(cat; echo .)
text=${text%.}
case $text in
  *\\?*) echo "$1: unexpected ?" >&2; exit 1 ;;
esac
printf %s "$text" | sed 's/\t/  /g'
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The first folder on PATH. No other folder there has a nixfmt."""
    folder = tmp_path / "bin"
    folder.mkdir()
    rest = [
        entry
        for entry in os.environ["PATH"].split(os.pathsep)
        if not (Path(entry) / "nixfmt").exists()
    ]
    monkeypatch.setenv("PATH", os.pathsep.join([str(folder), *rest]))
    return folder


def install(programs: Path, script: str) -> None:
    (programs / "nixfmt").write_text(script)
    (programs / "nixfmt").chmod(0o755)


@pytest.fixture
def formatter(programs: Path) -> Formatter:
    install(programs, STAND_IN)
    return Formatter.find(SubprocessRunner())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files = {
        "infra.py": "", ".gitignore": "vendor/\n", "generated/default.nix": "\t", "vendor/x.nix": "\t",
        "a.nix": "{\n\ta = 1;\n}\n", "nix/b.nix": "{ }\n", "nix/note.txt": "\t",
    }  # fmt: skip
    for name, text in files.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "project"


def test_a_missing_formatter_is_an_error(programs: Path) -> None:
    with pytest.raises(MissingToolError) as caught:
        Formatter.find(SubprocessRunner())
    assert "no Nix formatter" in caught.value.message
    assert "cargo install nixfmt_rs" in (caught.value.hint or "")


@pytest.mark.parametrize("script", ["#!/bin/sh\ncat; echo\n", "#!/bin/sh\nexit 2\n"])
def test_a_formatter_of_another_style_is_refused(programs: Path, script: str) -> None:
    install(programs, script)
    with pytest.raises(MissingToolError, match="does not write the form of RFC 166"):
        Formatter.find(SubprocessRunner())


def test_generated_and_ignored_files_and_links_are_not_formatted(project: Path) -> None:
    (project / "link.nix").symlink_to("a.nix")
    (project / "folder.nix").mkdir()
    (project / "folder.nix/inside.txt").write_text("")
    assert hand_written(project) == ("a.nix", "nix/b.nix")


def test_files_are_replaced_completely_and_keep_their_rights(
    project: Path, formatter: Formatter
) -> None:
    script = project / "a.nix"
    script.chmod(0o755)
    (project / "link.nix").symlink_to("a.nix")
    report = format_files([("l", project / "link.nix"), ("b", project / "nix/b.nix")], formatter, write=True)  # fmt: skip
    assert [each.name for each in report.changed] == ["l"]
    assert script.read_text() == "{\n  a = 1;\n}\n"
    assert script.stat().st_mode & 0o777 == 0o755
    assert (project / "link.nix").is_symlink()
    assert sorted(path.name for path in project.iterdir() if path.name.startswith(".")) == [".gitignore"]  # fmt: skip


def test_all_rejected_files_are_reported_at_once(project: Path, formatter: Formatter) -> None:
    (project / "bad.nix").write_text("?")
    files = [(name, project / name) for name in ("bad.nix", "a.nix", "absent.nix")]
    report = format_files(files, formatter, write=False)
    assert [type(each) for each in report.results] == [Rejected, Formatted, Rejected]
    assert (project / "a.nix").read_text() == "{\n\ta = 1;\n}\n"
    with pytest.raises(InputError) as caught:
        report.require(check=True)
    assert caught.value.message == "2 files cannot be formatted"
    assert list(caught.value.details) == [
        "bad.nix:",
        "--filename=bad.nix: unexpected ?",
        "absent.nix:",
        "No such file or directory",
    ]


def test_a_difference_is_a_diff(project: Path, formatter: Formatter) -> None:
    report = format_files([("a.nix", project / "a.nix")], formatter, write=False)
    assert "".join(report.changed[0].difference()).endswith(" {\n-\ta = 1;\n+  a = 1;\n }\n")
    with pytest.raises(StaleError, match="1 file is not formatted"):
        report.require(check=True)
    report.require(check=False)


def nixgen(
    project: Path, *arguments: str, text: str = "", expect: int = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", "from nixgen.cli.entry import main; main()", *arguments],
        cwd=project, input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == expect, done.stderr
    return done


def test_the_command(project: Path, programs: Path) -> None:
    assert "no Nix formatter is installed" in nixgen(project, "fmt", expect=3).stderr
    install(programs, STAND_IN)
    checked = nixgen(project, "fmt", "--check", expect=1)
    assert "-\ta = 1;\n+  a = 1;\n" in checked.stdout
    assert nixgen(project, "fmt").stdout == "formatted a.nix\n"
    assert nixgen(project, "fmt", "--check").stdout == "2 hand-written Nix files are formatted\n"
    assert nixgen(project, "fmt", "nix").stdout == "1 hand-written Nix file is formatted\n"
    assert nixgen(project, "fmt", "generated/default.nix").stdout == "formatted generated/default.nix\n"  # fmt: skip
    assert nixgen(project, "fmt", "-", text="\tx\n").stdout == "  x\n"
    assert "+  x" in nixgen(project, "fmt", "-", "--check", text="\tx\n", expect=1).stdout
    assert "there is no x and no y" in nixgen(project, "fmt", "x", "a.nix", "y", expect=2).stderr
    assert nixgen(project, "fmt", "-", "a.nix", expect=2).stdout == ""
    (project / "bad.nix").write_text("?")
    document = nixgen(project, "fmt", "--json", "--check", expect=2)
    assert '"files": 3' in document.stdout
    assert '"file": "bad.nix"' in document.stdout


def test_nothing_to_format_needs_no_formatter(project: Path, programs: Path) -> None:
    (project / "a.nix").unlink()
    (project / "nix/b.nix").unlink()
    assert nixgen(project, "fmt").stdout == "there are no hand-written Nix files\n"
