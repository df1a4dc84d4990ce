"""Narinfos and keys."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixgen.cache.format.codec import Codec
from nixgen.cache.format.keygen import keygen, public_key_path
from nixgen.cache.format.names import content_type, nar_name
from nixgen.cache.format.narinfo import NarInfo
from nixgen.cache.format.signing import PublicKey, SecretKey
from nixgen.errors import UsageError, VerifyError
from nixgen.store.digest import Hash

DIGESTS = st.binary(min_size=32, max_size=32)


HASH_PARTS = st.text("0123456789abcdfghijklmnpqrsvwxyz", min_size=32, max_size=32)


NAMES = st.from_regex(r"[0-9a-zA-Z+\-._?=]{1,40}", fullmatch=True)


BASE_NAMES = st.builds("{}-{}".format, HASH_PARTS, NAMES)


@st.composite
def narinfos(draw: st.DrawFn) -> NarInfo:
    digest = draw(DIGESTS)
    return NarInfo(
        store_path=f"/nix/store/{draw(BASE_NAMES)}",
        url=f"nar/{Hash('sha256', digest).nix32}.nar.zst",
        compression=draw(st.sampled_from(["zstd", "xz", "none"])),
        file_hash=draw(st.none() | DIGESTS.map(lambda value: Hash("sha256", value))),
        file_size=draw(st.none() | st.integers(1, 1 << 50)),
        nar_hash=Hash("sha256", digest),
        nar_size=draw(st.integers(1, 1 << 50)),
        references=tuple(draw(st.lists(BASE_NAMES, unique=True, max_size=4))),
        deriver=draw(st.none() | BASE_NAMES),
        signatures=tuple(draw(st.lists(st.just("k-1:c2ln"), max_size=1))),
        ca=draw(st.none() | st.just("fixed:r:sha256:1abc")),
    )


@given(narinfos())
def test_a_written_narinfo_is_read_unchanged(info: NarInfo) -> None:
    assert NarInfo.parse(str(info)) == info


def test_empty_references_keep_their_space() -> None:
    assert "\nReferences: \n" in str(EXAMPLE)


EXAMPLE = NarInfo(
    store_path="/nix/store/" + "a" * 32 + "-hello",
    url="nar/x.nar.zst",
    compression="zstd",
    nar_hash=Hash.of(b""),
    nar_size=7,
)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("NarSize: 7\n", "", "NarSize is missing"),
        ("NarSize: 7", "NarSize: 0", "not a size"),
        ("NarSize: 7", "NarSize: -7", "not a size"),
        ("NarSize: 7", "NarSize: 7\nNarSize: 8", "twice"),
        ("URL: nar/x.nar.zst", "URL nar/x.nar.zst", "not a `key: value` line"),
        ("NarHash: sha256:0", "NarHash: sha256:", "is no hash"),
        ("References: ", "References: ../../etc/passwd", "not a store path's name"),
        ("StorePath: /nix/store/", "StorePath: ", "not a store path"),
        ("References: \n", "References: ", "cut off"),
    ],
)
def test_a_damaged_narinfo_is_refused(old: str, new: str, complaint: str) -> None:
    text = str(EXAMPLE)
    assert old in text
    with pytest.raises(VerifyError, match=complaint):
        NarInfo.parse(text.replace(old, new))


def test_unknown_fields_are_ignored() -> None:
    assert NarInfo.parse(str(EXAMPLE) + "Novelty: yes\n") == EXAMPLE


def test_a_signature_is_valid_only_for_its_narinfo() -> None:
    key = SecretKey.generate("k-1")
    signed = EXAMPLE.with_signatures(key.sign(EXAMPLE.fingerprint))
    assert key.public.verifies(signed.fingerprint, signed.signatures)
    assert not key.public.verifies(signed.fingerprint.replace(";7;", ";8;"), signed.signatures)
    assert not SecretKey.generate("k-1").public.verifies(signed.fingerprint, signed.signatures)
    other_name = PublicKey("k-2", key.public.data)
    assert not other_name.verifies(signed.fingerprint, signed.signatures)


def test_keys_are_read_unchanged_and_never_printed() -> None:
    key = SecretKey.generate("k-1")
    assert SecretKey.parse(key.text + "\n").public == key.public
    assert PublicKey.parse(str(key.public)) == key.public
    assert key.text.partition(":")[2] not in repr(key)


def test_a_damaged_key_is_refused_and_not_printed() -> None:
    name, _, secret = SecretKey.generate("k-1").text.partition(":")
    data = bytearray(base64.b64decode(secret))
    data[40] ^= 1
    damaged = base64.b64encode(data).decode()
    for text in (f"{name}:{damaged}", secret, f"{name}:{secret[:-8]}", ""):
        with pytest.raises(UsageError) as caught:
            SecretKey.parse(text)
        assert secret[:20] not in f"{caught.value} {caught.value.hint}"


def test_keygen_writes_a_private_file_once(tmp_path: Path) -> None:
    secret = tmp_path / "keys/cache.key"
    public = keygen("cache.example.org-1", secret)
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert PublicKey.parse(public_key_path(secret).read_text()) == public
    assert SecretKey.load(secret).public == public
    before = secret.read_text()
    with pytest.raises(UsageError, match="exists already"):
        keygen("cache.example.org-1", secret)
    assert secret.read_text() == before


def test_keygen_removes_the_secret_key_when_the_public_key_cannot_be_written(
    tmp_path: Path,
) -> None:
    secret = tmp_path / "cache.key"
    public_key_path(secret).write_text("another's")
    with pytest.raises(UsageError):
        keygen("k-1", secret)
    assert not secret.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
def test_a_key_file_open_to_others_is_an_error(tmp_path: Path, mode: int) -> None:
    secret = tmp_path / "cache.key"
    keygen("k-1", secret)
    secret.chmod(mode)
    with pytest.raises(UsageError, match="open to others") as caught:
        SecretKey.load(secret)
    assert "chmod 600" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("codec", "kind"),
    {
        "gzip": "application/gzip",
        "none": "application/x-nix-nar",
        "xz": "application/x-xz",
        "zstd": "application/zstd",
    }.items(),
)
def test_the_media_type_of_an_archive_is_that_of_its_compression(codec: str, kind: str) -> None:
    name = nar_name(Hash.of(b""), Codec.of(codec).extension)
    assert content_type(name) == kind
