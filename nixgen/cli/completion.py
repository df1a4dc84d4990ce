"""``nixgen completion``, and the table of verbs and options for completion.

`nixgen.instant.completion` answers each TAB from the table, without this module.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from nixgen.cli.options import Debug, examples, verb

__all__ = ["table"]

app = verb()

#: The line that turns completion on, and the file of the home folder that it belongs in.
_SETUP = {
    "bash": ('eval "$(nixgen completion bash)"', ".bashrc"),
    "zsh": ('eval "$(nixgen completion zsh)"', ".zshrc"),
    "fish": ("nixgen completion fish | source", ".config/fish/config.fish"),
}


@app.command(
    "completion",
    epilog=examples("nixgen completion zsh", "nixgen completion --install"),
)
def completion(
    shell: Annotated[
        str | None,
        typer.Argument(
            metavar="SHELL", help="bash, zsh or fish; the one you are in when not given."
        ),
    ] = None,
    install: Annotated[
        bool,
        typer.Option(
            "--install",
            help="Turn completion on for new shells: add a line to their start-up file.",
        ),
    ] = False,
    debug: Debug = False,
) -> None:
    """Print what makes a shell complete verbs, options and names."""
    from nixgen.cli import console
    from nixgen.errors import UsageError

    name = shell or _current_shell()
    if name not in _SETUP:
        raise UsageError(
            f"there is no completion for {name!r}" if name else "your shell is not known",
            hint=f"name one of {', '.join(_SETUP)}",
        )
    if not install:
        console.print_text((Path(__file__).parent / "shells" / f"nixgen.{name}").read_text())
        return
    line, place = _SETUP[name]
    file = Path.home() / place
    if _add_line(file, line):
        console.say(f"wrote   {file}")
    console.note(f"new shells complete nixgen; in this one, run: {line}")


def _current_shell() -> str:
    """The shell that started nixgen, else the user's own shell, else an empty string."""
    try:
        parent = Path(f"/proc/{os.getppid()}/comm").read_text().strip()
    except OSError:
        parent = ""
    return parent if parent in _SETUP else Path(os.environ.get("SHELL", "")).name


def _add_line(file: Path, line: str) -> bool:
    """Append a line, and return True, unless the file has it already.

    :raises StoreError: the file cannot be read or written.
    """
    from nixgen.errors import StoreError

    try:
        text = file.read_text() if file.exists() else ""
        if line in text.splitlines():
            return False
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as opened:
            opened.write("\n" * (bool(text) and not text.endswith("\n")) + line + "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(
            f"cannot add a line to {file}: {error}", hint=f"add it yourself: {line}"
        ) from error
    return True


#: Metavar of an option or argument → the kind of its values:
#: ``files`` and ``folders`` of the disk; ``target[:KIND]``, ``application``, ``environment``, ``cache`` and
#: ``builder`` of the project, followed by words that can be given as well; ``input`` and ``override`` of
#: flake-inputs.json; ``choice:A,B``; ``text`` for what cannot be completed.
_KINDS = {
    "PATH": "folders",
    "DIR": "folders",
    "FILE": "files",
    "TARGET": "target",
    "TARGET|STORE_PATH": "target",
    "CACHE": "cache",
    "[CACHE] [TARGET]...": "cache",
    "APP": "application",
    "NAME=PATH": "override",
    "NAMES": "builder:all,none",
    "SHELL": "choice:bash,zsh,fish",
    "COMMAND": "files",
}
#: The same for options whose metavar does not decide, by verb or for all verbs.
_SPECIAL = {
    "--base": "choice:debian,nixpkgs",
    "--accel": "choice:auto,kvm,tcg",
    "--format": "choice:yaml,json",
    "--compression": "choice:zstd,xz,gzip,none",
    "--env": "environment",
    "--system": "choice:x86_64-linux,aarch64-linux",
    "cache warm --env": "environment:none",
    "cache warm --emit": "choice:systemd,kubernetes,github",
    "inputs update NAME": "input",
    "inputs check NAME": "input",
    "image build TARGET": "target:images",
    "image run TARGET": "target:images",
    "test run TARGET": "target:tests",
}


def table() -> dict[str, Any]:
    """words.json of `nixgen.instant`: verb → its sub-verbs, options and kinds of arguments.

    The verb is as typed behind ``nixgen``; an empty string is nixgen itself.
    """
    from nixgen.cli.app import app as nixgen

    found: dict[str, Any] = {}

    def visit(path: tuple[str, ...], command: Any) -> None:
        name = " ".join(path)
        is_group = hasattr(command, "list_commands")
        verbs = {
            each: command.get_command(None, each)
            for each in (command.list_commands(None) if is_group else ())
        }
        found[name] = {
            "verbs": {each: sub.get_short_help_str(100) for each, sub in verbs.items()}
            | ({} if path else {"help": "Print the help of a verb."}),
            "options": _options(name, command),
            "arguments": [
                _kind(name, each.metavar, each.metavar) + ("..." if each.nargs == -1 else "")
                for each in command.params
                if each.param_type_name == "argument"
            ],
        }
        for each, sub in verbs.items():
            visit((*path, each), sub)

    visit((), typer.main.get_command(nixgen))
    return found


def _options(verb: str, command: Any) -> dict[str, Any]:
    found = {}
    for each in command.params:
        if each.param_type_name != "option" or each.hidden:
            continue
        about = {
            "value": None if each.is_flag else _kind(verb, each.opts[-1], each.metavar),
            "help": " ".join((each.help or "").split()),
            "again": each.multiple,
        }
        found.update(dict.fromkeys((*each.opts, *each.secondary_opts), about))
    return found | {"--help": {"value": None, "help": "Show the help and exit.", "again": False}}


def _kind(verb: str, name: str, metavar: str | None) -> str:
    return (
        _SPECIAL.get(f"{verb} {name}") or _SPECIAL.get(name) or _KINDS.get(metavar or "") or "text"
    )
