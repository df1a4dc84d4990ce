"""The ``.narinfo`` file, which describes one store path of a binary cache.

Format: ``key: value`` lines as Nix's own ``NarInfo`` reads and writes them
(src/libstore/nar-info.cc).
"""

from __future__ import annotations

import sys

from attrs import evolve, field, frozen

from nixgen.cache.format.names import narinfo_name
from nixgen.errors import VerifyError
from nixgen.store.digest import Hash
from nixgen.store.path import BASE_NAME, base_name

__all__ = ["NarInfo", "fingerprint"]

_REQUIRED = ("StorePath", "URL", "NarHash", "NarSize")
_KNOWN = {
    *_REQUIRED,
    "Compression",
    "FileHash",
    "FileSize",
    "References",
    "Deriver",
    "Sig",
    "CA",
    "System",
}


def fingerprint(path: str, nar_hash: Hash, nar_size: int, references: tuple[str, ...]) -> str:
    """The text that a signature covers: ``1;path;sha256:<base 32>;size;ref,ref``.

    :param path: the full store path.
    :param nar_hash: SHA-256 of the NAR.
    :param nar_size: bytes of the NAR.
    :param references: full store paths, in any order.
    """
    return f"1;{path};{nar_hash};{nar_size};{','.join(sorted(references))}"


def _sorted(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(values))


@frozen(kw_only=True)
class NarInfo:
    """The description of one store path in a cache.

    :param store_path: the full path, such as ``/nix/store/<digest>-<name>``.
    :param url: the name of the compressed NAR, relative to the cache's root.
    :param compression: ``zstd``, ``xz``, ``gzip``, ``none``, …
    :param file_hash: of the compressed bytes. None when the pusher did not know it; Nix accepts
        that.
    :param file_size: compressed bytes.
    :param nar_hash: of the NAR; always SHA-256.
    :param nar_size: bytes of the NAR; never zero.
    :param references: base names (``<digest>-<name>``), kept sorted; may contain the path itself.
    :param deriver: the base name of the derivation.
    :param signatures: ``name:base64``, in the order of the file.
    :param ca: the content address, for a path whose name follows from its content.
    """

    store_path: str
    url: str
    compression: str
    file_hash: Hash | None = None
    file_size: int | None = None
    nar_hash: Hash
    nar_size: int
    references: tuple[str, ...] = field(default=(), converter=_sorted)
    deriver: str | None = None
    signatures: tuple[str, ...] = ()
    ca: str | None = None

    @property
    def store_directory(self) -> str:
        """The store's folder, ``/nix/store`` nearly everywhere."""
        return self.store_path.rpartition("/")[0]

    @property
    def base_name(self) -> str:
        """``<digest>-<name>``."""
        return base_name(self.store_path)

    @property
    def key(self) -> str:
        """The name of the file in a cache: ``<digest>.narinfo``."""
        return narinfo_name(self.store_path)

    @property
    def fingerprint(self) -> str:
        """The text that the signatures cover; see `fingerprint`."""
        directory = self.store_directory
        full = tuple(f"{directory}/{name}" for name in self.references)
        return fingerprint(self.store_path, self.nar_hash, self.nar_size, full)

    def with_signatures(self, *signatures: str) -> NarInfo:
        """A copy with more signatures, each at most once.

        :param signatures: ``name:base64``.
        """
        return evolve(self, signatures=tuple(dict.fromkeys((*self.signatures, *signatures))))

    def __str__(self) -> str:
        """The file's text, in the order in which Nix writes it."""
        lines = [
            f"StorePath: {self.store_path}",
            f"URL: {self.url}",
            f"Compression: {self.compression}",
        ]
        if self.file_hash is not None:
            lines.append(f"FileHash: {self.file_hash}")
        if self.file_size is not None:
            lines.append(f"FileSize: {self.file_size}")
        lines += [
            f"NarHash: {self.nar_hash}",
            f"NarSize: {self.nar_size}",
            # Nix wants the space after the colon, also when nothing follows.
            f"References: {' '.join(self.references)}",
        ]
        if self.deriver is not None:
            lines.append(f"Deriver: {self.deriver}")
        lines += [f"Sig: {signature}" for signature in self.signatures]
        if self.ca is not None:
            lines.append(f"CA: {self.ca}")
        return "\n".join(lines) + "\n"

    @classmethod
    def parse(cls, text: str, *, source: str = "narinfo") -> NarInfo:
        """Read a file as strictly as Nix does: every line is complete, no required field is
        missing, and no field but ``Sig`` stands twice. Unknown fields are ignored, as the format
        demands.

        :param text: the file.
        :param source: its name in error messages, such as its URL.
        :raises VerifyError: the text is not a narinfo.
        """
        try:
            return _parse(text)
        except ValueError as error:
            raise VerifyError(
                f"{source} is corrupt: {error}", hint="run: nixgen cache repair"
            ) from error


def _parse(text: str) -> NarInfo:
    if not text.endswith("\n"):
        raise ValueError("its last line is cut off")
    values: dict[str, str] = {}
    signatures: list[str] = []
    for line in text[:-1].split("\n"):
        name, separator, value = line.partition(": ")
        if not separator:
            raise ValueError(f"not a `key: value` line: {line!r}")
        if name == "Sig":
            signatures.append(value)
        elif name in values:
            raise ValueError(f"{name} is given twice")
        elif name in _KNOWN:
            values[name] = value
    for name in _REQUIRED:
        if not values.get(name):
            raise ValueError(f"{name} is missing")
    if not values["StorePath"].startswith("/"):
        raise ValueError(f"StorePath is not a store path: {values['StorePath']!r}")
    # Interned: the narinfos of a cache have millions of references to thousands of paths.
    references = tuple(map(sys.intern, values.get("References", "").split()))
    deriver = values.get("Deriver")
    deriver = None if deriver in ("", "unknown-deriver") else deriver
    for name in (base_name(values["StorePath"]), *references, *([deriver] if deriver else [])):
        if not BASE_NAME.fullmatch(name):
            raise ValueError(f"not a store path's name: {name!r}")
    nar_hash = Hash.parse(values["NarHash"])
    if nar_hash.algorithm != "sha256":
        raise ValueError("NarHash is not SHA-256")
    file_hash = values.get("FileHash")
    file_size = values.get("FileSize")
    return NarInfo(
        store_path=values["StorePath"],
        url=values["URL"],
        compression=values.get("Compression") or "bzip2",
        file_hash=Hash.parse(file_hash) if file_hash else None,
        file_size=_size("FileSize", file_size) if file_size else None,
        nar_hash=nar_hash,
        nar_size=_size("NarSize", values["NarSize"], least=1),
        references=references,
        deriver=deriver,
        signatures=tuple(signatures),
        ca=values.get("CA") or None,
    )


def _size(name: str, text: str, *, least: int = 0) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) < least:
        raise ValueError(f"{name} is not a size: {text!r}")
    return int(text)
