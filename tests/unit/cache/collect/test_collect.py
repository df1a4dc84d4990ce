"""Collection: its rules, its plans, and every order of the requests of pushes and collectors.

The model at the end runs pushes, collections, deaths and failures one request at a time.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from itertools import count

import pytest
from attrs import evolve
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nixgen.cache.bucket.bucket import ObjectInfo
from nixgen.cache.bucket.inventory import Inventory
from nixgen.cache.bucket.location import CacheLocation
from nixgen.cache.collect.collect import collect, preview
from nixgen.cache.collect.plan import batches, make_plan
from nixgen.cache.collect.policy import GcPolicy, select
from nixgen.cache.collect.snapshot import Generation, Snapshot, read_snapshot
from nixgen.cache.collect.sweep import remove_paths
from nixgen.cache.format.narinfo import NarInfo
from nixgen.cache.keep.batch import SWEEP
from nixgen.cache.keep.leases import LEASES, leased_paths
from nixgen.cache.keep.roots import (
    ROOT_FORMAT,
    Pin,
    Root,
    list_pins,
    path_targets,
    put_pin,
    record_root,
)
from nixgen.errors import CacheError, UsageError, VerifyError
from nixgen.store.digest import Hash

NOW = datetime(2026, 11, 23, 20, 30, tzinfo=UTC)
EAGER = GcPolicy(keep=1, min_age=timedelta(0), grace=timedelta(0))


# A cache in memory


class Shelf:
    """The part of `Bucket` that collection uses, with a clock that only the test moves."""

    location = CacheLocation(bucket="shelf")

    def __init__(self) -> None:
        self.held: dict[str, tuple[bytes, datetime, str]] = {}
        self.now = NOW
        self._tags = count()

    def clock(self) -> datetime:
        return self.now

    def head(self, name: str) -> ObjectInfo | None:
        return self._info(name) if name in self.held else None

    def read(self, name: str) -> bytes | None:
        return self.held[name][0] if name in self.held else None

    def read_tagged(self, name: str) -> tuple[bytes, str] | None:
        return (self.held[name][0], self.held[name][2]) if name in self.held else None

    def read_many(self, names) -> Iterator[tuple[str, bytes | None]]:
        return ((name, self.read(name)) for name in list(names))

    def objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return iter([self._info(name) for name in sorted(self.held) if name.startswith(prefix)])

    def names(self, prefix: str = "") -> Iterator[str]:
        return (each.name for each in self.objects(prefix))

    def put(self, name, body, *, if_absent=False, if_match=None) -> bool:
        held = self.held.get(name)
        if (if_absent and held) or (if_match is not None and (not held or held[2] != if_match)):
            return False
        self.held[name] = (body, self.now, str(next(self._tags)))
        return True

    def delete(self, names, *, guard: Callable[[], None] = lambda: None) -> None:
        guard()
        for name in names:
            self.held.pop(name, None)

    def _info(self, name: str) -> ObjectInfo:
        body, modified, tag = self.held[name]
        return ObjectInfo(name=name, size=len(body), modified=modified, etag=tag)


def part(letter: str) -> str:
    return letter * 32


def path(letter: str) -> str:
    return f"/nix/store/{part(letter)}-{letter}"


def nar(letter: str) -> str:
    return f"nar/{Hash.of(letter.encode()).nix32}.nar"


def narinfo(letter: str, references: str = "", **other: object) -> bytes:
    info = NarInfo(
        store_path=path(letter),
        url=nar(letter),
        compression="none",
        nar_hash=Hash.of(letter.encode()),
        nar_size=1,
        references=tuple(path(each)[11:] for each in references),
    )
    return str(evolve(info, **other)).encode()


def store(shelf, letter: str, references: str = "", **other: object) -> None:
    """Store a path as a push does: the archive first."""
    shelf.put(nar(letter), b"x" * 100, if_absent=True)
    shelf.put(f"{part(letter)}.narinfo", narinfo(letter, references, **other))


def root(
    number: int,
    *letters: str,
    environment: str = "default",
    attr: str = "a",
    project: str = "p",
) -> Root:
    return Root(
        environment=environment,
        generation=f"20261123T2030{number:02}Z-000000",
        created=NOW,
        project=project,
        targets={attr: {letter: path(letter) for letter in letters}},
    )


def dangling(shelf: Shelf) -> list[str]:
    """The objects that a client which follows narinfos would miss."""
    missing = []
    for name in shelf.held:
        if name.endswith(".narinfo"):
            info = NarInfo.parse(shelf.held[name][0].decode())
            needed = {info.url, *(f"{each[:32]}.narinfo" for each in info.references)}
            missing += [f"{name}: {each}" for each in sorted(needed - shelf.held.keys())]
    return missing


def letters(shelf: Shelf) -> str:
    return "".join(sorted(name[0] for name in shelf.held if name.endswith(".narinfo")))


# Rules


def generations(*roots: tuple[Root, float]) -> list[Generation]:
    """Generations from roots and their ages in hours."""
    return [Generation(root=each, written=NOW - timedelta(hours=age)) for each, age in roots]


def weigh(starts: frozenset[str]) -> int:
    return 10 * len(starts)


def chosen(policy: GcPolicy, *roots: tuple[Root, float]) -> str:
    selection = select(generations(*roots), policy, NOW, weigh)
    return "".join(sorted(each[0] for each in selection.starts))


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        (GcPolicy(keep=1), "d"),
        (GcPolicy(keep=2), "cd"),
        (GcPolicy(keep=1, min_age=timedelta(hours=350)), "bcd"),
        (GcPolicy(keep=1, older_than=timedelta(hours=350)), "bcd"),
        (GcPolicy(keep=9), "abcd"),
        (GcPolicy(keep=9, max_bytes=40), "abcd"),
        (GcPolicy(keep=9, max_bytes=39), "bcd"),
        (GcPolicy(keep=9, max_bytes=20), "cd"),
        (GcPolicy(keep=9, max_bytes=0), "d"),
        (GcPolicy(keep=9, max_bytes=0, older_than=timedelta(hours=350)), "bcd"),
    ],
)
def test_which_generations_of_a_target_stay(policy, kept):
    roots = [(root(number, each), 400 - 100 * number) for number, each in enumerate("abcd")]
    assert chosen(policy, *roots) == kept


def test_of_generations_with_equal_outputs_only_the_newest_stays():
    roots = [(root(number, each), 100) for number, each in enumerate("abbb")]
    selection = select(generations(*roots), GcPolicy(keep=2), NOW, weigh)
    assert selection.starts == {part("a"), part("b")}
    assert selection.dropped == {
        root(1, "b").name: "a newer one is the same",
        root(2, "b").name: "a newer one is the same",
    }


def test_targets_projects_and_environments_are_counted_apart():
    roots = [
        (root(9, "e", project="q"), 100),
        (root(0, "a", environment="live"), 100),
        (root(1, "b"), 100),
        (root(2, "c", attr="other"), 100),
        (root(3, "d"), 100),
    ]
    selection = select(generations(*roots), GcPolicy(keep=1), NOW, weigh)
    assert selection.starts == {part(each) for each in "acde"}
    assert list(selection.dropped) == [root(1).name]


# Plans


def test_a_plan_removes_referrers_first_and_archives_last():
    shelf = Shelf()
    for letter, references in (("a", "a"), ("b", "a"), ("c", "bac"), ("d", "")):
        store(shelf, letter, references)
    shelf.put(f"{part('c')}.ls", b"{}")
    record_root(shelf, root(1, "d"))
    report = preview(shelf, EAGER)
    sizes = [len(batch) for batch in batches(report.plan.doomed)]
    names = [each.name for each in report.plan.doomed]
    assert names[:3] == [f"{part(each)}.narinfo" for each in "cba"]
    assert names[3] == f"{part('c')}.ls"
    assert sizes == [1, 1, 1, 1, 3]
    assert (report.plan.kept_paths, letters(shelf)) == (1, "abcd")


def test_files_of_dead_paths_and_orphans_go_and_unknown_files_stay():
    shelf = Shelf()
    store(shelf, "a", deriver=f"{part('k')}-a.drv")
    store(shelf, "b", deriver=f"{part('j')}-b.drv")
    realisation = b'{"outPath": "%s"}'
    dead = {
        f"{part('b')}.ls": b"{}",
        f"{part('c')}.ls": b"{}",
        f"log/{part('j')}-b.drv": b"log",
        "realisations/sha256:1!out.doi": realisation % path("b")[11:].encode(),
        "build-trace-v2/x/out.doi": b'{"value": %s}' % (realisation % path("b")[11:].encode()),
        f"nar/{'1' * 52}.nar.zst": b"orphan",
    }
    alive = {
        "nix-cache-info": b"StoreDir: /nix/store\n",
        "channels/main/nixexprs.tar.xz": b"channel",
        "debuginfo/0.debug": b"{}",
        "somebody/elses": b"",
        f"{part('a')}.ls": b"{}",
        f"log/{part('k')}-a.drv": b"log",
        "realisations/sha256:2!out.doi": realisation % path("a")[11:].encode(),
        "realisations/sha256:3!out.doi": b"not JSON",
    }
    for name, body in {**dead, **alive}.items():
        shelf.put(name, body)
    record_root(shelf, root(1, "a"))
    collect(shelf, EAGER)
    assert not dead.keys() & shelf.held.keys()
    assert alive.keys() <= shelf.held.keys()
    assert letters(shelf) == "a"
    assert nar("b") not in shelf.held


def test_a_nar_stays_as_long_as_any_narinfo_names_it():
    shelf = Shelf()
    store(shelf, "a")
    store(shelf, "b", url=nar("a"))
    record_root(shelf, root(1, "b"))
    collect(shelf, EAGER)
    assert letters(shelf) == "b"
    assert nar("a") in shelf.held


@pytest.mark.parametrize("legible", [True, False])
def test_a_corrupt_narinfo_stays_with_every_file_that_it_may_name(legible):
    shelf = Shelf()
    store(shelf, "a")
    store(shelf, "b")
    store(shelf, "c", "a")
    text = narinfo("c", "a").decode()
    broken = text.replace("NarSize: 1", "NarSize: x") if legible else "\0"
    shelf.put(f"{part('c')}.narinfo", broken.encode())
    report = collect(shelf, EAGER)
    assert len(report.plan.problems) == 1
    assert part("c") in report.plan.problems[0]
    assert f"{part('c')}.narinfo" in shelf.held
    assert nar("c") in shelf.held
    # Illegible, it may name any archive; legible, it needs only what it says.
    assert (f"{part('a')}.narinfo" in shelf.held, nar("b") in shelf.held) == (legible, not legible)


def test_an_unreadable_root_stops_the_collection():
    shelf = Shelf()
    store(shelf, "a")
    shelf.put("nixgen/roots/default/1.json", b'{"schema": "nixgen/cache-root/9"}')
    with pytest.raises(
        VerifyError, match=r"nixgen/roots/default/1.json: \$.schema: this nixgen reads"
    ):
        collect(shelf, EAGER)
    assert letters(shelf) == "a"
    assert SWEEP not in shelf.held


def test_a_collection_leaves_narinfos_in_a_circle_alone():
    narinfos = {
        f"{part('a')}.narinfo": NarInfo.parse(narinfo("a", "b").decode()),
        f"{part('b')}.narinfo": NarInfo.parse(narinfo("b", "a").decode()),
    }
    old = NOW - timedelta(days=9)
    objects = {name: ObjectInfo(name=name, size=1, modified=old, etag="") for name in narinfos}
    held = Inventory(objects=objects, narinfos=narinfos)
    assert not make_plan(Snapshot(now=NOW, inventory=held), EAGER).doomed


# Ages, tombstones, pins


def test_young_paths_stay_with_their_references():
    shelf = Shelf()
    store(shelf, "a")
    store(shelf, "b")
    shelf.now += timedelta(hours=23)
    store(shelf, "c", "a")
    shelf.now += timedelta(hours=2)
    collect(shelf, evolve(EAGER, min_age=timedelta(hours=24)))
    assert letters(shelf) == "ac"


def test_an_object_goes_when_it_has_been_dead_for_the_grace():
    shelf = Shelf()
    store(shelf, "a")
    policy = evolve(EAGER, grace=timedelta(hours=24))
    assert not collect(shelf, policy).removed
    shelf.now += timedelta(hours=23)
    assert not collect(shelf, policy).removed
    shelf.now += timedelta(hours=1)
    assert collect(shelf, policy).removed == {f"{part('a')}.narinfo", nar("a")}
    assert not shelf.held


def test_a_path_that_is_needed_again_loses_its_tombstone():
    shelf = Shelf()
    store(shelf, "a")
    policy = evolve(EAGER, grace=timedelta(hours=24))
    collect(shelf, policy)
    shelf.now += timedelta(hours=12)
    put_pin(shelf, Pin(name="p", created=shelf.now, paths=[path("a")]))
    assert collect(shelf, policy).rescued == (f"{part('a')}.narinfo", nar("a"))
    shelf.delete(["nixgen/pins/p.json"])
    shelf.now += timedelta(hours=12)
    assert not collect(shelf, policy).removed
    shelf.now += timedelta(hours=24)
    assert collect(shelf, policy).removed


def test_a_preview_writes_nothing():
    shelf = Shelf()
    store(shelf, "a")
    before = dict(shelf.held)
    assert len(preview(shelf, EAGER).plan.doomed) == 2
    assert shelf.held == before


def test_leases_that_ended_long_ago_are_removed_and_others_are_not():
    shelf = Shelf()
    with pytest.raises(RuntimeError), held(shelf, "a"):
        raise RuntimeError
    assert list(shelf.names(LEASES)), "a failed push leaves its lease to lapse"
    shelf.now += timedelta(seconds=600 + 3600)
    collect(shelf, EAGER)
    assert list(shelf.names(LEASES))
    shelf.now += timedelta(seconds=2)
    collect(shelf, EAGER)
    assert not list(shelf.names(LEASES))


def held(shelf, letters_: str):
    """A lease by the shelf's clock."""

    def clock() -> float:
        return shelf.now.timestamp()

    return leased_paths(
        shelf,
        {part(each): Hash.of(each.encode()).nix32 for each in letters_},
        clock=clock,
        sleep=lambda seconds: None,
    )


