"""The requests of a push to the cache, and its search for secrets. Without Nix."""

from __future__ import annotations

from pathlib import Path

import pytest
from faulty_s3 import FaultyS3
from local_store import LocalStore, local_store

from nixgen.driver.store.store import Store
from nixgen.errors import LeakError
from nixgen.project.workspace import Workspace
from nixgen.verbs.push import push

VALUE = b"c0rrect-horse-battery"


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStore:
    """The store of this computer: app → library, and leaky, which holds the secret's value."""
    local = local_store(
        tmp_path / "root",
        {"library": b"library", "app": b"app", "leaky": b"password=" + VALUE},
        {"app": ["library"]},
    )
    monkeypatch.setattr(Store, "of_host", classmethod(lambda _cls: local.store))
    return local


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A project with one secret, whose file is not there yet."""
    (tmp_path / "infra.py").write_text(
        f"""\
from nixgen import *

password = Secret("db-password", file="{tmp_path}/password")
web = Service("web", command=["/bin/true"], secrets=[password])
project = Project("shop", machines=[Machine("web", services=[web])])
"""
    )
    return Workspace.open(tmp_path)


def test_a_push_with_readable_secrets_sends_no_more_requests(
    workspace: Workspace, s3: FaultyS3, local: LocalStore
) -> None:
    requests = []
    for secret in (None, VALUE):
        if secret is not None:
            (workspace.root / "password").write_bytes(secret)
        s3.configure(clear=True)
        report = push(workspace, [local.paths["app"]], s3.location)
        assert {info.path for info in report.plan.missing} == {
            local.paths["app"],
            local.paths["library"],
        }
        requests.append(s3.state()["requests"])
    assert requests[0] == requests[1]
    assert requests[0]["HEAD"] == 2  # one for each of the two missing paths


def test_a_push_that_would_leak_a_secret_leaves_nothing_behind(
    workspace: Workspace, s3: FaultyS3, local: LocalStore
) -> None:
    (workspace.root / "password").write_bytes(VALUE)
    with pytest.raises(LeakError, match="db-password"):
        push(workspace, [local.paths["app"], local.paths["leaky"]], s3.location)
    assert s3.objects().keys() <= {"nix-cache-info"}


def test_only_missing_paths_are_searched_for_secrets(
    workspace: Workspace, s3: FaultyS3, local: LocalStore
) -> None:
    push(workspace, [local.paths["leaky"]], s3.location)
    (workspace.root / "password").write_bytes(VALUE)
    report = push(workspace, [local.paths["leaky"], local.paths["app"]], s3.location)
    assert {info.path for info in report.plan.missing} == {
        local.paths["app"],
        local.paths["library"],
    }


def test_a_push_does_not_upload_the_value_that_a_test_gives(
    tmp_path: Path, s3: FaultyS3, local: LocalStore
) -> None:
    (tmp_path / "infra.py").write_text(
        f"""\
from nixgen import *

password = Secret("db-password", file="{tmp_path}/password")
web = Service("web", command=["/bin/true"], secrets=[password])
web = Machine("web", services=[web])
long = Test("long", machines=[web], secrets={{password: {VALUE.decode()!r}}})
short = Test("short", machines=[web], secrets={{password: "library"}})
project = Project("shop", machines=[web], tests=[long, short])
"""
    )
    workspace = Workspace.open(tmp_path)
    with pytest.raises(LeakError, match=r"db-password of tests\.long"):
        push(workspace, [local.paths["leaky"]], s3.location)
    push(workspace, [local.paths["app"]], s3.location)
