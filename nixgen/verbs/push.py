"""``nixgen cache push``, and the push beside a build: sign, search for secrets, upload."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nixgen.driver.store.store import Store
from nixgen.programs.observer import Observer, ignore
from nixgen.verbs.caches import signing_keys

if TYPE_CHECKING:
    from nixgen.cache.bucket.location import CacheLocation
    from nixgen.cache.keep.roots import Root
    from nixgen.cache.push.push import PushReport
    from nixgen.cache.push.session import PushSession
    from nixgen.cache.push.settings import UploadSettings
    from nixgen.cache.push.upstream import Upstream
    from nixgen.project.workspace import Workspace

__all__ = ["push", "push_session"]


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
    """Push the closures of store paths, signed.

    :param workspace: the project. None outside of a project, where there must be keys.
    :param paths: the store paths.
    :param location: the cache.
    :param keys: files of signing keys. Empty: the project's own key.
    :param settings: how NARs are written.
    :param upstreams: caches whose paths are left out.
    :param dry_run: only find out what would be pushed.
    :param thorough: ask the cache about every path, and not only down to paths that it has.
    :param root: what collection keeps; see `nixgen.verbs.caches.cache_root`.
    :param observe: gets the events.
    :raises CacheError: S3 refuses or does not answer.
    :raises InputError: a key is no key, or is readable for others.
    :raises LeakError: a path to push contains the value of a secret of the project. Nothing is
        uploaded then.
    """
    from nixgen.cache.push import push as pushing
    from nixgen.verbs import secret

    logs = settings is not None and settings.logs
    return pushing.push(
        paths,
        location,
        signing_keys(workspace, keys),
        observe,
        dry_run=dry_run,
        thorough=thorough,
        upstreams=upstreams,
        settings=settings,
        root=root,
        check=None
        if workspace is None
        else partial(secret.refuse_leaks, workspace, paths, logs=logs),
    )


def push_session(
    workspace: Workspace,
    location: CacheLocation,
    *,
    keys: Sequence[Path] = (),
    settings: UploadSettings | None = None,
    upstreams: Sequence[Upstream] = (),
) -> contextlib.AbstractContextManager[PushSession]:
    """Push what a build makes while it runs. `PushSession.watch` shows the events of the push.

    The session takes the build's events, and at the end the paths that the cache has to have.

    :param workspace: the project.
    :param location: the cache.
    :param keys: files of signing keys. Empty: the project's own key.
    :param settings: how NARs are written.
    :param upstreams: caches whose paths are left out.
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

    return session.push_session(run, store=Store.of_host(), observe=ignore)