def test_a_lease_holds_to_its_last_moment():
    shelf = Shelf()
    with pytest.raises(RuntimeError), held(shelf, "a"):
        raise RuntimeError
    (lease,) = read_snapshot(shelf).leases
    assert lease.paths == {part("a"): Hash.of(b"a").nix32}
    shelf.now = lease.expires
    assert read_snapshot(shelf).leases == (lease,)
    shelf.now += timedelta(seconds=1)
    assert read_snapshot(shelf).leases == ()
    assert read_snapshot(shelf).lapsed == ()


class Interrupted(Shelf):
    """A cache where a pin comes as soon as the collector has declared that it removes ``a``."""

    def put(self, name, body, **options) -> bool:
        written = super().put(name, body, **options)
        if name == SWEEP and part("a").encode() in body and not list_pins(self):
            put_pin(self, Pin(name="late", created=NOW, paths=[path("a")]))
        return written


def test_a_pin_that_comes_during_a_collection_is_heeded():
    shelf = Interrupted()
    for letter, references in (("a", "b"), ("b", ""), ("c", "")):
        store(shelf, letter, references)
    report = collect(shelf, EAGER)
    assert [pin.name for pin in list_pins(shelf)] == ["late"]
    assert letters(shelf) == "ab"
    assert {f"{part(each)}.narinfo" for each in "ab"} <= set(report.spared)
    assert dangling(shelf) == []


