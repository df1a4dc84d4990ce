"""Options and arguments that several verbs share, and the settings of every verb."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from nixgen.project.workspace import Workspace
    from nixgen.verbs.request import Request

__all__ = [
    "CACHE_HELP",
    "HELP_OPTIONS",
    "Base",
    "Builders",
    "Cache",
    "CacheName",
    "Debug",
    "Env",
    "EvalMemory",
    "EvalWorkers",
    "InputNames",
    "Jobs",
    "Json",
    "OverrideInput",
    "ProjectFolder",
    "SigningKeys",
    "Targets",
    "To",
    "TrustedKeys",
    "Upstreams",
    "Verbose",
    "examples",
    "make_request",
    "verb",
]

CACHE_HELP = (
    "Address of a cache, such as s3://bucket?region=eu-central-1, or the name of a Cache of infra.py."
    " Default: the project's own S3."
)

ProjectFolder = Annotated[
    Path,
    typer.Option("--project", metavar="PATH", help="The folder of infra.py.", show_default=False),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document; progress goes to standard error.")
]
Verbose = Annotated[
    bool,
    typer.Option(
        "-v", "--verbose", help="In a log: a line for each path that is built, fetched or pushed."
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks and whole traces.")]
Targets = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TARGET",
        help="Targets such as machines.web, or whole kinds such as images. Default: all.",
    ),
]
Cache = Annotated[
    str | None, typer.Argument(metavar="CACHE", envvar="NIXGEN_CACHE", help=CACHE_HELP)
]
To = Annotated[
    str | None, typer.Option("--to", metavar="CACHE", envvar="NIXGEN_CACHE", help=CACHE_HELP)
]
CacheName = Annotated[
    str | None, typer.Option("--cache", metavar="CACHE", envvar="NIXGEN_CACHE", help=CACHE_HELP)
]
SigningKeys = Annotated[
    list[Path] | None,
    typer.Option(
        "--key",
        metavar="FILE",
        help="File of a secret key that signs. May be repeated: every key signs. Default: the project's own key.",
    ),
]
TrustedKeys = Annotated[
    list[str] | None,
    typer.Option(
        "--trust",
        metavar="PUBLIC",
        help="Public key, or a file with one, whose signatures count. May be repeated. Default: the project's own key.",
    ),
]
Upstreams = Annotated[
    list[str] | None,
    typer.Option(
        "--upstream",
        metavar="URL",
        help="Address of another cache that clients use, and that may have paths. May be repeated.",
    ),
]
Builders = Annotated[
    str | None,
    typer.Option(
        "--builders",
        metavar="NAMES",
        envvar="NIXGEN_BUILDERS",
        help="Builders of infra.py that may build, too: big-1,big-2, all or none; or the path of a machines file. "
        "Default: build here, or where Nix's own configuration says.",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "-j",
        "--jobs",
        min=0,
        metavar="N",
        help="Builds at a time on this computer; 0 leaves everything to builders. Default: one for each processor.",
    ),
]
Base = Annotated[str, typer.Option("--base", help="The package base: debian or nixpkgs.")]
OverrideInput = Annotated[
    list[str] | None,
    typer.Option(
        "--override-input",
        metavar="NAME=PATH",
        help="Use the tree in PATH instead of the pinned input, for this run. May be repeated.",
    ),
]
InputNames = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME", help="Inputs of flake-inputs.json. Default: all."),
]
EvalWorkers = Annotated[
    int | None,
    typer.Option(
        "--eval-workers",
        min=1,
        metavar="N",
        help="Evaluations at a time. Default: NIXGEN_EVAL_WORKERS, or one for each processor.",
    ),
]
EvalMemory = Annotated[
    str | None,
    typer.Option(
        "--eval-memory",
        metavar="SIZE",
        help="Memory of all evaluations together, such as 4G. Default: NIXGEN_EVAL_MEMORY, or three quarters of the free memory.",
    ),
]
Env = Annotated[
    str | None, typer.Option("--env", metavar="NAME", help="An environment of the project.")
]


#: Settings of every command for click.
HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}


def examples(*lines: str) -> str:
    """The end of a verb's help: command lines to copy.

    :param lines: each begins with ``nixgen``; a test checks that its verb and options exist.
    """
    # click fills paragraphs, but for those that begin with \b
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def verb(
    help: str | None = None,  # noqa: A002  # typer's own name for it
    *,
    cls: type[TyperGroup] | None = None,
    epilog: str | None = None,
) -> typer.Typer:
    """The typer application of a module of this package.

    :param help: the help of a verb with sub-verbs.
    :param cls: the class of a group whose modules are imported when they are used.
    :param epilog: the end of that help; see `examples`.
    """
    return typer.Typer(
        help=help,
        # with a callback, it is a group even if it has one sub-verb
        callback=(lambda: None) if help else None,
        cls=cls,
        epilog=epilog,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=HELP_OPTIONS,
        add_completion=False,
    )


def make_request(
    workspace: Workspace,
    *,
    base: str = "debian",
    env: str | None = None,
    override_input: list[str] | None = None,
    jobs: int | None = None,
    builders: str | None = None,
    eval_workers: int | None = None,
    eval_memory: str | None = None,
    keep_going: bool = True,
    debug: bool = False,
) -> Request:
    """Make the request for the verbs from the options of the command line.

    :param workspace: the project.
    :param base: the package base.
    :param env: the environment.
    :param override_input: ``NAME=PATH`` for each input with a folder in its place.
    :param jobs: builds at a time on this computer.
    :param builders: the remote builders to use.
    :param eval_workers: evaluations at a time.
    :param eval_memory: memory of all evaluations together.
    :param keep_going: finish the other targets when one fails.
    :param debug: show whole traces.
    :raises UsageError: a value is no size, number or folder.
    """
    from nixgen.driver.evaluate import Limits
    from nixgen.verbs.request import Request

    return Request(
        base=base,
        environment=env,
        overrides=workspace.overrides(override_input),
        limits=Limits.of_host(workers=eval_workers, memory=eval_memory),
        jobs=jobs,
        builders=builders,
        keep_going=keep_going,
        debug=debug,
    )
