"""The design of a cache's bucket, as a value: rights, encryption, and how long leftovers stay.

Nothing here talks to S3. `nixgen.cache.provision.difference` compares a design with a bucket,
`nixgen.cache.provision.apply` reads and changes a bucket, and `nixgen.cache.provision.emit` writes
a design for other tools.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal, get_args

from attrs import frozen

from nixgen.cache.bucket.location import CacheLocation
from nixgen.errors import UsageError

__all__ = ["ROLES", "BucketDesign", "Encryption", "Role"]

_TOMBSTONE_DAYS = 90
_LEASE_DAYS = 7
_UPLOAD_DAYS = 1

_POLICY_VERSION = "2012-10-17"  # of the policy language; there is none later

Role = Literal["pusher", "reader", "collector"]
ROLES: tuple[Role, ...] = get_args(Role)

Statement = dict[str, Any]


@frozen
class Encryption:
    """The default encryption of new objects in a bucket.

    :param key: ID, ARN or ``alias/…`` of a KMS key; None for AES-256 with keys of S3's own.
    """

    key: str | None = None

    @classmethod
    def parse(cls, text: str) -> Encryption | None:
        """Read the value of ``--encryption``.

        :param text: ``aes256``, ``kms:KEY`` or ``none``.
        :returns: None for ``none``: the bucket's setting is left alone.
        :raises UsageError: the text is none of these.
        """
        kind, _, key = text.partition(":")
        match kind, key:
            case "none", "":
                return None
            case "aes256", "":
                return cls()
            case "kms", str() if key:
                return cls(key)
        raise UsageError(
            f"there is no encryption {text!r}",
            hint="use aes256, none, or kms: and the ID, ARN or alias/NAME of a key",
        )

    @property
    def rule(self) -> dict[str, Any]:
        """The rule that ``PutBucketEncryption`` takes.

        A bucket key saves one request to KMS for each object.
        """
        if self.key is None:
            return {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        return {
            "ApplyServerSideEncryptionByDefault": {
                "SSEAlgorithm": "aws:kms",
                "KMSMasterKeyID": self.key,
            },
            "BucketKeyEnabled": True,
        }

    def __str__(self) -> str:
        return "aes256" if self.key is None else f"kms:{self.key}"


@frozen(kw_only=True)
class BucketDesign:
    """The bucket of a cache as it should be.

    Several caches may share a bucket, each with a prefix. The names of policy statements and
    lifecycle rules hold the prefix, and those of other caches and other people stay.

    :param location: the cache.
    :param public: anybody may read the cache over HTTPS.
    :param encryption: of new objects; None leaves the bucket's own setting alone.
    """

    location: CacheLocation
    public: bool = False
    encryption: Encryption | None = Encryption()

    def __attrs_post_init__(self) -> None:
        """:raises UsageError: the settings contradict each other."""
        if self.public and self.encryption is not None and self.encryption.key is not None:
            raise UsageError(
                "a public cache cannot be encrypted with a KMS key: S3 refuses anonymous readers of such objects",
                hint="use --encryption aes256, or --private",
            )
        if wild := set(self.location.prefix) & set("*?$"):
            raise UsageError(
                f"the prefix {self.location.prefix!r} would mean more than itself in a policy: {' '.join(sorted(wild))}",
                hint="use letters, digits, - and / in the prefix",
            )

    # names

    @property
    def partition(self) -> str:
        """The first word of ARNs after ``arn:``, by region."""
        region = self.location.region
        if region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if region.startswith("us-gov-") else "aws"

    @property
    def bucket_arn(self) -> str:
        """The ARN of the bucket itself."""
        return f"arn:{self.partition}:s3:::{self.location.bucket}"

    def objects_arn(self, below: str = "") -> str:
        """The ARN of objects of the cache.

        :param below: those whose name starts with it; all when empty.
        """
        return f"{self.bucket_arn}/{self.location.key(below)}*"

    @property
    def url(self) -> str:
        """The URL of the cache, at Amazon or at its endpoint, without a final slash."""
        location = self.location
        domain = "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"
        endpoint = location.endpoint or f"https://s3.{location.region}.{domain}"
        # A dot in the bucket's name would not match the certificate of *.s3.….
        if location.path_style or "." in location.bucket:
            root = f"{endpoint}/{location.bucket}"
        else:
            scheme, _, host = endpoint.partition("://")
            root = f"{scheme}://{location.bucket}.{host}"
        return f"{root}/{location.prefix}".rstrip("/")

    # settings

    @property
    def statements(self) -> tuple[Statement, ...]:
        """The cache's statements of the bucket policy.

        Readers may also list: without that right S3 answers 403 for an object that is not there,
        and Nix takes 403 for a broken cache.
        """
        if not self.public:
            return ()
        objects, listing = self.statement_names
        return (
            _allow(objects, ["s3:GetObject"], [self.objects_arn()], Principal="*"),
            _allow(listing, ["s3:ListBucket"], [self.bucket_arn], Principal="*"),
        )

    @property
    def statement_names(self) -> tuple[str, str]:
        """The ``Sid`` of reading and of listing; letters and digits only."""
        prefix = self.location.prefix
        mark = hashlib.sha256(prefix.encode()).hexdigest()[:8] if prefix else ""
        return f"NixgenPublicRead{mark}", f"NixgenPublicList{mark}"

    @property
    def access_block(self) -> dict[str, bool]:
        """The access block: ACLs are ignored, and a public policy is allowed for a public cache."""
        return {
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": not self.public,
            "RestrictPublicBuckets": not self.public,
        }

    @property
    def lifecycle(self) -> tuple[dict[str, Any], ...]:
        """The rules that ``PutBucketLifecycleConfiguration`` takes.

        Days count from the last writing of an object, so a lease that is renewed stays.
        """
        unfinished = {"DaysAfterInitiation": _UPLOAD_DAYS}
        return (
            self._rule("tombstones", "nixgen/tombstones/", Expiration={"Days": _TOMBSTONE_DAYS}),
            self._rule("leases", "nixgen/leases/", Expiration={"Days": _LEASE_DAYS}),
            self._rule("uploads", "", AbortIncompleteMultipartUpload=unfinished),
        )

    def _rule(self, name: str, below: str, **action: Any) -> dict[str, Any]:
        prefix = self.location.prefix
        return {
            "ID": f"nixgen-{name}" + (f":{prefix}" if prefix else ""),
            "Status": "Enabled",
            "Filter": {"Prefix": self.location.key(below)},
            **action,
        }

    # roles

    def policy(self, role: Role) -> dict[str, Any]:
        """The IAM policy document with the fewest rights that a role needs.

        The right to list is for the whole bucket: S3 answers 404 for an object that is not there
        only to users with that right, and a condition on the prefix never holds for a request that
        names one object.

        :param role: of the user.
        """
        actions = ["s3:GetObject"]
        if role != "reader":
            actions += ["s3:PutObject", "s3:AbortMultipartUpload"]
        statements = [
            _allow("Objects", actions, [self.objects_arn()]),
            _allow("List", ["s3:ListBucket"], [self.bucket_arn]),
        ]
        if role == "pusher":
            leases = self.objects_arn("nixgen/leases/")
            statements.append(_allow("OwnLeases", ["s3:DeleteObject"], [leases]))
        if role == "collector":
            statements.append(_allow("Delete", ["s3:DeleteObject"], [self.objects_arn()]))
        if self.encryption is not None and self.encryption.key is not None:
            uses = ["kms:Decrypt"] if role == "reader" else ["kms:Decrypt", "kms:GenerateDataKey"]
            statements.append(self._key_statement(self.encryption.key, uses))
        return {"Version": _POLICY_VERSION, "Statement": statements}

    def _key_statement(self, key: str, actions: list[str]) -> Statement:
        if key.startswith("arn:"):
            return _allow("Key", actions, [key])
        place = f"arn:{self.partition}:kms:{self.location.region}:*:key"
        if key.startswith("alias/"):
            # These actions take no alias as a resource, only as a condition.
            named = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": key}}
            return _allow("Key", actions, [f"{place}/*"], Condition=named)
        return _allow("Key", actions, [f"{place}/{key}"])

    def bucket_policy(self, others: tuple[Statement, ...] = ()) -> dict[str, Any] | None:
        """The whole policy of the bucket; None when it would be empty.

        :param others: the statements of others, which come first.
        """
        statements = [*others, *self.statements]
        return {"Version": _POLICY_VERSION, "Statement": statements} if statements else None


def _allow(sid: str, actions: list[str], resources: list[str], **more: Any) -> Statement:
    return {"Sid": sid, "Effect": "Allow", **more, "Action": actions, "Resource": resources}
