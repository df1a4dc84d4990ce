"""``nixgen cache warm``"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nixgen.cli import options
from nixgen.errors import counted
from nixgen.records.document import document

if TYPE_CHECKING:
    from nixgen.cache.push.warm import WarmPlan
    from nixgen.project.workspace import Workspace
    from nixgen.verbs.warm import Selection

app = options.verb()


@app.command(
    "warm",
    epilog=options.examples(
        "nixgen cache warm --plan", "nixgen cache warm --to s3://bucket --shard 1/4"
    ),
)
def warm(
    targets: options.Targets = None,
    project: options.ProjectFolder = Path(),
    to: options.To = None,
    env: Annotated[
        list[str] | None,
        typer.Option(
            "--env",
            metavar="NAME",
            help="An environment, or none for the project without one. May be repeated. Default: all.",
        ),
    ] = None,
    system: Annotated[
        list[str] | None,
        typer.Option(
            "--system",
            metavar="SYSTEM",
            help="A system, such as aarch64-linux. May be repeated. Default: the systems of the machines.",
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="I/N",
            help="Warm only part I of N, counted from 1; other runs take the other parts.",
        ),
    ] = None,
    plan: Annotated[
        bool,
        typer.Option(
            "--plan", help="Print which paths are missing, and their size; build and push nothing."
        ),
    ] = False,
    key: options.SigningKeys = None,
    base: options.Base = "debian",
    override_input: options.OverrideInput = None,
    jobs: options.Jobs = None,
    builders: options.Builders = None,
    emit: Annotated[
        str | None,
        typer.Option(
            "--emit",
            metavar="FORM",
            help="Print a job that warms the cache, for systemd, kubernetes or github; build and push nothing.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="With --emit: write files into this folder instead."
        ),
    ] = None,
    shards: Annotated[
        int,
        typer.Option(
            "--shards", min=1, max=1000, metavar="N", help="With --emit: split the job into parts."
        ),
    ] = 1,
    schedule: Annotated[
        str | None,
        typer.Option(
            "--schedule",
            metavar="WHEN",
            help="With --emit: OnCalendar= for systemd, cron for the others. Default: every night, and once in Kubernetes.",
        ),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(
            "--image",
            metavar="REF",
            help="With --emit kubernetes: the image that holds nixgen, Nix and the project.",
        ),
    ] = None,
    verbose: options.Verbose = False,
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Build and push the paths that a cache lacks, of every target, environment and system."""
    import shutil
    from functools import partial

    from nixgen.automation.jobs import FORMS, WarmJob
    from nixgen.cache.push.warm import Shard
    from nixgen.cli import console
    from nixgen.cli._session import Pushing
    from nixgen.cli.progress import build_progress
    from nixgen.errors import UsageError
    from nixgen.project.workspace import Workspace
    from nixgen.verbs import caches, warm

    workspace = Workspace.open(project)
    selection = warm.Selection(
        targets=tuple(targets or ()),
        environments=_environments(workspace, env),
        systems=tuple(system or ()),
        shard=None if shard is None else Shard.parse(shard),
    )
    if emit is not None:
        if to is None:
            raise UsageError("a job needs a cache to warm", hint="give it with --to s3://bucket")
        _require_for_job(emit, selection, overridden=bool(override_input))
        workspace.cache(to)
        selection.works(workspace, warm.SYSTEMS[0])
        job = WarmJob(
            project=workspace.project.name,
            folder=str(workspace.root),
            program=shutil.which("nixgen") or "nixgen",
            cache=to,
            words=_words(selection, base),
            shards=shards,
            schedule=schedule,
            image=image or f"{workspace.project.name}-nixgen:latest",
        )
        _write_job(emit, FORMS[emit](job), out=out, json=json)
        return
    request = options.make_request(
        workspace,
        base=base,
        override_input=override_input,
        jobs=jobs,
        builders=builders,
        debug=debug,
    )
    planning = partial(warm.plan, workspace, selection, request=request)
    part = None if selection.shard is None else str(selection.shard)
    head = document("nixgen/cache-warm/1", shard=part)
    if plan:
        upstreams = caches.cache_defaults(workspace, to)[1]
        with (
            caches.cache_location(workspace, to) as location,
            build_progress(quiet=json, verbose=verbose) as observe,
        ):
            planned = planning(location, upstreams=upstreams, observe=observe)
        if json:
            console.print_json({**head, **planned.document(), "push": None})
        else:
            _print_plan(planned)
        return
    signers = [signer.public for signer in caches.signing_keys(workspace, key or ())]
    with Pushing.to(workspace, to, keys=key or ()) as pushing:
        with build_progress(quiet=json, verbose=verbose) as progress:
            planned = planning(pushing.location, upstreams=pushing.upstreams, observe=progress)
            observe = pushing.beside(progress)
            pushing.session.add(planned.outputs("to push"))
            with caches.substituting(
                workspace, to, pushing.location, map(str, signers)
            ) as substituters:
                warmed = warm.build_missing(
                    workspace, planned, request, substituters=substituters, observe=observe
                )
        if not json:
            _print_plan(warmed.plan)
        if outputs := warmed.plan.outputs("to push", "to build"):
            pushing.finish(outputs, root=None, quiet=json, verbose=verbose)
        if not pushing.failed:
            warm.record_roots(workspace, warmed.plan, pushing.location)
    if json:
        console.print_json({**head, **warmed.plan.document(), **pushing.document()})
    pushing.tell(instead_of=warmed.error, json=json)
    if warmed.error is not None:
        raise warmed.error