def test_a_corrupt_narinfo_keeps_every_log_and_its_own_listing_alone():
    shelf = Shelf()
    store(shelf, "a")
    store(shelf, "b", deriver=f"{part('j')}-b.drv")
    shelf.put(f"{part('c')}.narinfo", b"\0")
    for name in ("a", "b", "c"):
        shelf.put(f"{part(name)}.ls", b"{}")
    realisation = b'{"outPath": "%s"}' % path("b")[11:].encode()
    shelf.put(f"log/{part('j')}-b.drv", b"log")
    shelf.put("realisations/sha256:1!out.doi", realisation)
    record_root(shelf, root(1, "a"))
    doomed = {each.name: each.why for each in preview(shelf, EAGER).plan.doomed}
    assert doomed == {
        f"{part('b')}.narinfo": "nothing that is kept reaches it",
        f"{part('b')}.ls": "its path goes",
        "realisations/sha256:1!out.doi": "its path goes",
    }


def test_the_bytes_of_a_cache_count_leased_paths_too():
    shelf = Shelf()
    for letter in "abc":
        store(shelf, letter)
    record_root(shelf, root(1, "a"))
    record_root(shelf, root(2, "b"))
    each = 100 + len(narinfo("a"))
    kept = {}
    with held(shelf, "c"):
        for most in (3 * each, 3 * each - 1):
            plan = preview(shelf, evolve(EAGER, keep=2, max_bytes=most)).plan
            kept[most] = (plan.kept_paths, plan.kept_bytes)
    assert kept == {3 * each: (3, 3 * each), 3 * each - 1: (2, 2 * each)}


