"""The test of examples/shop in two virtual machines: nginx, Node and redis over a network."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

pytestmark = [pytest.mark.real, pytest.mark.vm, pytest.mark.slow]


def test_the_shop_works(example):
    nixgen = example("shop")
    (listed,) = nixgen.document("test", "list")["targets"]
    assert listed["attr"] == "tests.smoke"
    document = nixgen.document("test", "run", "--junit", "junit.xml")
    (result,) = document["tests"]
    assert (result["outcome"], result["failure"]) == ("passed", None)
    assert {machine["name"] for machine in result["machines"]} == {"web", "db"}
    assert all(machine["bootSeconds"] > 0 for machine in result["machines"])
    titles = [step["title"] for step in result["steps"] if step["kind"] == "subtest"]
    assert titles == [
        "redis answers",
        "the API greets and counts",
        "the shop is open to the other machine",
        "what is not public is closed",
    ]
    (suite,) = ET.parse(nixgen.folder / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("5", "0", "0")
    assert not list((nixgen.folder / ".nixgen/vm").glob("run-*"))
