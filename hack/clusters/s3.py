"""Makes a bucket: the one request to an S3 store that a cluster needs, signed without a library.

The signature is AWS Signature Version 4 (docs.aws.amazon.com, "Create a signed AWS API request").
"""

import datetime as dt
import hashlib
import hmac
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from .report import ClusterError


def make_bucket(endpoint: str, region: str, access_key: str, secret_key: str, bucket: str) -> None:
    """Makes the bucket unless it is there; raises ClusterError when the store refuses, OSError when it is not up."""
    now = dt.datetime.now(dt.UTC)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    nothing = hashlib.sha256(b"").hexdigest()
    headers = {"host": urlsplit(endpoint).netloc, "x-amz-content-sha256": nothing, "x-amz-date": stamp}
    signed = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"PUT\n/{bucket}\n\n{lines}\n{signed}\n{nothing}"
    scope = f"{day}/{region}/s3/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret_key}".encode()
    for part in (*scope.split("/"), to_sign):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    credential = f"Credential={access_key}/{scope}, SignedHeaders={signed}, Signature={key.hex()}"
    headers["authorization"] = f"AWS4-HMAC-SHA256 {credential}"
    request = urllib.request.Request(f"{endpoint}/{bucket}", method="PUT", headers=headers, data=b"")
    try:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5).close()
    except urllib.error.HTTPError as refused:
        if refused.code != 409:  # the bucket is there
            raise ClusterError(
                f"the S3 store at {endpoint} refused to make {bucket}: {refused.read().decode()}"
            ) from None
