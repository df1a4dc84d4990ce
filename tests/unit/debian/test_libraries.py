"""Names of libraries become names of Debian packages, from an index that has them."""

from __future__ import annotations

import json
from importlib import resources

import pytest

from nixgen.debian.index import Entry, Index
from nixgen.debian.libraries import is_library, library_packages
from nixgen.debian.policy import Policy
from nixgen.debian.resolve import resolve
from nixgen.errors import ModelError


def _entry(name: str, depends: str = "", provides: str = "") -> Entry:
    return Entry(
        name=name,
        version="1",
        archive="debian",
        path=f"pool/{name}.deb",
        sha256="0" * 64,
        size=1,
        depends=depends,
        provides=provides,
    )


ENTRIES = (
    _entry("black", depends="python3:any (>= 3.10~), python3-click"),
    _entry("flask"),
    _entry("gunicorn", depends="python3-gunicorn (= 1), python3:any"),
    _entry("libdbd-pg-perl"),
    _entry("libwww-perl"),
    _entry("lua-socket"),
    _entry("node-express"),
    _entry("node-babel-core-7", provides="node-babel-core (= 7)"),
    _entry("php-mysql"),
    _entry("python3"),
    _entry("python3-click"),
    _entry("python3-flask"),
    _entry("python3-gunicorn"),
    _entry("python3-yaml"),
    _entry("python3-zope.interface"),
    _entry("ruby-nokogiri"),
)


@pytest.mark.parametrize(
    ("attribute", "packages"),
    [
        # a package of the same name that does not need the library is another program
        ("python3Packages.flask", ("python3-flask",)),
        ("python3Packages.gunicorn", ("python3-gunicorn", "gunicorn")),
        ("python3Packages.black", ("black",)),
        ("python3Packages.PyYAML", ("python3-yaml",)),
        ("python3Packages.zope_interface", ("python3-zope.interface",)),
        ("perlPackages.DBD::Pg", ("libdbd-pg-perl",)),
        ("perlPackages.LWP::UserAgent", ("libwww-perl",)),
        ("rubyPackages.nokogiri", ("ruby-nokogiri",)),
        ("phpExtensions.pdo_mysql", ("php-mysql",)),
        ("nodePackages.express", ("node-express",)),
        ("luaPackages.luasocket", ("lua-socket",)),
        ("nodePackages.@babel/core", ("node-babel-core",)),
    ],
)
def test_a_library_leads_to_its_packages(attribute: str, packages: tuple[str, ...]) -> None:
    with Index.in_memory(ENTRIES) as index:
        assert is_library(attribute)
        assert library_packages(attribute, index) == packages


def test_names_without_a_known_set_are_no_libraries() -> None:
    assert not any(map(is_library, ("python3", "kde.krita", "python3Packages", "_build")))


def test_a_lock_has_the_packages_of_libraries_by_their_attribute_paths() -> None:
    with Index.in_memory(ENTRIES) as index:
        wanted = ["python3", "python3Packages.gunicorn", "nodePackages.@babel/core"]
        resolution = resolve(wanted, index, policy=Policy(units={}))
    assert resolution.roots == {
        "nodePackages.@babel/core": ("node-babel-core-7",),
        "python3": ("python3",),
        "python3Packages.gunicorn": ("python3-gunicorn", "gunicorn"),
    }
    assert {"gunicorn", "node-babel-core-7", "python3-gunicorn"} <= set(resolution.packages)


@pytest.mark.parametrize(
    ("attribute", "message", "hint"),
    [
        (
            "python3Packages.flsk",
            "test has no package 'python3-flsk' for the library 'flsk'",
            "did you mean flask?",
        ),
        (
            "perlPackages.DBD::Pq",
            "test has no package 'libdbd-pq-perl' for the library 'DBD::Pq'",
            "did you mean dbd::pg?",
        ),
        (
            "rubyPackages.zzz",
            "test has no package 'ruby-zzz' for the library 'zzz'",
            "look at packages.debian.org for its name, or bring the library as a Source",
        ),
    ],
)
def test_a_library_that_debian_lacks_is_an_error_with_the_closest_names(
    attribute: str, message: str, hint: str
) -> None:
    places = {attribute: ("packages.x.with_packages[0]", "infra.py:3")}
    with Index.in_memory(ENTRIES) as index, pytest.raises(ModelError) as raised:
        resolve([attribute], index, policy=Policy(units={}), paths=places)
    (problem,) = raised.value.problems
    assert (problem.path, problem.where) == places[attribute]
    assert (problem.message, problem.hint) == (message, hint)


def test_a_package_that_is_a_library_leads_to_the_interpreter() -> None:
    with Index.in_memory(ENTRIES) as index, pytest.raises(ModelError) as raised:
        resolve(["nokogiri"], index, policy=Policy(units={}))
    (problem,) = raised.value.problems
    assert problem.message == "test has no package 'nokogiri'"
    assert problem.hint == ('for the library, write Package("ruby", with_packages=["nokogiri"])')


def test_a_package_that_is_a_library_on_nixpkgs_is_one_on_debian() -> None:
    paths = {"yaml": "python3Packages.pyyaml", "node": "nodejs", "x": "python3Packages.nowhere"}
    with Index.in_memory((*ENTRIES, _entry("node"))) as index:
        resolution = resolve(
            ["yaml", "node"], index, policy=Policy(units={}), attribute_paths=paths
        )
        with pytest.raises(ModelError) as raised:
            resolve(["x"], index, policy=Policy(units={}), attribute_paths=paths)
    assert resolution.roots == {"yaml": ("python3-yaml",), "node": ("node",)}
    (problem,) = raised.value.problems
    assert problem.message == "test has no package 'python3-nowhere' for the library 'nowhere'"


@pytest.mark.parametrize("file", ["attributes.json", "libraries.json", "policy.json"])
def test_no_name_is_described_twice(file: str) -> None:
    """JSON would silently take the last of them."""
    repeated: list[str] = []

    def collect(pairs: list[tuple[str, object]]) -> dict[str, object]:
        names = [name for name, _ in pairs]
        repeated.extend(name for name in set(names) if names.count(name) > 1)
        return dict(pairs)

    text = resources.files("nixgen.debian").joinpath("data", file).read_text("utf-8")
    json.loads(text, object_pairs_hook=collect)
    assert repeated == []
