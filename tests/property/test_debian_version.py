"""The order of random Debian versions is that of dpkg."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nixgen.debian.version import version_key

pytestmark = pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not installed")

_word = st.text("0123456789abZ.+~", max_size=6)
_versions = st.builds(
    lambda epoch, first, rest, revision: f"{epoch}{first}{rest}{revision}",
    st.sampled_from(["", "0:", "1:"]),
    st.sampled_from("0129"),
    _word,
    st.one_of(st.just(""), _word.filter(bool).map(lambda text: f"-{text}")),
)


def dpkg_says(one: str, relation: str, other: str) -> bool:
    argv = ["dpkg", "--compare-versions", one, relation, other]
    return subprocess.run(argv, check=False).returncode == 0


@settings(max_examples=120, deadline=None)
@given(_versions, _versions)
def test_versions_have_the_order_of_dpkg(one: str, other: str) -> None:
    assert (version_key(one) < version_key(other)) == dpkg_says(one, "lt", other)
    assert (version_key(one) == version_key(other)) == dpkg_says(one, "eq", other)
