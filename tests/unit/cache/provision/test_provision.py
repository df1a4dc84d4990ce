"""The design of a cache's bucket, its differences from a bucket, and its form for other tools."""

from __future__ import annotations

import json
import re
from typing import Any

import attrs
import pytest

from nixgen.cache.bucket.location import CacheLocation
from nixgen.cache.provision.design import ROLES, BucketDesign, Encryption
from nixgen.cache.provision.difference import BucketState, compare
from nixgen.cache.provision.emit import FORMATS, cloudformation, policies, terraform
from nixgen.errors import UsageError


def design(address: str = "s3://cache", **options: Any) -> BucketDesign:
    return BucketDesign(location=CacheLocation.parse(address), **options)


def as_designed(wanted: BucketDesign) -> BucketState:
    return BucketState(
        statements=wanted.statements,
        access_block=wanted.access_block,
        encryption=wanted.encryption and wanted.encryption.rule,
        lifecycle=wanted.lifecycle,
        cache_info=True,
    )


def lines(wanted: BucketDesign, state: BucketState) -> list[str]:
    return [
        " ".join(str(change).split()) for change in compare(wanted, state) if change.kind != "same"
    ]


BOTH = pytest.mark.parametrize("public", [True, False])


# plans


@BOTH
def test_a_bucket_as_designed_needs_nothing(public: bool) -> None:  # noqa: FBT001
    wanted = design("s3://cache/team", public=public)
    changes = compare(wanted, as_designed(wanted))
    assert {change.kind for change in changes} == {"same"}
    assert [change.part for change in changes if change.part in ("policy", "access block")] == (
        ["access block", "policy"] if public else ["policy", "access block"]
    )


def test_a_missing_bucket_gets_every_setting() -> None:
    made = compare(design(public=True), BucketState(exists=False))
    assert {change.kind for change in made} == {"create"}
    assert {change.part for change in made} == {
        "bucket", "policy", "access block", "encryption", "lifecycle", "nix-cache-info",
    }  # fmt: skip


def test_settings_in_another_spelling_are_no_drift() -> None:
    wanted = design(public=True)
    state = as_designed(wanted)
    reworded = tuple(
        {
            **statement,
            "Principal": {"AWS": "*"},
            "Action": statement["Action"][0],
            "Resource": statement["Resource"][0],
        }
        for statement in reversed(state.statements)
    )
    older = tuple(
        {**{key: item for key, item in rule.items() if key != "Filter"}, **rule["Filter"]}
        for rule in state.lifecycle
    )
    encryption = {**(state.encryption or {}), "BucketKeyEnabled": True}
    changed = attrs.evolve(state, statements=reworded, lifecycle=older, encryption=encryption)
    assert lines(wanted, changed) == []


def test_drift_is_shown_as_it_is_and_as_it_should_be() -> None:
    wanted = design("s3://cache/team", public=True)
    state = as_designed(wanted)
    reading, listing = state.statements
    tombstones, leases, uploads = state.lifecycle
    drifted = attrs.evolve(
        state,
        statements=({**reading, "Resource": "arn:aws:s3:::cache/*"}, listing),
        access_block={**wanted.access_block, "BlockPublicPolicy": True},
        encryption=Encryption("abc").rule,
        lifecycle=(
            {**tombstones, "Expiration": {"Days": 3}},
            {**leases, "Status": "Disabled"},
            uploads,
        ),
    )
    shown = "\n".join(lines(wanted, drifted))
    assert (
        "~ change access block (is BlockPublicPolicy=on, should be BlockPublicPolicy=off)" in shown
    )
    assert 'is {"Resource": "arn:aws:s3:::cache/*"}' in shown
    assert 'should be {"Resource": ["arn:aws:s3:::cache/team/*"]}' in shown
    assert '"KMSMasterKeyID": "abc"' in shown
    assert (
        "is deleted after 3 days below team/nixgen/tombstones/, should be deleted after 90 days"
        in shown
    )
    assert "below team/nixgen/leases/, disabled, should be" in shown
    assert "nixgen-uploads" not in shown


