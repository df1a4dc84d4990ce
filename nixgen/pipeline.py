"""Build, push, assemble, test: what the command line and the demo are made of, read from the top down.

Each function takes a `Workspace`, returns a value, and reports progress through ``observe``; nothing is printed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from nixgen import stamp
from nixgen.driver.build import BuildReport, realise
from nixgen.driver.builders import Builders
from nixgen.driver.capabilities import nix_identity
from nixgen.driver.evaluation import Target, evaluate
from nixgen.driver.evaluation_cache import EvaluationCache, evaluation_key
from nixgen.driver.events import Message
from nixgen.driver.nix import NixOptions
from nixgen.driver.process import missing_tool
from nixgen.driver.roots import Roots
from nixgen.driver.runner import Runner, SubprocessRunner
from nixgen.driver.store import Store
from nixgen.errors import UsageError, VerifyError

if TYPE_CHECKING:
    from nixgen.cache.channel import ChannelUrls
    from nixgen.cache.codec import Codec
    from nixgen.cache.location import CacheLocation
    from nixgen.cache.push import PushReport
    from nixgen.cache.roots import Root
    from nixgen.cache.session import PushSession
    from nixgen.cache.upload import UploadSettings
    from nixgen.cache.upstream import Upstream
    from nixgen.debian.lock import Lock
    from nixgen.oci.build import ImageReport
    from nixgen.oci.engine import RunningContainer
    from nixgen.vm.report import TestResult
    from nixgen.workspace import Workspace

__all__ = [
    "BASES",
    "Built",
    "Substituters",
    "build",
    "build_images",
    "builder_systems",
    "cache_defaults",
    "cache_location",
    "cache_root",
    "evaluated",
    "publish_channel",
    "push",
    "push_session",
    "results",
    "run_test",
    "running",
    "signing_key",
    "substituting",
    "trusted_keys",
]

BASES = ("debian", "nixpkgs")
Observer = Callable[[Any], None]


@attrs.frozen(kw_only=True)
class Built:
    """The outcome of `build`.

    :param origins: the user's ``file:line`` of every target of the project.
    :param seconds: from the generated tree to the last root.
    """

    report: BuildReport
    origins: Mapping[str, str | None]
    base: str
    environment: str | None
    started: datetime
    seconds: float

    @property
    def targets(self) -> tuple[Target, ...]:
        return tuple(result.target for result in self.report.results)

    @property
    def paths(self) -> list[str]:
        """Every output that is there."""
        return [
            path
            for result in self.report.results
            if result.status != "failed"
            for path in result.target.outputs.values()
        ]

    def require(self) -> Built:
        """:raises NixgenError: something failed; the error says what, where it comes from and why."""
        error = self.report.error(self.origins)
        if error is not None:
            raise error
        return self


def _ignore(_event: object) -> None:
    pass


def evaluated(
    workspace: Workspace,
    targets: Iterable[str] = (),
    *,
    base: str = "debian",
    environment: str | None = None,
    system: str | None = None,
    debug: bool = False,
    observe: Observer = _ignore,
) -> tuple[Target, ...]:
    """Generate and evaluate, or remember an equal evaluation; nothing is built.

    :param system: of everything but machines, which say themselves; Nix's own when None.
    :raises InputError, EvaluationError, OutsideError: as `build`.
    """
    evaluation = _Evaluation.prepare(
        workspace,
        targets,
        base=base,
        environment=environment,
        system=system,
        debug=debug,
        observe=observe,
    )
    return evaluation.remembered() or evaluation.run(next(evaluation.mirrors()))


def build(
    workspace: Workspace,
    targets: Iterable[str] = (),
    *,
    base: str = "debian",
    environment: str | None = None,
    jobs: int | None = None,
    builders: str | None = None,
    system: str | None = None,
    gcroots: Path | None = None,
    substituters: Substituters | None = None,
    keep_going: bool = True,
    debug: bool = False,
    observe: Observer = _ignore,
) -> Built:
    """Generate, evaluate and realise. Failed derivations are in the outcome, not raised.

    With nothing to do, no other program starts.

    :param system: of everything but machines, which say themselves; Nix's own when None.
    :param gcroots: folder of the roots, for builds beside the usual one, ``.nixgen/gcroots``.
    :param substituters: where outputs may be fetched instead of built; see `substituting`.
    :param jobs: builds at a time on this computer; with 0, builders do everything.
    :param builders: who else may build: names of the project's builders with commas between, ``all``, ``none``, or the path
        of a machines file, with a slash in it. Nix's own configuration counts when None.
    :raises InputError: a target, base, environment or builder that does not exist, or a wrong lock.
    :raises EvaluationError: Nix rejects the generated tree.
    :raises OutsideError: no Nix, no mirror, no space, no builder when one is needed.
    """
    started, moment = time.monotonic(), datetime.now(UTC)
    targets = tuple(targets)
    chosen = _builders(workspace, builders)
    if jobs == 0 and not (chosen and chosen.machines) and substituters is None:
        raise UsageError(
            "with no jobs on this computer, no builders and no cache to fetch from, nothing can be built",
            hint="add --builders all or --from CACHE, or leave --jobs 0 out",
        )
    evaluation = _Evaluation.prepare(
        workspace,
        targets,
        base=base,
        environment=environment,
        system=system,
        debug=debug,
        observe=observe,
    )
    if substituters is not None:
        options = attrs.evolve(
            evaluation.options,
            substituters=substituters.urls,
            trusted_public_keys=substituters.public_keys,
            forget_narinfos=True,
        )
        evaluation = attrs.evolve(evaluation, options=options)
    usual = workspace.state / "gcroots"
    roots = gcroots or usual
    with _using(chosen, evaluation) as equipped:
        report = _realised(equipped, roots, keep_going=keep_going, jobs=jobs, builders=chosen)
    if report.ok and system is None and roots == usual and not workspace.reads.volatile:
        _remember(workspace, (targets, base, environment), report, roots)
    return Built(
        report=report,
        origins=evaluation.origins,
        base=base,
        environment=environment,
        started=moment,
        seconds=time.monotonic() - started,
    )


@attrs.frozen(kw_only=True)
class Substituters:
    """Binary caches that Nix fetches from.

    :param urls: that Nix understands.
    :param public_keys: ``name:base64``, of which one must have signed what is fetched.
    """

    urls: tuple[str, ...]
    public_keys: tuple[str, ...]


@attrs.frozen(kw_only=True)
class _Evaluation:
    """A tree that is written, with all that its evaluation reads, and what is asked of it.

    :param attrs_wanted: the targets, each a single one.
    """

    workspace: Workspace
    attrs_wanted: tuple[str, ...]
    origins: Mapping[str, str | None]
    lock: Lock | None
    base: str
    environment: str | None
    system: str | None
    key: str
    debug: bool
    observe: Observer
    runner: Runner
    options: NixOptions

    @classmethod
    def prepare(
        cls,
        workspace: Workspace,
        targets: Iterable[str],
        *,
        base: str,
        environment: str | None,
        system: str | None,
        debug: bool,
        observe: Observer,
    ) -> _Evaluation:
        _require_known(workspace, base, environment)
        attrs_wanted = workspace.select(targets)
        identity = nix_identity()
        workspace.write_generated()
        return cls(
            workspace=workspace,
            attrs_wanted=attrs_wanted,
            origins=workspace.target_origins(),
            lock=_lock(workspace, base, observe),
            base=base,
            environment=environment,
            system=system,
            key=evaluation_key(
                workspace.root,
                base=base,
                nix=identity,
                system=system,
                environment=environment,
                mirrors=os.environ.get("NIXGEN_DEBIAN_MIRROR"),
                extra=workspace.sources_digest(),
            ),
            debug=debug,
            observe=observe,
            runner=SubprocessRunner(),
            options=NixOptions.of_host(),
        )

    @property
    def _cache(self) -> EvaluationCache:
        return EvaluationCache(self.workspace.state / "cache" / "evaluation")

    def mirrors(self) -> Iterator[str | None]:
        """What to evaluate with, one after the other."""
        return iter((None,)) if self.lock is None else _mirrors(self.lock, self.runner)

    def remembered(self) -> tuple[Target, ...] | None:
        return self._cache.load(self.key, self.attrs_wanted)

    def run(self, mirrors: str | None) -> tuple[Target, ...]:
        self.observe(Message(3, f"evaluating {len(self.attrs_wanted)} targets"))
        found = evaluate(
            self.workspace.generated / "default.nix",
            self.attrs_wanted,
            runner=self.runner,
            options=self.options,
            base=self.base,
            system=self.system,
            environment=self.environment,
            mirrors=mirrors,
            locate=self.workspace.locate,
            origins=self.origins,
            debug=self.debug,
        )
        self._cache.save(self.key, found)
        return found

    def forget(self) -> None:
        self._cache.forget(self.key)


def _builders(workspace: Workspace, wanted: str | None) -> Builders | None:
    """:raises UsageError: there is no such builder or file."""
    if wanted is None or wanted == "none":
        return None if wanted is None else Builders()
    if "/" in wanted:
        try:
            return Builders.parse(Path(wanted).read_text())
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise UsageError(
                f"{wanted} cannot be read as a machines file: {reason}",
                hint="names of builders have no slash; `nixgen build --help` says what can be given",
            ) from error
    known = Builders.parse(workspace.machines_file())
    if wanted == "all" and known.machines:
        return known
    return known.select(name.strip() for name in wanted.split(","))


def builder_systems(workspace: Workspace, builders: str | None) -> frozenset[str]:
    """What the builders that are meant (see `build`) build for, beside this computer.

    :raises UsageError: there is no such builder or file.
    """
    chosen = _builders(workspace, builders)
    return frozenset(
        system for machine in (chosen.machines if chosen else ()) for system in machine.systems
    )


@contextlib.contextmanager
def _using(builders: Builders | None, evaluation: _Evaluation) -> Iterator[_Evaluation]:
    """The evaluation with Nix's options for these builders, which hold as long as the block.

    :raises MissingToolError: there is no ssh.
    """
    if builders is None:
        yield evaluation
        return
    if builders.machines and shutil.which("ssh") is None:
        raise missing_tool("ssh")
    with builders.ssh_options() as words:
        options = attrs.evolve(
            evaluation.options,
            builders=builders.option,
            ssh_options=words if builders.machines else None,
        )
        yield attrs.evolve(evaluation, options=options)


def _realised(
    evaluation: _Evaluation,
    gcroots: Path,
    *,
    keep_going: bool = True,
    jobs: int | None = None,
    builders: Builders | None = None,
) -> BuildReport:
    """Realise what is asked of an evaluation, with one mirror after the other."""
    found = evaluation.remembered()
    complete = found is not None and all(map(Roots(gcroots).holds, found))
    report = BuildReport(results=())
    for mirrors in (None,) if complete else evaluation.mirrors():
        if found is None:
            found = evaluation.run(mirrors)
        report = realise(
            found,
            runner=evaluation.runner,
            options=evaluation.options,
            store=Store.of_host(),
            gcroots=gcroots,
            keep_going=keep_going,
            jobs=jobs,
            known=evaluation.origins,
            builders=builders,
            observe=evaluation.observe,
        )
        if not report.unfetched:
            break
        # what this mirror lacks the next may have; derivations name their mirror, so they are made again
        evaluation.forget()
        found = None
    return report


def _remember(
    workspace: Workspace, request: stamp.Request, report: BuildReport, gcroots: Path
) -> None:
    """So that the next build of the same can be over before it starts."""
    roots = Roots(gcroots)
    outputs = [
        (result.attr, str(roots.link(result.attr, name)), path)
        for result in report.results
        for name, path in result.target.outputs.items()
    ]
    programs = {found for name in ("nix-store", "nix-instantiate") if (found := shutil.which(name))}
    nix_variables = {name for name in os.environ if name.startswith("NIX_")}
    stamp.save(
        str(workspace.root),
        request,
        paths=workspace.dependencies() | programs,
        variables=workspace.reads.variables | nix_variables | {"PATH", "NIXGEN_DEBIAN_MIRROR"},
        roots={link: path for _, link, path in outputs},
        outputs=[(result.attr, result.target.out) for result in report.results],
    )


def results(workspace: Workspace, built: Built) -> dict[str, object]:
    """The results.json of a build (docs/contracts.md §6)."""
    from nixgen.driver.results import Results, source_commit

    return Results.of_report(
        built.report,
        base=built.base,
        system=None,
        commit=source_commit(SubprocessRunner(), workspace.root),
        started=built.started,
        origins=built.origins,
    ).to_json()


def _require_known(workspace: Workspace, base: str, environment: str | None) -> None:
    if base not in BASES:
        raise UsageError(f"there is no base {base!r}", hint=f"the bases are {' and '.join(BASES)}")
    names = [item.name for item in workspace.project.environments]
    if environment is not None and environment not in names:
        raise UsageError(
            f"the project has no environment {environment!r}",
            hint=f"it has {', '.join(names)}"
            if names
            else "add Environment(…) to Project(environments=[…])",
        )


def _lock(workspace: Workspace, base: str, observe: Observer) -> Lock | None:
    if base != "debian":
        return None
    from nixgen.pins import ensure_lock

    return ensure_lock(workspace, lambda text: observe(Message(3, text)))


def _mirrors(lock: Lock, runner: Runner) -> Iterator[str]:
    """Make the base's builder available, then offer this computer's mirrors one after the other."""
    from nixgen.debian.bootstrap import ensure_busybox
    from nixgen.debian.locking import machine_mirrors
    from nixgen.debian.mirrors import Mirrors, mirrors_env

    mirrors = machine_mirrors(runner)
    for architecture in lock.architectures.values():
        ensure_busybox(architecture, mirrors, runner)
    for index in range(max(len(mirrors.debian), len(mirrors.security))):
        yield mirrors_env(
            Mirrors(
                debian=mirrors.debian[index % len(mirrors.debian) :],
                security=mirrors.security[index % len(mirrors.security) :],
            )
        )


# the binary cache


@contextlib.contextmanager
def cache_location(workspace: Workspace | None, cache: str | None) -> Iterator[CacheLocation]:
    """The cache that is meant: by address, or by the name of one of the project's. With none: an S3 emulator over .nixgen/s3,
    the one of ``nixgen cache serve --embedded`` when that runs, else one that runs for as long as this.

    :param workspace: None outside of a project; then only an address will do.
    :raises UsageError: neither a name nor the address of a cache.
    """
    from nixgen.cache.embedded import embedded_s3, served_at
    from nixgen.cache.location import CacheLocation

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
    from nixgen.cache.codec import Codec
    from nixgen.cache.signing import PublicKey
    from nixgen.cache.upstream import Upstream

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
    from nixgen.cache.push import CACHE_INFO
    from nixgen.cache.s3 import Bucket
    from nixgen.cache.serve import serve

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
    from nixgen.cache.keygen import public_key_path

    model = workspace.cache(cache) if cache is not None else None
    if model is not None and model.public_keys:
        return model.public_keys
    own = public_key_path(workspace.state / "cache.key")
    return (own.read_text().strip(),) if own.exists() else ()


def signing_key(workspace: Workspace) -> Path:
    """The project's own key, made when there is none. Private, and never committed."""
    from nixgen.cache.keygen import keygen

    path = workspace.state / "cache.key"
    if not path.exists():
        keygen(f"{workspace.project.name}-1", path)
    return path


