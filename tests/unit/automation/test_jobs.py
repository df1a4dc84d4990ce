"""Job files pass every value on unchanged, whatever characters it has."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from nixgen.automation.jobs import FORMS, WarmJob, github, kubernetes, systemd
from nixgen.errors import UsageError

NASTY = (
    "s3://bucket?endpoint=https://s3.example.org",
    """s3://bucket/it's "quoted" \\ and\\""",
    "s3://bucket/${{ secrets.AWS_SECRET_ACCESS_KEY }}",
    "s3://bucket/$(JOB_COMPLETION_INDEX)$HOME$$x$",
    "s3://bucket/%i%n%%",
    "s3://bucket/: - # & * ! | > {a: [b]} \u00e4 \U0001f600",
    "s3://bucket/;reboot `id`",
)
JOB = WarmJob(
    project="shop",
    folder="/srv/shop",
    program="/bin/true",
    cache=NASTY[0],
    words=("images", "--env", "staging"),
    shards=3,
    schedule=None,
    image="registry.example.org/shop:1",
)


def kubernetes_expansion(text: str) -> str:
    """What Kubernetes makes of args: $$ is a dollar, and here no $(NAME) may be left."""
    assert not re.search(r"\$\(", text.replace("$$", "")), text
    return text.replace("$$", "$")


def github_expansion(text: str) -> str:
    """What GitHub makes of a string: expressions here may only be string literals."""
    return re.sub(r"\$\{\{ '(.*?)' \}\}", r"\1", text)


@pytest.mark.parametrize("cache", NASTY)
@pytest.mark.parametrize("schedule", [None, "5 4 * * 1-5"])
def test_a_kubernetes_job_runs_every_shard(
    cache: str, schedule: str | None, tmp_path: Path
) -> None:
    files = kubernetes(evolve(JOB, cache=cache, schedule=schedule))
    document = yaml.safe_load(files["nixgen-warm-shop.yaml"])
    if schedule:
        assert (document["kind"], document["spec"]["schedule"]) == ("CronJob", schedule)
        job = document["spec"]["jobTemplate"]["spec"]
    else:
        assert document["kind"] == "Job"
        job = document["spec"]
    assert (job["completionMode"], job["completions"], job["parallelism"]) == ("Indexed", 3, 3)
    (container,) = job["template"]["spec"]["containers"]
    # run it as the kubelet would, with a nixgen that prints its arguments
    fake = tmp_path / "nixgen"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    printed = [
        subprocess.run(
            [*container["command"], *map(kubernetes_expansion, container["args"])],
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "JOB_COMPLETION_INDEX": str(index)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        for index in range(3)
    ]
    key = "/run/secrets/nixgen/cache.key"
    common = ["cache", "warm", "images", "--env", "staging", "--to", cache, "--key", key, "--shard"]
    assert printed == [[*common, f"{index}/3"] for index in (1, 2, 3)]


@pytest.mark.parametrize("cache", NASTY)
def test_no_value_becomes_a_part_of_a_workflow_s_script(cache: str) -> None:
    text = github(evolve(JOB, cache=cache))["warm-cache.yml"]
    document = yaml.safe_load(text)
    assert document["permissions"] == {"contents": "read"}
    on = document["on"]  # quoted, since YAML 1.1 reads a bare `on` as a truth
    assert on["schedule"] == [{"cron": "0 3 * * *"}]
    assert on["push"] == {"branches": ["main"]}
    job = document["jobs"]["warm"]
    assert job["strategy"]["matrix"]["shard"] == [1, 2, 3]
    step = job["steps"][-1]
    assert github_expansion(step["env"]["NIXGEN_CACHE"]) == cache
    assert step["env"]["SHARD"] == "${{ matrix.shard }}/3"
    assert "${{" not in step["run"]
    assert "s3://" not in step["run"]
    assert 'images --env staging --shard "$SHARD"' in step["run"]
    expressions = set(re.findall(r"\$\{\{ (?!')(.*?) \}\}", text))
    assert expressions <= {
        "matrix.shard",
        *(
            f"secrets.{name}"
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "NIXGEN_CACHE_KEY")
        ),
    }