def test_settings_of_others_are_kept_and_named() -> None:
    wanted, neighbour = design("s3://cache/a"), design("s3://cache/b", public=True)
    rule = {
        "ID": "logs",
        "Status": "Enabled",
        "Filter": {"Prefix": "logs/"},
        "Expiration": {"Days": 9},
    }
    state = attrs.evolve(
        as_designed(wanted),
        statements=neighbour.statements,
        access_block=neighbour.access_block,
        lifecycle=(rule, *neighbour.lifecycle, *wanted.lifecycle),
    )
    found = compare(wanted, state)
    kept = [change for change in found if change.kind == "kept"]
    assert {change.kind for change in found} == {"same", "kept"}
    assert [change.part for change in kept] == ["policy"] * 2 + ["access block"] + ["lifecycle"] * 4
    # closing the bucket would lock the neighbour's readers out
    assert "stays as it is: NixgenPublicRead" in next(
        change.detail for change in kept if change.part == "access block"
    )


def test_a_public_cache_that_becomes_private_loses_its_statements_before_the_block_comes() -> None:
    state = as_designed(design(public=True))
    assert [(change.kind, change.part) for change in compare(design(), state) if change.drift] == [
        ("remove", "policy"),
        ("remove", "policy"),
        ("change", "access block"),
    ]


def test_a_setting_that_the_server_lacks_is_skipped_in_one_line() -> None:
    state = attrs.evolve(BucketState(), unsupported=frozenset({"lifecycle", "encryption"}))
    skipped = [change for change in compare(design(), state) if change.kind == "skipped"]
    assert [change.part for change in skipped] == ["encryption", "lifecycle"]
    assert not any(change.drift for change in skipped)


# designs