def cache_root(
    workspace: Workspace | None, paths: Iterable[str], built: Built | None = None
) -> Root:
    """What collection is to keep of a push: the targets of ``built``, and store paths that have no target."""
    from nixgen.cache.roots import DEFAULT_ENVIRONMENT, Root, new_generation, path_targets
    from nixgen.driver.results import source_commit

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
    observe: Observer = _ignore,
) -> PushReport:
    """Push the closures of ``paths``, signed with ``keys``, or with the project's own key.

    :param workspace: None outside of a project; then there must be keys.
    :param root: what collection is to keep; see `cache_root`.
    :raises CacheError: S3 refuses or does not answer.
    :raises InputError: a key that is no key, or that others can read.
    :raises LeakError: something to push holds the value of a secret of the project's; nothing was uploaded then.
    """
    from nixgen import secretscan
    from nixgen.cache import push as pushing
    from nixgen.cache.signing import SecretKey

    if workspace is None and not keys:
        raise UsageError(
            "without a project there is no key to sign with",
            hint="give one with --key FILE; make one with: nixgen cache keygen NAME",
        )
    own = () if workspace is None or keys else (signing_key(workspace),)
    run = partial(
        pushing.push,
        paths,
        location,
        [SecretKey.load(path) for path in (*keys, *own)],
        thorough=thorough,
        upstreams=upstreams,
        settings=settings,
        root=root,
    )
    if workspace is not None and not dry_run:
        secretscan.refuse_leaks(
            workspace,
            paths,
            lambda: run(_ignore, dry_run=True).missing,
            logs=settings is not None and settings.logs,
        )
    return run(observe, dry_run=dry_run)


