"""The whole story on examples/shop, by the commands that a person would type; ends with a table of what happened."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
NIXGEN = Path(sys.executable).with_name("nixgen")
SHOP = ROOT / "examples/shop"

#: One machine is enough to see how a failing test looks.
FAULTY = '''
from nixgen import Project, Test
import infra_shop as shop

project = Project("faulty", machines=[shop.db], tests=[Test("fault", machines=[shop.db], script="""
with subtest("redis answers"):
    db.wait_for_unit("redis.service")

with subtest("the deliberate fault: nothing listens there"):
    db.succeed("curl --fail --silent --show-error http://localhost:6380/")
""")])
'''

Step = tuple[str, str, float]


def nixgen(*arguments: str, project: Path = SHOP, expect: int = 0) -> str:
    """Run a command as a person would; its standard output. Anything but the expected status ends the demo."""
    print(f"\n$ nixgen {' '.join(arguments)}", file=sys.stderr, flush=True)
    done = subprocess.run(
        [NIXGEN, *arguments, "--project", project], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != expect:
        sys.exit(
            f"{done.stdout}\nnixgen {arguments[0]} exited with {done.returncode}, not {expect}"
        )
    return done.stdout


def build() -> str:
    print(nixgen("build"), end="")
    targets = json.loads(nixgen("list", "--json"))["targets"]
    return f"{len(targets)} targets: {', '.join(target['attr'] for target in targets)}"


def push() -> str:
    pushed = nixgen("cache", "push").strip().splitlines()[0]
    print(f"  {pushed}")
    return pushed


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """``nixgen cache serve`` for as long as the block; its URL."""
    command = [NIXGEN, "cache", "serve", "--embedded", SHOP / ".nixgen/s3", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            for line in server.stderr:
                if "substituters" in line:
                    yield re.search(r"http://\S+", line)[0]
                    break
        finally:
            server.terminate()


def substitute() -> str:
    """A stock Nix, an empty store, signatures required."""
    key = (SHOP / ".nixgen/cache.key.pub").read_text().strip()
    paths = [str(link.readlink()) for link in sorted((SHOP / ".nixgen/gcroots").iterdir())]
    empty = Path(tempfile.mkdtemp(prefix="nixgen-demo-store-"))
    try:
        with serving() as url:
            subprocess.run(
                [
                    "nix-store", "--store", empty, "--realise", *paths,
                    "--option", "substituters", url,
                    "--option", "require-sigs", "true",
                    "--option", "trusted-public-keys", key,
                ],
                check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        found = [path for path in (empty / "nix/store").iterdir() if path.name[0] != "."]
        return f"{len(found)} paths into an empty store, by a stock Nix that requires signatures"
    finally:
        subprocess.run(["chmod", "-R", "u+w", empty], check=False)
        shutil.rmtree(empty)


def images() -> str:
    (image,) = json.loads(nixgen("image", "build", "images.api", "--json"))["images"]
    return f"{image['ref']}: {image['size'] / 1e6:.1f} MB in {len(image['layers'])} layers"


def manifests() -> str:
    """The same services for a cluster; rendered without one."""
    rendered = json.loads(nixgen("k8s", "render", "--format", "json"))["items"]
    names = ", ".join(f"{item['kind']} {item['metadata']['name']}" for item in rendered)
    return f"{len(rendered)} resources: {names}"


def run_image() -> str:
    """Start the container, ask it over HTTP, stop it."""
    print("\n$ nixgen image run images.api", file=sys.stderr, flush=True)
    command = [NIXGEN, "image", "run", "images.api", "--project", SHOP]
    with subprocess.Popen(command) as container:
        try:
            answer = _ask("http://127.0.0.1:8080/", container)
        finally:
            container.terminate()
    print(f"  GET / answered: {answer}")
    return f"GET / answered “{answer}”"


def _ask(url: str, container: subprocess.Popen[bytes]) -> str:
    for _ in range(240):
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as response:
            return str(response.read().decode().strip())
        if container.poll() is not None:
            sys.exit("the container ended before it answered")
        time.sleep(0.5)
    sys.exit("the container did not answer within two minutes")


def boot() -> str:
    report = nixgen("test", "run", "tests.smoke")
    print(report)
    return report.splitlines()[0]


def fault() -> str:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "faulty"
        shutil.copytree(SHOP, project, ignore=shutil.ignore_patterns(".nixgen", "generated"))
        (project / "infra.py").rename(project / "infra_shop.py")
        (project / "infra.py").write_text(FAULTY)
        report = nixgen("test", "run", project=project, expect=1)
    print(report)
    return "failed as it should: " + next(
        (line.strip() for line in report.splitlines() if line.lstrip().startswith("✗")),
        report.splitlines()[0],
    )


STEPS: dict[str, Callable[[], str]] = {
    "build": build,
    "push to S3, signed": push,
    "substitute": substitute,
    "assemble images": images,
    "run the container": run_image,
    "render for a cluster": manifests,
    "boot and test": boot,
    "a deliberate fault": fault,
}


def main() -> None:
    rows: list[Step] = []
    for name, step in STEPS.items():
        started = time.monotonic()
        rows.append((name, step(), time.monotonic() - started))
    table = Table(title="examples/shop", title_justify="left")
    table.add_column("step", no_wrap=True)
    table.add_column("result")
    table.add_column("seconds", justify="right")
    for name, result, seconds in rows:
        table.add_row(name, result, f"{seconds:.1f}")
    table.add_section()
    table.add_row("everything", "", f"{sum(seconds for *_, seconds in rows):.1f}")
    Console(width=max(100, Console().width)).print(table)


main()
