"""What a person reads when a registry refuses: short, clean, with a cure."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.registry.access import Access, Errand, Journal
from bundlewatch.registry.credentials import Credential
from bundlewatch.registry.failures import codes, is_rate_limit, of_answer, retry_after_s, what_it_said
from bundlewatch.registry.reference import Repository
from bundlewatch.registry.transport import Answer

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ERRAND = Errand(Repository("registry.example.com", "shop/bundle"), Access(), Journal(1))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "30"}, 30),
        ({"retry-after": " 30 "}, 30),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "Tue, 24 Nov 2026 12:01:00 GMT"}, 60),
        ({"retry-after": "Tue, 24 Nov 2026 11:00:00 GMT"}, 0),
        ({"retry-after": "Tue, 24 Nov 2026 12:01:00 GMT", "date": "Tue, 24 Nov 2026 12:00:50 GMT"}, 10),
        ({"retry-after": "Tuesday, 24-Nov-26 12:01:00 GMT"}, 60),
        ({"retry-after": "Tue Nov 24 12:01:00 2026"}, 60),
        ({"retry-after": "9" * 50}, 999_999_999),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "1.5"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
    ids=str,
)
def test_retry_after_is_read_in_both_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(Answer(429, tuple(headers.items()), b""), now=NOW) == seconds


@given(st.text(max_size=60))
def test_any_retry_after_is_seconds_or_nothing(value: str) -> None:
    seconds = retry_after_s(Answer(429, (("retry-after", value),), b""), now=NOW)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("status", "headers", "body", "limited"),
    [
        (429, (), b"", True),
        (503, (("retry-after", "5"),), b"", True),
        (503, (), b"", False),
        (403, (), b'{"errors":[{"code":"TOOMANYREQUESTS"}]}', True),
        (200, (), b'{"errors":[{"code":"TOOMANYREQUESTS"}]}', False),
    ],
)
def test_a_rate_limit_is_seen_in_every_disguise(
    status: int, headers: tuple[tuple[str, str], ...], body: bytes, *, limited: bool
) -> None:
    assert is_rate_limit(Answer(status, headers, body)) is limited


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"errors":[{"code":"DENIED","message":"no"}]}', "403 DENIED: no"),
        (b'{"errors":[{"code":"DENIED"},{"message":"two"},{"code":"THREE"}]}', "403 DENIED; two"),
        (b'{"errors":[{"code":"UNAUTHORIZED","message":"x","detail":[{"Name":"secret"}]}]}', "403 UNAUTHORIZED: x"),
        (b'{"error":"invalid_grant","error_description":"expired"}', "403 invalid_grant: expired"),
        (b'{"details":"incorrect username or password"}', "403 incorrect username or password"),
        (b'{"message":"Forbidden"}', "403 Forbidden"),
        (b'{"errors":"odd"}', "403"),
        (b'{"errors":[7, null, {"code": 7}]}', "403"),
        (b"<html>a page</html>", "403"),
        (b"", "403"),
        (
            b'{"errors":[{"code":"A\\nB","message":"\\u001b[31mred\\r\\nERROR: forged"}]}',
            "403 A B: [31mred ERROR: forged",
        ),
    ],
)
def test_what_a_registry_says_is_one_clean_line(body: bytes, said: str) -> None:
    assert what_it_said(Answer(403, (), body), hide=()) == said


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("visit https://aka.ms/acr/authorization. CorrelationId: 5e9b0e3e-0001-4000-8000-0000000000AF",
         "visit https://aka.ms/acr/authorization. CorrelationId: …"),
        ("trace 4bf92f3577b34da6a3ce929d0e0e4736 failed", "trace … failed"),
        ("RequestId:4442587FB7D0A2F9", "RequestId:…"),
        ("denied at 2026-11-24T12:01:05.123Z", "denied at …"),
        ("denied at 2026-11-24 12:01:05,123 +0100", "denied at …"),
        ("denied (Tue, 24 Nov 2026 12:01:00 GMT)", "denied (…)"),
    ],
    ids=["correlation id of Azure", "trace id", "request id of S3", "ISO 8601", "ISO 8601 of a log", "date of HTTP"],
)  # fmt: skip
def test_what_chance_puts_into_a_refusal_is_not_shown_so_that_it_reads_the_same_each_time(
    message: str, said: str
) -> None:
    body = json.dumps({"errors": [{"code": "DENIED", "message": message}]}).encode()

    assert what_it_said(Answer(403, (), body), hide=()) == f"403 DENIED: {said}"


@pytest.mark.parametrize(
    "message",
    [
        f"manifest sha256:{'0a' * 32} is quarantined",
        "User arn:aws:iam::123456789012:user/robot may not pull team/app:1.0.0-20261124.1201",
        "this API ends on 2026-12-31",
        "the commit 3a5941d is not signed",
        "deadbeefdeadbeef is no name",
    ],
    ids=["digest", "account and tag", "a day", "short commit", "words"],
)
def test_what_helps_to_understand_a_refusal_is_kept(message: str) -> None:
    body = json.dumps({"errors": [{"code": "DENIED", "message": message}]}).encode()

    assert what_it_said(Answer(403, (), body), hide=()) == f"403 DENIED: {message}"


def test_a_secret_with_an_identifier_in_it_is_hidden_whole() -> None:
    secret = "robot-5e9b0e3e-0001-4000-8000-0000000000af-tail"
    body = json.dumps({"message": f"no such user {secret}"}).encode()

    assert what_it_said(Answer(403, (), body), hide=(secret,)) == "403 no such user [hidden]"


@given(st.binary(max_size=400), st.sampled_from([400, 401, 403, 404, 408, 418, 500, 503]))
def test_any_refusal_becomes_a_short_clean_error(body: bytes, status: int) -> None:
    answer = Answer(status, (), body)
    message = str(of_answer(ERRAND, answer))
    assert message.isprintable()
    assert len(message) < 700
    assert message.startswith("listing the tags of registry.example.com/shop/bundle: ")
    assert all(code == code.upper() for code in codes(answer))


@pytest.mark.parametrize(
    ("credential", "status", "says"),
    [
        (Credential(), 401, "without credentials (401); name a Secret with them in spec.access.secretRef"),
        (Credential(source="the file has no entry"), 401, "(401); the file has no entry; name a Secret with them in"),
        (
            Credential("robot", "p"),
            403,
            "our credentials (403); check the Secret that spec.access.secretRef names, that",
        ),
        (
            Credential("robot", "p", source="Secret a/b"),
            403,
            "our credentials (403); check Secret a/b, that it may pull",
        ),
        (Credential(), 404, "or it needs credentials (spec.access.secretRef)"),
        (Credential("robot", "p"), 404, "or our credentials may not see it"),
    ],
    ids=["none", "none, and why", "from flags", "from a Secret", "hidden from all", "hidden from us"],
)
def test_a_refusal_says_where_the_credentials_came_from(credential: Credential, status: int, says: str) -> None:
    errand = Errand(ERRAND.repository, Access(credential), Journal(1))

    assert says in str(of_answer(errand, Answer(status, (), b"")))
