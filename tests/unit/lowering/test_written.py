"""Writers of lines: each takes the types of its own format and nothing else."""

from __future__ import annotations

import pytest

from nixgen import syntax as nix
from nixgen.lowering.written import accounts, units
from nixgen.models.lines import AccountText, UnitText, UserName


def test_a_writer_takes_texts_of_its_format_and_numbers() -> None:
    assert units(UnitText("50%")) == nix.Str("50%%")
    assert units(True) == nix.Bool(True)  # the value that is written
    assert accounts(UserName("ann")) == units(UserName("ann"))
    assert accounts.present({"uid": 1, "home": None, "extraGroups": ()}) == {"uid": nix.Int(1)}


def test_a_plain_text_is_refused() -> None:
    with pytest.raises(TypeError, match="'x' is of type str, not UnitLine"):
        units("x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="of type str"):
        units.all(["x"])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="of type str"):
        units.present({"x": "x"})  # type: ignore[dict-item]


def test_a_text_of_another_format_is_refused() -> None:
    with pytest.raises(TypeError, match="of type AccountText, not UnitLine"):
        units(AccountText("Ann"))  # type: ignore[arg-type]
