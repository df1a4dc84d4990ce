"""The differences between a bucket and its design. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Literal

from attrs import frozen

from nixgen.cache.provision.design import BucketDesign
from nixgen.errors import counted

__all__ = ["BucketState", "Change", "Part", "compare", "foreign", "without"]

Part = Literal["bucket", "policy", "access block", "encryption", "lifecycle", "nix-cache-info"]
Kind = Literal["create", "change", "remove", "same", "kept", "skipped"]

#: The kinds of changes that mean that the bucket is not as designed.
_DRIFT = frozenset({"create", "change", "remove"})
_MARKS: Mapping[Kind, str] = {
    "create": "+",
    "change": "~",
    "remove": "-",
    "same": "=",
    "kept": "!",
    "skipped": "?",
}


@frozen
class Change:
    """One line of a plan.

    :param kind: ``kept`` is another's and stays; ``skipped`` is a setting that the server lacks.
    :param part: of the bucket.
    :param detail: the present and the designed value.
    """

    kind: Kind
    part: Part
    detail: str = ""

    @property
    def drift(self) -> bool:
        """Whether the bucket is not as designed."""
        return self.kind in _DRIFT

    def skipped(self) -> Change:
        """The line for a server that lacks the part."""
        return Change("skipped", self.part, "this server does not have it")

    def __str__(self) -> str:
        return f"{_MARKS[self.kind]} {self.kind:<7} {self.part:<14} {self.detail}".rstrip()


@frozen(kw_only=True)
class BucketState:
    """The settings of a bucket, in the form of S3's API.

    :param exists: False: there is no such bucket, and no setting.
    :param statements: of the bucket policy.
    :param access_block: None when not set.
    :param encryption: the first rule; None when not set.
    :param lifecycle: the lifecycle rules.
    :param cache_info: whether ``nix-cache-info`` is there.
    :param unsupported: parts that the server does not have.
    """

    exists: bool = True
    statements: tuple[dict[str, Any], ...] = ()
    access_block: Mapping[str, bool] | None = None
    encryption: Mapping[str, Any] | None = None
    lifecycle: tuple[dict[str, Any], ...] = ()
    cache_info: bool = False
    unsupported: frozenset[Part] = frozenset()


def compare(design: BucketDesign, state: BucketState) -> tuple[Change, ...]:
    """List every part of the design in the order of its application, and the settings that stay.

    :param design: of the bucket.
    :param state: the bucket.
    """
    name, region = design.location.bucket, design.location.region
    found = [
        Change("same", "bucket", name)
        if state.exists
        else Change("create", "bucket", f"{name} in {region}")
    ]
    # S3 refuses a public policy while the access block stands; a new block must find no public policy.
    guards = (_compare_block, _compare_policy)
    for part in guards if design.public else guards[::-1]:
        found += part(design, state)
    found += _compare_encryption(design, state)
    found += _compare_lifecycle(design, state)
    found.append(
        Change("same", "nix-cache-info")
        if state.cache_info
        else Change("create", "nix-cache-info", "for Nix to know it for a cache")
    )
    return without(found, state.unsupported)


def without(changes: Iterable[Change], parts: Collection[Part]) -> tuple[Change, ...]:
    """Replace the changes of some parts by one line for each, that it is skipped.

    :param changes: of a bucket.
    :param parts: that the server does not have.
    """
    return tuple(
        dict.fromkeys(change.skipped() if change.part in parts else change for change in changes)
    )


def _compare_policy(design: BucketDesign, state: BucketState) -> Iterator[Change]:
    wanted = {statement["Sid"]: statement for statement in design.statements}
    present = {
        name: statement
        for statement in state.statements
        if (name := statement.get("Sid")) in design.statement_names
    }
    for name in design.statement_names:
        old, new = present.get(name), wanted.get(name)
        if old is None and new is not None:
            yield Change("create", "policy", f"{name}: anybody may {' '.join(new['Action'])}")
        elif old is not None and new is None:
            yield Change("remove", "policy", f"{name}: the cache is private")
        elif old is not None and new is not None and _canonical(old) != _canonical(new):
            yield Change(
                "change", "policy", f"{name} (is {_short(old, new)}, should be {_short(new, old)})"
            )
    if present.keys() == wanted.keys() and all(
        _canonical(present[name]) == _canonical(wanted[name]) for name in wanted
    ):
        yield Change("same", "policy", "public" if design.public else "private")
    for statement in foreign(design, state):
        yield Change("kept", "policy", f"a statement that is not this cache's: {_named(statement)}")


def _compare_block(design: BucketDesign, state: BucketState) -> Iterator[Change]:
    part: Part = "access block"
    wanted = design.access_block
    opened = [item for item in foreign(design, state) if _is_public(item)]
    if opened and not design.public:
        yield Change(
            "kept",
            part,
            f"stays as it is: {_named(opened[0])} lets others in, and would be cut off",
        )
    elif state.access_block is None:
        yield Change("create", part, _flags(wanted))
    elif different := {
        key: value for key, value in wanted.items() if state.access_block.get(key, False) != value
    }:
        now = {key: state.access_block.get(key, False) for key in different}
        yield Change("change", part, f"(is {_flags(now)}, should be {_flags(different)})")
    else:
        yield Change("same", part)


def _compare_encryption(design: BucketDesign, state: BucketState) -> Iterator[Change]:
    part: Part = "encryption"
    if design.encryption is None:
        yield Change("kept", part, "left to the bucket")
        return
    if state.encryption is None:
        yield Change("create", part, str(design.encryption))
        return
    now, wanted = _encryption_facts(state.encryption), _encryption_facts(design.encryption.rule)
    if now == wanted:
        yield Change("same", part, str(design.encryption))
    else:
        yield Change("change", part, f"(is {_short(now, wanted)}, should be {_short(wanted, now)})")


def _encryption_facts(rule: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a rule that count.

    Bucket keys mean nothing without KMS, and S3 adds defaults of its own.
    """
    default = rule.get("ApplyServerSideEncryptionByDefault", {})
    kind = default.get("SSEAlgorithm", "")
    if kind == "AES256":
        return {"SSEAlgorithm": kind}
    return {
        "SSEAlgorithm": kind,
        "KMSMasterKeyID": default.get("KMSMasterKeyID", ""),
        "BucketKeyEnabled": rule.get("BucketKeyEnabled", False),
    }


