"""A project and its binary cache: which one is meant, who signs, what is pushed, fetched and published.

Each function takes a `Workspace`, where there is one, and returns a value; nothing is printed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.evaluate import Tree, evaluate
from nixgen.driver.store.store import Store
from nixgen.errors import UsageError, VerifyError
from nixgen.programs.observer import Observer, ignore
from nixgen.programs.runner import SubprocessRunner
from nixgen.records.document import document
from nixgen.verbs.build import Built, Substituters
from nixgen.verbs.evaluate import moving_files

if TYPE_CHECKING:
    from nixgen.cache.bucket.location import CacheLocation
    from nixgen.cache.format.codec import Codec
    from nixgen.cache.keep.roots import Root
    from nixgen.cache.push.push import PushReport
    from nixgen.cache.push.session import PushSession
    from nixgen.cache.push.settings import UploadSettings
    from nixgen.cache.push.upstream import Upstream
    from nixgen.cache.serve.channel import ChannelUrls
    from nixgen.project.workspace import Workspace

__all__ = [
    "Channel",
    "cache_defaults",
    "cache_location",
    "cache_root",
    "publish_channel",
    "push",
    "push_session",
    "signing_key",
    "substituting",
    "trusted_keys",
]


@contextlib.contextmanager
def cache_location(workspace: Workspace | None, cache: str | None) -> Iterator[CacheLocation]:
    """The cache that is meant: by address, or by the name of one of the project's. With none: an S3 emulator over .nixgen/s3,
    the one of ``nixgen cache serve --embedded`` when that runs, else one that runs for as long as this.

    :param workspace: None outside of a project; then only an address will do.
    :raises UsageError: neither a name nor the address of a cache.
    """
    from nixgen.cache.bucket.location import CacheLocation
    from nixgen.cache.serve.embedded import embedded_s3, served_at

    if workspace is None:
        if cache is None:
            raise UsageError(
                "without a project there is no cache to take by default",
                hint="give the address of one, like s3://bucket?region=eu-central-1",
            )
        yield CacheLocation.parse(cache)
        return
    folder = workspace.state / "s3"
    if cache is not None:
        model = workspace.cache(cache)
        yield CacheLocation.parse(model.address if model else cache)
    elif served := served_at(folder):
        yield served
    else:
        with embedded_s3(folder) as location:
            yield location


def cache_defaults(
    workspace: Workspace | None, cache: str | None
) -> tuple[Codec, tuple[Upstream, ...]]:
    """What the project says of the cache that is meant: its compression and its upstreams.

    :raises UsageError: neither a name nor the address of a cache.
    """
    from nixgen.cache.format.codec import Codec
    from nixgen.cache.format.signing import PublicKey
    from nixgen.cache.push.upstream import Upstream

    model = workspace.cache(cache) if workspace is not None and cache is not None else None
    if model is None:
        return Codec.of(), ()
    return Codec.of(model.compression, model.level), tuple(
        Upstream(
            url=each.url.rstrip("/"), public_keys=tuple(map(PublicKey.parse, each.public_keys))
        )
        for each in model.upstreams
    )


@contextlib.contextmanager
def substituting(
    workspace: Workspace, cache: str | None, location: CacheLocation, trust: Iterable[str] = ()
) -> Iterator[Substituters | None]:
    """The cache and its upstreams, for Nix to fetch from as long as the block: an HTTP server on loopback, since Nix
    itself may know neither S3 nor our credentials. None when the cache is empty.

    :param cache: as on the command line, for what the project says of it.
    :param trust: public keys; those of the project's model, or its own one, when empty.
    :raises UsageError: there is no key to trust.
    :raises CacheError: the cache does not answer.
    """
    from nixgen.cache.bucket.bucket import Bucket
    from nixgen.cache.format.names import CACHE_INFO
    from nixgen.cache.serve.http import serve

    _, upstreams = cache_defaults(workspace, cache)
    keys = tuple(trust) or trusted_keys(workspace, cache)
    if not keys:
        raise UsageError(
            "there is no public key to trust the cache with",
            hint="give one with --trust NAME:BASE64, or Cache(public_keys=[…])",
        )
    with Bucket(location, connections=1) as bucket:
        if bucket.read(CACHE_INFO) is None:
            yield None
            return
    with serve(location) as server:
        yield Substituters(
            urls=(server.url, *(each.url for each in upstreams if each.url)),
            public_keys=(*keys, *(str(key) for each in upstreams for key in each.public_keys)),
        )


def trusted_keys(workspace: Workspace, cache: str | None) -> tuple[str, ...]:
    """The public keys that are to have signed what is in a cache: as the project says, else its own, if it has one."""
    from nixgen.cache.format.keygen import public_key_path

    model = workspace.cache(cache) if cache is not None else None
    if model is not None and model.public_keys:
        return model.public_keys
    own = public_key_path(workspace.state / "cache.key")
    return (own.read_text().strip(),) if own.exists() else ()


def signing_key(workspace: Workspace) -> Path:
    """The project's own key, made when there is none. Private, and never committed."""
    from nixgen.cache.format.keygen import keygen

    path = workspace.state / "cache.key"
    if not path.exists():
        keygen(f"{workspace.project.name}-1", path)
    return path


