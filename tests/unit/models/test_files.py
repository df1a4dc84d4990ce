"""Packages, sources, secrets and configuration files: wrong values are named with their paths."""

from __future__ import annotations

from typing import Any

import pytest
from faults import assert_only_fault

from nixgen.models import (
    ConfigFile,
    Machine,
    Package,
    Project,
    Secret,
    Service,
    Source,
    check,
    text,
)

TOKEN = Secret("token")
RUN = ("/bin/true",)


def service(name: str = "api", **fields: Any) -> Service:
    return Service(name, **{"command": RUN, **fields})


def with_service(**fields: Any) -> Project:
    return Project("p", machines=[Machine("m", services=[service(**fields)])])


FAULTS = {
    "secret in a file": (
        Project("p", machines=[Machine("m", files={"f": ConfigFile("f", text("${t}", t=TOKEN))})]),
        "machines.m.files['f'].content",
    ),
    "source is absolute": (
        with_service(command=["/x", Source("/etc")]),
        "machines.m.services.api.command[1].path",
    ),
    "a pattern without end": (
        with_service(command=["/x", Source("app", exclude=["*.log", "[a"])]),
        "machines.m.services.api.command[1].exclude[1]",
    ),
    "a pattern that is a comment": (
        with_service(command=["/x", Source("app", include=["# all"])]),
        "machines.m.services.api.command[1].include[0]",
    ),
    "a pattern of two lines": (
        with_service(command=["/x", Source("app", include=["a\nb"])]),
        "machines.m.services.api.command[1].include[0]",
    ),
    "a pattern that Nix cannot say": (
        with_service(command=["/x", Source("app", exclude=["[éè]"])]),
        "machines.m.services.api.command[1].exclude[0]",
    ),
    "patterns in one text": (
        with_service(command=["/x", Source("app", include="*.py")]),  # type: ignore[arg-type]
        "machines.m.services.api.command[1].include",
    ),
    "nothing included": (
        with_service(command=["/x", Source("app", include=[])]),
        "machines.m.services.api.command[1].include",
    ),
    "package name": (Project("p", packages=[Package("a.b")]), "packages.a.b.name"),
    "libraries of no interpreter": (
        Project("p", packages=[Package("nginx", with_packages=["flask"])]),
        "packages.nginx.with_packages",
    ),
    "a library twice": (
        Project("p", packages=[Package("python3", with_packages=["zope.event", "Zope_Event"])]),
        "packages.python3.with_packages[1]",
    ),
    "libraries without a list": (
        Project("p", packages=[Package("python3", with_packages="flask")]),  # type: ignore[arg-type]
        "packages.python3.with_packages",
    ),
    "a library that is a package": (
        Project("p", packages=[Package("python3", with_packages=[Package("flask")])]),  # type: ignore[list-item]
        "packages.python3.with_packages[0]",
    ),
    **{
        f"a library of {name}, {library!r}": (
            Project("p", packages=[Package(name, with_packages=[library])]),
            f"packages.{name}.with_packages[0]",
        )
        for name, library in {
            "python3": "flask>=2",
            "perl": "LWP/UserAgent",
            "ruby": "a b",
            "php": "${pkgs.x}",
            "lua": "a;b",
            "nodejs": "../x",
        }.items()
    },
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_once_at_its_path(name: str) -> None:
    assert_only_fault(*FAULTS[name], __file__)


def test_libraries_of_no_interpreter_are_refused_with_those_that_are() -> None:
    (problem,) = check(FAULTS["libraries of no interpreter"][0])
    assert problem.message == "'nginx' is no interpreter whose libraries nixgen knows"
    assert (
        problem.hint == "packages that take libraries are python3, perl, ruby, php, lua and nodejs"
    )


def test_libraries_have_the_attribute_paths_of_nixpkgs() -> None:
    assert Package("python3", with_packages=["flask", "zope.event"]).libraries == (
        "python3Packages.flask",
        "python3Packages.zope.event",
    )
    assert Package("python3").libraries == ()


def test_plain_data_is_never_interpolated() -> None:
    assert ConfigFile("f", "${pkgs.evil}").content == "${pkgs.evil}"


def test_a_secret_does_not_show_its_place_in_text() -> None:
    assert "token" in repr(TOKEN)
    with pytest.raises(TypeError, match="secrets="):
        str.format("{}", TOKEN)


def test_a_pattern_for_which_nix_has_no_expression_is_explained() -> None:
    (problem,) = check(FAULTS["a pattern that Nix cannot say"][0])
    assert problem.message == (
        "'[éè]' cannot be translated to Nix:"
        " git compares single bytes, and a character outside ASCII in […] is several bytes"
    )
    assert problem.hint == "rewrite the pattern"
