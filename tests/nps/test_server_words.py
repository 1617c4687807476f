"""The server's own words and trace id, whatever the body of a failure is."""

import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tables import JSON

from sbpam_cli.nps.failures import Reply, failed_answer, hide_secrets, redirect_target

PROBLEMS = st.dictionaries(
    st.sampled_from(["title", "detail", "traceId", "errors", "message"]), JSON, max_size=4
)


@pytest.mark.parametrize(
    ("content_type", "body", "words", "trace_id"),
    [
        (
            "application/problem+json",
            '{"title": "Bad Request", "detail": "No such host.", "traceId": "00-ab"}',
            "Bad Request: No such host.",
            "00-ab",
        ),
        (
            "application/problem+json",
            '{"title": "Wrong", "errors": {"body": ["not JSON", "not an array"]}}',
            "Wrong: body: not JSON: body: not an array",
            None,
        ),
        ("application/json", '"The password is wrong."', "The password is wrong.", None),
        ("application/json", '{"message": "busy"}', "busy", None),
        ("text/plain", "Service\r\n  Unavailable", "Service Unavailable", None),
        (
            "text/html",
            "<html><title>502 &amp; Bad\n Gateway</title>",
            "a web page: 502 & Bad Gateway",
            None,
        ),
        # Seconds of looking for the end of each, were it looked for without a limit.
        ("text/html", "<title " * 20_000, "a web page", None),
        ("", "\ufeff  <!DOCTYPE HTML>x", "a web page", None),
        ("", "", None, None),
        ("", "   ", None, None),
        ("application/json", "{}", None, None),
        ("application/json", "[1]", None, None),
    ],
)
def test_words_of_every_kind_of_body(
    content_type: str, body: str, words: str | None, trace_id: str | None
) -> None:
    reply = Reply(500, {"content-type": content_type}, body.encode())
    assert reply.problem() == (words, trace_id)


@given(
    (JSON | PROBLEMS).map(json.dumps) | st.text(),
    st.sampled_from(["application/json", "text/html", ""]),
)
def test_any_body_gives_one_short_line(body: str, content_type: str) -> None:
    reply = Reply(500, {"content-type": content_type}, body.encode("utf-8", "replace"))
    words, trace_id = reply.problem()
    for text in (words, trace_id):
        assert text is None or text.encode("utf-8")
    assert words is None or (len(words) <= 600 and "\n" not in words)


SECRET = 'p+w"<>&\u00e9-secret'
# Plain ones, and each form of a body, are in the contract's tests of secrets.
ECHOES: list[str] = [
    # System.Text.Json escapes much of what Python doesn't.
    '"wrong: ' + "".join(f"\\u{ord(letter):04x}" for letter in SECRET) + '"',
    # The whole request, as it was sent.
    json.dumps({"detail": "cannot read " + json.dumps({"Password": SECRET})}),
    "cannot read " + json.dumps({"Password": SECRET}, ensure_ascii=False),
    f"{'x' * 490} {SECRET}",
    f"<html><title>wrong: {SECRET.replace('<>', '')}</title>",
    "<title>p+w&quot;&lt;&gt;&amp;\u00e9-secret</title><html>",
]


@pytest.mark.parametrize("echo", ECHOES)
def test_a_secret_of_the_request_is_hidden_from_its_echo(echo: str) -> None:
    secrets = (SECRET, SECRET.replace("<>", ""))
    kind = "text/html" if "<title" in echo else ""
    reply = Reply(400, {"content-type": kind}, echo.encode(), secrets=secrets)
    words, trace_id = reply.problem()
    assert words is not None
    assert "secret" not in words + (trace_id or "")
    assert "p+w" not in words


PRINTED = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)


@given(PRINTED, PRINTED, st.integers(0, 5))
def test_a_secret_is_hidden_however_it_is_spelled(secret: str, around: str, form: int) -> None:
    spell: list[Callable[[str], str]] = [
        str,
        lambda text: json.dumps(text)[1:-1],
        lambda text: json.dumps(json.dumps(text))[3:-3],
        quote,
        quote_plus,
        html.escape,
    ]
    text = f"<{around}|{spell[form](secret)}|{around}>"
    hidden = hide_secrets(text, [secret])
    assert "***" in hidden or not secret.strip("\\")


@pytest.mark.parametrize("unit", ["\\", "%", "&", "\\u", "<title ", "a", "&#"])
def test_masking_takes_no_longer_than_the_text_is(unit: str) -> None:
    # With a pattern for each character these took hours: a hang, not a slow test, if it fails.
    text = unit * (100_000 // len(unit))
    assert hide_secrets(text + "x", [text[:50_000] + "y"]) == text + "x"
    assert Reply(500, {"content-type": "text/html"}, text.encode()).problem()[0] is not None


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://user:pw@idp.example:8443/login?token=abc#x", "https://idp.example:8443/login"),
        ("/signin?next=1", "/signin"),
        ("", "nowhere"),
        ("https://[broken", "an odd address"),
    ],
)
def test_a_redirect_is_named_without_what_may_be_secret(location: str, shown: str) -> None:
    reply = Reply(302, {"location": location}, b"")
    assert redirect_target(reply) == shown
    error = failed_answer(reply, "the server")
    assert error.exit_code == 6
    assert shown in error.message


def test_every_status_means_an_error_with_a_remedy() -> None:
    for status in range(200, 600):
        reply = Reply(status, {}, b'{"title": "Words", "traceId": "00-1"}')
        error = failed_answer(reply, "the list")
        assert (error.exit_code, status) == (4 if status in (401, 403) else 6, status)
        assert error.hint
        if status >= 400:
            assert (error.reason, error.trace_id) == ("Words", "00-1")