def test_the_key_of_a_kubernetes_job_is_readable_for_its_user_alone() -> None:
    """Kubernetes reads YAML 1.1, in which a leading zero makes an octal number."""
    text = kubernetes(JOB)["nixgen-warm-shop.yaml"]
    assert "defaultMode: 0400\n" in text
    (volume,) = yaml.safe_load(text)["spec"]["template"]["spec"]["volumes"]
    assert volume["secret"]["defaultMode"] == 0o400


def unit_words(line: str) -> list[str]:
    """The words that systemd makes of a command line, specifiers and variables included (systemd.service(5))."""
    words = []
    for quoted, plain in re.findall(r'"((?:[^"\\]|\\.)*)"(?:\s|$)|([^\s"]\S*)', line):
        word = re.sub(r"\\(.)", r"\1", quoted) if quoted else plain
        words.append(word.replace("%%", "%").replace("$$", "$"))
    return words


@pytest.mark.parametrize("cache", NASTY)
def test_a_unit_passes_every_word_on_unchanged(cache: str) -> None:
    folder = '/srv/my "shop" 100%'
    files = systemd(evolve(JOB, cache=cache, folder=folder, shards=1, schedule="Mon..Fri 04:00"))
    service = files["nixgen-warm-shop.service"]
    (line,) = re.findall(r"^ExecStart=(.*)$", service, re.MULTILINE)
    assert unit_words(line) == [
        "/bin/true", "cache", "warm", "images", "--env", "staging", "--project", folder,
        "--to", cache, "--key", "${CREDENTIALS_DIRECTORY}/cache.key",
    ]  # fmt: skip
    assert "OnCalendar=Mon..Fri 04:00\n" in files["nixgen-warm-shop.timer"]


def test_a_dollar_has_no_meaning_in_a_unit_s_path() -> None:
    """systemd.exec(5) expands specifiers in paths, and no variables."""
    service = systemd(evolve(JOB, folder="/srv/$a b%", shards=1))["nixgen-warm-shop.service"]
    assert '\nReadWritePaths="/srv/$a b%%"\n' in service


def test_each_shard_of_systemd_is_an_instance_of_one_unit() -> None:
    files = systemd(JOB)
    assert set(files) == {"nixgen-warm-shop@.service", "nixgen-warm-shop@.timer"}
    assert "--shard %i/3\n" in files["nixgen-warm-shop@.service"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("cache", [NASTY[0], NASTY[1], NASTY[4]])
def test_systemd_accepts_the_units(cache: str, shards: int, tmp_path: Path) -> None:
    files = systemd(evolve(JOB, cache=cache, shards=shards))
    units = []
    for name, text in files.items():
        unit = tmp_path / name.replace("@.", "@1.")
        unit.write_text(text)
        units.append(unit)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        check=False,
    )
    faults = [line for line in done.stderr.splitlines() if "nixgen-warm" in line]
    assert faults == []
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("form", "schedule"),
    [("systemd", "daily\nExecStart=/bin/sh"), ("kubernetes", "@daily"), ("github", "* * * *")],
)
def test_a_wrong_schedule_is_refused(form: str, schedule: str) -> None:
    with pytest.raises(UsageError, match=r"schedule of cron|calendar event"):
        FORMS[form](evolve(JOB, schedule=schedule))


def test_a_path_with_a_line_break_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be put into a unit file"):
        systemd(evolve(JOB, folder="/srv/a\nExecStart=/bin/sh"))


@given(
    value=st.one_of(
        st.text(),
        st.text(alphabet="\n:#*%&!|>-'\"$({} \u2028\u0085é"),
        st.sampled_from(["yes", "0x1", "a: b", "a #b", "*a", "%a", "a\nb", "1e3", "~", "é"]),
    )
)
def test_any_value_comes_back_from_the_yaml_of_a_job(value: str) -> None:
    job = evolve(JOB, cache=value, image=value, words=(value,))
    document = yaml.safe_load(kubernetes(job)["nixgen-warm-shop.yaml"])
    (container,) = document["spec"]["template"]["spec"]["containers"]
    assert container["image"] == value
    args = [kubernetes_expansion(word) for word in container["args"]]
    assert args[2] == value
    assert args[args.index("--to", 3) + 1] == value
    workflow = yaml.safe_load(github(job)["warm-cache.yml"])
    assert github_expansion(workflow["jobs"]["warm"]["steps"][-1]["env"]["NIXGEN_CACHE"]) == value