@pytest.mark.parametrize(
    ("region", "partition", "host"),
    [
        ("eu-central-1", "aws", "s3.eu-central-1.amazonaws.com"),
        ("cn-north-1", "aws-cn", "s3.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "aws-us-gov", "s3.us-gov-west-1.amazonaws.com"),
    ],
)
def test_names_follow_the_partition_of_the_region(region: str, partition: str, host: str) -> None:
    made = design(f"s3://cache/team?region={region}")
    assert made.bucket_arn == f"arn:{partition}:s3:::cache"
    assert made.url == f"https://cache.{host}/team"
    for document in policies(made).values():
        for statement in document["Statement"]:
            assert all(
                arn.startswith(f"arn:{partition}:s3:::cache") for arn in statement["Resource"]
            )


def test_the_bucket_is_in_the_path_of_a_url_that_its_certificate_or_server_would_not_match() -> (
    None
):
    assert design("s3://a.b?region=eu-west-1").url == "https://s3.eu-west-1.amazonaws.com/a.b"
    assert design("s3://cache/x?endpoint=http://host:9000").url == "http://host:9000/cache/x"


OBJECTS, BUCKET = "arn:aws:s3:::cache/team/*", "arn:aws:s3:::cache"
LEASES = "arn:aws:s3:::cache/team/nixgen/leases/*"


def test_every_role_may_do_what_it_needs_and_no_more() -> None:
    rights = {
        role: {
            (action, arn)
            for statement in document["Statement"]
            for action in statement["Action"]
            for arn in statement["Resource"]
        }
        for role, document in policies(design("s3://cache/team")).items()
    }
    reader = {("s3:GetObject", OBJECTS), ("s3:ListBucket", BUCKET)}
    writes = reader | {("s3:PutObject", OBJECTS), ("s3:AbortMultipartUpload", OBJECTS)}
    assert rights == {
        "reader": reader,
        "pusher": writes | {("s3:DeleteObject", LEASES)},
        "collector": writes | {("s3:DeleteObject", OBJECTS)},
    }


@pytest.mark.parametrize(
    ("key", "resource", "condition"),
    [
        ("arn:aws:kms:eu-west-1:1:key/k", "arn:aws:kms:eu-west-1:1:key/k", None),
        ("k-1", "arn:aws:kms:eu-west-1:*:key/k-1", None),
        (
            "alias/nix",
            "arn:aws:kms:eu-west-1:*:key/*",
            {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/nix"}},
        ),
    ],
)
def test_roles_may_use_the_key(key: str, resource: str, condition: object) -> None:
    made = design("s3://cache?region=eu-west-1", encryption=Encryption.parse(f"kms:{key}"))
    for role in ROLES:
        statement = made.policy(role)["Statement"][-1]
        assert statement["Resource"] == [resource]
        assert statement.get("Condition") == condition
        assert ("kms:GenerateDataKey" in statement["Action"]) == (role != "reader")


def test_caches_that_share_a_bucket_use_different_names() -> None:
    first, second = design("s3://cache/a", public=True), design("s3://cache/b", public=True)
    assert not {each["Sid"] for each in first.statements} & {
        each["Sid"] for each in second.statements
    }
    assert not {rule["ID"] for rule in first.lifecycle} & {rule["ID"] for rule in second.lifecycle}


def test_contradictory_designs_are_refused() -> None:
    with pytest.raises(UsageError, match="KMS"):
        design(public=True, encryption=Encryption("k"))
    with pytest.raises(UsageError, match="more than itself"):
        design("s3://cache/a*")


@pytest.mark.parametrize("text", ["", "aes", "kms", "kms:", "none:x", "aes256:x"])
def test_unknown_encryptions_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="there is no encryption"):
        Encryption.parse(text)


# other tools


@BOTH
def test_a_template_says_the_same_as_the_design(public: bool) -> None:  # noqa: FBT001
    made = design("s3://cache/team?region=eu-central-1", public=public)
    template = cloudformation(made)
    resources = template["Resources"]
    bucket = resources["CacheBucket"]["Properties"]
    assert bucket["BucketName"] == "cache"
    assert bucket["PublicAccessBlockConfiguration"] == made.access_block
    assert bucket["BucketEncryption"] == {
        "ServerSideEncryptionConfiguration": [
            {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        ]
    }
    rules = {rule["Prefix"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}
    assert rules["team/nixgen/tombstones/"]["ExpirationInDays"] == 90
    assert rules["team/nixgen/leases/"]["ExpirationInDays"] == 7
    assert rules["team/"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    assert resources["CacheBucket"]["DeletionPolicy"] == "Retain"
    assert ("CacheBucketPolicy" in resources) == public == ("Substituter" in template["Outputs"])
    for role in ROLES:
        document = resources[f"{role.capitalize()}Policy"]["Properties"]["PolicyDocument"]
        assert document == made.policy(role)
    for output in template["Outputs"].values():
        reference = output["Value"]
        assert isinstance(reference, str) or reference["Ref"] in resources


@BOTH
def test_terraform_says_the_same_as_the_design(public: bool) -> None:  # noqa: FBT001
    made = design("s3://cache/team?region=eu-central-1", public=public)
    written = terraform(made)
    resources = written["resource"]
    assert written["provider"] == {"aws": {"region": "eu-central-1"}}
    assert resources["aws_s3_bucket"]["cache"]["bucket"] == "cache"
    block = resources["aws_s3_bucket_public_access_block"]["cache"]
    assert (block["block_public_acls"], block["restrict_public_buckets"]) == (True, not public)
    rules = resources["aws_s3_bucket_lifecycle_configuration"]["cache"]["rule"]
    assert [rule["filter"]["prefix"] for rule in rules] == [
        "team/nixgen/tombstones/", "team/nixgen/leases/", "team/",
    ]  # fmt: skip
    for role in ROLES:
        assert json.loads(resources["aws_iam_policy"][role]["policy"]) == made.policy(role)
    assert ("aws_s3_bucket_policy" in resources) == public
    if public:
        policy = resources["aws_s3_bucket_policy"]["cache"]
        assert json.loads(policy["policy"])["Statement"] == list(made.statements)
        assert policy["depends_on"] == ["aws_s3_bucket_public_access_block.cache"]


def test_text_of_the_user_is_escaped_for_terraform() -> None:
    made = design("s3://cache/%{x}")
    policy = terraform(made)["resource"]["aws_iam_policy"]["reader"]["policy"]
    assert "cache/%%{x}/*" in policy
    assert "/%{" not in policy
    written = json.dumps(terraform(made))
    assert written.count("%%{x}") == written.count("%{x}")
    # nothing begins a template but nixgen's own references
    assert set(re.findall(r"[$][{](\w+)", written)) == {"aws_s3_bucket", "aws_iam_policy"}


def test_without_encryption_no_format_mentions_it() -> None:
    made = design(encryption=None)
    assert "BucketEncryption" not in cloudformation(made)["Resources"]["CacheBucket"]["Properties"]
    assert "aws_s3_bucket_server_side_encryption_configuration" not in terraform(made)["resource"]
    assert [change.kind for change in compare(made, as_designed(made)) if change.part == "encryption"] == ["kept"]  # fmt: skip


def test_every_format_is_json() -> None:
    assert set(FORMATS) == {"cloudformation", "terraform-json", "policies"}
    for write in FORMATS.values():
        assert json.loads(json.dumps(write(design(public=True))))
