"""Making a bucket as its design says: read its settings, compare them, change those that differ.

Servers other than Amazon's lack some of the settings. Such a part is skipped, with a line in the
plan.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
from attrs import frozen
from botocore.exceptions import ClientError

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.location import DEFAULT_REGION
from nixgen.cache.bucket.s3_errors import error_code
from nixgen.cache.format.names import CACHE_INFO
from nixgen.cache.provision.design import BucketDesign
from nixgen.cache.provision.difference import BucketState, Change, Part, compare, foreign, without
from nixgen.cache.push.push import ensure_cache_info
from nixgen.errors import CacheError
from nixgen.records.document import document

__all__ = ["Provisioned", "observe", "provision"]

_DENIED = frozenset({"403", "AccessDenied"})
# The errors of servers that lack a setting.
_UNSUPPORTED = frozenset(
    {
        "405",
        "501",
        "KMSNotConfigured",
        "MethodNotAllowed",
        "NotImplemented",
        "NotSupported",
        "Unsupported",
        "UnsupportedOperation",
        "XNotImplemented",
    }
)

#: The settings of a bucket: the right to read one, the error when it is not set, the method that
#: asks for it, and the members of the answer that lead to it.
_SETTINGS: Mapping[Part, tuple[str, ...]] = {
    "policy": ("s3:GetBucketPolicy", "NoSuchBucketPolicy", "get_bucket_policy", "Policy"),
    "access block": (
        "s3:GetBucketPublicAccessBlock",
        "NoSuchPublicAccessBlockConfiguration",
        "get_public_access_block",
        "PublicAccessBlockConfiguration",
    ),
    "encryption": (
        "s3:GetEncryptionConfiguration",
        "ServerSideEncryptionConfigurationNotFoundError",
        "get_bucket_encryption",
        "ServerSideEncryptionConfiguration",
        "Rules",
    ),
    "lifecycle": (
        "s3:GetLifecycleConfiguration",
        "NoSuchLifecycleConfiguration",
        "get_bucket_lifecycle_configuration",
        "Rules",
    ),
}


@frozen(kw_only=True)
class Provisioned:
    """The outcome of `provision`.

    :param design: of the bucket.
    :param changes: every part of the bucket, changed or not.
    :param applied: False after a plan alone.
    """

    design: BucketDesign
    changes: tuple[Change, ...]
    applied: bool

    @property
    def drift(self) -> bool:
        """Whether the bucket was not as designed."""
        return any(change.drift for change in self.changes)

    def document(self) -> dict[str, Any]:
        """The document of ``--json``, nixgen/provision/1."""
        return document(
            "nixgen/provision/1",
            cache=str(self.design.location),
            public=self.design.public,
            encryption=None if self.design.encryption is None else str(self.design.encryption),
            drift=self.drift,
            applied=self.applied,
            changes=[attrs.asdict(change) for change in self.changes],
        )


def provision(
    design: BucketDesign, bucket: Bucket, *, store_dir: str, plan_only: bool = False
) -> Provisioned:
    """Make a bucket as its design says, and change nothing else.

    :param design: of the bucket.
    :param bucket: the bucket.
    :param store_dir: the store's folder that the cache is for.
    :param plan_only: change nothing.
    :raises CacheError: S3 refuses or does not answer; the cache is for another store directory.
    """
    state = observe(bucket, store_dir)
    changes = compare(design, state)
    if not plan_only:
        changes = _apply(design, state, changes, bucket, store_dir)
    return Provisioned(design=design, changes=changes, applied=not plan_only)


class _Unsupported(Exception):  # noqa: N818 - no error: an answer
    """The answer of a server that does not have a setting."""


def observe(bucket: Bucket, store_dir: str) -> BucketState:
    """Read the settings of a bucket, with one request for each. Changes nothing.

    :param bucket: the bucket.
    :param store_dir: the store's folder that the cache is for.
    :raises CacheError: S3 refuses or does not answer; the cache is for another store directory.
    """
    if not _exists(bucket):
        return BucketState(exists=False)
    client, name = bucket.client, bucket.location.bucket
    unsupported: set[Part] = set()

    def setting(part: Part) -> Any:
        """The value of a setting; None when it is not set, or the server does not have it."""
        action, absent, method, *members = _SETTINGS[part]

        def send() -> Any:
            try:
                answer = getattr(client, method)(Bucket=name)
                for member in members:
                    answer = answer[member]
            except ClientError as error:
                if error_code(error) == absent:
                    return None
                if _is_unsupported(error):
                    raise _Unsupported from error
                raise
            except KeyError as error:
                # Some servers ignore the parameter in the query and answer with a listing.
                raise _Unsupported from error
            return answer

        try:
            with _permitted(action):
                return bucket.request(f"read the {part}", send)
        except _Unsupported:
            unsupported.add(part)
            return None

    policy, block, encryption, lifecycle = map(setting, _SETTINGS)
    ensure_cache_info(bucket, store_dir, create=False)
    return BucketState(
        statements=tuple(_statements(policy)) if policy else (),
        access_block={key: value is True for key, value in block.items()} if block else None,
        encryption=dict(encryption[0]) if encryption else None,
        lifecycle=tuple(dict(rule) for rule in lifecycle or ()),
        cache_info=bucket.head(CACHE_INFO) is not None,
        unsupported=frozenset(unsupported),
    )


def _statements(policy: str) -> list[dict[str, Any]]:
    """The statements of a policy; a single one may stand without a list."""
    found = json.loads(policy)["Statement"]
    return found if isinstance(found, list) else [found]


def _exists(bucket: Bucket) -> bool:
    location = bucket.location

    def send() -> bool:
        try:
            bucket.client.head_bucket(Bucket=location.bucket)
        except ClientError as error:
            if error_code(error) in ("404", "NoSuchBucket"):
                return False
            headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
            region = headers.get("x-amz-bucket-region", location.region)
            if region != location.region:
                raise CacheError(
                    f"the bucket {location.bucket} is in {region}, not in {location.region}",
                    hint=f"write the region into the address: ?region={region}",
                ) from error
            raise
        return True

    with _permitted("s3:ListBucket, and that the bucket is not somebody else's"):
        return bucket.request(f"look for the bucket {location.bucket}", send)


def _is_unsupported(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return error_code(error) in _UNSUPPORTED or status in (405, 501)


@contextlib.contextmanager
def _permitted(action: str) -> Iterator[None]:
    """Name the right that is missing; `s3_errors` knows only those of a push."""
    try:
        yield
    except CacheError as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and error_code(cause) in _DENIED:
            raise CacheError(error.message, hint=f"provisioning needs {action}") from cause
        raise


def _apply(
    design: BucketDesign,
    state: BucketState,
    changes: tuple[Change, ...],
    bucket: Bucket,
    store_dir: str,
) -> tuple[Change, ...]:
    """Set each part that differs, once, in the order of the changes.

    :returns: the changes, without the parts that the server turned out not to have.
    """
    refused: set[Part] = set()
    for part in dict.fromkeys(change.part for change in changes if change.drift):
        if part == "nix-cache-info":
            ensure_cache_info(bucket, store_dir)
        elif not _write(part, design, state, bucket):
            refused.add(part)
    return without(changes, refused)


def _write(part: Part, design: BucketDesign, state: BucketState, bucket: Bucket) -> bool:
    """Set one part.

    :returns: False when the server does not have it.
    """
    client: Any = bucket.client
    name = {"Bucket": bucket.location.bucket}
    match part:
        case "bucket":
            action, arguments = "CreateBucket", _creation(bucket)
            call = client.create_bucket
        case "policy":
            policy = design.bucket_policy(foreign(design, state))
            if policy is None:
                action, arguments, call = "DeleteBucketPolicy", {}, client.delete_bucket_policy
            else:
                action, call = "PutBucketPolicy", client.put_bucket_policy
                arguments = {"Policy": json.dumps(policy, sort_keys=True)}
        case "access block":
            action, call = "PutBucketPublicAccessBlock", client.put_public_access_block
            arguments = {"PublicAccessBlockConfiguration": design.access_block}
        case "encryption" if design.encryption is not None:
            action, call = "PutEncryptionConfiguration", client.put_bucket_encryption
            rules = {"Rules": [design.encryption.rule]}
            arguments = {"ServerSideEncryptionConfiguration": rules}
        case _:
            action, call = "PutLifecycleConfiguration", client.put_bucket_lifecycle_configuration
            ours = {rule["ID"] for rule in design.lifecycle}
            others = [rule for rule in state.lifecycle if rule.get("ID") not in ours]
            arguments = {"LifecycleConfiguration": {"Rules": [*others, *design.lifecycle]}}

    def send() -> bool:
        try:
            call(**name, **arguments)
        except ClientError as error:
            if part != "bucket" and _is_unsupported(error):
                return False
            raise
        return True

    with _permitted(f"s3:{action}; the account may also forbid public buckets"):
        return bucket.request(f"set the {part}", send)


def _creation(bucket: Bucket) -> dict[str, Any]:
    """The arguments that create a bucket: Amazon wants its region, except for the first one."""
    location = bucket.location
    if location.endpoint is not None or location.region == DEFAULT_REGION:
        return {}
    return {"CreateBucketConfiguration": {"LocationConstraint": location.region}}
