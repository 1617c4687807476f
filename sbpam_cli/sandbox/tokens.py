"""JWTs and one-time codes, as the server makes and checks them."""

import base64
import hashlib
import hmac
import json
from typing import Any

from sbpam_cli.sandbox.http import encode


def sign_token(claims: dict[str, Any], key: bytes) -> str:
    """A JWT, HS256."""
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    signed = ".".join(_base64url(encode(part)) for part in parts)
    return f"{signed}.{_signature(signed, key)}"


def read_token(token: str, key: bytes) -> dict[str, Any] | None:
    """The claims; None unless the signature holds. `exp` is the caller's to check."""
    signed, _, signature = token.rpartition(".")
    if signed.count(".") != 1 or not token.isascii():
        return None
    if not hmac.compare_digest(signature, _signature(signed, key)):
        return None
    payload = signed.partition(".")[2]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims if isinstance(claims, dict) else None


def matching_step(secret: str, code: str, now: float) -> int | None:
    """The time step (epoch seconds // 30), at most one from now's, whose code this is."""
    import pyotp

    totp, current = pyotp.TOTP(secret), int(now) // 30
    steps = (current, current - 1, current + 1)
    return next((step for step in steps if totp.generate_otp(step) == code), None)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _signature(signed: str, key: bytes) -> str:
    return _base64url(hmac.new(key, signed.encode(), hashlib.sha256).digest())
