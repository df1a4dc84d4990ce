"""`nixgen cache push` against `nix copy` to the same store on loopback, against what this machine can do at all, and against bounds.

Both programs are started as a user starts them, push to a store that is empty each time, and find every byte in the page cache. The
store takes NARs and drops them, so that its disk is no part of the figures. Nix's own cache of narinfos is out of the way
unless a row says otherwise: with it Nix asks nothing, and learns of nothing that others pushed or removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

__all__ = ["rows"]

HERE = Path(__file__).resolve().parent
VENV = HERE.parent / ".venv/bin"

SOURCES = ("/usr/bin", "/usr/share", "/usr/lib")
LARGE_BYTES, LARGE_PATHS = 1_250_000_000, 320
SMALL_PATHS = 2_000
HUGE_BYTES = 2_000_000_000
FRAME = 1 << 24
LEVEL = 3

Pairs = Callable[[Callable[[], float], Callable[[], float], int], tuple[float, float]]


# What is pushed


def roots() -> tuple[str, str, str]:
    """As `store_paths`, made once on each computer: that takes minutes."""
    remembered = (
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nixgen-bench/cache.json"
    )
    with contextlib.suppress(OSError, ValueError):
        large, small, huge = json.loads(remembered.read_text())
        check = ["nix-store", "--check-validity", large, small, huge]
        if subprocess.run(check, capture_output=True, check=False).returncode == 0:
            return large, small, huge
    with tempfile.TemporaryDirectory(prefix="nixgen-bench-") as folder:
        made = store_paths(Path(folder), random.Random(3))
    remembered.parent.mkdir(parents=True, exist_ok=True)
    remembered.write_text(json.dumps(made))
    return made


def store_paths(folder: Path, draw: random.Random) -> tuple[str, str, str]:
    """Put three closures of this machine's own files into the Nix store: their roots, ``large``, ``small`` and ``huge``."""
    files = [
        (Path(parent, name), size)
        for source in SOURCES
        for parent, directories, names in os.walk(source)
        if not directories.sort()
        for name in sorted(names)
        if (size := regular_size(Path(parent, name))) is not None
    ]
    stage_large(folder / "large", files, draw)
    stage_small(folder / "small", files, draw)
    large = [f"p{number}" for number in range(LARGE_PATHS)]
    lines = [
        f'  p{number} = builtins.path {{ path = ./large/{number}; name = "bench-large-{number}"; }};'
        for number in range(LARGE_PATHS)
    ]
    for number in range(SMALL_PATHS - 1):
        before = sorted(draw.sample(range(number), min(number, draw.randrange(6))))
        references = " ".join(f"${{s{other}}}" for other in before)
        lines.append(
            f'  s{number} = builtins.toFile "bench-small-{number}"'
            f' (builtins.readFile ./small/{number} + "{references}");'
        )
    small = [f"s{number}" for number in range(SMALL_PATHS - 1)]
    for name, parts in (("large", large), ("small", small)):
        text = " ".join(f"${{{part}}}" for part in parts)
        lines.append(f'  {name} = builtins.toFile "bench-{name}" "{text}";')
    (folder / "default.nix").write_text("rec {\n" + "\n".join(lines) + "\n}\n")
    roots = [
        json.loads(
            subprocess.check_output(
                [
                    *("nix-instantiate", "--eval", "--json", "--read-write-mode"),
                    *(folder / "default.nix", "-A", name, *nix_options()),
                ]
            )
        )
        for name in ("large", "small")
    ]
    shutil.rmtree(folder / "large")
    huge = folder / "bench-huge"
    with huge.open("wb") as out:
        for file, _ in draw.sample(files, len(files)):
            out.write(file.read_bytes()[: HUGE_BYTES - out.tell()])
            if out.tell() == HUGE_BYTES:
                break
    added = subprocess.check_output(["nix-store", "--add", huge, *nix_options()], text=True)
    huge.unlink()
    return roots[0], roots[1], added.strip()


def regular_size(path: Path) -> int | None:
    """None for what cannot be read, or is no file, or too large to be one among many."""
    try:
        found = path.lstat()
    except OSError:
        return None
    regular = found.st_mode & 0o170000 == 0o100000
    return (
        found.st_size
        if regular and found.st_size < 100 << 20 and os.access(path, os.R_OK)
        else None
    )


