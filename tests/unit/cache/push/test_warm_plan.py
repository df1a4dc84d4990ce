"""What a cache lacks of some targets, with a store and a bucket in memory; and the document about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import pytest
from memory_bucket import MemoryBucket, StoredObject

from nixgen.cache.format.names import narinfo_name
from nixgen.cache.push.warm import WarmPlan, WarmRow, Work, make_warm_plan
from nixgen.driver.evaluate import Target
from nixgen.driver.store.store import PathInfo, Store

LETTERS = "0123456789abcdfghijklmnpqrsvwxyz"


def path(name: str) -> str:
    """A store path whose digest follows from its name."""
    digest = "".join(LETTERS[ord(letter) % 32] for letter in name).ljust(32, "0")
    return f"/nix/store/{digest}-{name}"


class Paths:
    """A store whose valid paths and derivations are given.

    :param valid: name of a valid path → names that it refers to.
    :param drvs: name of a derivation → names of its outputs, and of the derivations that it needs.
    """

    def __init__(
        self,
        valid: dict[str, tuple[str, ...]],
        drvs: dict[str, tuple[tuple[str, ...], tuple[str, ...]]],
    ) -> None:
        self._valid = {path(name): tuple(map(path, names)) for name, names in valid.items()}
        self._drvs = {
            path(name): (tuple(map(path, outputs)), tuple(map(path, needs)))
            for name, (outputs, needs) in drvs.items()
        }

    def valid(self, paths: Iterable[str]) -> frozenset[str]:
        return frozenset(paths) & self._valid.keys()

    def closure(self, paths: Iterable[str]) -> list[PathInfo]:
        seen: dict[str, PathInfo] = {}

        def add(one: str) -> None:
            if one not in seen:
                for reference in set(self._valid[one]) - {one}:
                    add(reference)
                seen[one] = self._info(one, self._valid[one])

        for one in paths:
            add(one)
        return list(seen.values())

    def outputs(self, drvs: Iterable[str]) -> dict[str, tuple[str, ...]]:
        return {drv: self._drvs[drv][0] for drv in drvs}

    def info(self, drvs: Iterable[str]) -> list[PathInfo]:
        return [self._info(drv, (*self._drvs[drv][1], path("source"))) for drv in drvs]

    def _info(self, one: str, references: tuple[str, ...]) -> PathInfo:
        return PathInfo(
            path=one,
            nar_hash="sha256:0",
            nar_size=len(one.rpartition("-")[2]),
            references=references,
        )


def plan(
    targets: dict[str, tuple[str, ...]],
    *,
    valid: dict[str, tuple[str, ...]] | None = None,
    drvs: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] | None = None,
    cached: Iterable[str] = (),
    buildable: bool = True,
) -> WarmPlan:
    """The plan for targets with these outputs."""
    memory = MemoryBucket()
    for name in cached:
        memory.objects_by_name[narinfo_name(path(name))] = StoredObject(body=b"", content_type="")
    wanted = [
        (
            Work(attr=attr, environment=None, system="x86_64-linux"),
            Target(
                attr=attr,
                drv=path(f"{attr}.drv"),
                outputs={f"out{number}": path(name) for number, name in enumerate(outputs)},
            ),
        )
        for attr, outputs in targets.items()
    ]
    return make_warm_plan(
        wanted,
        store=cast("Store", Paths(valid or {}, drvs or {})),
        bucket=memory.bucket,
        buildable=lambda _: buildable,
    )


def names(paths: Iterable[str]) -> list[str]:
    return [one.rpartition("-")[2] for one in paths]


def test_a_target_whose_outputs_are_in_the_cache_is_cached() -> None:
    (row,) = plan({"web": ("a", "b")}, cached=["a", "b"]).rows
    assert (row.state, row.missing, row.builds) == ("cached", (), ())


def test_a_target_of_the_store_lacks_what_the_cache_lacks_of_its_closure() -> None:
    result = plan(
        {"web": ("a",), "api": ("d", "k")},
        valid={"a": ("b", "c", "a"), "b": ("e",), "c": (), "d": ("c",), "e": ()},
        cached=["b", "k"],
    )
    web, api = result.rows
    assert (web.state, names(info.path for info in web.missing)) == ("to push", ["a", "c"])
    # its output k is in the cache, and so are the references of k
    assert (api.state, names(info.path for info in api.missing)) == ("to push", ["c", "d"])
    assert result.missing == {path("a"): 1, path("c"): 1, path("d"): 1}
    assert result.builds == frozenset()
    assert result.outputs("to push") == [path("a"), path("d"), path("k")]
    assert result.of("cached") == ()


@pytest.mark.parametrize(
    ("buildable", "state"), [(True, "to build"), (False, "cannot be built here")]
)
def test_derivations_without_available_outputs_are_built(*, buildable: bool, state: str) -> None:
    result = plan(
        {"web": ("a",), "api": ("x", "b")},
        valid={"b": ()},
        drvs={
            "web.drv": (("a",), ("lib.drv", "tool.drv", "done.drv")),
            "lib.drv": (("l",), ("deep.drv", "tool.drv")),
            "deep.drv": (("e", "b"), ("lib-done.drv",)),
            "tool.drv": (("t",), ("never-asked.drv",)),
            "done.drv": (("b",), ("never-asked.drv",)),
            "lib-done.drv": (("t",), ()),
            "api.drv": (("x", "b"), ("deep.drv",)),
        },
        cached=["t"],
        buildable=buildable,
    )
    web, api = result.rows
    assert (web.state, api.state) == (state, state)
    assert sorted(names(web.builds)) == ["deep.drv", "lib.drv", "web.drv"]
    assert sorted(names(api.builds)) == ["api.drv", "deep.drv"]
    assert sorted(names(result.builds)) == ["api.drv", "deep.drv", "lib.drv", "web.drv"]
    assert (web.missing, result.missing) == ((), {})


def test_derivations_that_need_each_other_s_outputs_are_counted_once() -> None:
    result = plan(
        {"web": ("a",)},
        drvs={
            "web.drv": (("a",), ("one.drv", "two.drv")),
            "one.drv": (("o",), ("base.drv",)),
            "two.drv": (("w",), ("base.drv", "one.drv")),
            "base.drv": (("s",), ()),
        },
    )
    assert sorted(names(result.rows[0].builds)) == ["base.drv", "one.drv", "two.drv", "web.drv"]


def test_the_document() -> None:
    result = plan(
        {"web": ("a",), "api": ("x",), "old": ("k",)},
        valid={"a": ("long-name",), "long-name": ()},
        drvs={"api.drv": (("x",), ())},
        cached=["k"],
    )
    failed = WarmRow(
        work=Work(attr="bad", environment="staging", system="aarch64-linux"),
        target=None,
        state="failed",
        error="no such attribute",
    )
    whole = WarmPlan(cache=result.cache, rows=(*result.rows, failed))

    def target(attr: str, output: str) -> dict[str, object]:
        return {
            "attr": attr,
            "environment": None,
            "system": "x86_64-linux",
            "drv": path(f"{attr}.drv"),
            "outputs": {"out0": path(output)},
            "error": None,
        }

    assert whole.document() == {
        "cache": "s3://memory",
        "targets": [
            {
                **target("web", "a"),
                "state": "to push",
                "missingPaths": 2,
                "missingBytes": 1 + len("name"),
                "builds": 0,
            },
            {
                **target("api", "x"),
                "state": "to build",
                "missingPaths": None,
                "missingBytes": None,
                "builds": 1,
            },
            {
                **target("old", "k"),
                "state": "cached",
                "missingPaths": 0,
                "missingBytes": 0,
                "builds": 0,
            },
            {
                "attr": "bad",
                "environment": "staging",
                "system": "aarch64-linux",
                "drv": None,
                "outputs": {},
                "state": "failed",
                "missingPaths": None,
                "missingBytes": None,
                "builds": 0,
                "error": "no such attribute",
            },
        ],
        "missingPaths": 2,
        "missingBytes": 1 + len("name"),
        "builds": 1,
    }
    assert whole.outputs("failed", "to build") == [path("x")]


def test_names_of_work() -> None:
    work = Work(attr="machines.web", environment=None, system="x86_64-linux")
    assert str(work) == "machines.web on x86_64-linux"
    staged = Work(attr="machines.web", environment="staging", system="x86_64-linux")
    assert str(staged) == "machines.web in staging on x86_64-linux"