def test_a_lease_keeps_its_paths_and_their_archives():
    shelf = Shelf()
    for letter in "ab":
        store(shelf, letter)
    shelf.put(nar("c"), b"under way")
    with held(shelf, "ac"):
        collect(shelf, EAGER)
    assert letters(shelf) == "a"
    assert nar("c") in shelf.held


def test_a_lease_that_was_not_renewed_in_time_is_an_error():
    shelf = Shelf()
    with contextlib.ExitStack() as stack:
        lease = stack.enter_context(held(shelf, "a"))
        lease.require()
        shelf.now += timedelta(seconds=500)
        with pytest.raises(CacheError, match="could not be renewed"):
            lease.require()
        with pytest.raises(CacheError, match="could not be renewed"):
            stack.close()


@pytest.mark.parametrize("name", ["", "a/b", "../x", "-a", "a b", "x" * 129])
def test_a_pin_needs_a_plain_name(name):
    with pytest.raises(UsageError):
        Pin(name=name, created=NOW, paths=[])
    assert list_pins(Shelf()) == ()


def test_paths_without_attributes_are_targets_named_by_their_package():
    paths = [f"/nix/store/{part(each)}-{name}" for each, name in (("a", "hello-2.1"), ("b", "hello-2.2"), ("c", "3-x"))]  # fmt: skip
    assert {attr: len(found) for attr, found in path_targets(paths).items()} == {
        "paths.hello": 2,
        "paths.3-x": 1,
    }