def stage_large(folder: Path, files: Sequence[tuple[Path, int]], draw: random.Random) -> None:
    """Neighbouring files, in paths of a few kilobytes to a hundred megabytes, most of them small as in a real closure."""
    weights = [draw.lognormvariate(0, 1.6) for _ in range(LARGE_PATHS)]
    taken: set[int] = set()
    for number, weight in enumerate(weights):
        target = min(120_000_000, LARGE_BYTES * weight / sum(weights))
        at, size = draw.randrange(len(files)), 0
        while size < target * 0.99 - 10_000 or size == 0:
            at = (at + 1) % len(files)
            file, length = files[at]
            if at in taken or length > max(target - size, 10_000):
                continue
            taken.add(at)
            to = folder / str(number) / file.relative_to("/usr")
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, to)
            size += length


def stage_small(folder: Path, files: Sequence[tuple[Path, int]], draw: random.Random) -> None:
    """Up to eight kilobytes of text each."""
    folder.mkdir(parents=True)
    texts = [file for file, size in files if 500 < size < 200_000]
    number = 0
    for file in draw.sample(texts, len(texts)):
        with contextlib.suppress(UnicodeDecodeError):
            text = file.read_bytes()[: draw.randrange(500, 8_000)].decode()
            if "\0" not in text:
                (folder / str(number)).write_text(text)
                number += 1
        if number == SMALL_PATHS:
            return
    sys.exit(f"there are only {number} texts below {' '.join(SOURCES)}")


def nix_options() -> list[str]:
    return ["--option", "substituters", "", "--option", "build-users-group", ""]


# What it is pushed with


class StoreServer:
    """`store_server.py` in a process of its own."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, HERE / "store_server.py", "--discard-nars", "--bucket", "cache"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.address = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def configure(self, **change: Any) -> None:
        body = json.dumps(change).encode()
        urllib.request.urlopen(f"{self.address}/-/configure", body).close()

    def requests(self) -> int:
        with urllib.request.urlopen(f"{self.address}/-/state") as answer:
            return sum(json.load(answer)["requests"].values())

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)


class Pusher:
    """The two programs, and the limit of both.

    :param folder: for the key that both sign with, and what they remember.
    """

    def __init__(self, server: StoreServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.environment = {
            **{key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"},
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "XDG_CACHE_HOME": str(folder / "nix-cache"),
        }
        self.key = folder / "bench.key"
        with self.key.open("wb") as file:
            make = ["nix", *_COMMAND, "key", "generate-secret", "--key-name", "bench-1"]
            file.write(subprocess.check_output(make))
        self.key.chmod(0o600)

    def ours(self, root: str, *, fresh: bool = False) -> tuple[float, int]:
        """Seconds, and the most bytes of memory.

        :param fresh: as on a computer that has not pushed this before.
        """
        if fresh:
            shutil.rmtree(self.folder / "nix-cache/nixgen", ignore_errors=True)
        address = f"s3://cache?endpoint={self.server.address}"
        return self._run(
            *(VENV / "nixgen", "cache", "push", root, "--to", address, "--key", self.key)
        )

    def theirs(self, root: str, *, fresh: bool = True) -> tuple[float, int]:
        """:param fresh: without the narinfos that Nix remembers."""
        if fresh:
            shutil.rmtree(self.folder / "nix-cache/nix", ignore_errors=True)
        address = (
            f"{self.server.address}/cache?compression=zstd&compression-level={LEVEL}"
            f"&parallel-compression=true&secret-key={self.key}"
        )
        return self._run("nix", *_COMMAND, "copy", "--to", address, root, *nix_options())

    def _run(self, *argv: str | Path) -> tuple[float, int]:
        with tempfile.TemporaryFile() as said:
            started = time.perf_counter()
            process = subprocess.Popen(
                [*map(str, argv)], env=self.environment, cwd=self.folder, stdout=said, stderr=said
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                said.seek(0)
                sys.exit(
                    f"{argv} exited with {process.returncode}:\n{said.read()[-3000:].decode()}"
                )
        return seconds, usage.ru_maxrss * 1024


_COMMAND = ("--extra-experimental-features", "nix-command")


def machine_limit(root: str, *, hash_all: bool) -> float:
    """`squeeze_closure` in nixgen's own interpreter, which has zstandard."""
    argv = [VENV / "python", __file__, root, "all" if hash_all else "packed"]
    return float(subprocess.check_output(argv))


def squeeze_closure(root: str, *, hash_all: bool) -> float:
    """Seconds for nothing but to read, compress and hash the files of a closure, on every core, in blocks as large as a push's frames.

    :param hash_all: SHA-256 of what is read, as a push that verifies; else of what is compressed.
    """
    query = ["nix-store", "--query", "--requisites", root, *nix_options()]
    listed = subprocess.check_output(query, text=True)
    blocks: list[list[tuple[str, int, int]]] = [[]]
    room = FRAME
    for path in listed.split():
        for file in [Path(path)] if Path(path).is_file() else sorted(Path(path).rglob("*")):
            size = file.lstat().st_size if file.is_file() and not file.is_symlink() else 0
            for offset in range(0, size, FRAME):
                length = min(FRAME, size - offset)
                if length > room:
                    blocks.append([])
                    room = FRAME
                blocks[-1].append((str(file), offset, length))
                room -= length
    cores = len(os.sched_getaffinity(0))
    with multiprocessing.get_context("fork").Pool(cores) as pool:
        pool.map(partial(squeeze, hash_all=hash_all), [[]] * cores)  # every process is there
        started = time.perf_counter()
        for _ in pool.imap_unordered(partial(squeeze, hash_all=hash_all), blocks):
            pass
        return time.perf_counter() - started


