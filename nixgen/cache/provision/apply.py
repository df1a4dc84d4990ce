"""Making a bucket what its design says: observe, compare, close the gap.

Servers other than Amazon's lack some of the settings: such a part is skipped, and said to be.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

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
# What servers say of a setting that they do not have.
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

_Result = TypeVar("_Result")


@frozen(kw_only=True)
class Provisioned:
    """The outcome of `provision`.

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
        """For ``--json``: schema nixgen/provision/1."""
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
    """Make a bucket what its design says, and nothing else of it different.

    :raises CacheError: S3 refuses or does not answer; the cache is for another store directory.
    """
    state = observe(bucket, store_dir)
    changes = compare(design, state)
    if not plan_only:
        changes = _apply(design, state, changes, bucket, store_dir)
    return Provisioned(design=design, changes=changes, applied=not plan_only)


class _Unsupported(Exception):  # noqa: N818 - no error: an answer
    """The server does not have this setting."""


def observe(bucket: Bucket, store_dir: str) -> BucketState:
    """Five requests, that change nothing.

    :raises CacheError: S3 refuses or does not answer; the cache is for another store directory.
    """
    if not _exists(bucket):
        return BucketState(exists=False)
    client, name = bucket.client, bucket.location.bucket
    unsupported: set[Part] = set()

    def ask(part: Part, action: str, absent: str, send: Callable[[], _Result]) -> _Result | None:
        def guarded() -> _Result | None:
            try:
                return send()
            except ClientError as error:
                if error_code(error) == absent:
                    return None
                if _is_unsupported(error):
                    raise _Unsupported from error
                raise
            except KeyError as error:
                # Some servers ignore the parameter in the query and answer with a listing.
                raise _Unsupported from error

        try:
            with _permitted(action):
                return bucket.request(f"read the {part}", guarded)
        except _Unsupported:
            unsupported.add(part)
            return None

    policy = ask(
        "policy",
        "s3:GetBucketPolicy",
        "NoSuchBucketPolicy",
        lambda: client.get_bucket_policy(Bucket=name)["Policy"],
    )
    block = ask(
        "access block",
        "s3:GetBucketPublicAccessBlock",
        "NoSuchPublicAccessBlockConfiguration",
        lambda: client.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"],
    )
    encryption = ask(
        "encryption",
        "s3:GetEncryptionConfiguration",
        "ServerSideEncryptionConfigurationNotFoundError",
        lambda: client.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"][
            "Rules"
        ],
    )
    lifecycle = ask(
        "lifecycle",
        "s3:GetLifecycleConfiguration",
        "NoSuchLifecycleConfiguration",
        lambda: client.get_bucket_lifecycle_configuration(Bucket=name)["Rules"],
    )
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
    """One statement may stand without a list."""
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
    """Say which right is missing; `s3_errors` knows those of a pusher only."""
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
    """Carry out each part that differs, once, in the order of the changes; what the server turned out not to have is skipped."""
    refused: set[Part] = set()
    for part in dict.fromkeys(change.part for change in changes if change.drift):
        if part == "nix-cache-info":
            ensure_cache_info(bucket, store_dir)
        elif not _write(part, design, state, bucket):
            refused.add(part)
    return without(changes, refused)


def _write(part: Part, design: BucketDesign, state: BucketState, bucket: Bucket) -> bool:
    """False when the server does not have it."""
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
    """Amazon wants the region named, except in the first."""
    location = bucket.location
    if location.endpoint is not None or location.region == DEFAULT_REGION:
        return {}
    return {"CreateBucketConfiguration": {"LocationConstraint": location.region}}