def _compare_lifecycle(design: BucketDesign, state: BucketState) -> Iterator[Change]:
    part: Part = "lifecycle"
    present = {rule.get("ID"): rule for rule in state.lifecycle}
    same = True
    for wanted in design.lifecycle:
        name = wanted["ID"]
        now = present.pop(name, None)
        if now is None:
            yield Change("create", part, f"{name}: {_rule(wanted)}")
        elif _canonical(_rule_facts(now)) != _canonical(wanted):
            yield Change("change", part, f"{name} (is {_rule(now)}, should be {_rule(wanted)})")
        else:
            continue
        same = False
    if same:
        yield Change("same", part, f"{counted(len(design.lifecycle), 'rule')}")
    for rule in present.values():
        yield Change(
            "kept", part, f"a rule that is not this cache's: {rule.get('ID', 'one without an ID')}"
        )


def _rule_facts(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule in the newer form; the older one of some servers has its prefix outside a filter."""
    facts = {key: value for key, value in rule.items() if key != "Prefix"}
    if "Prefix" in rule and not facts.get("Filter"):
        facts["Filter"] = {"Prefix": rule["Prefix"]}
    facts.setdefault("Filter", {})
    if facts["Filter"] == {}:
        facts["Filter"] = {"Prefix": ""}
    return facts


def _rule(rule: Mapping[str, Any]) -> str:
    prefix = _rule_facts(rule)["Filter"].get("Prefix", "")
    if "AbortIncompleteMultipartUpload" in rule:
        days = rule["AbortIncompleteMultipartUpload"].get("DaysAfterInitiation")
        what = f"unfinished uploads after {_days(days)}"
    else:
        what = f"deleted after {_days(rule.get('Expiration', {}).get('Days'))}"
    off = "" if rule.get("Status") == "Enabled" else ", disabled"
    return f"{what}{f' below {prefix}' if prefix else ''}{off}"


def _days(count: int | None) -> str:
    return "no fixed time" if count is None else f"{count} day{'' if count == 1 else 's'}"


def foreign(design: BucketDesign, state: BucketState) -> tuple[dict[str, Any], ...]:
    """The statements of the bucket policy that are not this cache's.

    :param design: of the bucket.
    :param state: the bucket.
    """
    return tuple(item for item in state.statements if item.get("Sid") not in design.statement_names)


def _named(statement: Mapping[str, Any]) -> str:
    return str(statement.get("Sid") or f"{statement.get('Effect')} without a Sid")


def _is_public(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal")
    anybody = principal == "*" or (
        isinstance(principal, dict) and "*" in _items(principal.get("AWS", ()))
    )
    return statement.get("Effect") == "Allow" and anybody


def _flags(values: Mapping[str, bool]) -> str:
    return " ".join(f"{key}={'on' if value else 'off'}" for key, value in values.items())


def _short(value: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The fields in which two settings differ."""
    mine = {
        key: item for key, item in value.items() if _canonical(item) != _canonical(other.get(key))
    }
    return json.dumps(mine or dict(value), sort_keys=True)


def _items(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else [value]


def _canonical(value: Any) -> Any:
    """One form for values that mean the same in IAM's grammar.

    A string is a list of one, lists have any order, and ``{"AWS": "*"}`` is ``"*"``.
    """
    if isinstance(value, dict):
        if value in ({"AWS": "*"}, {"AWS": ["*"]}):
            return _canonical("*")
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = (item if isinstance(item, str) else _canonical(item) for item in value)
        return sorted(json.dumps(item, sort_keys=True) for item in items)
    return [json.dumps(value)] if isinstance(value, str) else value
