"""Warming a cache with a project in all its environments, without any secret in it."""

from __future__ import annotations

import base64
import json
import re
import secrets

import pytest
from attrs import evolve

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.keep.roots import list_roots
from nixgen.cache.serve.embedded import embedded_s3

pytestmark = pytest.mark.real

INFRA = """\
from nixgen import *

broken = {broken}
say = Package("python3")
api = Service("api", command=[say.program, "-c", "pass"], environment={{"GREETING": "{nonce}"}})
files = {{"motd": ConfigFile("motd", "{nonce}")}} | ({{"motd/x": ConfigFile("x", "y")}} if broken else {{}})
project = Project(
    "warm",
    machines=[Machine("web", services=[api]), Machine("db", files=files)],
    images=[Image("api", service=api)],
    environments=[Environment("staging", variables={{"GREETING": "staging {nonce}"}})],
)
"""


@pytest.fixture
def location():
    with embedded_s3() as found:
        yield found


@pytest.fixture
def project(example, built):
    """A project with three targets, locked, of which nothing but packages is built: each has its own derivations."""

    def make(*, broken: bool = False):
        nixgen = example("hello", source=built.folder)
        nonce = secrets.token_hex(8)
        (nixgen.folder / "infra.py").write_text(INFRA.format(broken=broken, nonce=nonce))
        return nixgen

    return make


@pytest.fixture(scope="session")
def built(example):
    nixgen = example("hello")
    nixgen("build")
    return nixgen


def rows(document):
    return {(row["attr"], row["environment"]): row for row in document["targets"]}


def states(document):
    return {key: row["state"] for key, row in rows(document).items()}


def test_missing_targets_are_reported_built_pushed_and_kept(project, location):
    nixgen = project()
    first = nixgen.document("cache", "warm", "--to", location, "--plan")
    assert first["schema"] == "nixgen/cache-warm/1"
    assert len(first["targets"]) == 6
    assert set(states(first).values()) == {"to build"}
    # environments change machines and not images, whose derivations count once
    parts = rows(first)
    assert parts["images.api", None]["drv"] == parts["images.api", "staging"]["drv"]
    assert parts["machines.web", None]["drv"] != parts["machines.web", "staging"]["drv"]
    assert max(row["builds"] for row in parts.values()) < first["builds"]
    assert first["builds"] < sum(row["builds"] for row in parts.values())

    # what the store has is exact, to the byte
    nixgen("build")
    second = nixgen.document("cache", "warm", "--to", location, "--plan", "--env", "none")
    assert set(states(second).values()) == {"to push"}
    dry = nixgen.document("cache", "push", "--to", location, "--dry-run")
    assert second["missingPaths"] == len(dry["missing"])
    assert second["missingBytes"] == dry["missingBytes"]
    assert second["missingBytes"] < sum(row["missingBytes"] for row in second["targets"])

    warmed = nixgen.document("cache", "warm", "--to", location)
    assert states(warmed)["images.api", None] == "to push"
    assert states(warmed)["machines.web", "staging"] == "to build"
    assert warmed["push"]["uploaded"]["paths"] == len(set(warmed["push"]["missing"])) > 0

    assert "nothing is missing" in nixgen("cache", "warm", "--to", location, "--plan").stdout
    assert nixgen.document("cache", "push", "--to", location, "--dry-run")["missing"] == []

    with Bucket(location, connections=2) as bucket:
        kept = {root.environment: dict(root.targets) for root in list_roots(bucket)}
    assert set(kept) == {"default", "staging"}
    for environment, targets in kept.items():
        name = None if environment == "default" else environment
        assert targets == {
            attr: row["outputs"] for (attr, place), row in rows(first).items() if place == name
        }


def test_all_shards_together_are_all_work(project, location):
    nixgen = project()
    done = [
        nixgen.document("cache", "warm", "--to", location, "--shard", f"{index}/3")
        for index in (1, 2, 3)
    ]
    parts = [set(rows(document)) for document in done]
    assert sum(map(len, parts)) == 6
    whole = nixgen.document("cache", "warm", "--to", location, "--plan")
    assert set().union(*parts) == set(rows(whole))
    assert set(states(whole).values()) == {"cached"}


def test_one_failure_does_not_stop_the_others(project, location):
    nixgen = project(broken=True)
    # images of another system cannot even be evaluated with this lock
    options = ("--to", location, "--system", "x86_64-linux", "--system", "aarch64-linux")
    done = nixgen("cache", "warm", "--json", *options, "--env", "none", expect=1)
    document = json.loads(done.stdout)
    found = {(row["attr"], row["system"]): row for row in document["targets"]}
    assert {key: row["state"] for key, row in found.items()} == {
        ("machines.web", "x86_64-linux"): "to build",
        ("machines.db", "x86_64-linux"): "failed",
        ("images.api", "x86_64-linux"): "to build",
        ("images.api", "aarch64-linux"): "failed",
    }
    assert "nothing for arm64" in found["images.api", "aarch64-linux"]["error"]
    assert "2 of 4 targets are still not in the cache" in done.stderr
    assert "mkdir: can't create directory" in done.stderr
    there = nixgen.document("cache", "warm", "--plan", "--to", location, "machines.web", "images")
    assert states(there)["machines.web", None] == states(there)["images.api", None] == "cached"


