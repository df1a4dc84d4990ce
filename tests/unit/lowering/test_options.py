"""Options of environments and overlays as definitions that replace the machine's own."""

from __future__ import annotations

from typing import Any

from nixgen import syntax as nix
from nixgen.lowering.options import forced
from nixgen.lowering.scope import Scope
from nixgen.models.nixos import options_at


def definitions(*layers: dict[str, Any]) -> Any:
    return forced(Scope(), [option for layer in layers for option in options_at(layer)])


def mk_force(value: Any) -> nix.Expr:
    return nix.Call(Scope().lib("mkForce"), (nix.quote(value),))


def test_single_values_replace_the_machine_s_own_and_lists_and_dicts_are_joined_to_them() -> None:
    assert definitions({"a.b": 1, "a.c": (1,), "a.d": {"e": 1}}) == {
        ("a", "b"): mk_force(1),
        ("a", "c"): nix.List((nix.Int(1),)),
        ("a", "d"): nix.quote({"e": 1}),
    }


def test_a_single_value_still_replaces_the_machine_s_own_beside_a_shorter_path() -> None:
    environment, overlay = {"a.b.c": 1, "a.b.d": 1}, {"a.b": {"c": 2}}
    assert definitions(environment, overlay) == {
        ("a", "b"): nix.AttrSet({"c": nix.Int(2), "d": mk_force(1)})
    }