# Two collectors


def test_a_second_collector_names_the_first_and_replaces_a_dead_one():
    shelf = Shelf()
    store(shelf, "a")

    class DeadError(Exception):
        pass

    def die(_done: int, _all: int) -> None:
        raise DeadError

    class Held(Shelf):
        def delete(self, names, *, guard=lambda: None):
            if SWEEP not in names:
                super().delete(names, guard=guard)

    dying = Held()
    dying.held = shelf.held
    with pytest.raises(DeadError):
        collect(dying, EAGER, tell=die)
    assert SWEEP in shelf.held
    with pytest.raises(CacheError, match=r"another collection is at work: \S+:\d+, since 2026-"):
        collect(shelf, EAGER)
    shelf.now += timedelta(seconds=122)
    collect(shelf, EAGER)
    assert not shelf.held


# Everybody at once: pushes, collectors, deaths and failures, one request at a time

REFERENCES = {"a": "", "b": "a", "c": "b", "d": "a", "h": "bd", "f": "", "g": "fa"}
ARCHIVES = {"f": "a"}  # with the same contents
TELLING = (  # where it matters who comes first
    "put nixgen/leases/*",
    "read_tagged nixgen/sweep.json",
    "objects nixgen/leases/",
    "objects nixgen/pins/",
    "delete *.narinfo",
    "delete nar/*",
    "put nixgen/roots/*",
)
IN_FLIGHT = 60.0  # seconds that a request may take


def closure_of(letter: str) -> str:
    """The closure of a path, references first."""
    found: list[str] = []

    def visit(each: str) -> None:
        for reference in REFERENCES[each]:
            visit(reference)
        if each not in found:
            found.append(each)

    visit(letter)
    return "".join(found)


class Killed(BaseException):
    pass


class Actor:
    """A process that waits before each of its requests for an order."""

    def __init__(self, shelf: Shelf, work: Callable[[Stepped], None]) -> None:
        self.shelf = shelf
        self.over = self.done = self.sleeping = self.amid = False
        self.error: BaseException | None = None
        self.next = ""  # the request that it stands before
        self.since = shelf.now
        self._orders: list[BaseException | None] = []
        self._go, self._stands = threading.Semaphore(0), threading.Semaphore(0)
        self._dead: Killed | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()
        self._stands.acquire()

    def step(self, order: BaseException | None = None) -> None:
        """Let the process make its request, or let the request end with an error."""
        self._orders.append(order)
        if not self.amid:
            self.since = self.shelf.now
        self._go.release()
        self._stands.acquire()
        if self.error is not None:
            raise self.error

    def stand(self, request: str, *, sleeping: bool = False) -> None:
        if self._dead is not None:
            raise self._dead
        self.next = request
        self.sleeping = sleeping
        self._stands.release()
        self._go.acquire()
        order = self._orders.pop()
        if isinstance(order, Killed):
            self._dead = order
        if order is not None:
            raise order

    def kill(self) -> None:
        if not self.over:
            self.step(Killed())

    def _run(self, work: Callable[[Stepped], None]) -> None:
        try:
            work(Stepped(self))
            self.done = True
        except (CacheError, Killed):
            pass
        except BaseException as error:  # noqa: BLE001 - raised again by `step`
            self.error = error
        finally:
            self.over = True
            self._stands.release()


