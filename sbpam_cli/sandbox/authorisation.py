"""Who may do what: signing in, tokens, roles."""

from dataclasses import replace
from typing import Any

from sbpam_cli.sandbox.http import Call, Refused, Response, json_response
from sbpam_cli.sandbox.people import User
from sbpam_cli.sandbox.world import World

_COOKIE = "sbpam-mfa"
_SCAN_ROLES = {"Admin", "App"}
_FAILURES_THAT_LOCK = 5


class Authorisation:
    """Checks who calls, and handles the calls that sign in. Raises Refused."""

    def __init__(self, world: World) -> None:
        self._world = world

    def caller(self, call: Call) -> str:
        """The log-on name of a token with which nothing is owed to MFA."""
        claims = self._claims(call)
        if claims["owes_mfa"]:
            raise call.refuse(403, "Multi-factor authentication is required.")
        return str(claims["sub"])

    def require_role(self, call: Call, caller: str) -> None:
        user = self._world.user(caller)
        if user is None or not _SCAN_ROLES & set(user.roles):
            raise call.refuse(403, "The role Admin or App is required.")

    def sign_in(self, call: Call) -> Response:
        login, password = call.texts("Login", "Password")
        user = self._world.user(login)
        if user is not None and user.locked:
            raise call.refuse(401, "The account is locked.")
        if user is None or user.application or password != user.password:
            raise self._count_failure(call, user, "The user name or password is incorrect.")
        token, jti = self._world.issue_token(user, owes_mfa=user.mfa != "none")
        session = self._world.sessions[jti] = self._world.new_id(f"session {jti}")
        cookie = f"{_COOKIE}={session}; path=/; secure; httponly; samesite=strict"
        return json_response(token, (("Set-Cookie", cookie),))

    def second_step(self, call: Call) -> Response:
        """Step 2: the code, with the cookie and the token of step 1."""
        claims = self._claims(call)
        user = self._world.user(claims["sub"])
        session = self._world.sessions.get(claims["jti"])
        cookies = call.request.header("Cookie").replace(" ", "").split(";")
        if user is None or session is None or f"{_COOKIE}={session}" not in cookies:
            raise call.refuse(401, "The sign-in session is not known.")
        code = call.json()
        if not isinstance(code, str):
            raise call.refuse(400, body="The code must be a JSON string.")
        if user.locked:
            raise call.refuse(401, "The account is locked.")
        if not self._code_is_right(user, code):
            raise self._count_failure(call, user, "The code is not valid.")
        del self._world.sessions[claims["jti"]]
        user.failures = 0
        return json_response(self._world.issue_token(user)[0])

    def application_token(self, call: Call) -> Response:
        login, api_key, serial = call.texts("login", "password", "certificateSerialNumber")
        user = self._world.user(login)
        presented = call.request.peer_certificate_serial
        expected = user.certificate_serial if user is not None else None
        if user is None or not user.application or api_key != user.password or user.locked:
            raise self._count_failure(call, user, "The application or its key is not known.")
        if expected is None or presented is None or int(presented, 16) != int(expected, 16):
            raise call.refuse(401, "A client certificate is required.")
        if serial != expected:
            raise self._count_failure(call, user, "The certificate's serial number is wrong.")
        return json_response(self._world.issue_token(user)[0])

    def renew(self, call: Call) -> Response:
        user = self._world.user(call.caller)
        if user is None:
            raise call.refuse(401, "The user does not exist any more.")
        return json_response(self._world.issue_token(user)[0])

    def _claims(self, call: Call) -> dict[str, Any]:
        """The claims of a live bearer token, which may still owe MFA."""
        scheme, _, token = call.request.header("Authorization").partition(" ")
        claims = self._world.tokens.get(token) if scheme.lower() == "bearer" else None
        if claims is not None and claims["exp"] > self._world.now():
            return claims
        detail = "The token is expired or not valid." if token else "No bearer token was sent."
        challenge = 'Bearer error="invalid_token"' if token else "Bearer"
        refused = call.refuse(401, detail).response
        raise Refused(replace(refused, headers=(*refused.headers, ("WWW-Authenticate", challenge))))

    def _count_failure(self, call: Call, user: User | None, detail: str) -> Refused:
        if user is not None:
            user.failures += 1
            user.locked = user.locked or user.failures >= _FAILURES_THAT_LOCK
        return call.refuse(401, detail)

    def _code_is_right(self, user: User, code: str) -> bool:
        """One of the half minute, the last or the next, and each once."""
        import pyotp

        if user.mfa != "totp":
            return code == ("push" if user.mfa == "push" else "0")
        totp, now = pyotp.TOTP(user.totp_secret), int(self._world.now()) // 30
        steps = (step for step in (now, now - 1, now + 1) if totp.generate_otp(step) == code)
        step = next(steps, user.last_step)
        if step <= user.last_step:
            return False
        user.last_step = step
        return True
