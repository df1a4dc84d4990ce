"""A push that goes on beside a build, as the verbs that build and push use it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nixgen.errors import NixgenError

if TYPE_CHECKING:
    from nixgen.cache.bucket.location import CacheLocation
    from nixgen.cache.keep.roots import Root
    from nixgen.cache.push.push import PushReport
    from nixgen.cache.push.session import PushSession
    from nixgen.cache.push.upstream import Upstream
    from nixgen.project.workspace import Workspace

__all__ = ["Pushing", "print_pushed"]

_Observe = Callable[[Any], None]


class Pushing:
    """One push of one command, and its result.

    :ivar location: the cache.
    :ivar upstreams: what its project says of it.
    """

    def __init__(
        self,
        session: PushSession,
        location: CacheLocation,
        to: str | None,
        upstreams: Sequence[Upstream],
    ) -> None:
        self.session = session
        self.location = location
        self.upstreams = upstreams
        self._to = to
        self._report: PushReport | None = None
        self._error: NixgenError | None = None

    @classmethod
    @contextlib.contextmanager
    def to(
        cls, workspace: Workspace, to: str | None, *, keys: Sequence[Path] = ()
    ) -> Iterator[Pushing]:
        """:param to: as on the command line; see `nixgen.verbs.caches.cache_location`."""
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
        """What a build is to be observed with: shows both, and pushes what is built."""
        self.session.watch(progress)

        def observe(event: Any) -> None:
            self.session(event)
            progress(event)

        return observe

    def finish(
        self, paths: Sequence[str], *, root: Root | None, quiet: bool, verbose: bool = False
    ) -> None:
        """Push the rest. That it fails is told by `tell`, after the results of the build."""
        from nixgen.cli.progress import push_progress

        try:
            with push_progress(quiet=quiet, verbose=verbose) as progress:
                self.session.watch(progress)
                self._report = self.session.finish(paths, root=root)
        except NixgenError as error:
            self._error = error

    @property
    def failed(self) -> bool:
        return self._error is not None

    def document(self) -> dict[str, Any]:
        """For the document of the command: ``push``, a nixgen/push/1, or null when it failed or there was nothing to push."""
        return {"push": self._report and self._report.document()}

    def tell(self, *, instead_of: NixgenError | None, json: bool) -> None:
        """Say what was pushed.

        :param instead_of: what the command ends with anyway; a failed push is then only mentioned.
        :raises NixgenError: the push failed.
        """
        from nixgen.cli import console

        if self._report is not None and not json:
            print_pushed(self._report, where=self._to or "the project's own S3 (.nixgen/s3)")
        if self._error is not None:
            if instead_of is None:
                raise self._error
            console.report_error(self._error)


def print_pushed(report: PushReport, *, where: str) -> None:
    """What a push did, or would do."""
    from nixgen.cli.console import human_size, say

    if report.upstream:
        say(f"left to upstreams: {len(report.upstream)} paths, {human_size(report.upstream_bytes)}")
    done = report.uploaded
    if done is None:
        say(
            f"would push {len(report.missing)} of {report.closure} paths, {human_size(report.missing_bytes)}"
        )
        for path, size in zip(report.missing, report.missing_sizes, strict=True):
            say(f"  {human_size(size):>9}  {path}")
        return
    if not report.missing:
        say(f"{where} has all {report.closure} paths already ({report.seconds:.1f} s)")
        return
    reused = f", {done.reused} of them stored already" if done.reused else ""
    say(
        f"pushed {done.published} of {report.closure} paths ({human_size(done.nar_bytes)}, "
        f"{human_size(done.file_bytes)} sent{reused}) to {where} in {report.seconds:.1f} s"
    )
