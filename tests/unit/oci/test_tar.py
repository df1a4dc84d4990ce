"""Tar archives, as Python's tarfile and GNU tar read them."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile

import pytest

from nixgen.errors import InputError, StoreError
from nixgen.oci.write import tar

NAME = "/nix/store/0000000000000000000000000000000a-thing"
LONG = "d" * 120
DEEP = "/".join(["part" * 10] * 4)
BIG = 3 * (1 << 20) + 7


@pytest.fixture
def store(tmp_path):
    top = tmp_path / "store" / NAME.rpartition("/")[2]
    (top / "bin").mkdir(parents=True)
    (top / "bin" / "run").write_bytes(b"#!x\n")
    (top / "bin" / "run").chmod(0o755)
    (top / "b.txt").write_bytes(b"text")
    os.link(top / "b.txt", top / "a.txt")
    (top / "empty").write_bytes(b"")
    (top / "exact").write_bytes(bytes(512))
    (top / "big").write_bytes(os.urandom(BIG))
    (top / LONG).mkdir()
    (top / LONG / "ü\udcff").write_bytes(b"name")
    (top / DEEP).mkdir(parents=True)
    (top / DEEP / "leaf").write_bytes(b"leaf")
    (top / "link").symlink_to("bin/run")
    (top / "far").symlink_to("x" * 200)
    return tmp_path / "store"


def archive(store):
    return b"".join([tar.parents(), *tar.store_path(NAME, store=store), tar.END])


def members(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        return {member.name: member for member in opened.getmembers()}


def test_pythons_tarfile_reads_every_file(store):
    data = archive(store)
    found = members(data)
    top = store / NAME.rpartition("/")[2]
    expected = {
        f"{NAME[1:]}/{os.path.relpath(f'{where}/{name}', top)}"
        for where, folders, files in os.walk(top)
        for name in (*folders, *files)
    }
    assert set(found) == expected | {"nix", "nix/store", NAME[1:]}
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        for name, member in found.items():
            real = top / os.path.relpath(name, NAME[1:])
            if member.isreg():
                assert opened.extractfile(member).read() == real.read_bytes()
            elif member.issym():
                assert member.linkname == str(real.readlink())


def test_metadata_is_normalised(store):
    found = members(archive(store))
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in found.values()} == {
        (0, 0, "", "", 1)
    }
    at = {name.removeprefix(f"{NAME[1:]}/"): m for name, m in found.items()}
    assert at["bin/run"].mode == 0o555
    assert at["b.txt"].mode == 0o444
    assert at["bin"].mode == 0o555
    assert at["link"].mode == 0o777
    assert at["nix/store"].mode == 0o755
    assert at["a.txt"].isreg()
    assert at["b.txt"].isreg()


def test_gnu_tar_lists_and_extracts_it(store, tmp_path):
    file = tmp_path / "layer.tar"
    file.write_bytes(archive(store))
    listed = subprocess.run(["tar", "-tf", file], check=True, capture_output=True)
    assert listed.stderr == b""
    assert listed.stdout.startswith(b"nix/\nnix/store/\n" + NAME[1:].encode() + b"/\n")
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["tar", "-xf", file, "-C", out], check=True)
    subprocess.run(
        ["diff", "-r", "--no-dereference", out / NAME[1:], store / NAME[11:]], check=True
    )
    subprocess.run(["chmod", "-R", "u+w", out], check=True)


def test_order_is_that_of_bytes_and_parents_come_first(store):
    with tarfile.open(fileobj=io.BytesIO(archive(store))) as opened:
        names = [member.name for member in opened.getmembers()]
    seen = set()
    for name in names:
        assert name not in seen
        parent = name.rpartition("/")[0]
        assert not parent or parent in seen
        seen.add(name)


def test_modes_times_and_places_of_the_host_do_not_change_the_bytes(store, tmp_path):
    before = archive(store)
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", "--no-preserve=all", store, copy], check=True)
    (copy / NAME[11:] / "bin" / "run").chmod(0o711)
    os.utime(copy / NAME[11:] / "empty", (5, 5))
    assert archive(copy) == before


@pytest.mark.parametrize("length", range(90, 270, 3))
def test_names_of_every_length_are_read(tmp_path, length):
    folder = tmp_path / "s" / NAME[11:]
    name = ("n" * (length // 2) + "/" + "m" * (length - length // 2))[:length]
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_bytes(b"x")
    assert f"{NAME[1:]}/{name}" in members(archive(tmp_path / "s"))


def test_a_size_beyond_ustar_goes_into_pax():
    size = 8**11 + 5
    with tarfile.open(fileobj=io.BytesIO(tar._header(b"huge", b"0", 0o444, size=size))) as opened:
        assert opened.next().size == size


def test_a_store_path_may_be_one_file(tmp_path):
    (tmp_path / NAME[11:]).write_bytes(b"x")
    assert members(archive(tmp_path))[NAME[1:]].isreg()


def test_a_fifo_is_refused(tmp_path):
    os.mkfifo(tmp_path / NAME[11:])
    with pytest.raises(InputError, match="FIFO"):
        archive(tmp_path)


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(StoreError, match="cannot read"):
        archive(tmp_path)


def test_the_root_tree(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").write_bytes(b"root:x:0:0::/:\n")
    (tmp_path / "etc" / "run").write_bytes(b"")
    (tmp_path / "etc" / "run").chmod(0o700)
    (tmp_path / "bin").symlink_to("/nix/store/x/bin")
    (tmp_path / "var" / "lib").mkdir(parents=True)
    found = members(b"".join([*tar.root_tree(str(tmp_path)), tar.END]))
    modes = {name: oct(member.mode) for name, member in found.items()}
    assert modes == {
        "bin": "0o777",
        "etc": "0o755",
        "etc/passwd": "0o644",
        "etc/run": "0o755",
        "tmp": "0o1777",
        "var": "0o755",
        "var/lib": "0o755",
        "var/tmp": "0o1777",
    }
    assert found["bin"].linkname == "/nix/store/x/bin"


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_a_file_comes_in_pieces_of_a_mebibyte(tmp_path, size):
    (tmp_path / NAME[11:]).write_bytes(bytes(size))
    pieces = list(tar.store_path(NAME, store=tmp_path))
    whole = 512 + -(-size // 512) * 512
    assert sum(map(len, pieces)) == whole
    assert max(map(len, pieces)) <= (1 << 20) + 512 + 511
    assert len(pieces) == (1 if size <= 1 << 20 else 2 + -(-size // (1 << 20)))
    assert int(pieces[0][124:135], 8) == size


@pytest.mark.parametrize("size", [4, 5, 3 << 20])
def test_a_file_that_becomes_shorter_while_it_is_read(tmp_path, size):
    (tmp_path / "x").write_bytes(b"abc")
    with pytest.raises(StoreError) as caught:
        list(tar._file(os.fsencode(tmp_path / "x"), b"x", size, 0o444))
    assert caught.value.message == f"{tmp_path}/x became shorter while it was read"
    assert caught.value.hint == "nix-store --verify --check-contents finds damaged paths"


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    hint = "build the image again; its closure may have been garbage-collected"
    with pytest.raises(StoreError) as missing:
        list(tar.store_path(NAME, store=tmp_path))
    assert missing.value.message == f"cannot read {tmp_path}/{NAME[11:]}: No such file or directory"
    assert missing.value.hint == hint
    with pytest.raises(StoreError) as folder:
        tar._names(os.fsencode(tmp_path / "none"))
    assert folder.value.message == f"cannot read {tmp_path}/none: No such file or directory"
    with pytest.raises(StoreError) as file:
        list(tar._file(os.fsencode(tmp_path), b"x", 5, 0o444))
    assert file.value.message == f"cannot read {tmp_path}: Is a directory"


@pytest.mark.parametrize("length", [1, 82, 83, 84, 85, 981, 982, 983, 984, 985, 9_978, 9_979])
def test_a_pax_record_counts_its_own_length(length):
    record = tar._record(b"linkpath", b"v" * length)
    size, _, rest = record.partition(b" ")
    assert int(size) == len(record)
    assert rest == b"linkpath=" + b"v" * length + b"\n"


def test_the_size_from_which_ustar_has_no_digits():
    for size, pax in ((8**11 - 1, False), (8**11, True)):
        header = tar._header(b"huge", b"0", 0o444, size=size)
        assert (len(header) > 512) is pax
        assert int(header[-512:][124:135], 8) == (0 if pax else size)


@pytest.mark.parametrize("name", ["nix", "tmp", "var"])
def test_a_root_tree_with_nix_or_with_a_file_in_place_of_a_folder_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match=name):
        list(tar.root_tree(str(tmp_path)))


def first_block(length: int, slashes: list[int]) -> tuple[bytes, bytes, bool]:
    """(prefix, name, has pax record) of the ustar header of a file whose member name has a length."""
    member = bytearray(b"x" * length)
    for at in slashes:
        member[at] = ord("/")
    headers = tar._header(bytes(member), b"0", 0o444)
    name, prefix = headers[-512:][:100].rstrip(b"\0"), headers[-512:][345:500].rstrip(b"\0")
    pax = len(headers) > 512
    whole = prefix + b"/" + name if prefix else name
    assert whole == (member[:100] if pax else member)
    return prefix, name, pax


@pytest.mark.parametrize(
    ("length", "slashes", "prefix", "name", "pax"),
    [
        (100, [20], 0, 100, False),  # fits as it is
        (101, [0], 0, 100, True),  # an empty prefix would say the file is at /
        (101, [1], 1, 99, False),
        (102, [1], 1, 100, False),  # a name of exactly 100 bytes is whole
        (102, [1, 40], 1, 100, False),  # the shortest prefix, not another one that fits too
        (103, [1], 0, 100, True),  # 101 bytes of name are one too many
        (103, [1, 40], 40, 62, False),
        (256, [155], 155, 100, False),  # both fields full
        (257, [156], 0, 100, True),  # a prefix of 156 bytes is one too many
        (140, [139], 0, 100, True),  # a folder's own slash does not split it
    ],
)
def test_long_names_are_split_where_the_prefix_is_shortest(length, slashes, prefix, name, pax):
    found = first_block(length, slashes)
    assert (len(found[0]), len(found[1]), found[2]) == (prefix, name, pax)


def test_the_bytes_around_the_boundaries_of_ustar_are_golden(tmp_path):
    """Another digest means another `FORMAT`: layers that were made before would no longer be found."""
    top = tmp_path / NAME.rpartition("/")[2]
    inner = len(NAME[1:]) + len("/d/")
    (top / "d").mkdir(parents=True)
    for length in (99, 100, 101, 102, 103):  # of the whole member name
        (top / "d" / ("f" * (length - inner))).write_bytes(b"%d" % length)
    below = "n" * (
        102 - len(NAME[1:]) - 2
    )  # /nix/store/…/ and 100 bytes after the only usable slash
    (top / below).mkdir()
    (top / below / ("m" * 100)).write_bytes(b"")
    (top / below / ("m" * 101)).write_bytes(b"")
    for length in (99, 100, 101):
        (top / f"to-{length}").symlink_to("t" * length)
    assert tar.FORMAT == "nixgen-tar-1"
    assert hashlib.sha256(archive(tmp_path)).hexdigest() == (
        "359f7ccca67878795383ab9de3a40d0a9355434e2f7ec2bbc4033100991d4900"
    )