def test_targets_that_cannot_be_built_here_are_listed(project, location):
    nixgen = project()
    nixgen("cache", "warm", "--to", location, "--plan", "images")
    # this computer's Nix is of another system now, as far as it was probed
    probed = nixgen.folder / ".nixgen/cache/capabilities.json"
    known = json.loads(probed.read_text())
    probed.write_text(json.dumps(known | {"system": "riscv64-linux"}))
    plan = nixgen.document("cache", "warm", "--to", location, "--plan", "images", "--env", "none")
    assert states(plan) == {("images.api", None): "cannot be built here"}
    done = nixgen("cache", "warm", "--to", location, "images", "--env", "none", expect=1)
    assert "images.api on x86_64-linux: cannot be built here" in done.stderr
    assert "--builders" in done.stderr
    assert not (nixgen.folder / ".nixgen/warm").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--env", "live"), "the project has no environment 'live'"),
        (("--system", "sparc"), "there is no system 'sparc'"),
        (("--shard", "3/2"), "'3/2' is no shard"),
        (("machines.wbe",), "no target 'machines.wbe'"),
        (("--emit", "cron", "--to", "s3://bucket"), "no form 'cron'"),
        (("--emit", "github"), "a job needs a cache"),
    ],
)
def test_wrong_arguments_exit_with_status_2(built, arguments, says):
    done = built("cache", "warm", *arguments, expect=2)
    assert says in done.stderr
    assert "hint" in done.stderr


def test_jobs_are_written(built, tmp_path):
    built(
        *("cache", "warm", "images", "--env", "none", "--to", "s3://bucket/x"),
        *("--emit", "systemd", "--shards", 2, "--out", tmp_path),
    )
    service = (tmp_path / "nixgen-warm-hello@.service").read_text()
    assert f"cache warm images --env none --project {built.folder} --to s3://bucket/x" in service
    shown = built("cache", "warm", "--to", "s3://bucket/x", "--emit", "kubernetes").stdout
    assert "completionMode: Indexed" in shown


# secrets

SECRET = """\
from nixgen import *

password = Secret("db-password", file="{file}")
python = Package("python3")
web = Service("web", command=[python.program, "-m", "http.server", "--directory", Source("site")], secrets=[password])
project = Project("leaky", machines=[Machine("web", services=[web])], images=[Image("api", command=[python.program])])
"""


@pytest.fixture
def leaky(example, built, tmp_path):
    """A project that has its secret's value in a file of its sources: (command line, value)."""
    value = secrets.token_hex(4) + "+/" + secrets.token_hex(12)
    (tmp_path / "password").write_text(value + "\n")
    nixgen = example("hello", source=built.folder)
    (nixgen.folder / "infra.py").write_text(SECRET.format(file=tmp_path / "password"))
    (nixgen.folder / "site/admin").mkdir()
    encoded = base64.b64encode(b"user:" + value.encode()).decode()
    (nixgen.folder / "site/admin/config.js").write_text(f"const auth = 'Basic {encoded}';\n")
    return nixgen, value


def test_a_secret_is_found_and_named_and_never_printed(leaky):
    nixgen, value = leaky
    done = nixgen("secret", "scan", expect=1)
    assert re.search(
        r"db-password: /nix/store/\S+-site/admin/config.js, needed by machines.web\n", done.stderr
    )
    assert "secrets=[" in done.stderr
    assert re.match(r"searched \d+ paths .* for db-password: 1 found", done.stdout)
    document = json.loads(nixgen("secret", "scan", "--json", expect=1).stdout)
    assert document["schema"] == "nixgen/secret-scan/1"
    assert [(leak["file"], leak["secret"]) for leak in document["leaks"]] == [
        ("admin/config.js", "db-password")
    ]
    # what does not bring it in is clean
    assert "nothing found" in nixgen("secret", "scan", "images").stdout
    for text in (done.stdout, done.stderr, json.dumps(document)):
        assert value not in text


@pytest.mark.parametrize("how", ["push", "build"])
def test_a_leak_is_refused_before_anything_is_uploaded(leaky, location, how):
    nixgen, _ = leaky
    done = nixgen(
        *{
            "push": ("cache", "push", "--to", location),
            "build": ("build", "--push", location),
        }[how],
        "machines",
        expect=1,
    )
    assert "the value of the secret 'db-password'" in done.stderr
    assert "needed by machines.web" in done.stderr
    leaks = re.findall(r"/nix/store/(\w{32})-site", done.stderr)
    assert leaks
    with Bucket(location, connections=2) as bucket:
        names = {found.name for found in bucket.objects()}
    assert f"{leaks[0]}.narinfo" not in names
    if how == "push":
        assert names <= {"nix-cache-info"}


def test_a_scan_without_any_value_is_no_success(leaky, tmp_path):
    nixgen, value = leaky
    (tmp_path / "password").unlink()
    done = nixgen("secret", "scan", expect=3)
    assert "NIXGEN_SECRETS_DIR" in done.stderr
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "db-password").write_text(value)
    there = evolve(nixgen, environment={"NIXGEN_SECRETS_DIR": str(folder)})
    assert "admin/config.js" in there("secret", "scan", expect=1).stderr
    (folder / "db-password").write_text("short")
    assert "fewer than 8 bytes" in there("secret", "scan").stderr


def test_a_project_without_secrets(built):
    assert built("secret", "scan").stdout == "the project has no secrets\n"
