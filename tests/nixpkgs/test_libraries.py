"""Interpreters with libraries, as nixgen writes them, by the functions of the real nixpkgs."""

from __future__ import annotations

import pytest

from nixgen.lowering.libraries import with_libraries
from nixgen.models import Package
from nixgen.syntax import print_expr

pytestmark = [pytest.mark.real, pytest.mark.nixpkgs]


@pytest.mark.parametrize(
    ("package", "name", "parts"),
    [
        (
            Package("python3", with_packages=["flask", "psycopg2", "gunicorn"]),
            "-env.drv",
            ["Flask", "psycopg2", "gunicorn"],
        ),
        (
            Package("perl", with_packages=["DBI", "LWP::UserAgent"]),
            "-env.drv",
            ["DBI", "libwww-perl"],
        ),
        (Package("ruby", with_packages=["nokogiri"]), "-with-packages.drv", ["nokogiri"]),
        (Package("lua", with_packages=["luasocket"]), "-env.drv", ["luasocket"]),
        (Package("php", with_packages=["imagick"]), "php-with-extensions", ["imagick"]),
    ],
    ids=lambda value: value.name if isinstance(value, Package) else "",
)
def test_libraries_are_those_of_nixpkgs(tree, package, name, parts):
    expression = print_expr(with_libraries(package))
    drv = tree.instantiate(f"let inherit (base) pkgs; in {expression}")
    assert name in drv
    built = " ".join(tree.derivations(drv))
    assert [part for part in parts if part not in built] == []


def test_node_has_no_libraries_and_stays_as_it_is(tree):
    expression = print_expr(with_libraries(Package("nodejs", with_packages=["express"])))
    message = tree.fails(f"let inherit (base) pkgs; in {expression}")
    assert "nixpkgs has no libraries for Node" in message
    assert "nodejs-" in tree.instantiate("base.pkgs.nodejs")