def _environments(workspace: Workspace, names: list[str] | None) -> tuple[str | None, ...] | None:
    if not names:
        return None
    known = {each.name for each in workspace.project.environments}
    return tuple(None if name == "none" and name not in known else name for name in names)


def _print_plan(planned: WarmPlan) -> None:
    from nixgen.cli.console import human_size, print_table, say

    rows = []
    for row in planned.rows:
        exact = row.state in ("cached", "to push")
        rows.append(
            (
                row.work.attr,
                row.work.environment or "",
                row.work.system,
                str(len(row.missing)) if exact else "",
                human_size(sum(info.nar_size for info in row.missing)) if exact else "",
                str(len(row.builds) or ""),
                row.state,
            )
        )
    if not rows:
        say("nothing is selected, so nothing is missing")
        return
    print_table(["target", "environment", "system", "paths", "bytes", "builds", "state"], rows)
    missing, builds = planned.missing, planned.builds
    if not missing and not builds and not planned.of("failed"):
        say("nothing is missing")
        return
    say(
        f"missing: {counted(len(missing), 'path')}, {human_size(sum(missing.values()))}"
        + (
            f", and what {counted(len(builds), 'derivation')} {'builds' if len(builds) == 1 else 'build'}"
            if builds
            else ""
        )
    )


def _require_for_job(form: str, selection: Selection, *, overridden: bool) -> None:
    """Refuse options that a job cannot keep.

    :raises UsageError: there is one of them, or no such form of a job.
    """
    from nixgen.automation.jobs import FORMS
    from nixgen.errors import UsageError

    if form not in FORMS:
        raise UsageError(
            f"there is no form {form!r} of a job", hint=f"the forms are {', '.join(FORMS)}"
        )
    if overridden:
        raise UsageError(
            "the tree of --override-input is missing where a job runs",
            hint="pin it instead: nixgen inputs update NAME --to REV",
        )
    if selection.shard is not None:
        raise UsageError(
            "--shard is for one run; a job runs every part",
            hint="give the number of parts with --shards N",
        )


def _write_job(form: str, files: Mapping[str, str], *, out: Path | None, json: bool) -> None:
    from nixgen.cli import console
    from nixgen.files.write import write_atomically

    if out is not None:
        for name, text in files.items():
            write_atomically(out / name, text.encode())
    if json:
        console.print_json(document("nixgen/cache-warm-job/1", form=form, files=files))
    elif out is not None:
        for name in files:
            console.say(f"wrote   {out / name}")
    else:
        for number, (name, text) in enumerate(files.items()):
            if len(files) > 1:
                console.say(f"{chr(10) if number else ''}# {name}")
            console.say(text.rstrip("\n"))


def _words(selection: Selection, base: str) -> tuple[str, ...]:
    """The selection, as words of a command line."""
    words = [*selection.targets]
    for environment in selection.environments or ():
        words += ("--env", environment or "none")
    for system in selection.systems:
        words += ("--system", system)
    return (*words, *(() if base == "debian" else ("--base", base)))
