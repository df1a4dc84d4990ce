"""A `BucketDesign` written for other tools: CloudFormation, Terraform, or the policies alone.

All formats are JSON. Removing the stack keeps the bucket: a cache must not be lost with its
description.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from nixgen.cache.provision.design import ROLES, BucketDesign

__all__ = ["FORMATS", "cloudformation", "policies", "terraform"]

_DESCRIPTIONS = {
    "pusher": "Push to the binary cache",
    "reader": "Read the binary cache",
    "collector": "Push to the binary cache, and collect its garbage",
}


def policies(design: BucketDesign) -> dict[str, Any]:
    """The IAM policy document of each role.

    :param design: of the bucket.
    """
    return {role: design.policy(role) for role in ROLES}


def cloudformation(design: BucketDesign) -> dict[str, Any]:
    """A CloudFormation template of the bucket, without ``nix-cache-info``: a push writes that.

    :param design: of the bucket.
    """
    bucket: dict[str, Any] = {
        "BucketName": design.location.bucket,
        "PublicAccessBlockConfiguration": design.access_block,
        "LifecycleConfiguration": {
            "Rules": [_cloudformation_rule(rule) for rule in design.lifecycle]
        },
    }
    if design.encryption is not None:
        rule = dict(design.encryption.rule)
        rule["ServerSideEncryptionByDefault"] = rule.pop("ApplyServerSideEncryptionByDefault")
        bucket["BucketEncryption"] = {"ServerSideEncryptionConfiguration": [rule]}
    resources: dict[str, Any] = {
        "CacheBucket": {
            "Type": "AWS::S3::Bucket",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": bucket,
        }
    }
    if document := design.bucket_policy():
        resources["CacheBucketPolicy"] = {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {"Bucket": {"Ref": "CacheBucket"}, "PolicyDocument": document},
        }
    outputs: dict[str, Any] = {
        "Cache": {"Description": "For nixgen cache push --to", "Value": str(design.location)}
    }
    if design.public:
        outputs["Substituter"] = {"Description": "For substituters", "Value": design.url}
    for role in ROLES:
        name = f"{role.capitalize()}Policy"
        resources[name] = {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {
                "Description": _described(design, role),
                "PolicyDocument": design.policy(role),
            },
        }
        outputs[name] = {"Description": _DESCRIPTIONS[role], "Value": {"Ref": name}}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"The Nix binary cache {design.location.bucket}",
        "Resources": resources,
        "Outputs": outputs,
    }


def _cloudformation_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A lifecycle rule as CloudFormation spells it."""
    made = {"Id": rule["ID"], "Status": rule["Status"]}
    if prefix := rule["Filter"]["Prefix"]:
        made["Prefix"] = prefix
    if "Expiration" in rule:
        made["ExpirationInDays"] = rule["Expiration"]["Days"]
    if "AbortIncompleteMultipartUpload" in rule:
        made["AbortIncompleteMultipartUpload"] = rule["AbortIncompleteMultipartUpload"]
    return made


def terraform(design: BucketDesign) -> dict[str, Any]:
    """The ``….tf.json`` of the bucket, without ``nix-cache-info``: a push writes that.

    :param design: of the bucket.
    """
    settings: dict[str, dict[str, Any]] = {
        "public_access_block": {
            "block_public_acls": design.access_block["BlockPublicAcls"],
            "ignore_public_acls": design.access_block["IgnorePublicAcls"],
            "block_public_policy": design.access_block["BlockPublicPolicy"],
            "restrict_public_buckets": design.access_block["RestrictPublicBuckets"],
        },
        "lifecycle_configuration": {"rule": [_terraform_rule(rule) for rule in design.lifecycle]},
    }
    if design.encryption is not None:
        key = design.encryption.key
        default = {"sse_algorithm": "AES256" if key is None else "aws:kms"}
        if key is not None:
            default["kms_master_key_id"] = key
        rule = {
            "apply_server_side_encryption_by_default": default,
            "bucket_key_enabled": key is not None,
        }
        settings["server_side_encryption_configuration"] = {"rule": [rule]}
    if policy := design.bucket_policy():
        settings["policy"] = {
            "policy": json.dumps(policy, sort_keys=True),
            # The block of a new bucket refuses public policies.
            "depends_on": ["aws_s3_bucket_public_access_block.cache"],
        }
    bucket = {"bucket": design.location.bucket, "lifecycle": {"prevent_destroy": True}}
    resources: dict[str, Any] = {
        "aws_s3_bucket": {"cache": bucket},
        **{
            f"aws_s3_bucket_{name}": {
                "cache": {"bucket": _Template("${aws_s3_bucket.cache.id}"), **values}
            }
            for name, values in settings.items()
        },
        "aws_iam_policy": {
            role: {
                "name_prefix": f"nixgen-cache-{role}-",
                "description": _described(design, role),
                "policy": json.dumps(design.policy(role), sort_keys=True),
            }
            for role in ROLES
        },
    }
    outputs: dict[str, Any] = {
        f"{role}_policy": {"value": _Template(f"${{aws_iam_policy.{role}.arn}}")} for role in ROLES
    }
    outputs["cache"] = {"value": str(design.location)}
    if design.public:
        outputs["substituter"] = {"value": design.url}
    document = {
        "terraform": {
            "required_providers": {"aws": {"source": "hashicorp/aws", "version": ">= 4.9"}}
        },
        "provider": {"aws": {"region": design.location.region}},
        "resource": resources,
        "output": outputs,
    }
    written: dict[str, Any] = _literal(document)
    return written


def _terraform_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": rule["ID"],
        "status": rule["Status"],
        "filter": {"prefix": rule["Filter"]["Prefix"]},
    }
    if "Expiration" in rule:
        made["expiration"] = {"days": rule["Expiration"]["Days"]}
    if "AbortIncompleteMultipartUpload" in rule:
        days = rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
        made["abort_incomplete_multipart_upload"] = {"days_after_initiation": days}
    return made


def _described(design: BucketDesign, role: str) -> str:
    below = f" below {design.location.prefix}" if design.location.prefix else ""
    return f"{_DESCRIPTIONS[role]} {design.location.bucket}{below}"


class _Template(str):
    """A string of Terraform in which ``${`` begins a template. All other text is literal."""

    __slots__ = ()


def _literal(value: Any) -> Any:
    """Escape the texts of a document for Terraform's strings, in which ``${`` and ``%{`` begin
    templates.
    """
    if isinstance(value, dict):
        return {name: _literal(item) for name, item in value.items()}
    if isinstance(value, list):
        return list(map(_literal, value))
    if isinstance(value, str) and not isinstance(value, _Template):
        return value.replace("${", "$${").replace("%{", "%%{")
    return value


FORMATS: Mapping[str, Callable[[BucketDesign], dict[str, Any]]] = {
    "cloudformation": cloudformation,
    "terraform-json": terraform,
    "policies": policies,
}
