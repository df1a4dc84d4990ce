"""Remembered evaluations: any line of the file may be damaged, old or written by another run."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nixgen.driver.evaluate import EvaluationCache, Target
from nixgen.errors import StoreError


def target(tmp_path: Path, attr: str = "machines.web") -> Target:
    drv, out = tmp_path / f"{attr}.drv", tmp_path / attr
    drv.touch()
    out.touch()
    return Target(attr=attr, drv=str(drv), outputs={"out": str(out)})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cache/evaluations"


def test_a_saved_target_is_loaded(tmp_path: Path, file: Path) -> None:
    web, api = target(tmp_path), target(tmp_path, "images.api")
    keys = {"images.api": "k2", "machines.web": "k1", "machines.db": "k3", "tests.odd": None}
    assert EvaluationCache(file).load(keys) == {}
    cache = EvaluationCache(file)
    cache.save("k1", web, 1.5)
    EvaluationCache(file).save("k2", api)
    cache.save("k4", web, 2.5)
    assert EvaluationCache(file).load(keys) == {"images.api": api, "machines.web": web}
    assert EvaluationCache(file).load({"machines.web": "k2"}) == {}
    assert EvaluationCache(file).seconds() == {"machines.web": 2.5}


def test_a_cache_loads_targets_that_it_saved_itself(tmp_path: Path, file: Path) -> None:
    cache = EvaluationCache(file)
    assert cache.load({"machines.web": "k"}) == {}
    cache.save("k", target(tmp_path))
    assert cache.load({"machines.web": "k"}) == {"machines.web": target(tmp_path)}


def test_the_later_of_two_lines_counts(tmp_path: Path, file: Path) -> None:
    other = Target(attr="machines.web", drv=str(tmp_path), outputs={"out": "/gone"})
    cache = EvaluationCache(file)
    cache.save("k", target(tmp_path))
    cache.save("k", other)
    assert EvaluationCache(file).load({"machines.web": "k"}) == {"machines.web": other}


def test_forget_drops_only_the_given_keys(tmp_path: Path, file: Path) -> None:
    cache = EvaluationCache(file)
    cache.save("k1", target(tmp_path))
    cache.save("k2", target(tmp_path, "images.api"))
    for asked in (cache, EvaluationCache(file)):
        asked.forget({"machines.web": "k1", "machines.db": "k2", "tests.odd": None})
        assert asked.load({"machines.web": "k1"}) == {}
        assert asked.load({"images.api": "k2"})
    assert b"k1" not in file.read_bytes()


def test_a_line_whose_derivation_and_outputs_are_gone_is_ignored(
    tmp_path: Path, file: Path
) -> None:
    web = target(tmp_path)
    EvaluationCache(file).save("k", web)
    Path(web.drv).unlink()
    assert EvaluationCache(file).load({"machines.web": "k"})
    Path(web.out).unlink()
    assert EvaluationCache(file).load({"machines.web": "k"}) == {}


@pytest.mark.parametrize(
    "damage",
    [
        b"k machines.web {",
        b"k machines.web []",
        b"k machines.web \xff\xfe",
        b"k machines.web",
        b"k",
        b'k machines.web {"drv": 3, "outputs": {}}',
        b'k machines.web {"drv": "", "outputs": {}, "seconds": "x"}',
        b"\x00" * 100,
    ],
)
def test_a_damaged_line_is_ignored_and_the_others_count(
    tmp_path: Path, file: Path, damage: bytes
) -> None:
    """An example of damage is half a line of a run that was ended while it wrote."""
    EvaluationCache(file).save("k1", target(tmp_path, "images.api"))
    with file.open("ab") as stream:
        stream.write(damage)
    cache = EvaluationCache(file)
    assert cache.load({"machines.web": "k"}) == {}
    assert cache.seconds() == {}
    cache.save("k", target(tmp_path))
    assert EvaluationCache(file).load({"machines.web": "k", "images.api": "k1"}).keys() == {
        "machines.web",
        "images.api",
    }


def test_the_older_half_is_dropped_when_the_file_grows(tmp_path: Path, file: Path) -> None:
    web = target(tmp_path)
    cache = EvaluationCache(file, largest=20_000)
    for number in range(200):
        cache.save(f"key{number}", web)
        assert file.stat().st_size <= 20_000
    kept = [n for n in range(200) if EvaluationCache(file).load({"machines.web": f"key{n}"})]
    assert kept == list(range(kept[0], 200))
    assert len(kept) > 20


def test_old_lines_are_dropped_first(tmp_path: Path, file: Path) -> None:
    cache = EvaluationCache(file, largest=2_000)
    content = {**target(tmp_path).to_json(), "seconds": None, "at": time.time() - 100 * 86_400}
    file.parent.mkdir()
    file.write_text(f"old machines.web {json.dumps(content)}\n")
    for number in range(20):
        cache.save(f"key{number}", target(tmp_path))
    assert b"old " not in file.read_bytes()


def test_concurrent_runs_lose_no_lines(tmp_path: Path, file: Path) -> None:
    web = target(tmp_path)
    code = (
        "import sys; from pathlib import Path\n"
        "from nixgen.driver.evaluate import EvaluationCache, Target\n"
        f"cache = EvaluationCache(Path({str(file)!r}))\n"
        f"web = Target(attr='machines.web', drv={web.drv!r}, outputs={dict(web.outputs)!r})\n"
        "for number in range(40):\n"
        "    cache.save(f'{sys.argv[1]}-{number}', web)\n"
        "    cache.forget({'machines.web': f'{sys.argv[1]}-{number - 1}'} if number % 2 else {})\n"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code, name]) for name in "abc"]
    assert [run.wait() for run in runs] == [0, 0, 0]
    cache = EvaluationCache(file)
    for name in "abc":
        left = [n for n in range(40) if cache.load({"machines.web": f"{name}-{n}"})]
        assert left == list(range(1, 40, 2))


def test_a_folder_that_cannot_be_written_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(StoreError, match="cannot write"):
        EvaluationCache(tmp_path / "cache/evaluations").save("k", target(tmp_path))
