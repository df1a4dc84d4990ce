"""The push beside a build, for the verbs that build and push."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from nixgen.errors import NixgenError, counted

if TYPE_CHECKING:
    from nixgen.cache.bucket.location import CacheLocation
    from nixgen.cache.keep.roots import Root
    from nixgen.cache.push.push import PushReport
    from nixgen.cache.push.session import PushSession
    from nixgen.cache.push.upstream import Upstream
    from nixgen.project.workspace import Workspace

__all__ = ["Pushing", "print_pushed"]

_Observe = Callable[[Any], None]


@attrs.define
class Pushing:
    """The push of one command, and its outcome.

    :param session: the session, which takes the build's events.
    :param location: the cache.
    :param to: the cache as typed.
    :param upstreams: the upstreams that the project sets for the cache.
    """

    session: PushSession
    location: CacheLocation
    _to: str | None
    upstreams: Sequence[Upstream]
    _report: PushReport | None = attrs.field(default=None, init=False)
    _error: NixgenError | None = attrs.field(default=None, init=False)

    @classmethod
    @contextlib.contextmanager
    def to(
        cls, workspace: Workspace, to: str | None, *, keys: Sequence[Path] = ()
    ) -> Iterator[Pushing]:
        """Start a push for the time of the block.

        :param workspace: the project.
        :param to: the cache as typed; see `nixgen.verbs.caches.cache_location`.
        :param keys: files of signing keys. Empty: the project's own key.
        """
        from nixgen.cache.push.settings import UploadSettings
        from nixgen.verbs import caches
        from nixgen.verbs.push import push_session

        codec, upstreams = caches.cache_defaults(workspace, to)
        with (
            caches.cache_location(workspace, to) as location,
            push_session(
                workspace,
                location,
                keys=keys,
                settings=UploadSettings(codec=codec),
                upstreams=upstreams,
            ) as session,
        ):
            yield cls(session, location, to, upstreams)

    def beside(self, progress: _Observe) -> _Observe:
        """The observer of a build that shows its progress and pushes what it builds.

        :param progress: shows the events of the build and of the push.
        """
        self.session.watch(progress)

        def observe(event: Any) -> None:
            self.session(event)
            progress(event)

        return observe

    def finish(
        self, paths: Sequence[str], *, root: Root | None, quiet: bool, verbose: bool = False
    ) -> None:
        """Push the rest, and wait for the end. `tell` reports a failure, after the build's results.

        :param paths: the store paths that the cache must have.
        :param root: what collection keeps; see `nixgen.verbs.caches.cache_root`.
        :param quiet: show nothing.
        :param verbose: in a log, print a line for each path.
        """
        from nixgen.cli.progress import tracked
        from nixgen.cli.tracking import PushTracker

        try:
            with tracked(PushTracker(), quiet=quiet, verbose=verbose) as progress:
                self.session.watch(progress)
                self._report = self.session.finish(paths, root=root)
        except NixgenError as error:
            self._error = error

    @property
    def failed(self) -> bool:
        """True if the push ended with an error."""
        return self._error is not None

    def document(self) -> dict[str, Any]:
        """The member ``push`` of the command's document: a nixgen/push/1.

        It is null if the push failed, or if there was nothing to push.
        """
        return {"push": self._report and self._report.document()}

    def tell(self, *, instead_of: NixgenError | None, json: bool) -> None:
        """Print what was pushed.

        :param instead_of: the error that the command ends with. A failed push is then only printed.
        :param json: print no summary, because the command prints a document.
        :raises NixgenError: the push failed, and the command has no other error.
        """
        from nixgen.cli import console

        if self._report is not None and not json:
            print_pushed(self._report, where=self._to or "the project's own S3 (.nixgen/s3)")
        if self._error is not None:
            if instead_of is None:
                raise self._error
            console.report_error(self._error)


def print_pushed(report: PushReport, *, where: str) -> None:
    """Print what a push did, or would do.

    :param report: its outcome.
    :param where: the cache, as people know it.
    """
    from nixgen.cli.console import human_size, say

    plan = report.plan
    if plan.upstream:
        say(
            f"left to upstreams: {counted(len(plan.upstream), 'path')}, {human_size(plan.upstream_bytes)}"
        )
    done = report.uploaded
    if done is None:
        say(
            f"would push {len(plan.missing)} of {counted(plan.closure, 'path')}, {human_size(plan.nar_bytes)}"
        )
        for info in plan.missing:
            say(f"  {human_size(info.nar_size):>9}  {info.path}")
        return
    if not plan.missing:
        say(f"{where} has all {counted(plan.closure, 'path')} already ({report.seconds:.1f} s)")
        return
    reused = f", {done.reused} of them stored already" if done.reused else ""
    say(
        f"pushed {done.published} of {counted(plan.closure, 'path')} ({human_size(done.nar_bytes)}, "
        f"{human_size(done.file_bytes)} sent{reused}) to {where} in {report.seconds:.1f} s"
    )
