"""Secrets are found in every form, wherever a stream is cut, and never printed."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixgen.cache.push.leaks import (
    LEAST_LENGTH,
    Leak,
    Scan,
    Scanner,
    leak_error,
    read_values,
    scan_paths,
)
from nixgen.driver.store.store import Store

VALUE = b"c0rrect-h\xf6rse-battery"
SCANNER = Scanner.of({"db": VALUE + b"\n", "other": b"nowhere to be found"})

values = st.binary(min_size=LEAST_LENGTH, max_size=80).filter(
    lambda value: value[-1:] not in b"\r\n"
)


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize(
    "form",
    [
        VALUE,
        VALUE + b"\n",
        VALUE.hex().encode(),
        VALUE.hex().upper().encode(),
        *(base64.b64encode(b"x" * offset + VALUE + b"tail") for offset in range(6)),
        *(base64.urlsafe_b64encode(b"y" * offset + VALUE) for offset in range(3)),
    ],
)
def test_every_form_is_found(form: bytes) -> None:
    assert SCANNER.scan([b"before " * 9, form, b" after"]) == {"db"}
    assert SCANNER.scan([b"before ", form.replace(form[9:13], b"####"), b" after"]) == set()


@given(
    values,
    st.binary(max_size=7),
    st.binary(max_size=7),
    st.sampled_from(["b64", "url", "hex", "raw"]),
)
def test_a_value_is_found_in_any_surroundings(
    value: bytes, before: bytes, after: bytes, form: str
) -> None:
    whole = before + value + after
    encoded = {
        "b64": base64.b64encode,
        "url": base64.urlsafe_b64encode,
        "hex": lambda data: data.hex().encode(),
        "raw": bytes,
    }[form](whole)
    assert Scanner.of({"it": value}).scan([encoded]) == {"it"}


@given(st.integers(1, 50), st.integers(0, 300))
def test_a_value_that_chunks_cut_is_found(size: int, at: int) -> None:
    data = bytes(at) + VALUE.hex().encode() + bytes(300)
    assert SCANNER.scan(pieces(data, size)) == {"db"}


@pytest.mark.parametrize("shift", range(-len(VALUE) * 2 - 3, 4))
def test_a_value_at_the_edge_of_a_window_is_found(shift: int) -> None:
    edge = 256 << 10
    data = bytes(edge + shift) + VALUE.hex().encode() + bytes(edge)
    assert SCANNER.scan(pieces(data, 1 << 16)) == {"db"}
    assert SCANNER.scan(pieces(data, edge)) == {"db"}


def test_short_values_are_reported_and_not_searched_for() -> None:
    scanner = Scanner.of({"pin": b"1234567\n", "long": b"12345678"})
    assert (scanner.names, scanner.too_short) == (("long",), ("pin",))
    assert scanner.scan([b"1234567"]) == set()
    assert not Scanner.of({"pin": b"\n"})


def test_values_are_read_from_every_place(tmp_path: Path) -> None:
    (tmp_path / "machine").write_bytes(b"from the machine")
    for folder, name in (("own", "a"), ("own", "b"), ("systemd", "b")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_bytes(f"{name} from {folder}".encode())
    (tmp_path / "own/d").mkdir()
    values = read_values(
        [("a", str(tmp_path / "machine")), *((name, "/nonexistent/x") for name in "bcd")],
        {
            "NIXGEN_SECRETS_DIR": str(tmp_path / "own"),
            "CREDENTIALS_DIRECTORY": str(tmp_path / "systemd"),
        },
    )
    assert values.found == (
        ("a", b"a from own"),
        ("a", b"from the machine"),
        ("b", b"b from own"),
        ("b", b"b from systemd"),
    )
    assert values.absent == ("c", "d")


def test_values_are_in_no_representation() -> None:
    shown = repr(SCANNER) + repr(Scan(SCANNER._forms)) + str(read_values([], {}))
    assert "nowhere" not in shown
    assert "rrect" not in shown


def test_a_leak_names_its_file(tmp_path: Path) -> None:
    tree = tmp_path / "nix/store/00000000000000000000000000000000-tree"
    (tree / "etc/deep").mkdir(parents=True)
    (tree / "etc/deep/app.conf").write_bytes(b"password=" + VALUE + b"\n")
    (tree / "etc/plain").write_text("nothing")
    (tree / "etc/link").symlink_to(base64.b64encode(VALUE).decode().replace("/", "_"))
    single = tmp_path / "nix/store/00000000000000000000000000000000-file"
    single.write_bytes(bytes(3 << 20) + VALUE)
    clean = tmp_path / "nix/store/00000000000000000000000000000000-clean"
    clean.write_bytes(bytes(1000))
    store = Store(root=tmp_path)
    found = scan_paths(
        [f"/{path.relative_to(tmp_path)}" for path in (tree, single, clean)], SCANNER, store
    )
    assert found == [
        Leak(path=f"/{tree.relative_to(tmp_path)}", file="etc/deep/app.conf", secret="db"),
        Leak(path=f"/{tree.relative_to(tmp_path)}", file="etc/link", secret="db"),
        Leak(path=f"/{single.relative_to(tmp_path)}", file="", secret="db"),
    ]
    error = leak_error(found, {found[0].path: ["machines.web", "images.api"]})
    assert error.exit_status == 1
    assert (
        error.details[0]
        == f"db: {found[0].path}/etc/deep/app.conf, needed by machines.web, images.api"
    )
    assert "secrets=[" in (error.hint or "")
    assert "rrect" not in f"{error.message}{error.hint}{error.details}"
