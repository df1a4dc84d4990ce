"""The limits on the processes and the memory of an evaluation."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nixgen.driver.evaluate import Limits
from nixgen.driver.evaluate.limits import available_memory, memory_text
from nixgen.errors import UsageError

GIB = 1 << 30


@pytest.fixture(autouse=True)
def computer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer with eight processors and 4 GiB of free memory."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr("nixgen.driver.evaluate.limits.available_memory", lambda: 4 * GIB)


def test_there_is_a_worker_for_each_processor_and_gigabyte() -> None:
    assert Limits.of_host(environment={}) == Limits(workers=3, memory=3 * GIB)
    assert Limits.of_host(memory="20G", environment={}).workers == 8
    assert Limits.of_host(memory="100M", environment={}).workers == 1


def test_the_command_line_comes_before_the_environment() -> None:
    environment = {"NIXGEN_EVAL_WORKERS": "5", "NIXGEN_EVAL_MEMORY": "2G"}
    assert Limits.of_host(environment=environment) == Limits(workers=5, memory=2 * GIB)
    assert Limits.of_host(workers=2, memory="3G", environment=environment) == Limits(
        workers=2, memory=3 * GIB
    )


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4G", 4 * GIB),
        ("1.5g", GIB * 3 // 2),
        ("512M", GIB // 2),
        ("4GiB", 4 * GIB),
        ("4 GB", 4 * GIB),
        (str(GIB), GIB),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert Limits.of_host(memory=text, environment={}).memory == size


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"NIXGEN_EVAL_MEMORY": "much"}, "NIXGEN_EVAL_MEMORY is no amount of memory: 'much'"),
        ({"NIXGEN_EVAL_MEMORY": "-4G"}, "no amount of memory"),
        ({"NIXGEN_EVAL_MEMORY": "1K"}, "is 1K, with which nothing can be evaluated"),
        ({"NIXGEN_EVAL_WORKERS": "0"}, "NIXGEN_EVAL_WORKERS is no number of evaluations"),
        ({"NIXGEN_EVAL_WORKERS": "two"}, "no number of evaluations"),
    ],
)
def test_a_wrong_limit_is_refused(environment: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        Limits.of_host(environment=environment)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0"), (100, "100"), (4 * GIB, "4G"), (GIB * 3 // 2, "1.5G")]
)
def test_memory_text_is_written_as_the_command_line_takes_it(size: int, text: str) -> None:
    assert memory_text(size) == text


MEMINFO = "MemTotal: 99 kB\nMemAvailable:    8388608 kB\n"


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("", {}, 8 * GIB),
        (
            "0::/user/job\n",
            {
                "user/memory.max": f"{6 * GIB}",
                "user/memory.current": f"{3 * GIB}",
                "user/memory.stat": f"anon 5\ninactive_file {GIB}\n",
                "user/job/memory.max": "max",
                "user/job/memory.current": "1",
            },
            4 * GIB,
        ),
        (
            "3:cpu:/x\n4:memory:/job\n0::/\n",
            {
                "memory/job/memory.limit_in_bytes": f"{2 * GIB}",
                "memory/job/memory.usage_in_bytes": f"{GIB}",
                "memory/job/memory.stat": "cache 5\n",
            },
            GIB,
        ),
        (
            "0::/full\n",
            {"full/memory.max": "5", "full/memory.current": "9"},
            0,
        ),
    ],
)
def test_the_limits_of_control_groups_count(
    tmp_path: Path, membership: str, files: dict[str, str], expected: int
) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text(MEMINFO)
    (tmp_path / "proc/self/cgroup").write_text(membership)
    for name, text in files.items():
        file = tmp_path / "cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert available_memory(proc=tmp_path / "proc", cgroups=tmp_path / "cgroup") == expected


def test_this_computer_has_available_memory() -> None:
    assert available_memory() > 0
