"""What an S3 client raises, as a sentence that says who has to do what."""

from collections.abc import Mapping

MISSING = frozenset({"NoSuchKey", "NoSuchUpload", "404"})

_CODES: Mapping[str, str] = {
    "NoSuchBucket": "The bucket {bucket} does not exist. Make it, or mend ARTIFACTS_URL.",
    "404": "The bucket {bucket} does not exist. Make it, or mend ARTIFACTS_URL.",
    "InvalidAccessKeyId": "The server of the bucket {bucket} does not know the access key. Mend AWS_ACCESS_KEY_ID.",
    "SignatureDoesNotMatch": "The secret key does not fit the access key of the bucket {bucket}. Mend AWS_SECRET_ACCESS_KEY.",
    "ExpiredToken": "The credentials of the bucket {bucket} have expired. Give new ones.",
    "RequestTimeTooSkewed": "Our clock and the bucket's differ by more than 15 minutes. Set the clock.",
    "PermanentRedirect": "The bucket {bucket} is in another region. Set ARTIFACTS_S3_REGION.",
    "AuthorizationHeaderMalformed": "The bucket {bucket} is in another region. Set ARTIFACTS_S3_REGION.",
    "301": "The bucket {bucket} is in another region. Set ARTIFACTS_S3_REGION.",
    "PreconditionFailed": "An object of the bucket {bucket} was changed while it was read: something else writes there.",
    "BadDigest": "Bytes arrived at the bucket {bucket} other than they were sent. If it goes on, look at what is between here and there.",
}
_DENIED = (
    "The credentials may not use the bucket {bucket}."
    " Give them ListBucket, ListBucketMultipartUploads, GetObject, PutObject, DeleteObject and AbortMultipartUpload."
)
_CODES = {**_CODES, "AccessDenied": _DENIED, "AllAccessDisabled": _DENIED, "403": _DENIED}

_KINDS: Mapping[str, str] = {
    "NoCredentialsError": "There are no credentials for the bucket {bucket}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give a role.",
    "PartialCredentialsError": "The credentials for the bucket {bucket} are not whole. Set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    "SSLError": "The certificate of {where} is not trusted. Name its CA by AWS_CA_BUNDLE.",
}


def is_fault(error: Exception) -> bool:
    """Whether it came of the call: of the client, of its HTTP, or of the connection."""
    from botocore.exceptions import BotoCoreError, ClientError
    from urllib3.exceptions import HTTPError

    return isinstance(
        error, BotoCoreError | ClientError | HTTPError | ConnectionError | TimeoutError
    )


def fault_code(error: Exception) -> str:
    """S3's code of what it answered, or the HTTP status where an answer has no body; empty when there was no answer."""
    answer = getattr(error, "response", None)  # None, too, of a client's error that had none
    return str(answer.get("Error", {}).get("Code", "")) if isinstance(answer, dict) else ""


def fault_sentence(error: Exception, *, bucket: str, where: str) -> str:
    """What happened and what to do, without a word of what was signed."""
    answer = getattr(error, "response", None)
    if not isinstance(answer, dict):
        told = _KINDS.get(
            type(error).__name__,
            "{where} does not answer ({kind}). Nothing is lost; mend the way to it.",
        )
        return told.format(bucket=bucket, where=where, kind=type(error).__name__)
    code = fault_code(error)
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", "?")
    told = _CODES.get(
        code,
        "{where} answers {status} {code}. Nothing is lost; if it goes on, look at that server.",
    )
    return told.format(bucket=bucket, where=where, status=status, code=code)
