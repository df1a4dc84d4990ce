"""Clusters: members are numbered, and every contradiction is reported at once."""

from __future__ import annotations

from pathlib import Path

from nixgen.models import Cluster, Machine, Project, check, members

HERE = Path(__file__).name


def problems(project: Project) -> dict[str, tuple[str, str | None]]:
    """Message and hint of each problem, by its path. Each problem names a line of this file."""
    found = check(project)
    assert all(HERE in (problem.where or "") for problem in found)
    assert len({problem.path for problem in found}) == len(found)
    return {problem.path: (problem.message, problem.hint) for problem in found}


def test_members_are_counted_across_clusters_masters_and_workers_apart() -> None:
    a, b, c, d, e = (Machine(name) for name in "abcde")
    clusters = [Cluster("one", master=a, workers=[b, c]), Cluster("two", master=d, workers=[e])]
    found = {member.machine.name: (member.role, member.id) for member in members(clusters)}
    assert found == {
        "a": ("master", 0),
        "b": ("worker", 0),
        "c": ("worker", 1),
        "d": ("master", 1),
        "e": ("worker", 2),
    }
    assert check(Project("p", machines=[a, b, c, d, e], clusters=clusters)) == ()


def test_given_numbers_are_kept_and_the_others_are_counted_around_them() -> None:
    a, b, c, d = (Machine(name) for name in "abcd")
    cluster = Cluster("one", master=a, workers=[b, c, d], ids={"a": 5, "c": 0})
    assert [member.id for member in members([cluster])] == [5, 1, 0, 2]


def test_values_of_a_cluster_are_checked() -> None:
    cluster = Cluster(
        "Main!",
        master="a",
        workers=Machine("b"),
        pod_network="10.0.0.1/8",
        ids={"b": -1},  # type: ignore[arg-type]
    )
    assert set(problems(Project("p", clusters=[cluster]))) == {
        "clusters.Main!.name",
        "clusters.Main!.master",
        "clusters.Main!.workers",
        "clusters.Main!.pod_network",
        "clusters.Main!.ids['b']",
    }
