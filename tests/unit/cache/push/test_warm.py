"""Shards are disjoint, complete and stable."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from nixgen.cache.push.warm import Shard, WarmPlan, WarmRow, Work
from nixgen.driver.evaluate import Target
from nixgen.driver.store.store import PathInfo
from nixgen.errors import UsageError

works = st.builds(
    Work,
    attr=st.from_regex(r"(machines|images|tests|packages)\.[a-z][a-z0-9-]{0,8}", fullmatch=True),
    environment=st.none() | st.sampled_from(["staging", "production"]),
    system=st.sampled_from(["x86_64-linux", "aarch64-linux"]),
)
PATH = "/nix/store/00000000000000000000000000000000-"


@given(st.lists(works, unique=True), st.integers(1, 12))
def test_every_unit_of_work_is_in_exactly_one_shard(all_of_it: list[Work], count: int) -> None:
    shards = [Shard(index, count) for index in range(1, count + 1)]
    for work in all_of_it:
        assert sum(shard.holds(work) for shard in shards) == 1


@given(st.sets(works, min_size=1), works, st.integers(1, 12), st.data())
def test_a_new_target_moves_no_other_target(
    before: set[Work], new: Work, count: int, data: st.DataObject
) -> None:
    shard = Shard(data.draw(st.integers(1, count)), count)
    kept = {work for work in before if shard.holds(work)}
    after = {work for work in before | {new} if shard.holds(work)}
    assert after - {new} == kept - {new}


def test_shards_are_the_same_on_every_machine_and_about_equal() -> None:
    all_of_it = [
        Work(attr=f"machines.m{number}", environment=environment, system="x86_64-linux")
        for number in range(500)
        for environment in (None, "staging")
    ]
    sizes = [sum(Shard(index, 4).holds(work) for work in all_of_it) for index in range(1, 5)]
    assert sizes == [223, 247, 268, 262]


@pytest.mark.parametrize(
    "text", ["0/5", "6/5", "1", "1/0", "-1/5", "a/b", "1/5/2", " 1/5", "1/5\n"]
)
def test_a_wrong_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no shard"):
        Shard.parse(text)
    assert str(Shard.parse("2/5")) == "2/5"


def test_paths_that_environments_share_count_once() -> None:
    info = PathInfo(path=f"{PATH}a", nar_hash="sha256:0", nar_size=1000, references=())
    other = evolve(info, path=f"{PATH}b", nar_size=20)
    target = Target(attr="machines.web", drv=f"{PATH}a.drv", outputs={"out": info.path})
    work = Work(attr="machines.web", environment=None, system="x86_64-linux")
    staging = evolve(work, environment="staging")
    built = evolve(work, attr="images.api")
    plan = WarmPlan(
        cache="s3://cache",
        rows=(
            WarmRow(work=work, target=target, state="to push", missing=(info,)),
            WarmRow(work=staging, target=target, state="to push", missing=(info, other)),
            WarmRow(work=built, target=target, state="to build", builds=("x", "y")),
            WarmRow(
                work=evolve(built, environment="staging"),
                target=target,
                state="to build",
                builds=("y",),
            ),
        ),
    )
    document = plan.document()
    assert (document["missingPaths"], document["missingBytes"], document["builds"]) == (2, 1020, 2)
    assert [row["missingBytes"] for row in document["targets"]] == [1000, 1020, None, None]