@contextlib.contextmanager
def push_session(
    workspace: Workspace,
    location: CacheLocation,
    *,
    keys: Sequence[Path] = (),
    settings: UploadSettings | None = None,
    upstreams: Sequence[Upstream] = (),
    observe: Observer = _ignore,
) -> Iterator[PushSession]:
    """A push that goes on beside a build: give it the build's events, and at the end what is to be in the cache.

    :param observe: gets the events of the push, from another thread.
    """
    from nixgen.cache import session

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
        return {
            "schema": "nixgen/channel/1",
            "name": self.name,
            "cache": self.cache,
            "url": self.url,
            "tarball": self.urls.tarball,
            "flake": self.urls.flake,
            "targets": {
                attr: {"flake": flake, "system": system, "out": path}
                for attr, (flake, system, path) in self.targets.items()
            },
            "uploaded": list(self.uploaded),
        }


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
    from nixgen import secretscan
    from nixgen.cache import channel
    from nixgen.cache.s3 import Bucket
    from nixgen.cache.signing import SecretKey
    from nixgen.driver.capabilities import probe

    runner, options = SubprocessRunner(), NixOptions.of_host()
    here = probe(runner, workspace.state / "cache").system
    systems = {f"machines.{machine.name}": machine.system for machine in workspace.project.machines}
    paths = workspace.evaluation_tree()
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
        found = evaluate(
            folder / name / text.tree / "default.nix",
            [each.attr for each in built.targets],
            runner=runner,
            options=options,
            base=built.base,
            environment=built.environment,
            mirrors="",  # as it is where nobody sets it, in pure evaluation above all
        )
    for mine, theirs in zip(built.targets, found, strict=True):
        if mine.outputs != theirs.outputs:
            raise VerifyError(
                f"{mine.attr} of the channel would be {theirs.out}, but {mine.out} was built",
                hint="its sources have changed since, or depend on the name of the project's folder; "
                "build again, or name the Source",
            )
    secretscan.refuse_leaks_in(workspace, f"the channel {name}", archive)
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


