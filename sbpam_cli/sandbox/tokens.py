"""JWTs and one-time codes, as the server makes and checks them."""

import base64
import hashlib
import hmac
from typing import Any

from sbpam_cli.sandbox.http import decode, encode

TOTP_STEP_S = 30


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _signature(signed: str, key: bytes) -> str:
    return _base64url(hmac.new(key, signed.encode(), hashlib.sha256).digest())


def sign_token(claims: dict[str, Any], key: bytes) -> str:
    """A JWT, HS256."""
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    signed = ".".join(_base64url(encode(part)) for part in parts)
    return f"{signed}.{_signature(signed, key)}"


def read_token(token: str, key: bytes) -> dict[str, Any] | None:
    """The claims, None unless the signature holds. `exp` is the caller's to check."""
    signed, _, signature = token.rpartition(".")
    if signed.count(".") != 1 or not token.isascii():
        return None
    if not hmac.compare_digest(signature, _signature(signed, key)):
        return None
    payload = signed.partition(".")[2]
    claims = decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims if isinstance(claims, dict) else None


def totp_code(secret: str, step: int) -> str:
    """RFC 6238: SHA-1, six digits; `secret` is base32, `step` epoch seconds // 30."""
    digest = hmac.new(base64.b32decode(secret), step.to_bytes(8, "big"), hashlib.sha1).digest()
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


def matching_step(secret: str, code: str, now: float) -> int | None:
    """The time step within one of now's whose code this is."""
    current = int(now) // TOTP_STEP_S
    for step in (current, current - 1, current + 1):
        if code == totp_code(secret, step):
            return step
    return None