def squeeze(block: list[tuple[str, int, int]], *, hash_all: bool) -> int:
    import zstandard

    parts = []
    for name, offset, length in block:
        with open(name, "rb", buffering=0) as file:  # noqa: PTH123 - a million times faster to type than to run
            file.seek(offset)
            parts.append(file.read(length))
    data = b"".join(parts)
    packed = zstandard.ZstdCompressor(level=LEVEL).compress(data)
    hashlib.sha256(data if hash_all else packed).digest()
    return len(packed)


# The table


def rows(folder: Path, paired: Pairs) -> Iterator[tuple[Any, ...]]:
    """Rows as `bench/run` prints them; the last element, when there are six, is the unit.

    :param folder: to be thrown away.
    """
    large, small, huge = roots()
    with contextlib.closing(StoreServer()) as server:
        pusher = Pusher(server, folder)

        def empty(latency: float, push: Callable[[str], tuple[float, int]], root: str) -> float:
            server.configure(clear=True, latency=latency)
            return push(root)[0]

        # Its peer takes more than a minute: once, between two of ours.
        push_small = partial(empty, 0.02, pusher.ours, small)
        before, theirs, after = push_small(), empty(0.02, pusher.theirs, small), push_small()
        what = f"push {SMALL_PATHS:,} small paths, 20 ms a request"
        yield what, (before + after) / 2, theirs, "nix copy", 0.33
        for what, root, latency, limit, runs in (
            ("1.25 GB in 321 paths, 20 ms a request", large, 0.02, 1 / 1.5, 1),
            ("the same, no latency", large, 0.0, 1 / 1.2, 2),
        ):
            ours, theirs = paired(
                partial(empty, latency, pusher.ours, root),
                partial(empty, latency, pusher.theirs, root),
                runs,
            )
            yield f"push {what}", ours, theirs, "nix copy", round(limit, 2)
        for hash_all, limit, peer in (
            (True, 1.3, "zstd and sha256 of the same bytes, all cores"),
            (False, None, "zstd, and sha256 of its output, all cores"),
        ):
            ours, theirs = paired(
                partial(empty, 0.0, pusher.ours, large),
                partial(machine_limit, large, hash_all=hash_all),
                2,
            )
            yield "push the same, no latency", ours, theirs, peer, limit
        yield from nothing_to_push(server, pusher, small, paired)
        server.configure(clear=True, latency=0.0)
        _, peak = pusher.ours(huge)
        yield "peak memory, one path of 2 GB", peak / 1e6, 400.0, "400 MB", 1.0, "MB"
        server.configure(clear=True)
        _, nix_peak = pusher.theirs(huge)
        yield "peak memory, one path of 2 GB", peak / 1e6, nix_peak / 1e6, "nix copy", None, "MB"


def nothing_to_push(
    server: StoreServer, pusher: Pusher, root: str, paired: Pairs
) -> Iterator[tuple[Any, ...]]:
    what = f"push {SMALL_PATHS:,} paths that are there"
    server.configure(clear=True, latency=0.0)
    pusher.ours(root)
    server.configure(forget=True)
    pusher.ours(root, fresh=True)
    requests = server.requests()
    yield f"requests: {what}, first time here", requests, 40, "40 requests", 1.0, ""
    for latency, suffix in ((0.0, ""), (0.02, ", 20 ms")):
        server.configure(latency=latency)
        for ours_fresh, theirs_fresh, limit, peer in (
            (False, True, 0.3, "nix copy that asks"),
            (True, True, None, "nix copy that asks"),
            (False, False, None, "nix copy that remembers and does not ask"),
        ):
            ours, theirs = paired(
                lambda fresh=ours_fresh: pusher.ours(root, fresh=fresh)[0],
                lambda fresh=theirs_fresh: pusher.theirs(root, fresh=fresh)[0],
                7,
            )
            yield (
                what + suffix + (", first time here" if ours_fresh else ""),
                ours,
                theirs,
                peer,
                limit,
            )


if __name__ == "__main__":
    print(squeeze_closure(sys.argv[1], hash_all=sys.argv[2] == "all"))
