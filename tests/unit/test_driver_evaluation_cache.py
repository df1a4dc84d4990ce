from pathlib import Path

import pytest

from nixgen.driver.evaluation import Target
from nixgen.driver.evaluation_cache import EvaluationCache, evaluation_key
from nixgen.errors import StoreError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("default.nix", "machines/web.nix", "lib/a/b.nix"):
        file = tmp_path / "project/generated" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# {name}\n")
    (tmp_path / "project/debian.lock.json").write_text("{}")
    return tmp_path / "project"


def key(project: Path, **changes) -> str:
    return evaluation_key(project, **({"base": "debian", "nix": "n:1:2"} | changes))


def target(tmp_path: Path, attr: str = "machines.web") -> Target:
    drv, out = tmp_path / f"{attr}.drv", tmp_path / attr
    drv.touch()
    out.touch()
    return Target(attr=attr, drv=str(drv), outputs={"out": str(out)})


@pytest.mark.parametrize(
    "changes",
    [
        {"base": "nixpkgs"},
        {"nix": "n:1:3"},
        {"system": "aarch64-linux"},
        {"environment": "staging"},
        {"mirrors": "{}"},
        {"inputs": {"nixpkgs": "/nix/store/a-tree"}},
        {"extra": b"x"},
    ],
)
def test_every_setting_is_in_the_key(project, changes):
    assert key(project, **changes) != key(project)


def test_every_byte_and_name_of_the_tree_is_in_the_key(project):
    keys = {key(project)}
    (project / "generated/machines/web.nix").write_text("# changed\n")
    keys.add(key(project))
    (project / "generated/machines/web.nix").rename(project / "generated/machines/api.nix")
    keys.add(key(project))
    (project / "flake-inputs.json").write_text("{}")
    keys.add(key(project))
    (project / "debian.lock.json").unlink()
    keys.add(key(project))
    assert len(keys) == 5


def test_the_key_does_not_depend_on_where_the_project_lies(project):
    before = key(project)
    moved = project.rename(project.parent / "moved")
    assert key(moved) == before


def test_what_is_saved_is_loaded_and_subsets_add_up(tmp_path):
    cache = EvaluationCache(tmp_path / "cache")
    web, api = target(tmp_path), target(tmp_path, "images.api")
    assert cache.load("k", ["machines.web"]) is None
    cache.save("k", [web])
    assert cache.load("k", ["images.api"]) is None
    cache.save("k", [api])
    assert cache.load("k", ["images.api", "machines.web"]) == (api, web)
    assert cache.load("other", ["images.api"]) is None
    cache.forget("k")
    assert cache.load("k", ["images.api"]) is None


def test_an_entry_whose_derivation_and_output_are_gone_is_none(tmp_path):
    cache = EvaluationCache(tmp_path / "cache")
    web = target(tmp_path)
    cache.save("k", [web])
    Path(web.drv).unlink()
    assert cache.load("k", ["machines.web"]) == (web,)
    Path(web.out).unlink()
    assert cache.load("k", ["machines.web"]) is None


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"schema": "nixgen/evaluation/1"}',
        b'{"schema": "nixgen/evaluation/9", "key": "k", "targets": {}}',
        b'{"schema": "nixgen/evaluation/1", "key": "k", "targets": {"machines.web": {"drv": 3}}}',
        (
            b'{"schema": "nixgen/evaluation/1", "key": "k", "targets":'
            b' {"machines.web": {"drv": "", "outputs": {}}}}'
        ),
    ],
)
def test_damage_is_a_miss_and_is_repaired(tmp_path, damage):
    cache = EvaluationCache(tmp_path / "cache")
    web = target(tmp_path)
    cache.save("k", [web])
    (tmp_path / "cache/k.json").write_bytes(damage)
    assert cache.load("k", ["machines.web"]) is None
    cache.save("k", [web])
    assert cache.load("k", ["machines.web"]) == (web,)


def test_old_entries_go(tmp_path):
    cache = EvaluationCache(tmp_path / "cache")
    for number in range(40):
        cache.save(f"k{number}", [])
    assert len(list((tmp_path / "cache").iterdir())) == 32


def test_a_folder_that_cannot_be_written_is_a_store_error(tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(StoreError, match="cannot write"):
        EvaluationCache(tmp_path / "cache").save("k", [])
