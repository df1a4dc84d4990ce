"""The cache that a command line means: its address, keys, upstreams, and the roots it keeps."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nixgen.errors import CacheError, NixgenError, UsageError
from nixgen.programs.runner import SubprocessRunner
from nixgen.verbs.build import Built, Substituters

if TYPE_CHECKING:
    from nixgen.cache.bucket.location import CacheLocation
    from nixgen.cache.format.codec import Codec
    from nixgen.cache.format.signing import SecretKey
    from nixgen.cache.keep.roots import Root
    from nixgen.cache.push.upstream import Upstream
    from nixgen.project.workspace import Workspace

__all__ = [
    "cache_defaults",
    "cache_location",
    "cache_root",
    "signing_key",
    "signing_keys",
    "substituting",
    "substituting_from_url",
    "trusted_keys",
]


@contextlib.contextmanager
def cache_location(workspace: Workspace | None, cache: str | None) -> Iterator[CacheLocation]:
    """Find the cache for the time of the block.

    The default is an S3 emulator over ``.nixgen/s3``: the one of ``nixgen cache serve --embedded``
    if it runs, else one that runs as long as the block.

    :param workspace: the project. None outside of a project, where only an address will do.
    :param cache: an address, or the name of a cache of the project. None for the default.
    :raises UsageError: it is neither the name nor the address of a cache.
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
    """The compression and the upstreams that the project sets for a cache.

    :param workspace: the project, if any.
    :param cache: as in `cache_location`.
    :raises UsageError: it is neither the name nor the address of a cache.
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
    """Serve a cache on loopback for the time of the block, so that Nix can fetch from it.

    Nix itself may know neither S3 nor nixgen's credentials. An empty cache gives None.

    :param workspace: the project.
    :param cache: as in `cache_location`; it selects the project's settings.
    :param location: the cache.
    :param trust: public keys. Empty: those that the project sets for the cache, or its own.
    :raises UsageError: there is no key to trust.
    :raises CacheError: the cache does not answer.
    :raises UntrustedError: the block raised it; the names of the keys are added.
    """
    from nixgen.cache.bucket.bucket import Bucket
    from nixgen.cache.format.names import CACHE_INFO
    from nixgen.cache.serve.http import CacheServer
    from nixgen.driver.build.failures import UntrustedError

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
    with CacheServer(location) as server:
        substituters = Substituters(
            urls=(server.url, *(each.url for each in upstreams if each.url)),
            public_keys=(*keys, *(str(key) for each in upstreams for key in each.public_keys)),
        )
        try:
            yield substituters
        except UntrustedError as error:
            signers = _signers(location, error.path)
            raise UntrustedError(
                error.targets,
                error.path,
                signers=signers,
                trusted=error.trusted,
                details=error.details,
            ) from error


def substituting_from_url(url: str, trust: Iterable[str]) -> Substituters:
    """Let Nix fetch from a cache that somebody serves over HTTP, as ``nixgen cache serve`` does.

    :param url: ``http://…`` or ``https://…``.
    :param trust: public keys.
    :raises CacheError: no binary cache answers there. Nix would try each path several times, and
        then build it.
    """
    from urllib3 import PoolManager, Retry, Timeout
    from urllib3.exceptions import HTTPError

    from nixgen.cache.format.names import CACHE_INFO

    url = url.rstrip("/")
    try:
        with PoolManager(retries=Retry(1), timeout=Timeout(connect=5, read=20)) as http:
            answer = http.request("GET", f"{url}/{CACHE_INFO}")
            fault = "" if answer.status == 200 else f"it answers with status {answer.status}"
    except HTTPError as error:
        fault = str(error)
    if fault:
        raise CacheError(
            f"there is no binary cache at {url}",
            hint="give the address that `nixgen cache serve` prints, or one like s3://bucket",
            details=[fault],
        )
    return Substituters(urls=(url,), public_keys=tuple(trust))


def _signers(location: CacheLocation, path: str) -> tuple[str, ...] | None:
    """The names of the keys that signed a path of a cache; None when the cache does not have it."""
    from nixgen.cache.bucket.bucket import Bucket
    from nixgen.cache.format.names import narinfo_name
    from nixgen.cache.format.narinfo import NarInfo

    with Bucket(location, connections=1) as bucket, contextlib.suppress(NixgenError):
        text = bucket.read(narinfo_name(path))
        if text is not None:
            info = NarInfo.parse(text.decode("utf-8", "replace"), source=path)
            return tuple(signature.partition(":")[0] for signature in info.signatures)
    return None


def trusted_keys(workspace: Workspace, cache: str | None) -> tuple[str, ...]:
    """The public keys that sign the paths of a cache.

    These are the keys that the project sets for the cache, else its own key, else none.

    :param workspace: the project.
    :param cache: as in `cache_location`.
    """
    from nixgen.cache.format.keygen import public_key_path

    model = workspace.cache(cache) if cache is not None else None
    if model is not None and model.public_keys:
        return model.public_keys
    own = public_key_path(workspace.state / "cache.key")
    return (own.read_text().strip(),) if own.exists() else ()


def signing_key(workspace: Workspace) -> Path:
    """The file of the project's own key, which is made if it is missing. It is never committed.

    :param workspace: the project.
    """
    from nixgen.cache.format.keygen import keygen

    path = workspace.state / "cache.key"
    if not path.exists():
        keygen(f"{workspace.project.name}-1", path)
    return path


def signing_keys(workspace: Workspace | None, files: Iterable[Path] = ()) -> tuple[SecretKey, ...]:
    """The keys in the given files, or the project's own key.

    :param workspace: the project. None outside of a project, where keys must be given.
    :param files: the files of keys.
    :raises UsageError: there is no key.
    :raises InputError: a file is missing, is no key, or is readable for others.
    """
    from nixgen.cache.format.signing import SecretKey

    paths = tuple(files)
    if not paths and workspace is None:
        raise UsageError(
            "without a project there is no key to sign with",
            hint="give one with --key FILE; make one with: nixgen cache keygen NAME",
        )
    if workspace is not None:
        paths = paths or (signing_key(workspace),)
    return tuple(map(SecretKey.load, paths))


def cache_root(
    workspace: Workspace | None, paths: Iterable[str], built: Built | None = None
) -> Root:
    """The root that makes collection keep what a push uploads.

    :param workspace: the project, if any.
    :param paths: the store paths that are pushed.
    :param built: the build that made them; its targets are named in the root.
    """
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
