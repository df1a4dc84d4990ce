import hashlib
import json
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixgen.driver.store import path_info
from nixgen.driver.store.store import Store
from nixgen.errors import StoreError
from nixgen.programs.command import Completed
from nixgen.store.digest import Hash, from_base32, to_base32
from nixgen.testing import ScriptedRunner

# Nix's own columns; docs: src/libstore/schema.sql
SCHEMA = """
create table ValidPaths (id integer primary key autoincrement not null, path text unique not null,
    hash text not null, registrationTime integer not null, deriver text, narSize integer,
    ultimate integer, sigs text, ca text);
create table Refs (referrer integer not null, reference integer not null,
    primary key (referrer, reference));
"""


def path(name: str) -> str:
    return f"/nix/store/{to_base32(hashlib.sha1(name.encode()).digest())}-{name}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with the references app → lib → libc and app → app, and one other path."""
    database = tmp_path / "nix/var/nix/db/db.sqlite"
    database.parent.mkdir(parents=True)
    with sqlite3.connect(database) as connection:
        connection.executescript("pragma journal_mode = wal;" + SCHEMA)
        for name in ("app", "lib", "libc", "other"):
            connection.execute(
                "insert into ValidPaths (path, hash, registrationTime, narSize, sigs, deriver)"
                " values (?, ?, 0, 7, ?, ?)",
                (path(name), "sha256:" + "00" * 32, "k:a k:b", path(name + ".drv")),
            )
        edges = [("app", "lib"), ("lib", "libc"), ("app", "app")]
        for referrer, reference in edges:
            connection.execute(
                "insert into Refs select a.id, b.id from ValidPaths a, ValidPaths b"
                " where a.path = ? and b.path = ?",
                (path(referrer), path(reference)),
            )
    connection.close()
    return tmp_path


def test_a_closure_has_references_first_and_each_path_once(root):
    closure = Store(root=root).closure([path("app"), path("lib")])
    assert [info.path for info in closure] == [path("libc"), path("lib"), path("app")]
    app = closure[-1]
    assert set(app.references) == {path("app"), path("lib")}
    assert app.nar_hash == "sha256:" + "0" * 52
    assert (app.nar_size, app.signatures, app.ca) == (7, ("k:a", "k:b"), None)
    assert app.deriver == path("app.drv")


def test_a_long_chain_is_in_order_whatever_the_names(root):
    names = [f"link-{number}" for number in range(3000)]
    with sqlite3.connect(root / "nix/var/nix/db/db.sqlite") as connection:
        connection.executemany(
            "insert into ValidPaths (id, path, hash, registrationTime, narSize)"
            " values (?, ?, ?, 0, 1)",
            [(100 + n, path(name), "sha256:" + "00" * 32) for n, name in enumerate(names)],
        )
        connection.executemany(
            "insert into Refs values (?, ?)", [(101 + n, 100 + n) for n in range(2999)]
        )
    connection.close()
    closure = Store(root=root).closure([path(names[-1])])
    assert [info.path for info in closure] == [path(name) for name in names]


def test_metadata_comes_in_the_requested_order(root):
    wanted = [path("other"), path("app"), path("other")]
    assert [info.path for info in Store(root=root).info(wanted)] == wanted[:2]


def test_the_error_names_an_invalid_path(root):
    store = Store(root=root)
    with pytest.raises(StoreError, match="-gone is not valid in the store"):
        store.closure([path("app"), path("gone")])
    assert store.valid([path("app"), path("gone")]) == {path("app")}
    assert store.is_valid([path("app"), path("lib")])
    assert not store.is_valid([path("app"), path("gone")])


@pytest.mark.parametrize(
    ("names", "more"),
    [
        (["gone"], ""),
        (["gone", "h"], " (and 1 other path)"),
        (["gone", "h", "i"], " (and 2 other paths)"),
    ],
)
def test_the_error_counts_further_invalid_paths(root, names, more):
    with pytest.raises(StoreError) as caught:
        Store(root=root).info(map(path, names))
    assert caught.value.message.endswith(f" is not valid in the store{more}")
    assert len(caught.value.details) == len(names)


def test_no_paths_need_no_database_and_no_nix(tmp_path):
    assert Store(root=tmp_path, runner=ScriptedRunner.of()).closure([]) == []