class Stepped:
    """A shelf for one actor: each request is a step, and a deletion is a step for each object."""

    location = Shelf.location

    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    def __getattr__(self, name: str) -> Callable[..., object]:
        def request(*arguments: object, **options: object) -> object:
            self._actor.stand(f"{name} {arguments[0] if arguments else ''}")
            return getattr(self._actor.shelf, name)(*arguments, **options)

        return request

    def read_many(self, names) -> Iterator[tuple[str, bytes | None]]:
        for name in list(names):
            yield name, self.read(name)

    def names(self, prefix: str = "") -> Iterator[str]:
        return (each.name for each in self.objects(prefix))

    def delete(self, names, *, guard: Callable[[], None] = lambda: None) -> None:
        guard()
        self._actor.amid = (
            True  # all of it is one request, which takes no longer than a request may
        )
        try:
            for name in sorted(names):
                self._actor.stand(f"delete {name}")
                self._actor.shelf.delete([name])
        finally:
            self._actor.amid = False

    def sleep(self, _seconds: float) -> None:
        self._actor.stand("sleep", sleeping=True)

    def tell_time(self) -> float:
        return self._actor.shelf.now.timestamp()


def push(shelf: Stepped, letter: str, attr: str, generation: str) -> None:
    """The requests of a push, in the order of `nixgen.cache.push.push`.

    Without a root when ``attr`` is empty.
    """
    closure = closure_of(letter)
    hashes = {each: Hash.of(ARCHIVES.get(each, each).encode()).nix32 for each in closure}
    leased = leased_paths(
        shelf,
        {part(each): digest for each, digest in hashes.items()},
        clock=shelf.tell_time,
        sleep=shelf.sleep,
    )
    with leased as lease:
        missing, level = set(), {letter}
        while level:
            lacking = {each for each in level if shelf.head(f"{part(each)}.narinfo") is None}
            missing |= lacking
            level = {other for each in lacking for other in REFERENCES[each]} - missing
        for each in closure:
            if each in missing:
                archive = f"nar/{hashes[each]}.nar"
                shelf.put(archive, b"x", if_absent=True)
                lease.require()
                text = narinfo(each, REFERENCES[each], url=archive)
                shelf.put(f"{part(each)}.narinfo", text)
        if not attr:
            return
        outputs = {"out": path(letter)}
        record_root(shelf, Root(generation=generation, created=NOW, project="p", targets={attr: outputs}))  # fmt: skip
        lease.settle()


def generations_pushed(*pushed: tuple[str, str]) -> Shelf:
    """A cache after some pushes, each given by a letter and the attribute of its target."""
    shelf = Shelf()
    for number, (letter, attr) in enumerate(pushed, start=1):
        finish(Actor(shelf, lambda shelf, number=number, letter=letter, attr=attr: push(shelf, letter, attr, f"{number:04}")))  # fmt: skip
    return shelf


def finish(*actors: Actor) -> None:
    """Let the actors end, one after the other; one that sleeps lets the next one go on."""
    while any(not each.over for each in actors):
        for each in actors:
            while not each.over:
                each.step()
                assert not dangling(each.shelf)
                if each.sleeping:
                    each.shelf.now += timedelta(seconds=1)
                    break


def collecting(shelf: Stepped) -> None:
    collect(shelf, EAGER, clock=shelf.tell_time)


def pushing(shelf: Stepped) -> None:
    push(shelf, "c", "y", "0009")


def pushing_without_root(shelf: Stepped) -> None:
    push(shelf, "c", "", "")


PUSHED = generations_pushed(("c", "x"), ("g", "x"))


def in_use() -> Shelf:
    """A cache in which a collection finds ``b`` and ``c`` dead, and a push wants them."""
    shelf = Shelf()
    shelf.held = dict(PUSHED.held)
    return shelf


def requests(work: Callable[[Stepped], None]) -> list[str]:
    """The requests of some work when it is alone."""
    actor, found = Actor(in_use(), work), []
    while not actor.over:
        found.append(actor.next)
        actor.step()
    return found


def some_steps(actor: Actor, number: int) -> None:
    for _ in range(number):
        if not actor.over and not actor.sleeping:
            actor.step()
            assert not dangling(actor.shelf)


def check(shelf: Shelf, pusher: Actor, *where: object) -> bool:
    if pusher.done:
        assert set("abc") <= set(letters(shelf)), where
    assert set("afg") <= set(letters(shelf)), where
    return pusher.done


END = {"goes on": None, "fails": CacheError("no answer"), "is killed": Killed()}


@pytest.mark.parametrize("end", END)
@pytest.mark.parametrize("first", [collecting, pushing])
def test_a_push_and_a_collection_may_meet_at_any_two_requests(first, end):
    """One goes some way, the other goes some way and may end there; then both end."""
    second = pushing if first is collecting else collecting
    finished, ways = False, len(requests(second))
    for head in range(len(requests(first))):
        for way in range(1, ways + 1, 1 if end == "goes on" else 3):
            shelf = in_use()
            one, two = Actor(shelf, first), Actor(shelf, second)
            some_steps(one, head)
            some_steps(two, way)
            if END[end] is not None and not two.over:
                two.step(END[end])
            finish(one, two)
            finished |= check(shelf, two if second is pushing else one, head, way)
    assert finished or (second is pushing and END[end])


