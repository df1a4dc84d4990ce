"""A push killed by SIGKILL at any of its requests: the cache stays consistent, and the next push sends only
what was not durable.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
from built_tree import build_tree, copy_from, nar_hashes
from faulty_s3 import BUCKET, FaultyS3, faulty_s3

from nixgen.cache.bucket.location import CacheLocation
from nixgen.cache.format.names import narinfo_name
from nixgen.cache.format.signing import SecretKey
from nixgen.cache.push.push import push
from nixgen.driver.store.store import Store

pytestmark = pytest.mark.real

KEY = SecretKey.generate("kill-1")
KILLS = 50
SMALL = 1 << 18  # below this a NAR is sent without asking first (`nixgen.cache.push.archive`)

#: Forks its children from a process that has imported everything: a push starts in milliseconds.
WARM = multiprocessing.get_context("forkserver")
WARM.set_forkserver_preload(
    ["nixgen.cache.push.push", "nixgen.driver.store.database", "boto3", "zstandard"]
)


def run_push(begin: Connection, root: str, address: str, key: str) -> None:
    """The child: waits for the word, and pushes."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    begin.recv()
    push([root], CacheLocation.parse(address), [SecretKey.parse(key)], lambda _: None)


@contextmanager
def pusher(root: str, s3: FaultyS3) -> Iterator[ForkServerProcess]:
    """A push in a process of its own, which begins when the block ends; its ``exitcode`` tells how it ended."""
    theirs, ours = multiprocessing.Pipe(duplex=False)
    child = WARM.Process(target=run_push, args=(theirs, root, s3.address, KEY.text))
    child.start()
    try:
        yield child
        ours.send("begin")
        child.join(60)
    finally:
        child.kill()
        child.join()
        ours.close()
        theirs.close()


@pytest.fixture(scope="module")
def s3() -> Iterator[FaultyS3]:
    with faulty_s3() as server:
        yield server


def complete_push(root: str, s3: FaultyS3) -> list[list]:
    """Push, and return what the server was asked: [method, target, status]."""
    before = len(s3.state()["log"])
    with pusher(root, s3) as child:
        pass
    assert child.exitcode == 0
    return s3.state()["log"][before:]


def test_a_push_killed_at_any_request_leaves_a_consistent_cache(
    s3: FaultyS3, tmp_path: Path, record_property
) -> None:
    root = build_tree(60)["root"]
    closure = Store.of_host().closure([root])
    sizes = {narinfo_name(info.path): info.nar_size for info in closure}
    wanted = nar_hashes(root)
    requests = len(complete_push(root, s3))
    draw = random.Random(20261123)
    # Over the whole range, with one kill in each fiftieth of it.
    points = [
        draw.randint(1 + requests * kill // KILLS, requests * (kill + 1) // KILLS)
        for kill in range(KILLS)
    ]
    durable_nars = visible = resent = 0
    moments = {"before": 0, "body": 0, "after": 0}
    for number, point in enumerate(points):
        moment = draw.choice(sorted(moments))
        s3.configure(clear=True, kill=None)
        with pusher(root, s3) as child:
            s3.configure(kill={"pid": child.pid, "request": point, "moment": moment})
        at = f"killed at request {point} of {requests}, {moment}"
        assert child.exitcode == -signal.SIGKILL, at
        moments[moment] += 1

        published = s3.check(KEY.public)
        nars = {name for name in s3.objects() if name.startswith("nar/")}
        durable_nars += len(nars)
        visible += len(published)

        s3.configure(kill=None)
        asked = complete_push(root, s3)
        assert s3.check(KEY.public).keys() == sizes.keys(), at
        written: dict[str, list[int]] = {}
        for method, target, status in asked:
            if method in ("PUT", "POST"):
                name = target.partition("?")[0].removeprefix(f"/{BUCKET}/")
                written.setdefault(name, []).append(status)
        again = written.keys() & (published.keys() | {info.url for info in published.values()})
        assert not again, f"{at}: what was published is written again"
        for name in written.keys() & nars:
            # The server had it. A small one is offered again, since that costs less than asking, and is refused.
            assert written[name] == [412], f"{at}: {name} was durable, and is stored again"
            resent += 1
            assert s3.objects()[name]["size"] < SMALL, f"{at}: {name} is sent in vain"
        if number % 10 == 9:
            store = tmp_path / f"store-{number}"
            copy_from(s3.url, store, str(KEY.public), root)
            assert nar_hashes(root, store=store) == wanted
            for directory, _, _ in os.walk(store):  # store paths are read-only
                Path(directory).chmod(0o700)
    # The kills met pushes at work, and not one that had not begun or was over.
    assert durable_nars > KILLS * len(sizes) // 5
    assert visible > 0
    assert all(moments.values())
    record_property(
        "faults",
        f"{KILLS} kills over {requests} requests ({moments['before']} before, {moments['body']} within, "
        f"{moments['after']} after one): {visible} narinfos visible, none without its NAR and references; "
        f"of {durable_nars} durable NARs none stored again, {resent} small ones offered again and refused",
    )


def test_a_push_that_is_killed_several_times_still_completes(s3: FaultyS3) -> None:
    """Each push dies after some requests of its own; every one of them gets further."""
    root = build_tree(60)["root"]
    s3.configure(clear=True, kill=None)
    draw = random.Random(7)
    progress = [0]
    for _ in range(40):
        with pusher(root, s3) as child:
            done = sum(s3.state()["requests"].values())
            kill = {"pid": child.pid, "request": done + draw.randint(40, 70), "moment": "after"}
            s3.configure(kill=kill)
        progress.append(len(s3.check(KEY.public)))
        assert progress[-1] >= progress[-2]
        if child.exitcode == 0:
            break
        assert child.exitcode == -signal.SIGKILL
    s3.configure(kill=None)
    assert child.exitcode == 0
    assert progress[-1] == len(Store.of_host().closure([root]))
    stored = s3.stored_nars()
    assert len(stored) == len(set(stored))