def test_a_path_committed_to_the_wal_alone_is_seen(root):
    writer = sqlite3.connect(root / "nix/var/nix/db/db.sqlite")
    writer.execute(
        "insert into ValidPaths (path, hash, registrationTime, narSize) values (?, ?, 0, 1)",
        (path("new"), "sha256:" + "11" * 32),
    )
    writer.commit()
    assert Store(root=root).is_valid([path("new")])
    writer.close()


@pytest.mark.parametrize("text", ["/nix/store", "/nix/store/x", "/tmp/y", "", path("a") + "/bin"])
def test_a_text_that_is_no_store_path_is_refused(root, text):
    with pytest.raises(StoreError, match="is not a store path") as caught:
        Store(root=root).closure([text])
    assert "/nix/store/<32 characters>-<name>" in (caught.value.hint or "")


HEX = hashlib.sha256(b"x").hexdigest()


def entry(**more):
    return {"narHash": f"sha256:{HEX}", "narSize": 5, "references": [path("lib")], **more}


SHAPES = {
    "2.8": [{"path": path("app"), **entry()}, {"path": path("gone"), "valid": False}],
    "2.26": {path("app"): entry(), path("gone"): None},
    "2.34": {
        "version": 2,
        "storeDir": "/nix/store",
        "info": {
            path("app").rpartition("/")[2]: entry(
                narHash={"algorithm": "sha256", "format": "base16", "hash": HEX},
                references=[path("lib").rpartition("/")[2]],
            ),
            path("gone").rpartition("/")[2]: None,
        },
    },
    "2.34 with the first format": {
        "version": 1,
        "storeDir": "/nix/store",
        path("app"): entry(),
        path("gone"): None,
    },
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_path_info_of_every_version_is_read_alike(shape):
    infos = path_info.parse(json.dumps(SHAPES[shape]).encode())
    assert list(infos) == [path("app")]
    assert infos[path("app")].references == (path("lib"),)
    assert infos[path("app")].nar_hash == "sha256:" + to_base32(bytes.fromhex(HEX))


def test_an_unreadable_database_falls_back_to_nix(tmp_path):
    document = json.dumps([{"path": path("app"), **entry(references=[])}]).encode()
    runner = ScriptedRunner.of(
        (("nix", "path-info", "..."), Completed(status=0, stdout=document)),
    )
    store = Store(root=tmp_path, runner=runner)
    assert [info.path for info in store.closure([path("app")])] == [path("app")]
    assert f"--store {tmp_path}" in str(runner.commands[0])


def test_the_fallback_leaves_out_invalid_paths(tmp_path):
    document = json.dumps([{"path": path("app"), **entry()}]).encode()
    runner = ScriptedRunner.of(
        (
            ("nix", "path-info", "..."),
            Completed(status=1, stderr=f"error: path '{path('gone')}' is not valid".encode()),
        ),
        (("nix", "path-info", "..."), Completed(status=0, stdout=document)),
    )
    assert Store(root=tmp_path, runner=runner).valid([path("app"), path("gone")]) == {path("app")}


@pytest.mark.parametrize("document", [b"", b"[1]", b'{"/x": {}}', b'[{"path": "/x"}]', b"3"])
def test_a_shape_from_the_future_is_a_store_error(tmp_path, document):
    runner = ScriptedRunner.of((("nix", "..."), Completed(status=0, stdout=document)))
    with pytest.raises(StoreError, match="does not understand"):
        Store(root=tmp_path, runner=runner).closure([path("app")])


@given(st.binary(min_size=1, max_size=64))
def test_base32_is_reversible(digest):
    assert from_base32(to_base32(digest)) == digest


@given(st.binary(min_size=32, max_size=32))
def test_all_notations_of_a_hash_are_normalised_alike(digest):
    import base64

    expected = f"sha256:{to_base32(digest)}"
    sri = base64.b64encode(digest).decode()
    for notation in (f"sha256:{digest.hex()}", expected, f"sha256-{sri}", f"sha256:{sri}"):
        assert str(Hash.parse(notation)) == expected


@pytest.mark.parametrize(
    "value", ["", "sha256:", "sha256:zz", "rot13:00", None, 3, {}, "sha256-" + "e" * 52]
)
def test_a_text_that_is_no_hash_is_refused(value):
    with pytest.raises(ValueError, match=r"is no hash|base-32"):
        str(Hash.parse(value))