def test_a_push_may_begin_and_end_during_the_second_look_of_a_collection():
    """A push goes some way while a collection stands before a batch.

    Then the collection goes some steps, and the push ends.
    """
    alone = requests(collecting)
    heads = [index for index, each in enumerate(alone) if each == "put nixgen/sweep.json"]
    assert len(heads) > 4
    for head in heads[1:]:
        for way in range(1, len(requests(pushing))):
            for more in range(1, 8):
                shelf = in_use()
                collector, pusher = Actor(shelf, collecting), Actor(shelf, pushing)
                some_steps(collector, head)
                some_steps(pusher, way)
                some_steps(collector, more)
                finish(pusher, collector)
                check(shelf, pusher, head, way, more)


@pytest.mark.parametrize("late", [0, 700])
@pytest.mark.parametrize("end", ["without a root", "fails", "is killed"])
def test_paths_of_a_push_without_a_root_keep_their_references(end, late):
    """A collection goes some way, then a push publishes ``c`` and ends.

    Its lease may lapse before the collection goes on.
    """
    for head in range(len(requests(collecting))):
        shelf = in_use()
        shelf.delete([f"{part('c')}.narinfo"])
        collector = Actor(shelf, collecting)
        pusher = Actor(shelf, pushing if end in END else pushing_without_root)
        some_steps(collector, head)
        ended = False
        while not pusher.over and not pusher.sleeping:
            order = END.get(end) if f"{part('c')}.narinfo" in shelf.held and not ended else None
            ended = ended or order is not None
            pusher.step(order)
        if not collector.amid:
            shelf.now += timedelta(seconds=late)
        finish(pusher, collector)


@pytest.mark.parametrize(("first", "second"), [(collecting, pushing), (pushing, collecting)])
def test_a_process_that_was_held_up_for_too_long_notices(first, second):
    """One waits until its lease or lock has lapsed, while the other begins and ends."""
    for head in range(len(requests(first))):
        shelf = in_use()
        shelf.delete([f"{part('c')}.narinfo"])
        one = Actor(shelf, first)
        some_steps(one, head)
        if one.amid or one.next.endswith(".narinfo"):
            one.kill()  # a request that is on its way takes no longer than a request may
            continue
        shelf.now += timedelta(seconds=700)
        two = Actor(shelf, second)
        finish(two)
        finish(one)
        check(shelf, two if second is pushing else one, head)


def dropping(shelf: Stepped) -> None:
    remove_paths(shelf, [f"{part('b')}.narinfo"], clock=shelf.tell_time)


@pytest.mark.parametrize("has_c", [True, False])
@pytest.mark.parametrize(("first", "second"), [(dropping, pushing), (pushing, dropping)])
def test_a_push_and_the_removal_of_unusable_paths_may_meet_at_any_two_requests(
    first, second, has_c
):
    """``b`` is to go, with ``c`` that refers to it, while a push relies on ``b`` and publishes ``c``."""
    refused = removed = 0
    for head in range(len(requests(first))):
        for way in range(1, len(requests(second)) + 1):
            shelf = in_use()
            if not has_c:
                shelf.delete([f"{part('c')}.narinfo"])
            one, two = Actor(shelf, first), Actor(shelf, second)
            some_steps(one, head)
            some_steps(two, way)
            push_ends_last = second is pushing and not two.over
            finish(one, two)
            pusher, remover = (one, two) if first is pushing else (two, one)
            assert pusher.done
            assert letters(shelf) in ("abcfg", "afg")
            if push_ends_last or not remover.done:
                assert letters(shelf) == "abcfg", (head, way)
            refused += not remover.done
            removed += remover.done
    assert refused
    assert removed


def test_unusable_paths_go_with_all_that_refer_to_them_and_their_listings():
    shelf = in_use()
    shelf.put(f"{part('b')}.ls", b"{}")
    shelf.put(f"{part('c')}.narinfo", b"References: " + path("b")[11:].encode() + b"\n")  # fmt: skip
    removed = remove_paths(shelf, [f"{part('b')}.narinfo", f"{part('z')}.narinfo"])
    assert removed == tuple(f"{part(each)}.narinfo" for each in "czb")
    assert letters(shelf) == "afg"
    assert f"{part('b')}.ls" not in shelf.held
    assert nar("b") in shelf.held