def cache_root(
    workspace: Workspace | None, paths: Iterable[str], built: Built | None = None
) -> Root:
    """What collection is to keep of a push: the targets of ``built``, and store paths that have no target."""
    from nixgen.cache.keep.roots import DEFAULT_ENVIRONMENT, Root, new_generation, path_targets
    from nixgen.driver.build.results import source_commit

    now = datetime.now(UTC)
    targets = {} if built is None else {each.attr: each.outputs for each in built.targets}
    named = {path for outputs in targets.values() for path in outputs.values()}
    return Root(
        environment=(built and built.environment) or DEFAULT_ENVIRONMENT,
        generation=new_generation(now),
        created=now,
        project=workspace.project.name if workspace else "",
        commit=source_commit(SubprocessRunner(), workspace.root) if workspace else None,
        targets={**targets, **path_targets(set(paths) - named)},
    )


def push(
    workspace: Workspace | None,
    paths: Sequence[str],
    location: CacheLocation,
    *,
    keys: Sequence[Path] = (),
    settings: UploadSettings | None = None,
    upstreams: Sequence[Upstream] = (),
    dry_run: bool = False,
    thorough: bool = False,
    root: Root | None = None,
    observe: Observer = ignore,
) -> PushReport:
    """Push the closures of ``paths``, signed with ``keys``, or with the project's own key.

    :param workspace: None outside of a project; then there must be keys.
    :param root: what collection is to keep; see `cache_root`.
    :raises CacheError: S3 refuses or does not answer.
    :raises InputError: a key that is no key, or that others can read.
    :raises LeakError: something to push holds the value of a secret of the project's; nothing was uploaded then.
    """
    from nixgen.cache.format.signing import SecretKey
    from nixgen.cache.push import push as pushing
    from nixgen.verbs import secrets

    if workspace is None and not keys:
        raise UsageError(
            "without a project there is no key to sign with",
            hint="give one with --key FILE; make one with: nixgen cache keygen NAME",
        )
    own = () if workspace is None or keys else (signing_key(workspace),)
    return pushing.push(
        paths,
        location,
        [SecretKey.load(path) for path in (*keys, *own)],
        observe,
        dry_run=dry_run,
        thorough=thorough,
        upstreams=upstreams,
        settings=settings,
        root=root,
        check=None
        if workspace is None
        else partial(
            secrets.refuse_leaks,
            workspace,
            paths,
            logs=settings is not None and settings.logs,
        ),
    )


@contextlib.contextmanager
def push_session(
    workspace: Workspace,
    location: CacheLocation,
    *,
    keys: Sequence[Path] = (),
    settings: UploadSettings | None = None,
    upstreams: Sequence[Upstream] = (),
    observe: Observer = ignore,
) -> Iterator[PushSession]:
    """A push that goes on beside a build: give it the build's events, and at the end what is to be in the cache.

    :param observe: gets the events of the push, from another thread.
    """
    from nixgen.cache.push import session

    def run(paths: Sequence[str], tell: Observer, root: Root | None) -> PushReport:
        return push(
            workspace,
            paths,
            location,
            keys=keys,
            settings=settings,
            upstreams=upstreams,
            root=root,
            observe=tell,
        )

    with session.push_session(run, store=Store.of_host(), observe=observe) as running:
        yield running


