"""Job files that warm a cache: systemd units, a Kubernetes Job, a GitHub workflow.

Unit files are laid out by templates/jobs, and YAML is dumped from plain values. nixgen installs and
schedules nothing: a person reads, changes and applies the files.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from attrs import frozen

from nixgen.errors import UsageError
from nixgen.kubernetes.manifest import Octal, to_yaml
from nixgen.lowering import pod
from nixgen.lowering.unitfile import ExecWord, PathWord, UnitLine, UnitText
from nixgen.render.resources import template_folder

if TYPE_CHECKING:
    import jinja2

__all__ = ["FORMS", "WarmJob", "github", "kubernetes", "systemd"]

_NIGHTLY_CALENDAR = "*-*-* 03:00:00"
_NIGHTLY_CRON = "0 3 * * *"


@frozen(kw_only=True)
class WarmJob:
    """A job that warms a cache.

    :param project: the name of the project.
    :param folder: the folder of infra.py, for jobs of this computer.
    :param program: the path of nixgen, for jobs of this computer.
    :param cache: the address of the cache, or its name in the project.
    :param words: the selection of targets, as words of the command line.
    :param shards: the number of parts that the work is divided into.
    :param schedule: the times, in the language of the form. None for the form's default.
    :param image: the container image, for Kubernetes.
    """

    project: str
    folder: str
    program: str
    cache: str
    words: tuple[str, ...]
    shards: int
    schedule: str | None
    image: str

    @property
    def name(self) -> str:
        """The name of the job, such as ``nixgen-warm-shop``."""
        return f"nixgen-warm-{self.project}"


def systemd(job: WarmJob) -> Mapping[str, str]:
    """A service and its timer.

    Several shards get template units. Enable ``NAME@I.timer`` on the computer that runs part I.

    :param job: the job.
    :return: file name → text.
    :raises UsageError: the schedule is wrong, or a path has characters that a unit file cannot
        have.
    """
    sharded = job.shards > 1
    unit = job.name + ("@" if sharded else "")
    argv: list[str | UnitLine] = [
        job.program, "cache", "warm", *job.words, "--project", job.folder, "--to", job.cache,
        "--key", UnitLine.constant("${CREDENTIALS_DIRECTORY}/cache.key"),
    ]  # fmt: skip
    if sharded:
        argv += ["--shard", UnitLine.constant(f"%i/{job.shards}")]
    schedule = job.schedule or _NIGHTLY_CALENDAR
    return {
        f"{unit}.{kind}": _environment()
        .get_template(f"systemd.{kind}.j2")
        .render(job=job, argv=argv, sharded=sharded, schedule=schedule)
        for kind in ("service", "timer")
    }


def kubernetes(job: WarmJob) -> Mapping[str, str]:
    """An indexed Job with a completion for each shard. With a schedule, it is in a CronJob.

    :param job: the job.
    :return: file name → text.
    :raises UsageError: the schedule is wrong.
    """
    # a Job's name is a part of the names of its pods, and a CronJob adds eleven letters to its Jobs'
    name = job.name[:52].rstrip("-")
    script = f'exec nixgen cache warm "$@" --shard "$((JOB_COMPLETION_INDEX + 1))/{job.shards}"'
    argv = (script, "warm", *job.words, "--to", job.cache, "--key", "/run/secrets/nixgen/cache.key")
    container = {
        "name": "warm",
        "image": job.image,
        "workingDir": "/project",
        "command": ["/bin/sh", "-c"],
        # sh turns the index, from 0, into a shard, from 1
        "args": [pod.literal(word) for word in argv],
        "envFrom": [{"secretRef": {"name": f"{name}-credentials", "optional": True}}],
        "volumeMounts": [{"name": "key", "mountPath": "/run/secrets/nixgen", "readOnly": True}],
        "resources": {
            "requests": {"cpu": "1", "memory": "2Gi", "ephemeral-storage": "10Gi"},
            "limits": {"memory": "8Gi", "ephemeral-storage": "50Gi"},
        },
    }
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "nixgen"}
    key = {"name": "key", "secret": {"secretName": f"{name}-key", "defaultMode": Octal(0o400)}}
    spec: dict[str, Any] = {
        "completionMode": "Indexed",
        "completions": job.shards,
        "parallelism": min(job.shards, 4),
        "backoffLimitPerIndex": 2,
        "maxFailedIndexes": job.shards,
        "ttlSecondsAfterFinished": 86400,
        "template": {
            "metadata": {"labels": labels},
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": False,
                "containers": [container],
                "volumes": [key],
            },
        },
    }
    if job.schedule is not None:
        spec = {
            "schedule": _cron(job.schedule),
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 3600,
            "jobTemplate": {"spec": spec},
        }
    document = {
        "apiVersion": "batch/v1",
        "kind": "Job" if job.schedule is None else "CronJob",
        "metadata": {"name": name},
        "spec": spec,
    }
    comment = (
        "# Made by nixgen cache warm --emit kubernetes. The image holds Nix, nixgen and, at /project, the project.\n"
        f"# Secrets: kubectl create secret generic {name}-credentials --from-literal=AWS_ACCESS_KEY_ID=… \\\n"
        "#            --from-literal=AWS_SECRET_ACCESS_KEY=…\n"
        f"#          kubectl create secret generic {name}-key --from-file=cache.key\n"
    )
    return {f"{name}.yaml": comment + to_yaml([document])}


def github(job: WarmJob) -> Mapping[str, str]:
    """A workflow with a job for each shard, for ``.github/workflows``.

    :param job: the job.
    :return: file name → text.
    :raises UsageError: the schedule is wrong.
    """
    words = "".join(f" {shlex.quote(word)}" for word in job.words)
    # values come in variables: what an expression puts into the text of a script is run as that text
    script = (
        'umask 077\nprintf "%s\\n" "$KEY" > "$RUNNER_TEMP/cache.key"\n'
        f'nixgen cache warm{words} --shard "$SHARD" --key "$RUNNER_TEMP/cache.key"\n'
    )
    install = "sudo apt-get update\nsudo apt-get install --yes nix-bin\npip install nixgen\n"
    warm = {
        "name": f"Warm part ${{{{ matrix.shard }}}} of {job.shards}",
        "env": {
            "NIXGEN_CACHE": _github(job.cache),
            "SHARD": f"${{{{ matrix.shard }}}}/{job.shards}",
            "KEY": "${{ secrets.NIXGEN_CACHE_KEY }}",
            "AWS_ACCESS_KEY_ID": "${{ secrets.AWS_ACCESS_KEY_ID }}",
            "AWS_SECRET_ACCESS_KEY": "${{ secrets.AWS_SECRET_ACCESS_KEY }}",
        },
        "run": _github(script),
    }
    document = {
        "name": "Warm the cache",
        "on": {
            "schedule": [{"cron": _cron(job.schedule or _NIGHTLY_CRON)}],
            "push": {"branches": ["main"]},
            "workflow_dispatch": None,
        },
        "permissions": {"contents": "read"},
        "concurrency": {"group": job.name, "cancel-in-progress": False},
        "jobs": {
            "warm": {
                "runs-on": "ubuntu-latest",
                "timeout-minutes": 350,
                "strategy": {
                    "fail-fast": False,
                    "matrix": {"shard": list(range(1, job.shards + 1))},
                },
                "steps": [
                    {"uses": "actions/checkout@v4", "with": {"persist-credentials": False}},
                    {"name": "Install Nix and nixgen", "run": install},
                    warm,
                ],
            }
        },
    }
    comment = (
        "# Made by nixgen cache warm --emit github.\n"
        "# Secrets of the repository: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and NIXGEN_CACHE_KEY,"
        " the whole file of the key that signs.\n"
    )
    return {"warm-cache.yml": comment + to_yaml([document])}


FORMS: Mapping[str, Callable[[WarmJob], Mapping[str, str]]] = {
    "systemd": systemd,
    "kubernetes": kubernetes,
    "github": github,
}
"""Name of each form → the function that makes its files."""


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template_folder() / "jobs"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701  # none of it is HTML; each value goes through the filter of its format
    )
    environment.filters |= {
        "calendar": _calendar,
        "comment": _comment,
        "unit_path": lambda path: PathWord(_printable(path)),
        "unit_text": lambda text: UnitText(_printable(text)),
        "unit_words": _unit_words,
    }
    return environment


def _unit_words(words: Iterable[str]) -> str:
    """A command line. Words of nixgen's own are left as they are: their ``%`` and ``$`` mean
    something.
    """
    return " ".join(
        word if isinstance(word, UnitLine) else ExecWord(_printable(word)) for word in words
    )


def _printable(text: str) -> str:
    if not text.isprintable():
        raise UsageError(
            f"{text!r} cannot be put into a unit file",
            hint="move it to a path without such letters",
        )
    return text


def _comment(text: str) -> str:
    """Text for a comment of one line. A backslash at its end would continue the line."""
    return "".join(letter if letter.isprintable() else "?" for letter in text).rstrip("\\")


def _calendar(text: str) -> str:
    """Check the characters of a calendar event (systemd.time(7))."""
    if not re.fullmatch(r"[A-Za-z0-9*:.,/~ _+-]+", text):
        raise UsageError(
            f"{text!r} is no calendar event of systemd",
            hint="write it like 'Mon..Fri 03:00', and try it: systemd-analyze calendar '…'",
        )
    return text


# GitHub replaces ${{ … }} everywhere


def _github(text: str) -> str:
    return text.replace("${{", "${{ '${{' }}")


def _cron(text: str) -> str:
    """Check that a schedule has the five fields of crontab(5)."""
    if not re.fullmatch(r"[0-9A-Za-z*/,-]+( +[0-9A-Za-z*/,-]+){4}", text):
        raise UsageError(
            f"{text!r} is no schedule of cron", hint="it has five fields, like '0 3 * * *'"
        )
    return text
