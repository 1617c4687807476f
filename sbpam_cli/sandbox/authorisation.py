"""Who may do what: tokens, sign-in, and what every request must be."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sbpam_cli.sandbox.http import (
    Reply,
    Request,
    decode,
    html_reply,
    json_reply,
    problem_reply,
    text_reply,
)
from sbpam_cli.sandbox.people import User
from sbpam_cli.sandbox.tokens import matching_step, read_token
from sbpam_cli.sandbox.world import Effects, World

NOBODY = User("", "", locked=True)
_COOKIE = "sbpam-mfa"
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way through; `argument`: what stands in the path's variable part."""

    request: Request
    path: str
    trace_id: str
    effects: Effects | None = None
    argument: str = ""
    user: User = NOBODY


class Refused(Exception):
    """Ends the handling of a request with `reply`."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class Gate:
    """Checks what a call needs, and answers the calls that sign in. Raises Refused."""

    def __init__(self, world: World) -> None:
        self.world = world

    def claims(self, call: Call) -> dict[str, Any]:
        """The claims of a live bearer token, which may still owe MFA."""
        scheme, _, token = call.request.header("Authorization").partition(" ")
        if scheme.lower() == "bearer":
            claims = read_token(token, self.world.token_key)
            if claims is not None and self.world.token_is_alive(claims):
                return claims
        detail = "The token is expired or not valid." if token else "No bearer token was sent."
        challenge = (("WWW-Authenticate", 'Bearer error="invalid_token"' if token else "Bearer"),)
        raise Refused(problem_reply(401, call.trace_id, detail, headers=challenge))

    def authorised(self, call: Call, gate: str) -> User:
        """Who calls, MFA done; with the role for scans unless `gate` is `token`."""
        claims = self.claims(call)
        user = self.world.user(claims["sub"])
        if user is None or claims["owes_mfa"]:
            raise self.refuse(call, 403, "Multi-factor authentication is required.")
        if gate != "token" and not {"Admin", "App"} & set(user.roles):
            raise self.refuse(call, 403, "The role Admin or App is required.")
        return user

    def refuse(self, call: Call, status: int, detail: str | None, **errors: str) -> Refused:
        """ProblemDetails; `errors`: a text for each field that is wrong."""
        return Refused(problem_reply(status, call.trace_id, detail, errors))

    def _sign_in_refused(self, call: Call, user: User | None, words: str) -> Refused:
        world = self.world
        if user is not None:
            user.failures += 1
            user.locked = user.locked or 0 < world.lock_after <= user.failures
        replies: dict[str, Callable[[int], Reply]] = {
            "problem": lambda status: problem_reply(status, call.trace_id, words),
            "string": lambda status: json_reply(words, status),
            "text": lambda status: text_reply(words, status),
            "html": lambda status: html_reply(status, words),
            "empty": Reply,
        }
        return Refused(replies[world.refusal_form](world.refusal_status))

    def json(self, call: Call) -> Any:
        """The body, sent as JSON."""
        content_type = call.request.header("Content-Type").partition(";")[0].strip().lower()
        if content_type != "application/json":
            raise self.refuse(call, 415, f"The media type {content_type!r} is not supported.")
        try:
            return decode(call.request.body)
        except (ValueError, RecursionError) as error:
            raise self.refuse(call, 400, None, body=f"Not valid JSON: {error}") from error

    def texts(self, call: Call, *names: str) -> list[str]:
        """These members of the body, spelt exactly so and each a string."""
        body = self.json(call)
        values = [body.get(name) for name in names] if isinstance(body, dict) else []
        texts = [value for value in values if isinstance(value, str)]
        if len(texts) < len(names):
            fields = {name: f"The {name} field is required." for name in names}
            raise self.refuse(call, 400, None, **fields)
        return texts

    def uuid(self, call: Call, name: str) -> str:
        """The path's variable part, lower-cased."""
        if _UUID.fullmatch(call.argument) is None:
            raise self.refuse(call, 400, None, **{name: f"'{call.argument}' is not valid."})
        return call.argument.lower()

    def query(self, call: Call, name: str, default: str) -> str:
        """The query's parameter of that name."""
        query = urlsplit(call.request.target).query
        try:
            values = parse_qs(query, keep_blank_values=True, errors="strict").get(name, [default])
        except UnicodeDecodeError:
            raise self.refuse(call, 400, "The query is not UTF-8.") from None
        if len(values) > 1:
            raise self.refuse(call, 400, None, **{name: f"{name} is given twice."})
        return values[0]

    def sign_in(self, call: Call) -> Reply:
        """Step 1: name and password."""
        world = self.world
        login, password = self.texts(call, "Login", "Password")
        user = world.user(login)
        if user is None or user.application or (password != user.password and not user.locked):
            raise self._sign_in_refused(call, user, "The user name or password is incorrect.")
        if user.locked:
            raise self._sign_in_refused(call, None, "The account is locked.")
        token, jti = world.issue_token(user, owes_mfa=user.mfa != "none")
        session = world.sessions[jti] = world.new_id(f"session {jti}")
        cookie = f"{_COOKIE}={session}; path=/; secure; httponly; samesite=strict"
        reply = json_reply(token)
        return replace(reply, headers=(*reply.headers, ("Set-Cookie", cookie)))

    def second_step(self, call: Call) -> Reply:
        """Step 2: the code, with the cookie and the token of step 1."""
        world = self.world
        claims = self.claims(call)
        user = world.user(claims["sub"])
        cookies = call.request.header("Cookie").replace(" ", "").split(";")
        session = world.sessions.get(claims["jti"])
        if user is None or session is None or f"{_COOKIE}={session}" not in cookies:
            raise self._sign_in_refused(call, None, "The sign-in session is not known.")
        code = self.json(call)
        if not isinstance(code, str):
            raise self.refuse(call, 400, None, body="The code must be a JSON string.")
        if user.locked:
            raise self._sign_in_refused(call, None, "The account is locked.")
        if not self._code_is_right(user, code):
            raise self._sign_in_refused(call, user, "The code is not valid.")
        del world.sessions[claims["jti"]]
        user.failures = 0
        reply = json_reply(world.issue_token(user)[0])
        if user.mfa != "push":
            return reply
        return replace(reply, behaviour=replace(reply.behaviour, delay_s=world.push_s))

    def _code_is_right(self, user: User, code: str) -> bool:
        if user.mfa != "totp":
            return code == ("push" if user.mfa == "push" else "0")
        step = matching_step(user.totp_secret, code, self.world.now())
        if step is None or (self.world.refuse_replay and step <= user.last_step):
            return False
        user.last_step = max(step, user.last_step)
        return True

    def application_token(self, call: Call) -> Reply:
        """An application: API key, and the certificate of the TLS connection."""
        login, api_key, serial = self.texts(call, "login", "password", "certificateSerialNumber")
        user = self.world.user(login)
        presented = call.request.peer_certificate_serial
        expected = user.certificate_serial if user is not None else None
        if user is None or not user.application or api_key != user.password or user.locked:
            raise self._sign_in_refused(call, user, "The application or its key is not known.")
        if expected is None or presented is None or int(presented, 16) != int(expected, 16):
            raise self._sign_in_refused(call, None, "A client certificate is required.")
        if serial != expected:
            raise self._sign_in_refused(call, user, "The certificate's serial number is wrong.")
        return json_reply(self.world.issue_token(user)[0])

    def renew(self, call: Call) -> Reply:
        """A fresh token for a live one."""
        return json_reply(self.world.issue_token(call.user)[0])
