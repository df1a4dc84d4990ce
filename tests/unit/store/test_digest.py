"""Digests in every notation of Nix."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixgen.store.digest import Hash

DIGESTS = st.binary(min_size=32, max_size=32)


@given(DIGESTS)
def test_every_notation_of_a_hash_is_read(digest: bytes) -> None:
    value = Hash("sha256", digest)
    assert Hash.parse(str(value)) == value
    assert Hash.parse(value.sri) == value
    assert Hash.parse(f"sha256:{value.hex}") == value


def test_notations_equal_those_of_nix() -> None:
    # nix-hash --type sha256 --flat --base32, and its hexadecimal and SRI forms, of an empty file.
    value = Hash.of(b"")
    assert value.nix32 == "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73"
    assert value.hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert value.sri == "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


@pytest.mark.parametrize("text", ["", "sha256:", "sha256:zz", "md9:abc", "sha256-AAAA", "e" * 52])
def test_a_wrong_hash_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Hash.parse(text)
