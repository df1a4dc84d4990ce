"""Recipes of layers, finished layers, and a cache that finds a finished layer by its recipe.

A recipe has everything that decides the bytes of a layer: the format of the tar, the compression, and
the (path, NAR hash) pairs in their order. The key of the cache is the digest of the recipe.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

from attrs import field, frozen

from nixgen.errors import StoreError
from nixgen.files.write import write_atomically
from nixgen.oci.write import tar
from nixgen.oci.write.codec import CHUNK, Codec
from nixgen.records.format import Format
from nixgen.records.rules import named

__all__ = ["LayerCache", "LayerInfo", "LayerRecipe", "Member"]

# The most frames that are compressed at once, of 4 MiB each: enough for all cores.
_AHEAD = 8


@frozen(kw_only=True)
class LayerRecipe:
    """The contents of a layer, and how they are compressed.

    :param paths: (store path, NAR hash) in the order of the tar; empty for the layer of the root tree.
    :param root: (store path, NAR hash) of the tree at ``/``. The layer does not have the name of this
        path, so the digest does not have it either.
    :param codec: compresses the layer.
    """

    paths: tuple[tuple[str, str], ...] = ()
    root: tuple[str, str] | None = None
    codec: Codec = Codec.ZSTD

    @property
    def digest(self) -> str:
        """64 hexadecimal digits."""
        document = {
            "tar": tar.FORMAT,
            "codec": self.codec.identity,
            "paths": [list(pair) for pair in self.paths],
            "root": None if self.root is None else self.root[1],
        }
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


@frozen(kw_only=True)
class Member:
    """The place of a store path's frames in a compressed layer.

    :param path: the store path.
    :param nar_hash: of the path.
    :param offset: bytes before the frames.
    :param size: bytes of the frames.
    """

    path: str
    nar_hash: str = field(metadata=named("nar_hash"))
    offset: int
    size: int


@frozen(kw_only=True)
class LayerInfo:
    """A finished layer.

    :param diff_id: ``sha256:…`` of the tar.
    :param digest: ``sha256:…`` of the compressed blob.
    :param size: bytes of the blob.
    :param tar_size: bytes of the tar.
    :param media_type: of the blob, for manifests.
    :param identity: of the codec that made it; see `Codec.identity`.
    :param members: the frames of each store path, in the order of the tar.
    """

    diff_id: str = field(metadata=named("diff_id"))
    digest: str
    size: int
    tar_size: int = field(metadata=named("tar_size"))
    media_type: str = field(metadata=named("media_type"))
    identity: str = field(eq=False, repr=False)
    members: tuple[Member, ...] = field(default=(), eq=False, repr=False)


# Existing state directories have records with names in snake case.
_LAYER = Format(
    schema="nixgen/layer/1",
    shape=LayerInfo,
    error=StoreError,
    hint="delete it; the layer is made again",
)


@frozen(kw_only=True)
class LayerCache:
    """Finished layers in a directory: records ``layers/RECIPE.json``, and ``blobs/sha256/DIGEST``.

    A record is written after its blob, and both appear by renaming, so a killed build leaves no
    unfinished layer under the name of a finished one.

    :param directory: the state directory.
    """

    directory: Path
    _known: dict[tuple[str, str, str], tuple[Path, Member]] = field(
        factory=dict, init=False, eq=False
    )

    def blob(self, digest: str) -> Path:
        """The file of a layer.

        :param digest: of the layer.
        """
        return self.directory / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def find(self, recipe: LayerRecipe) -> LayerInfo | None:
        """The finished layer of a recipe. None without a record, or without a blob of its size.

        :param recipe: of the layer.
        """
        return self._complete(self._record(recipe))

    def write(self, recipe: LayerRecipe, pool: Executor, *, store: Path | None = None) -> LayerInfo:
        """Make a layer, and remember it. The frames of store paths in earlier layers are copied.

        :param recipe: of the layer.
        :param pool: runs the compression.
        :param store: the directory with the store paths; ``/nix/store`` when None.
        :raises StoreError: a path is unreadable, or the state directory is full or read-only.
        """
        try:
            self.blob("").mkdir(parents=True, exist_ok=True)
            info = self._write_blob(recipe, pool, store)
            write_atomically(self._record(recipe), _LAYER.text(info, indent=None).encode())
        except OSError as error:
            raise StoreError(
                f"cannot write a layer below {self.directory}: {error.strerror}",
                hint="free some space, or make the directory writable",
            ) from error
        self._learn(info)
        return info

    def learn_all(self) -> None:
        """Read all records, so that `write` can copy the frames of earlier layers."""
        for record in sorted((self.directory / "layers").glob("*.json")):
            if (info := self._complete(record)) is not None:
                self._learn(info)

    def _complete(self, record: Path) -> LayerInfo | None:
        """The layer of a record. None without a record, or without a blob of its size."""
        info = _LAYER.find(record)
        try:
            complete = info is not None and self.blob(info.digest).stat().st_size == info.size
        except OSError:
            return None
        return info if complete else None

    def _record(self, recipe: LayerRecipe) -> Path:
        return self.directory / "layers" / f"{recipe.digest}.json"

    def _learn(self, info: LayerInfo) -> None:
        for member in info.members:
            key = (info.identity, member.path, member.nar_hash)
            self._known[key] = (self.blob(info.digest), member)

    def _write_blob(self, recipe: LayerRecipe, pool: Executor, store: Path | None) -> LayerInfo:
        descriptor, name = tempfile.mkstemp(dir=self.blob(""), prefix=".new-")
        try:
            with os.fdopen(descriptor, "wb") as out:
                sink = _Sink(out, recipe.codec, pool)
                sink.fresh(tar.root_tree(recipe.root[0]) if recipe.root else [tar.parents()])
                for path, nar_hash in recipe.paths:
                    stream = tar.store_path(path, store=store)
                    known = self._known.get((recipe.codec.identity, path, nar_hash))
                    if known is None:
                        sink.fresh(stream)
                    else:
                        sink.copied(stream, *known)
                sink.fresh([tar.END])
                sink.drain()
                os.fchmod(descriptor, 0o444)
            info = sink.info(recipe)
            Path(name).replace(self.blob(info.digest))
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return info


class _Sink:
    """Hashes, compresses and writes members in order; compression runs ahead on the pool."""

    def __init__(self, out: BinaryIO, codec: Codec, pool: Executor) -> None:
        self._out = out
        self._codec = codec
        self._pool = pool
        self._diff = hashlib.sha256()
        self._blob = hashlib.sha256()
        self._tar_size = 0
        self._sizes: list[int] = []  # of each member's frames
        self._ahead: deque[tuple[int, Future[bytes]]] = deque()

    def fresh(self, stream: Iterable[bytes]) -> None:
        """Compress one member."""
        member = len(self._sizes)
        self._sizes.append(0)
        for chunk in _chunks(self._seen(stream)):
            self._ahead.append((member, self._pool.submit(self._codec.compress, chunk)))
            if len(self._ahead) > _AHEAD:
                self._emit_next()

    def copied(self, stream: Iterable[bytes], blob: Path, known: Member) -> None:
        """Take a member's frames from an older blob; the tar is still read, for the diff id."""
        self.drain()
        member = len(self._sizes)
        self._sizes.append(0)
        for _ in self._seen(stream):
            pass
        with blob.open("rb") as source:
            source.seek(known.offset)
            left = known.size
            while left and (piece := source.read(min(left, CHUNK))):
                self._emit(member, piece)
                left -= len(piece)
        if left:
            raise StoreError(
                f"{blob} became shorter while it was read", hint="delete it and build again"
            )

    def drain(self) -> None:
        """Wait for the compression that runs ahead."""
        while self._ahead:
            self._emit_next()

    def info(self, recipe: LayerRecipe) -> LayerInfo:
        # The first member is the parents' or the root tree's, the last the archive's end.
        starts = tuple(accumulate(self._sizes, initial=0))
        members = (
            Member(path=path, nar_hash=nar_hash, offset=starts[index], size=self._sizes[index])
            for index, (path, nar_hash) in enumerate(recipe.paths, start=1)
        )
        return LayerInfo(
            diff_id=f"sha256:{self._diff.hexdigest()}",
            digest=f"sha256:{self._blob.hexdigest()}",
            size=starts[-1],
            tar_size=self._tar_size,
            media_type=self._codec.media_type,
            identity=self._codec.identity,
            members=tuple(members),
        )

    def _seen(self, stream: Iterable[bytes]) -> Iterator[bytes]:
        for piece in stream:
            self._diff.update(piece)
            self._tar_size += len(piece)
            yield piece

    def _emit_next(self) -> None:
        member, future = self._ahead.popleft()
        self._emit(member, future.result())

    def _emit(self, member: int, frame: bytes) -> None:
        self._blob.update(frame)
        self._out.write(frame)
        self._sizes[member] += len(frame)


def _chunks(stream: Iterable[bytes]) -> Iterator[bytes]:
    """Exactly `CHUNK` bytes each but the last, however the stream was cut."""
    pieces: list[bytes] = []
    size = 0
    for piece in stream:
        pieces.append(piece)
        size += len(piece)
        if size >= CHUNK:
            data = b"".join(pieces)
            yield data[:CHUNK]
            pieces = [data[CHUNK:]]  # less than CHUNK: pieces are at most about 1 MiB
            size -= CHUNK
    if size:
        yield b"".join(pieces)
