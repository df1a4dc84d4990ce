"""A push during a build: early outputs are in the cache before the build ends, and a slow or absent cache
does not delay the build.
"""

from __future__ import annotations

import json
import secrets
import threading
import time

import pytest
from attrs import evolve
from faulty_s3 import faulty_s3

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.location import CacheLocation
from nixgen.cache.format.names import narinfo_name
from nixgen.cache.format.signing import SecretKey
from nixgen.cache.push.events import PushPaused
from nixgen.cache.push.push import push
from nixgen.cache.push.session import push_session
from nixgen.cache.serve.embedded import embedded_s3
from nixgen.driver.build.build import realise
from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.evaluate import Tree, evaluate
from nixgen.driver.store.store import Store
from nixgen.errors import CacheError
from nixgen.programs.runner import SubprocessRunner

pytestmark = pytest.mark.real

KEY = SecretKey.generate("session-1")
RUNNER, STORE = SubprocessRunner(), Store.of_host()
OPTIONS = evolve(NixOptions.of_host(), drop_sandbox=True)  # for a /bin/sh

# early1 … early5 take no time; late waits, then refers to them all
TREE = """\
_:
let
  make = name: script: derivation {
    name = "session-test-${name}";
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-c" ("PATH=/bin:/usr/bin; " + script) ];
    nonce = "NONCE";
  };
  early = map (number: make "early${toString number}" "echo $nonce > $out") [ 1 2 3 4 5 ];
  wait = make "wait" "sleep SECONDS; echo ${toString early} > $out";
in
{
  early = builtins.head early;
  late = make "late" "echo ${wait} > $out";
}
"""


def pusher(location):
    return lambda paths, observe, _root: push(paths, location, [KEY], observe)


@pytest.fixture
def build(tmp_path):
    """Build a tree that nobody has built before, with an observer; how long that took, and early and late."""

    def run(seconds, observe):
        file = tmp_path / f"{secrets.token_hex(8)}.nix"
        file.write_text(TREE.replace("NONCE", file.stem).replace("SECONDS", str(seconds)))
        found = evaluate(Tree(file=file), ["early", "late"], runner=RUNNER, options=OPTIONS)
        early, late = found.require()
        started = time.monotonic()
        report = realise(
            [late],
            runner=RUNNER,
            options=OPTIONS,
            store=STORE,
            gcroots=tmp_path / file.stem,
            observe=observe,
        )
        assert report.ok
        return time.monotonic() - started, early.out, late.out

    return run


def test_an_early_output_is_in_the_cache_before_the_build_ends(build):
    published: dict[str, float] = {}

    def observe(event):
        if type(event).__name__ == "Published":
            published[event.path] = time.monotonic()

    with (
        embedded_s3() as location,
        push_session(pusher(location), store=STORE, observe=observe) as session,
        Bucket(location, connections=2) as bucket,
    ):
        _, early, late = build(4, session)
        ended = time.monotonic()
        assert published[early] < ended - 1
        assert bucket.head(narinfo_name(early)) is not None
        report = session.finish([late])
        closure = {info.path for info in STORE.closure([late])}
        assert closure <= {info.path for info in report.plan.missing}
        assert report.uploaded.published == len(report.plan.missing) == report.plan.closure
        assert all(bucket.head(narinfo_name(path)) is not None for path in closure)


def test_a_slow_cache_does_not_hold_the_build_up(build):
    """The cache answers nothing before the build is over: a build that waited for it would never be."""
    begun, released = threading.Event(), threading.Event()
    waited_in_vain = []

    def push_when_released(paths, observe, root):
        begun.set()
        if not released.wait(120):
            waited_in_vain.append(paths)
        return pusher(location)(paths, observe, root)

    with (
        embedded_s3() as location,
        push_session(push_when_released, store=STORE, observe=lambda _event: None) as session,
    ):
        try:
            _, early, late = build(1, session)
            assert begun.wait(120), "the outputs that were ready early were never pushed"
        finally:
            released.set()
        assert waited_in_vain == []
        pushed = session.finish([late]).plan.missing
        assert {early, late} <= {info.path for info in pushed}


def test_a_failing_cache_is_reported_once_and_raised_at_the_end(build):
    told = []
    location = CacheLocation.parse("s3://bucket?endpoint=http://127.0.0.1:9&profile=nobodys")
    with push_session(pusher(location), store=STORE, observe=told.append) as session:
        _, _, late = build(1, session)
        with pytest.raises(CacheError):
            session.finish([late])
    assert [type(event) for event in told] == [PushPaused]


def test_a_session_that_was_left_pushes_nothing_more(build):
    with faulty_s3("--latency", "300") as slow:
        with push_session(
            pusher(evolve(slow.location, emulator=True)), store=STORE, observe=lambda _event: None
        ) as session:
            build(0, session)
        assert not [thread for thread in threading.enumerate() if thread.name == "cache-session"]
        before = slow.state()["requests"]
        assert before["GET"] >= 1  # it had begun
        time.sleep(0.7)
        assert slow.state()["requests"] == before


# through the command line

INFRA = """\
from nixgen import *

project = Project("beside", machines=[
    Machine("good", files={{"motd": ConfigFile("motd", "{nonce}")}}),
    Machine("bad", files={{"motd": ConfigFile("motd", "{nonce}"), "motd/x": ConfigFile("x", "y")}}),
])
"""


@pytest.fixture(scope="module")
def locked(example):
    nixgen = example("hello")
    nixgen("build", "images")
    return nixgen


@pytest.fixture
def project(example, locked):
    nixgen = example("hello", source=locked.folder)
    (nixgen.folder / "infra.py").write_text(INFRA.format(nonce=secrets.token_hex(8)))
    return nixgen


def test_successful_targets_are_pushed_when_another_fails(project):
    with embedded_s3() as location:
        done = project("build", "--push", location, "--json", expect=1)
        document = json.loads(done.stdout)
        assert document["schema"] == "nixgen/results/1"
        good, bad = document["targets"]
        assert (good["status"], bad["status"]) == ("built", "failed")
        assert document["push"]["uploaded"]["paths"] > 0
        assert "machines.bad" in done.stderr
        with Bucket(location, connections=2) as bucket:
            assert bucket.head(narinfo_name(good["outputs"]["out"])) is not None
            # a generation that is not whole is none
            assert not [found for found in bucket.objects() if "roots/" in found.name]


def test_a_cache_that_is_down_does_not_fail_the_build(project):
    with embedded_s3() as location:
        pass
    done = project("build", "machines.good", "--push", location, "-v", expect=3)
    assert done.stdout.startswith("built   machines.good  /nix/store/")
    assert done.stderr.count("error: ") == 1
    assert "built   machine-good" in done.stderr
    assert (project.folder / ".nixgen/gcroots/machines.good").exists()


def test_the_exit_status_is_that_of_the_build_when_both_fail(project):
    # a cache without credentials is not tried twice
    alone = evolve(
        project,
        environment={"AWS_CONFIG_FILE": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"},
    )
    both = alone("build", "--push", "s3://bucket?endpoint=http://127.0.0.1:9", expect=1)
    assert both.stderr.count("error: ") == 2
    assert "credentials" in both.stderr
    assert "machines.bad" in both.stderr
