"""The errors of botocore, each turned into a `CacheError` with advice."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from nixgen.cache.bucket.location import CacheLocation
from nixgen.errors import CacheError

__all__ = [
    "NOT_FOUND",
    "PRECONDITION",
    "S3_FAILURES",
    "error_code",
    "is_throttled",
    "is_transient",
    "retry_after",
    "s3_errors",
]

S3_FAILURES = (boto.BotoCoreError, boto.ClientError, ResponseParserError, HTTPError)
"""The exceptions of botocore, and urllib3's for an answer that breaks off after its headers."""

NOT_FOUND = frozenset({"404", "NoSuchKey", "NotFound"})
"""The codes of a missing object. An answer to HEAD has no body, so its code is the status."""

PRECONDITION = frozenset({"412", "409", "ConditionalRequestConflict", "PreconditionFailed"})
"""The codes of a conditional write that came after another write, or at the same time."""

_DENIED = frozenset({"403", "AccessDenied", "AllAccessDisabled", "AccountProblem"})
_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
    }
)
_CLOCK = frozenset({"RequestExpired", "RequestTimeTooSkewed"})
_FULL = frozenset({"507", "InsufficientStorage", "QuotaExceeded", "XMinioStorageFull"})
_THROTTLE = frozenset(
    {"429", "503", "RequestLimitExceeded", "SlowDown", "Throttling", "TooManyRequests"}
)


#: Codes, what they mean, and what to do.
_ADVICE = (
    (
        _CREDENTIALS,
        "S3 does not accept the credentials",
        "renew AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or check that they are of this endpoint",
    ),
    (
        _CLOCK,
        "this machine's clock is off by too much",
        "set the clock, for example with: timedatectl set-ntp true",
    ),
    (
        _DENIED,
        "access is denied",
        "a pusher needs s3:GetObject, s3:PutObject, s3:ListBucket and s3:AbortMultipartUpload",
    ),
    (
        _FULL,
        "the server has no space left",
        "make room there and run it again; what was stored is not uploaded twice",
    ),
    (
        _THROTTLE,
        "the server asks to slow down, again and again",
        "run it again later; what was stored is not uploaded twice",
    ),
)

# Temporary failures: the codes for which S3 advises to try again, and the statuses of proxies.
_PASSING = frozenset({"InternalError", "OperationAborted", "RequestTimeout", "ServiceUnavailable"})
_PASSING_STATUS = frozenset({408, 429, 500, 502, 503, 504})


def is_transient(error: Exception) -> bool:
    """Whether the same request may succeed when it is sent again.

    :param error: what the request raised.
    """
    if isinstance(error, boto.ClientError):
        if error_code(error) in _FULL:
            return False
        return _status(error) in _PASSING_STATUS or error_code(error) in _PASSING | _THROTTLE
    # Connections that were refused, reset or timed out, and answers that broke off.
    return isinstance(
        error,
        boto.HTTPClientError | boto.ConnectionError | boto.IncompleteReadError | HTTPError,
    )


def is_throttled(error: Exception) -> bool:
    """Whether the server asks for fewer requests.

    :param error: what the request raised.
    """
    return isinstance(error, boto.ClientError) and (
        _status(error) in (429, 503) or error_code(error) in _THROTTLE
    )


def retry_after(error: Exception) -> float:
    """The seconds of a ``Retry-After`` header (RFC 9110, 10.2.3, its first form); 0 without one.

    :param error: what the request raised.
    """
    if not isinstance(error, boto.ClientError):
        return 0.0
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    text = str(headers.get("retry-after", ""))
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _status(error: boto.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def error_code(error: boto.ClientError) -> str:
    """S3's code, or the HTTP status of an answer without a body.

    :param error: what the request raised.
    """
    return str(error.response.get("Error", {}).get("Code", ""))


@contextlib.contextmanager
def s3_errors(location: CacheLocation, doing: str) -> Iterator[None]:
    """Raise a `CacheError` for every error of botocore inside the block.

    :param location: the cache, for the message.
    :param doing: the attempted action, such as ``read x.narinfo``; completes "cannot …".
    :raises CacheError: with advice for the kind of error.
    """
    try:
        yield
    except boto.ClientError as error:
        raise _answered(location, doing, error) from error
    except (boto.NoCredentialsError, boto.PartialCredentialsError) as error:
        raise CacheError(
            f"cannot {doing} in {location}: there are no complete credentials for S3",
            hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile: …?profile=NAME",
        ) from error
    except boto.ProfileNotFound as error:
        raise CacheError(
            f"cannot {doing} in {location}: the AWS configuration has no profile {location.profile}",
            hint="list the profiles in ~/.aws/config, or leave out ?profile=",
        ) from error
    except (boto.HTTPClientError, boto.ConnectionError, HTTPError) as error:
        # The base classes of refused and reset connections, time-outs, TLS and DNS failures.
        raise CacheError(
            f"cannot {doing}: {location.endpoint or 'Amazon S3'} does not answer: {error}",
            hint="start the emulator with: nixgen cache serve --embedded DIR"
            if location.emulator
            else "check the endpoint, the network, and that the server runs",
        ) from error
    except ResponseParserError as error:
        raise CacheError(
            f"cannot {doing}: what {location.endpoint or 'Amazon S3'} answers is not S3's: {error}",
            hint="check the endpoint; a proxy, or a login page, may stand before it",
        ) from error
    except boto.BotoCoreError as error:
        raise CacheError(
            f"cannot {doing} in {location}: {error}", hint="check the address of the cache"
        ) from error


def _answered(location: CacheLocation, doing: str, error: boto.ClientError) -> CacheError:
    code = error_code(error)
    if code == "NoSuchBucket":
        return CacheError(
            f"cannot {doing}: there is no bucket {location.bucket}",
            hint="create it, or correct the name and endpoint in the address",
        )
    known = "507" if _status(error) == 507 else code
    for codes, what, hint in _ADVICE:
        if known in codes:
            return CacheError(f"cannot {doing} in {location}: {what} ({code})", hint=hint)
    message = error.response.get("Error", {}).get("Message", "")
    return CacheError(
        f"cannot {doing} in {location}: {code} {message}".rstrip(),
        hint="run it again; what was stored is not uploaded twice",
    )
