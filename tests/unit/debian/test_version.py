"""Versions have the order of dpkg."""

from __future__ import annotations

import itertools

import pytest

from nixgen.debian.version import satisfies, version_key

#: In increasing order.
LADDER = [
    "0~~",
    "0~",
    "0",
    "0+a",
    "1~rc1-1",
    "1-1~deb12u1",
    "1-1",
    "1-1+b1",
    "1-1+deb12u1",
    "1.0.1-1",
    "1.2-1",
    "1.10-1",
    "1.10a-1",
    "1.10+dfsg-1",
    "2024-1",
    "1:0.1",
    "2:0~1",
]


@pytest.mark.parametrize(("lower", "higher"), [*itertools.pairwise(LADDER)])
def test_versions_are_ordered_as_dpkg_orders_them(lower: str, higher: str) -> None:
    assert version_key(lower) < version_key(higher)


@pytest.mark.parametrize(
    ("one", "other"), [("1.0", "1.00"), ("1.", "1.0"), ("0:1", "1"), ("1", "1-0")]
)
def test_equal_versions_have_equal_keys(one: str, other: str) -> None:
    assert version_key(one) == version_key(other)


@pytest.mark.parametrize(
    ("relation", "holds"),
    [("<<", False), ("<=", True), ("=", True), (">=", True), (">>", False)],
)
def test_relations_at_equality(relation: str, *, holds: bool) -> None:
    assert satisfies("1.2-3", relation, "1.2-3") is holds