# images


def build_images(
    workspace: Workspace, built: Built, *, out: Path | None = None, observe: Observer = _ignore
) -> tuple[ImageReport, ...]:
    """Write the OCI layouts of the images in ``built``, layered jointly, below ``out`` or .nixgen/images.

    :raises StoreError: a store path is gone, or the disk is full.
    """
    from nixgen.oci.build import build_images as assemble
    from nixgen.oci.spec import read_spec

    specs = [
        read_spec(Path(target.out)) for target in built.targets if target.attr.startswith("images.")
    ]
    return assemble(specs, out or workspace.state / "images", workspace.state / "layers", observe)


@contextlib.contextmanager
def running(workspace: Workspace, report: ImageReport) -> Iterator[RunningContainer]:
    """A container of a built image, in whichever engine works here; gone at the end of the block.

    :raises EngineError: no engine works, or it refuses the image.
    """
    from nixgen.oci import engine as engines

    runner = SubprocessRunner()
    engine = engines.find_engine(runner, workspace.state / "containers")
    image = engines.load(report.layout, engine, runner)
    with engines.run(image, engine, runner) as container:
        yield container


# machine tests


def run_test(
    workspace: Workspace,
    target: Target,
    *,
    timeout: float,
    accel: str = "auto",
    observe: Observer = _ignore,
) -> TestResult:
    """Boot the machines of a built test and run its script.

    :param accel: ``kvm`` or ``tcg``; ``auto`` finds out what works here.

    :raises OutsideError: QEMU is missing, or no machine came up.
    """
    from nixgen.vm.accel import KVM, TCG
    from nixgen.vm.run import run_test as run
    from nixgen.vm.spec import TestSpec

    spec = TestSpec.from_file(Path(target.out))
    chosen = {"auto": None, "kvm": KVM, "tcg": TCG}
    if accel not in chosen:
        raise UsageError(f"there is no accelerator {accel!r}", hint="use auto, kvm or tcg")
    return run(
        spec,
        state_dir=workspace.state / "vm",
        observe=observe,
        timeout=timeout,
        acceleration=chosen[accel],
    )
