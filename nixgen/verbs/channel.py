"""``nixgen cache channel``: publish the built targets of a project as a channel beside its cache.

A channel is a tarball of the project. It must evaluate to the store paths that were built and
pushed: it is packed, unpacked, evaluated and compared before it is published.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.evaluate import Tree, evaluate
from nixgen.errors import VerifyError
from nixgen.programs.runner import SubprocessRunner
from nixgen.records.document import document
from nixgen.verbs.build import Built
from nixgen.verbs.caches import signing_keys
from nixgen.verbs.evaluate import moving_files

if TYPE_CHECKING:
    from nixgen.cache.bucket.location import CacheLocation
    from nixgen.cache.push.upstream import Upstream
    from nixgen.cache.serve.channel import ChannelUrls
    from nixgen.project.workspace import Workspace
    from nixgen.render.channel import ChannelText

__all__ = ["Channel", "publish_channel"]


@attrs.frozen(kw_only=True)
class Channel:
    """The outcome of `publish_channel`.

    :param name: the name of the channel.
    :param cache: the address of the cache.
    :param url: the address at which clients reach the cache.
    :param urls: the addresses of the channel.
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
    """Publish a channel of targets that are built and pushed already.

    :param workspace: the project.
    :param name: the name of the channel.
    :param built: the build of the targets.
    :param location: the cache.
    :param url: the address at which clients reach the cache, without a final slash.
    :param keys: files of the keys that signed the push. Empty: the project's own key.
    :param upstreams: caches whose paths the push left out.
    :raises UsageError: Nix cannot use the name.
    :raises VerifyError: the channel would evaluate to something else than what was built.
    :raises LeakError: a source contains the value of a secret of the project.
    """
    from nixgen.cache.bucket.bucket import Bucket
    from nixgen.cache.serve import channel
    from nixgen.verbs import secret

    channel.require_name(name)
    files = moving_files(workspace, [each.attr for each in built.targets], built.environment)
    # what lies beside the project must lie beside it in the channel
    depth = max((path.split("/").count("..") for path in files), default=0)
    project = "/".join(["project"] * (depth + 1))
    text = _text(
        workspace,
        name,
        built,
        tree=f"{project}/generated",
        substituters=(url, *(each.url for each in upstreams if each.url)),
        keys=(
            *(str(key.public) for key in signing_keys(workspace, keys)),
            *(str(key) for each in upstreams for key in each.public_keys),
        ),
    )
    archive = channel.pack(
        name,
        {
            **{os.path.normpath(f"{project}/{path}"): source for path, source in files.items()},
            **text.files(),
        },
    )
    with channel.unpacked(archive) as folder:
        _require_equal(built, folder / name / text.tree / "default.nix")
    secret.refuse_leaks_in(workspace, f"the channel {name}", archive)
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


def _text(
    workspace: Workspace,
    name: str,
    built: Built,
    *,
    tree: str,
    substituters: tuple[str, ...],
    keys: tuple[str, ...],
) -> ChannelText:
    """The text of the channel's own files. Machines have systems of their own."""
    from nixgen.driver.commands.versions import probe
    from nixgen.render.channel import ChannelTarget, ChannelText

    here = probe(SubprocessRunner(), workspace.state / "cache").system
    systems = {f"machines.{machine.name}": machine.system for machine in workspace.project.machines}
    return ChannelText(
        name=name,
        project=workspace.project.name,
        tree=tree,
        base=built.base,
        environment=built.environment,
        substituters=substituters,
        keys=keys,
        targets=tuple(
            ChannelTarget(each.attr, systems.get(each.attr, here), each.out)
            for each in built.targets
        ),
    )


def _require_equal(built: Built, file: Path) -> None:
    """Evaluate an unpacked channel and compare its targets with those that were built.

    :raises VerifyError: a target of the channel has other outputs.
    """
    tree = Tree(
        file=file,
        base=built.base,
        environment=built.environment,
        mirrors="",  # as where the variable is not set, which is always so in pure evaluation
    )
    attrs_wanted = [each.attr for each in built.targets]
    runner, options = SubprocessRunner(), NixOptions.of_host()
    found = evaluate(tree, attrs_wanted, runner=runner, options=options).require()
    for mine, theirs in zip(built.targets, found, strict=True):
        if mine.outputs != theirs.outputs:
            raise VerifyError(
                f"{mine.attr} of the channel would be {theirs.out}, but {mine.out} was built",
                hint="its sources have changed since the build, or depend on the name of the project's folder; "
                "build again, or name the Source",
            )
