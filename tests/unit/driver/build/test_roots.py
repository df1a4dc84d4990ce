from pathlib import Path

import pytest

from nixgen.driver.build.roots import Roots
from nixgen.driver.evaluate import Target


@pytest.fixture
def target(tmp_path: Path) -> Target:
    outputs = {"out": str(tmp_path / "web"), "doc": str(tmp_path / "web-doc")}
    for path in outputs.values():
        Path(path).touch()
    return Target(attr="machines.web", drv="/none", outputs=outputs)


@pytest.fixture
def roots(tmp_path: Path, target: Target) -> Roots:
    roots = Roots(tmp_path / "gcroots")
    roots.folder.mkdir()
    for output, path in target.outputs.items():
        roots.link(target.attr, output).symlink_to(path)
    return roots


def test_a_target_is_held_while_its_links_lead_to_its_outputs(roots, target):
    assert roots.holds(target)


def test_a_link_to_a_missing_path_holds_nothing(roots, target):
    Path(target.outputs["doc"]).unlink()
    assert not roots.holds(target)


def test_a_link_to_something_else_holds_nothing(roots, target, tmp_path):
    link = roots.link(target.attr)
    link.unlink()
    link.symlink_to(tmp_path)
    assert not roots.holds(target)


def test_a_missing_link_holds_nothing(roots, target):
    roots.link(target.attr, "doc").unlink()
    assert not roots.holds(target)


def test_only_links_of_unknown_targets_are_removed(roots, tmp_path):
    for name in ("machines.web-2", "machines.we", "images.gone-doc"):
        (roots.folder / name).symlink_to(tmp_path)
    assert roots.prune(["machines.web", "machines.web-2"]) == ("images.gone-doc", "machines.we")
    assert roots.prune([]) == ("machines.web", "machines.web-2", "machines.web-doc")
    assert Roots(tmp_path / "nowhere").prune([]) == ()
