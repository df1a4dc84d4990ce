"""Resolution: alternatives, providers, versions, policies, cycles, and errors of wrong names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pytest

from nixgen.debian.components import components
from nixgen.debian.index import Entry, Index, parse
from nixgen.debian.lock import Resolution
from nixgen.debian.policy import Policy, default_policy, refusal_of, refusals
from nixgen.debian.resolve import parse_relations, resolve
from nixgen.errors import ModelError

PLAIN = Policy(units={})


def package(name: str, version: str = "1", *, archive: str = "debian", **fields: str) -> Entry:
    return Entry(
        name=name,
        version=version,
        archive=archive,
        path=f"pool/{name}_{version}.deb",
        sha256="0" * 64,
        size=1,
        **fields,
    )


def resolved(
    wanted: Iterable[str], *entries: Entry, policy: Policy = PLAIN, **options: Any
) -> Resolution:
    with Index.in_memory(entries) as index:
        return resolve(wanted, index, policy=policy, **options)


def names(*entries: Entry, want: str = "app", policy: Policy = PLAIN) -> set[str]:
    return set(resolved([want], *entries, policy=policy).packages)


def test_dependencies_and_pre_dependencies_are_followed() -> None:
    found = names(
        package("app", depends="lib (>= 1), data:any", pre_depends="early"),
        package("lib", depends="deep"),
        package("data"),
        package("early"),
        package("deep"),
        package("unrelated"),
    )
    assert found == {"app", "lib", "data", "early", "deep"}


def test_the_first_existing_alternative_counts() -> None:
    assert names(
        package("app", depends="gone | two | three"), package("two"), package("three")
    ) == {
        "app",
        "two",
    }


def test_an_alternative_with_too_old_a_version_is_left_out() -> None:
    found = names(package("app", depends="old (>= 2) | new"), package("old"), package("new"))
    assert found == {"app", "new"}


def test_a_provider_replaces_a_missing_package() -> None:
    assert names(package("app", depends="mta"), package("exim", provides="mta, x")) == {
        "app",
        "exim",
    }


def test_a_versioned_relation_needs_a_versioned_provider() -> None:
    found = names(
        package("app", depends="abi (>= 2)"),
        package("a-plain", provides="abi"),
        package("b-low", provides="abi (= 1)"),
        package("c-right", provides="abi (= 2.1)"),
    )
    assert found == {"app", "c-right"}


def test_a_provider_that_the_project_names_is_preferred() -> None:
    entries = (
        package("app", depends="awk"),
        package("gawk", provides="awk"),
        package("mawk", provides="awk"),
    )
    assert names(*entries) == {"app", "gawk"}
    assert set(resolved(["app", "mawk"], *entries).packages) == {"app", "mawk"}


def test_the_security_archive_wins_by_version() -> None:
    entries = (
        package("app", "1.0-1+deb12u2", archive="debian-security"),
        package("app", "1.0-1+deb12u1"),
    )
    locked = resolved(["app"], *entries).packages["app"]
    assert (locked.version, locked.archive) == ("1.0-1+deb12u2", "debian-security")


def test_the_policy_drops_dependencies_but_no_requested_package() -> None:
    policy = Policy(
        skip=frozenset({"debconf"}),
        drop=((re.compile("git"), re.compile("perl")),),
        units={},
    )
    entries = (
        package("git", depends="perl, debconf | cdebconf, libc"),
        package("perl"),
        package("debconf"),
        package("libc"),
    )
    assert names(*entries, want="git", policy=policy) == {"git", "libc"}
    assert names(*entries, want="debconf", policy=policy) == {"debconf"}


def test_every_unknown_name_is_reported_with_close_names() -> None:
    with pytest.raises(ModelError) as caught:
        resolved(
            ["redsi-tools", "nonsense-qqqq"],
            package("redis-tools"),
            paths={"redsi-tools": ("packages.redsi", "infra.py:3")},
        )
    first, second = caught.value.problems
    assert "nonsense-qqqq" in first.message
    assert (second.path, second.where) == ("packages.redsi", "infra.py:3")
    assert "redis-tools" in (second.hint or "")


@pytest.mark.parametrize("name", [name for refusal in refusals() for name in refusal.examples])
def test_a_package_that_cannot_run_is_refused_with_the_reason(name: str) -> None:
    (refusal,) = (each for each in refusals() if name in each.examples)
    with pytest.raises(ModelError) as caught:
        resolved(
            ["tool"],
            package(name),
            overrides={"tool": (name,)},
            paths={"tool": ("machines.a.packages[0]", "infra.py:3")},
        )
    (problem,) = caught.value.problems
    assert problem.message == f"{name} cannot run from the store: {refusal.reason}"
    assert (problem.path, problem.where) == ("machines.a.packages[0]", "infra.py:3")
    assert problem.hint == refusal.instead


def test_only_packages_that_are_named_are_refused() -> None:
    assert names(
        package("app", depends="libnss-x, libpam-x"), package("libnss-x"), package("libpam-x")
    ) == {"app", "libnss-x", "libpam-x"}
    # the base itself has one
    assert set(
        resolved(
            ["_machine"], package("libnss-systemd"), overrides={"_machine": ("libnss-systemd",)}
        ).packages
    ) == {"libnss-systemd"}


@pytest.mark.parametrize(
    "name", ["sudoku", "libnss-wrapper", "libpam-wrapper", "locales-all", "dh-dkms", "adapt"]
)
def test_names_that_look_alike_are_not_refused(name: str) -> None:
    assert refusal_of(name) is None


def test_the_error_of_a_missing_dependency_names_the_package() -> None:
    with pytest.raises(ModelError) as caught:
        names(package("app", depends="ghost | phantom"))
    assert "app needs ghost | phantom" in caught.value.problems[0].message


def test_overrides_replace_the_table() -> None:
    found = resolved(["nginx"], package("my-nginx"), overrides={"nginx": ("my-nginx",)})
    assert found.roots == {"nginx": ("my-nginx",)}


def test_cycles_become_units_and_units_have_no_cycle() -> None:
    edges = {
        "a": ("b",),
        "b": ("c",),
        "c": ("b", "d"),
        "d": (),
        "python3": ("c",),
        "python3-lib": (),
    }
    units = components(edges, lambda n: "python3" if n.startswith("python3") else None)
    assert units == {"b": ("b", "c"), "python3": ("python3", "python3-lib")}


def test_a_unit_of_the_policy_includes_packages_between_its_members() -> None:
    edges = {"p1": ("middle",), "middle": ("p2",), "p2": ()}
    assert components(edges, lambda n: "p" if n in {"p1", "p2"} else None) == {
        "p": ("middle", "p1", "p2")
    }


def test_long_chains_do_not_exhaust_the_stack() -> None:
    size = 20_000
    edges = {f"n{i}": (f"n{(i + 1) % size}",) for i in range(size)}
    (members,) = components(edges, lambda _: None).values()
    assert len(members) == size


def test_relations_of_control_files_are_read() -> None:
    groups = parse_relations("libc6 (>= 2.34), aa:any | bb (<<1:2~), , perl:any (= 5)")
    assert [[(r.name, r.operator, r.version) for r in group] for group in groups] == [
        [("libc6", ">=", "2.34")],
        [("aa", "", ""), ("bb", "<<", "1:2~")],
        [("perl", "=", "5")],
    ]


def test_stanzas_without_a_file_are_left_out() -> None:
    text = (
        "Package: a\nVersion: 1\nFilename: pool/a.deb\nSize: 3\nSHA256: ff\nDescription: x\n Depends: no\n"
        "\nPackage: virtual\nVersion: 2\n\n"
    )
    (entry,) = parse(text, "debian")
    assert (entry.name, entry.size, entry.depends) == ("a", 3, "")


def test_every_exception_of_the_shipped_policy_has_effect_on_valid_names() -> None:
    policy = default_policy()
    assert not policy.follows("git", "perl")
    assert policy.follows("perl", "perl-base")
    assert not policy.follows("bash", "debconf")
    assert policy.unit("libpython3.11-stdlib") == "python3"
    assert policy.unit("python3-requests") is None
    assert policy.unit("node-ws") is None
