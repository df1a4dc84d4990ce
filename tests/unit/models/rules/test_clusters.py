"""Clusters: every contradiction between members is reported at once."""

from __future__ import annotations

from pathlib import Path

from nixgen.models import Cluster, Machine, Project, check

HERE = Path(__file__).name


def problems(project: Project) -> dict[str, tuple[str, str | None]]:
    """Message and hint of each problem, by its path. Each problem names a line of this file."""
    found = check(project)
    assert all(HERE in (problem.where or "") for problem in found)
    assert len({problem.path for problem in found}) == len(found)
    return {problem.path: (problem.message, problem.hint) for problem in found}


def test_every_contradiction_between_members_is_reported_at_once() -> None:
    a, b, c, stranger = (Machine(name) for name in ("a", "b", "c", "stranger"))
    one = Cluster("one", master=a, workers=[a, b, b, stranger], ids={"a": 0, "b": 1, "x": 2})
    two = Cluster("two", master=c, workers=[b], ids={"c": 0, "bb": 3})
    add = "add it to Project(machines=[…])"
    assert problems(Project("p", machines=[a, b, c], clusters=[one, two])) == {
        "clusters.one.workers[0]": (
            "the machine 'a' is already master of this cluster",
            "take it out of workers",
        ),
        "clusters.one.workers[2]": (
            "the machine 'b' is already workers[1] of this cluster",
            "take it out of workers",
        ),
        "clusters.one.workers[3]": (
            "the machine 'stranger' is not one of the project's machines",
            add,
        ),
        "clusters.two.workers[0]": (
            f"the machine 'b' is already in the cluster 'one' at {one.origin}",
            "take it out of one of them: a machine belongs to one cluster",
        ),
        "clusters.one.ids['x']": (
            "the cluster has no member 'x'",
            "its members are a, b, stranger",
        ),
        "clusters.two.ids['bb']": ("the cluster has no member 'bb'", "did you mean b?"),
        "clusters.two.ids['c']": (
            "0 is also the id of the master 'a'",
            "give each master, and each worker, a number of its own",
        ),
    }


def test_two_workers_with_one_number_are_refused() -> None:
    a, b, c = (Machine(name) for name in "abc")
    cluster = Cluster("one", master=a, workers=[b, c], ids={"b": 7, "c": 7})
    assert problems(Project("p", machines=[a, b, c], clusters=[cluster])) == {
        "clusters.one.ids['c']": (
            "7 is also the id of the worker 'b'",
            "give each master, and each worker, a number of its own",
        )
    }


def test_pod_networks_of_two_clusters_have_no_address_in_common() -> None:
    a, b = Machine("a"), Machine("b")
    clusters = [
        Cluster("one", master=a, pod_network="10.32.0.0/12"),
        Cluster("two", master=b, pod_network="10.40.0.0/16"),
    ]
    assert problems(Project("p", machines=[a, b], clusters=clusters)) == {
        "clusters.two.pod_network": (
            "10.40.0.0/16 overlaps 10.32.0.0/12, the pod network of 'one'",
            "choose networks that have no address in common",
        )
    }
