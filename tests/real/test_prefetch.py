"""What nixgen downloads is what Nix would have downloaded: the same store path."""

from __future__ import annotations

import hashlib
import http.server
import subprocess
import threading
import uuid
from functools import partial
from pathlib import Path

import pytest

from nixgen.debian.lock import Locked
from nixgen.debian.mirrors import Mirrors
from nixgen.debian.prefetch import prefetch
from nixgen.driver.build.plan import plan_builds
from nixgen.driver.commands.nix import NixOptions
from nixgen.programs.runner import SubprocessRunner

pytestmark = pytest.mark.real

FETCH = Path(__file__).parents[2] / "nix/bases/debian/fetch.nix"


def test_a_package_that_was_fetched_before_is_not_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = uuid.uuid4().hex.encode()  # no store has it
    (tmp_path / "debian").mkdir()
    (tmp_path / "debian/a.deb").write_bytes(content)
    locked = Locked(
        version="1:2~3+b1",
        archive="debian",
        path="a.deb",
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        depends=(),
    )
    expression = (
        f"import {FETCH} {{ complain = abort; }} "
        f'"liba++" {{ version = "{locked.version}"; archive = "debian"; path = "a.deb"; '
        f'sha256 = "{locked.sha256}"; }}'
    )
    monkeypatch.setenv("NIXGEN_DEBIAN_MIRRORS", '{"debian": "http://127.0.0.1:9/debian"}')
    argv = ["nix-instantiate", "-E", expression]
    drv = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
    runner, options = SubprocessRunner(), NixOptions.of_host()
    assert plan_builds([drv], runner=runner, options=options) == (drv,)

    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/debian"
        name = drv.split("-", 1)[1].removesuffix(".drv")
        prefetch([(name, locked)], Mirrors(debian=(url,), security=(url,)), runner, observe=id)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert plan_builds([drv], runner=runner, options=options) == ()
    query = ["nix-store", "--realise", *options.arguments, drv]
    out = subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    assert Path(out).read_bytes() == content
    subprocess.run(["nix-store", "--delete", out], capture_output=True, check=True)
