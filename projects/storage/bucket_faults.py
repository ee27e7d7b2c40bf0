"""Errors of the S3 client as sentences: what is wrong, and what an administrator must do."""

from collections.abc import Mapping

MISSING = frozenset({"NoSuchKey", "NoSuchUpload", "404"})

_NO_BUCKET = "The bucket {bucket} does not exist. Create it, or fix ARTIFACTS_URL."
_OTHER_REGION = "The bucket {bucket} is in another region. Set ARTIFACTS_S3_REGION."
_DENIED = (
    "The credentials do not allow access to the bucket {bucket}."
    " Grant ListBucket, ListBucketMultipartUploads, GetObject, PutObject, DeleteObject and"
    " AbortMultipartUpload."
)
_BY_CODE: Mapping[str, str] = {
    "NoSuchBucket": _NO_BUCKET,
    "404": _NO_BUCKET,
    "InvalidAccessKeyId": (
        "The server of the bucket {bucket} does not know the access key. Fix AWS_ACCESS_KEY_ID."
    ),
    "SignatureDoesNotMatch": (
        "The secret key does not match the access key of the bucket {bucket}."
        " Fix AWS_SECRET_ACCESS_KEY."
    ),
    "ExpiredToken": "The credentials of the bucket {bucket} have expired. Set new ones.",
    "RequestTimeTooSkewed": (
        "This server's clock and the bucket's clock differ by more than 15 minutes."
        " Set the clock of this server."
    ),
    "PermanentRedirect": _OTHER_REGION,
    "AuthorizationHeaderMalformed": _OTHER_REGION,
    "301": _OTHER_REGION,
    "PreconditionFailed": (
        "An object of the bucket {bucket} changed while it was read."
        " Stop other programs from writing to the bucket."
    ),
    "BadDigest": (
        "Bytes were damaged on the way to the bucket {bucket}."
        " If this continues, check the network and proxies between this server and the bucket."
    ),
    "AccessDenied": _DENIED,
    "AllAccessDisabled": _DENIED,
    "403": _DENIED,
}
_OTHER_CODE = (
    "{where} answers {status} {code}. No data is lost. If this continues, check that server."
)

_BY_TYPE: Mapping[str, str] = {
    "NoCredentialsError": (
        "There are no credentials for the bucket {bucket}."
        " Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or assign a role."
    ),
    "PartialCredentialsError": (
        "The credentials for the bucket {bucket} are incomplete."
        " Set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    ),
    "SSLError": "The certificate of {where} is not trusted. Set AWS_CA_BUNDLE to its CA.",
}
_OTHER_TYPE = "{where} does not answer ({kind}). No data is lost. Check the connection to it."


def is_fault(error: Exception) -> bool:
    """Return whether a call to the storage caused the error: client, HTTP or connection."""
    from botocore.exceptions import BotoCoreError, ClientError
    from urllib3.exceptions import HTTPError

    return isinstance(
        error, BotoCoreError | ClientError | HTTPError | ConnectionError | TimeoutError
    )


def fault_code(error: Exception) -> str:
    """Return the S3 error code, or the HTTP status of an answer without a body; else empty."""
    answer = getattr(error, "response", None)  # None for an error without an answer
    return str(answer.get("Error", {}).get("Code", "")) if isinstance(answer, dict) else ""


def fault_sentence(error: Exception, *, bucket: str, where: str) -> str:
    """Return a message with the problem and the remedy. It quotes nothing of the signed request."""
    answer = getattr(error, "response", None)
    if not isinstance(answer, dict):
        kind = type(error).__name__
        return _BY_TYPE.get(kind, _OTHER_TYPE).format(bucket=bucket, where=where, kind=kind)
    code = fault_code(error)
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", "?")
    sentence = _BY_CODE.get(code, _OTHER_CODE)
    return sentence.format(bucket=bucket, where=where, status=status, code=code)