@attrs.frozen(kw_only=True)
class Channel:
    """The outcome of `publish_channel`.

    :param targets: attribute in the channel → (attribute in the flake, system, main output).
    :param uploaded: the objects that changed.
    """

    name: str
    cache: str
    url: str
    urls: ChannelUrls
    targets: Mapping[str, tuple[str, str, str]]
    uploaded: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """For ``--json``: schema nixgen/channel/1."""
        return document(
            "nixgen/channel/1",
            name=self.name,
            cache=self.cache,
            url=self.url,
            tarball=self.urls.tarball,
            flake=self.urls.flake,
            targets={
                attr: {"flake": flake, "system": system, "out": path}
                for attr, (flake, system, path) in self.targets.items()
            },
            uploaded=list(self.uploaded),
        )


def publish_channel(
    workspace: Workspace,
    name: str,
    built: Built,
    location: CacheLocation,
    *,
    url: str,
    keys: Sequence[Path] = (),
    upstreams: Sequence[Upstream] = (),
) -> Channel:
    """Put what evaluates to the targets of ``built``, which are pushed already, beside the cache.

    :param url: where clients reach the cache, without a final slash.
    :param keys: that signed; the project's own when empty.
    :raises UsageError: the name is not one for Nix.
    :raises VerifyError: the channel would evaluate to something else than what was built.
    :raises LeakError: a source holds the value of a secret of the project's.
    """
    from nixgen.cache.bucket.bucket import Bucket
    from nixgen.cache.format.signing import SecretKey
    from nixgen.cache.serve import channel
    from nixgen.driver.commands.versions import probe
    from nixgen.verbs import secrets

    runner, options = SubprocessRunner(), NixOptions.of_host()
    here = probe(runner, workspace.state / "cache").system
    systems = {f"machines.{machine.name}": machine.system for machine in workspace.project.machines}
    paths = moving_files(workspace, [each.attr for each in built.targets], built.environment)
    # what lies beside the project must lie beside it in the channel
    depth = max((path.split("/").count("..") for path in paths), default=0)
    project = "/".join(["project"] * (depth + 1))
    text = workspace.channel_text(
        channel.require_name(name),
        [(each.attr, systems.get(each.attr, here), each.out) for each in built.targets],
        tree=f"{project}/generated",
        base=built.base,
        environment=built.environment,
        substituters=[url, *(upstream.url for upstream in upstreams if upstream.url)],
        keys=[
            *(str(SecretKey.load(key).public) for key in keys or (signing_key(workspace),)),
            *(str(key) for upstream in upstreams for key in upstream.public_keys),
        ],
    )
    archive = channel.pack(
        name,
        {
            **{os.path.normpath(f"{project}/{path}"): source for path, source in paths.items()},
            **text.files(),
        },
    )
    with channel.unpacked(archive) as folder:
        tree = Tree(
            file=folder / name / text.tree / "default.nix",
            base=built.base,
            environment=built.environment,
            mirrors="",  # as it is where nobody sets it, in pure evaluation above all
        )
        attrs = [each.attr for each in built.targets]
        found = evaluate(tree, attrs, runner=runner, options=options).require()
    for mine, theirs in zip(built.targets, found, strict=True):
        if mine.outputs != theirs.outputs:
            raise VerifyError(
                f"{mine.attr} of the channel would be {theirs.out}, but {mine.out} was built",
                hint="its sources have changed since, or depend on the name of the project's folder; "
                "build again, or name the Source",
            )
    secrets.refuse_leaks_in(workspace, f"the channel {name}", archive)
    urls = channel.channel_urls(url, name)
    with Bucket(location) as bucket:
        channel.keep(
            bucket, name, [path for each in built.targets for path in each.outputs.values()]
        )
        uploaded = channel.publish(
            bucket,
            name,
            archive=archive,
            index=text.index(tarball=urls.tarball, flake=urls.flake),
            url=url,
        )
    return Channel(
        name=name,
        cache=str(location),
        url=url,
        urls=urls,
        targets={
            each.channel_attr: (each.flake_attr, each.system, each.path) for each in text.targets
        },
        uploaded=uploaded,
    )
