"""examples/cluster in virtual machines: descriptors, sandboxed services, and folders of tmpfiles."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.real, pytest.mark.vm, pytest.mark.slow]


def test_the_members_of_the_cluster_work(example):
    document = example("cluster").document("test", "run")
    (result,) = document["tests"]
    assert (result["outcome"], result["failure"]) == ("passed", None)
    titles = [step["title"] for step in result["steps"] if step["kind"] == "subtest"]
    assert titles == ["others can ask", "it writes where it may", "it is closed otherwise"]