def test_unusable_paths_in_a_circle_go_too():
    shelf = Shelf()
    for letter, references in (("a", ""), ("b", "ca"), ("c", "b"), ("d", "c")):
        store(shelf, letter, references)
    assert sorted(remove_paths(shelf, [f"{part('b')}.narinfo"])) == [
        f"{part(each)}.narinfo" for each in "bcd"
    ]
    assert letters(shelf) == "a"


def test_a_lease_on_an_unusable_path_stops_its_removal_and_names_the_holder():
    shelf = in_use()
    with held(shelf, "ab"), pytest.raises(CacheError, match=r"a push by \S+:\d+ relies on"):
        remove_paths(shelf, [f"{part('b')}.narinfo"])
    assert letters(shelf) == "abcfg"


until = st.sampled_from([*TELLING, "*"])


class Everybody(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.shelf = Shelf()
        self.actors: list[Actor] = []
        self.pushes: dict[str, tuple[Actor, str]] = {}
        self._numbers = count(1)
        for letter in "chg":
            self.push(letter, "x", "the end")

    @property
    def running(self) -> list[Actor]:
        self.actors = [each for each in self.actors if not each.over]
        return self.actors

    @initialize(
        first=st.booleans(),
        letter=st.sampled_from("cbhd"),
        attr=st.sampled_from(["y", ""]),
        to=st.tuples(until, until, until),
    )
    def meet(self, *, first: bool, letter: str, attr: str, to: tuple[str, str, str]) -> None:
        """A push of paths that a collection finds dead."""
        if first:
            self.push(letter, attr, to[0])
            self.collect(to[1])
        else:
            self.collect(to[0])
            self.push(letter, attr, to[1])
        for actor in self.running[:1]:
            self.go_to(actor, to[2])

    @precondition(lambda self: len(self.running) < 3)
    @rule(letter=st.sampled_from("cbhdagf"), attr=st.sampled_from(["y", "x", ""]), until=until)
    def push(self, letter: str, attr: str, until: str) -> None:
        generation = f"{next(self._numbers):04}"
        actor = Actor(self.shelf, lambda shelf: push(shelf, letter, attr, generation))
        self.pushes[generation] = (actor, letter)
        self.actors.append(actor)
        self.go_to(actor, until)

    @precondition(lambda self: len(self.running) < 3)
    @rule(until=until)
    def collect(self, until: str) -> None:
        self.actors.append(Actor(self.shelf, collecting))
        self.go_to(self.actors[-1], until)

    @precondition(lambda self: self.running)
    @rule(which=st.integers(0, 2), steps=st.integers(1, 5), until=until)
    def go_on(self, which: int, steps: int, until: str) -> None:
        actor = self.running[which % len(self.running)]
        for _ in range(steps):
            self.step(actor)
        self.go_to(actor, until)

    def go_to(self, actor: Actor, request: str) -> None:
        while not (actor.over or actor.sleeping or fnmatch(actor.next, request)):
            self.step(actor)

    def step(self, actor: Actor) -> None:
        if not actor.over:
            actor.step()
            self.nothing_dangles()

    @precondition(lambda self: self.running)
    @rule(which=st.integers(0, 2), error=st.sampled_from([Killed, lambda: CacheError("no answer")]))
    def end(self, which: int, error: Callable[[], BaseException]) -> None:
        """Kill an actor, or let its request fail, so that it cleans up."""
        self.running[which % len(self.running)].step(error())

    @rule(seconds=st.sampled_from([1, 50, 130, 700, 5000]))
    def wait(self, seconds: int) -> None:
        busy = [each.since for each in self.running if not each.sleeping]
        latest = min(busy, default=self.shelf.now + timedelta(days=1)) + timedelta(
            seconds=IN_FLIGHT
        )
        self.shelf.now = min(self.shelf.now + timedelta(seconds=seconds), latest)

    @invariant()
    def nothing_dangles(self) -> None:
        assert not dangling(self.shelf)

    @invariant()
    def what_a_finished_push_reported_is_there(self) -> None:
        newest: dict[str, str] = {}
        for name in self.shelf.names("nixgen/roots/"):
            found = ROOT_FORMAT.parse(self.shelf.read(name) or b"", source=name)
            newest |= dict.fromkeys(found.targets, found.generation)
        for generation in newest.values():
            actor, letter = self.pushes[generation]
            if actor.done:
                assert set(closure_of(letter)) <= set(letters(self.shelf))

    def teardown(self) -> None:
        while self.running:
            self.shelf.now += timedelta(seconds=1)
            for actor in self.running:
                self.step(actor)
        self.what_a_finished_push_reported_is_there()


Everybody.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=8,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestEverybody = Everybody.TestCase
