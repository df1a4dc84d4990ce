"""A closure that Nix has built for the tests of the cache, the same in every run."""

from __future__ import annotations

import functools
import os
import random
import subprocess
import tempfile
from pathlib import Path

from nixgen.driver.store.path_info import parse

__all__ = ["NIX", "build_tree", "copy_from", "nar_hashes"]

NIX = (
    *("--option", "build-users-group", "", "--option", "sandbox", "false"),
    *("--option", "substituters", ""),
)

_HEAD = """
let
  make = name: content: references: derivation {
    inherit name;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-c" content ];
    inherit references;
  };
in rec {
"""


@functools.cache
def build_tree(paths: int, *, seed: int = 1) -> dict[str, str]:
    """Derivations of `paths` small outputs, each with references to up to three that come before it, and of two roots.

    ``root`` reaches all, and ``big``, which goes out in parts; ``half`` reaches a part of them, and one of its own.

    :returns: store paths by name: ``n0`` and so on, ``big``, ``root``, ``half``.
    """
    draw = random.Random(seed)
    lines = []
    for number in range(paths):
        before = sorted(draw.sample(range(number), min(number, draw.randrange(4))))
        size = draw.choice([20, 200, 2_000, 40_000])
        text = "".join(draw.choices("abcdefghijklmnopqrstuvwxyz \n", k=size))
        names = " ".join(f"${{n{other}}}" for other in before)
        content = f"\"echo {names} > $out; echo '{text}' >> $out\""
        if number % 5 == 0:
            content = f"\"PATH=/bin; mkdir $out; echo {names} > $out/a; echo '{text}' > $out/b\""
        lines.append(f'  n{number} = make "fault-test-{number}" {content} [];')
    every = " ".join(f"${{n{number}}}" for number in range(paths))
    some = " ".join(f"${{n{number}}}" for number in range(0, paths, 2))
    lines += [
        '  big = make "fault-test-big" "PATH=/bin; cat ${./random} > $out" [];',
        f'  root = make "fault-test-root" "echo {every} ${{big}} > $out" [];',
        '  own = make "fault-test-own" "echo own > $out" [];',
        f'  half = make "fault-test-half" "echo {some} ${{big}} ${{own}} > $out" [];',
        "}",
    ]
    with tempfile.TemporaryDirectory() as folder:
        expression = Path(folder, "default.nix")
        expression.write_text(_HEAD + "\n".join(lines))
        # More than one frame and one part, and nothing that zstd could make less of.
        Path(folder, "random").write_bytes(draw.randbytes(18 << 20))
        names = [*(f"n{number}" for number in range(paths)), "big", "root", "half"]
        wanted = [word for name in names for word in ("-A", name)]
        done = subprocess.run(
            ["nix-build", "--no-out-link", expression, *wanted, *NIX],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return dict(zip(names, done.stdout.split(), strict=True))


def copy_from(
    url: str, store: Path, key: str, *paths: str, expect: int = 0
) -> subprocess.CompletedProcess[str]:
    """A stock Nix copies the closures of ``paths`` into the store at ``store``, which it makes; signatures required."""
    done = subprocess.run(
        [
            *("nix", "--extra-experimental-features", "nix-command", "copy"),
            *("--from", url, "--to", str(store), *paths, *NIX),
            *("--option", "require-sigs", "true", "--option", "trusted-public-keys", key),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        # Nix remembers narinfos by URL, and the next server may get the same port.
        env={**os.environ, "XDG_CACHE_HOME": f"{store}-cache"},
    )
    assert done.returncode == expect, done.stderr
    return done


def nar_hashes(*paths: str, store: Path | None = None) -> dict[str, tuple[str, int]]:
    """NAR hash and size of the closures of ``paths``, as Nix itself has them in its database."""
    done = subprocess.run(
        [
            *("nix", "--extra-experimental-features", "nix-command", "path-info"),
            *(() if store is None else ("--store", str(store))),
            *("--recursive", "--json", *paths, *NIX),
        ],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return {path: (info.nar_hash, info.nar_size) for path, info in parse(done.stdout).items()}
