"""Names of libraries: refused by their model, or attributes of nixpkgs whatever their letters."""

from __future__ import annotations

import json
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nixgen.lowering.libraries import with_libraries
from nixgen.models import Package, Project, check
from nixgen.models.languages import LANGUAGES
from nixgen.syntax import print_expr

NAMES = st.one_of(
    st.from_regex(r"[A-Za-z0-9@][A-Za-z0-9._:/@-]{0,8}", fullmatch=True),
    st.sampled_from(["LWP::UserAgent", "@babel/core", "zope.interface", "if", "rec", "or", "1st"]),
    st.text(st.sampled_from('ab.:/@-_${}"\\\n '), max_size=6),
)

# Sets in which every attribute that the expression may name exists, and is its own name.
_EVALUATED = """
let
  names = builtins.fromJSON ''%s'';
  set = builtins.listToAttrs (map (name: { inherit name; value = name; }) names);
  interpreter = {
    withPackages = choose: choose set;
    withExtensions = choose: choose { all = set; enabled = [ ]; };
  };
  pkgs = { lua = interpreter; nodejs = interpreter; perl = interpreter; php = interpreter; python3 = interpreter; ruby = interpreter; };
in
%s
"""


@given(st.sampled_from(sorted(LANGUAGES)), st.lists(NAMES, min_size=1, max_size=4))
def test_a_name_is_refused_by_its_own_index_or_kept(interpreter: str, names: list[str]) -> None:
    package = Package(interpreter, with_packages=names)
    problems = check(Project("p", packages=[package]))
    places = {f"packages.{interpreter}.with_packages[{index}]" for index in range(len(names))}
    assert {problem.path for problem in problems} <= places
    if not problems:
        prefix = LANGUAGES[interpreter].libraries
        assert package.libraries == tuple(f"{prefix}.{name}" for name in names)


@pytest.mark.real
@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(LANGUAGES)), st.lists(NAMES, min_size=1, max_size=4))
def test_nix_reads_the_names_that_are_not_refused(interpreter: str, names: list[str]) -> None:
    package = Package(interpreter, with_packages=names)
    if check(Project("p", packages=[package])):
        return
    wanted = [name.replace("::", "") for name in names]
    text = _EVALUATED % (json.dumps(wanted), print_expr(with_libraries(package)))
    done = subprocess.run(
        ["nix-instantiate", "--eval", "--strict", "--json", "--expr", text],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == wanted
