"""``nixgen cache channel``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nixgen.cli import options
from nixgen.errors import counted

if TYPE_CHECKING:
    from nixgen.cache.bucket.location import CacheLocation
    from nixgen.project.workspace import Workspace

app = options.verb()


@app.command("channel", epilog=options.examples("nixgen cache channel shop --to s3://bucket"))
def channel(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the channel for users, such as shop.")
    ],
    targets: options.Targets = None,
    project: options.ProjectFolder = Path(),
    to: options.To = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            help="URL at which clients reach the cache. Default: that of Amazon for a public Cache, else that of `nixgen cache serve`.",
        ),
    ] = None,
    key: options.SigningKeys = None,
    base: options.Base = "debian",
    env: options.Env = None,
    verbose: options.Verbose = False,
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Build and push targets, and publish them for nix-channel and as a flake."""
    from nixgen.cache.push.settings import UploadSettings
    from nixgen.cache.serve.channel import require_name, require_url
    from nixgen.cli import console
    from nixgen.cli.progress import build_progress, tracked
    from nixgen.cli.tracking import PushTracker
    from nixgen.project.workspace import Workspace
    from nixgen.verbs import build, caches
    from nixgen.verbs.channel import publish_channel
    from nixgen.verbs.push import push

    require_name(name)
    given = None if url is None else require_url(url)
    workspace = Workspace.open(project)
    codec, upstreams = caches.cache_defaults(workspace, to)
    request = options.make_request(workspace, base=base, env=env, debug=debug)
    with build_progress(quiet=json, verbose=verbose) as observe:
        built = build.build(workspace, targets or (), request, observe=observe).require()
    with caches.cache_location(workspace, to) as location:
        with tracked(PushTracker(), quiet=json, verbose=verbose) as observe:
            push(
                workspace,
                built.paths,
                location,
                keys=key or (),
                settings=UploadSettings(codec=codec),
                upstreams=upstreams,
                root=caches.cache_root(workspace, built.paths, built),
                observe=observe,
            )
        done = publish_channel(
            workspace,
            name,
            built,
            location,
            url=given or _url(workspace, to, location),
            keys=key or (),
            upstreams=upstreams,
        )
    if json:
        console.print_json(done.document())
        return
    changed = ", ".join(done.uploaded) or "nothing, it is up to date"
    console.say(f"channel {name}, {counted(len(done.targets), 'target')}; uploaded: {changed}")
    console.say(f"  nix-channel --add {done.urls.tarball} {name} && nix-channel --update {name}")
    console.say(f"  nix registry add {name} {done.urls.flake}")
    if to is None:
        console.note("serve it with: nixgen cache serve")
    elif given is None:
        console.note(f"clients reach it at {done.url}; otherwise say where: --url URL")


def _url(workspace: Workspace, to: str | None, location: CacheLocation) -> str:
    """The URL of a public bucket, of the server of the project's own S3, or the default of that."""
    from nixgen.cache.provision.design import BucketDesign
    from nixgen.cache.serve.http import DEFAULT_URL, url_of

    model = workspace.cache(to) if to else None
    if model is not None and model.public:
        return BucketDesign(location=location).url
    return (None if to else url_of(workspace.state / "s3")) or DEFAULT_URL
