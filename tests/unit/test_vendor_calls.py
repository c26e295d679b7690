"""The door to HTTP and HubSpot's answers: values as text, limits, waits, and secrets kept."""

import logging
import traceback
from collections import deque
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from tests.contract.deliveries import FakeClock, crm
from tests.contract.hubspot import Weather, hubspot

from portfolio_ml.errors import (
    ConfigError,
    PortfolioError,
    ServiceUnavailableError,
    TryAgainLaterError,
)
from portfolio_ml.sinks.crm import opened, table_of
from portfolio_ml.sinks.vendors.calls import Reply, address_of
from portfolio_ml.sinks.vendors.hubspot_answers import found_records, read_written
from portfolio_ml.sinks.vendors.limits import RollingLimit
from portfolio_ml.sinks.vendors.values import canonical, holds, parsed, rendered
from portfolio_ml.sinks.vendors.vendor import Wanted

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 26, tzinfo=UTC)
STAMP = pa.timestamp("us", tz="UTC")
ROWS = (Wanted("a", {"x": "1"}), Wanted("b", {"x": "secret value"}))
TOKENS = [
    "hunter2",
    "pat-na1-11111111-2222-3333-4444-555555555555",
    "Bearer-like.token.parts",
    "a=b&c=d",
    "p%40ss%3Aword",
    "https://user:word@host/",
    "user:word@host",
    '{"token":"value"}',
    "'quoted'",
    '"quoted"',
    "back\\slash\\n",
    "$dollar${name}",
    "semi;colon,comma",
    "<tag>&amp;",
    "eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl",
    "x" * 2_000,
    "+/=base64==",
    "#fragment?query",
    "*" * 12 + "x",
    "--flag=value",
    "tok%0d%0aen",
    " leading-and-trailing \n",
]
BROKEN_TOKENS = [
    "two words",
    "line\nbreak",
    "carriage\rreturn",
    "tab\tulator",
    "nul\0byte",
    "naïve-ütf8",
    "令牌令牌",
    "\u200bhidden",
]
ADDRESSES = [
    "https://ann:sesame@api.example.com",
    "https://sesame@api.example.com",
    "https://api.example.com/?hapikey=sesame",
    "https://api.example.com/#sesame",
    "http://sesame.example.com",
    "ftp://sesame.example.com",
    "sesame",
    "https://[sesame",
    "https://",
    "https://api.example.com:sesame/",
]


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, pa.float64(), None),
        (0.0, pa.float64(), "0"),
        (-0.0, pa.float64(), "0"),
        (100.0, pa.float64(), "100"),
        (1e-06, pa.float64(), "0.000001"),
        (1e22, pa.float64(), "10000000000000000000000"),
        (-12.5, pa.float64(), "-12.5"),
        (7, pa.int32(), "7"),
        (1, pa.bool_(), "true"),
        (False, pa.bool_(), "false"),
        (date(2024, 6, 30), pa.date32(), "2024-06-30"),
        ("2024-06-30", pa.date32(), "2024-06-30"),
        (datetime(2024, 6, 30, 1, tzinfo=UTC), STAMP, "2024-06-30T01:00:00Z"),
        ("2024-06-30 01:00:00+00:00", STAMP, "2024-06-30T01:00:00Z"),
        ("2024-06-30T03:00:00+02:00", STAMP, "2024-06-30T01:00:00Z"),
        ("=1+1", pa.string(), "=1+1"),
    ],
)
def test_a_value_becomes_the_same_text_whichever_database_held_it(value, kind, text):
    assert rendered(value, kind) == text


@pytest.mark.parametrize(
    ("found", "wanted", "same"),
    [
        ("12.50", "12.5", True),
        ("1E+2", "100", True),
        ("12.5", "12.51", False),
        (None, None, True),
        ("", None, True),
        ("0", None, False),
        (None, "0", False),
        ("True", "true", True),
        ("2024-06-30T00:00:00Z", "2024-06-30", True),
        ("2024-07-01", "2024-06-30", False),
        ("nan", "text", False),
        ("Text", "text", False),
    ],
)
def test_a_record_holds_what_is_wanted_however_it_is_written(found, wanted, same):
    assert holds({"x": found}, {"x": wanted}) is same


def test_properties_come_back_from_their_canonical_text():
    properties = {"b": None, "a": 'ü "quoted"'}
    assert parsed(canonical(properties)) == properties
    assert canonical(properties) == canonical(dict(reversed(properties.items())))


def test_no_window_of_the_limit_holds_more_calls_than_allowed():
    time = FakeClock()
    limit, made = RollingLimit(5, 10.0, time.clock), []
    for _ in range(40):
        with limit.turn():
            made.append(time.now)
    assert all(later - first >= 10 for first, later in zip(made, made[5:], strict=False))
    limit.pause(60)
    with limit.turn():
        assert time.now - made[-1] >= 60


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Thu, 26 Nov 2026 10:00:30 GMT"}, None),
        (
            {
                "retry-after": "Thu, 26 Nov 2026 10:00:30 GMT",
                "date": "Thu, 26 Nov 2026 10:00:00 GMT",
            },
            30.0,
        ),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_moment(headers, seconds):
    assert Reply(429, headers, "").retry_after == seconds


@pytest.mark.parametrize("body", ["", "[]", "null", "{", '{"results": 1, "errors": "x"}'])
def test_an_answer_that_makes_no_sense_leaves_every_row_unknown(body):
    reading = read_written(ROWS, Reply(200, {}, body), id_property="no")
    assert {outcome.state for outcome in reading.outcomes} == {"unknown"}
    assert found_records(ROWS, Reply(200, {}, body), id_property="no") == ({}, set())


def test_a_record_of_nobody_in_the_batch_tells_nothing():
    body = '{"results": [{"id": "c"}, {"id": "a"}, {"id": "a"}], "errors": []}'
    outcomes = read_written(ROWS, Reply(200, {}, body), id_property=None).outcomes
    assert [(each.customer_id, each.state) for each in outcomes] == [
        ("a", "sent"),
        ("b", "unknown"),
    ]


@pytest.mark.parametrize("read", [found_records, read_written])
@pytest.mark.parametrize(
    ("status", "error", "told"),
    [
        (403, ServiceUnavailableError, "denies the private app access: saw missing scopes x"),
        (404, ConfigError, "does not know this object"),
        (418, ServiceUnavailableError, "no usable answer: saw 418"),
    ],
)
def test_an_answer_that_speaks_of_the_call_is_an_error_and_no_rows_fate(read, status, error, told):
    body = '{"category": "ANOTHER", "context": {"missingScopes": "x"}}'
    with pytest.raises(error, match=told):
        read(ROWS, Reply(status, {}, body), id_property=None)


@pytest.mark.parametrize(("named", "missing"), [('{"ids": ["b"]}', {"b"}), ("{}", {"a", "b"})])
def test_records_that_are_not_found_are_those_named_or_all(named, missing):
    body = f'{{"category": "OBJECT_NOT_FOUND", "context": {named}}}'
    assert found_records(ROWS, Reply(404, {}, body), id_property=None) == ({}, missing)


def test_a_reason_holds_no_value_of_the_customer():
    body = '{"category": "VALIDATION_ERROR", "message": "secret value was not a number for b"}'
    [outcome] = read_written(ROWS[1:], Reply(400, {}, body), id_property=None).outcomes
    assert outcome.reason == "VALIDATION_ERROR: *** was not a number for ***"


def test_an_error_that_names_a_property_names_no_row():
    body = (
        '{"results": [], "errors": [{"category": "VALIDATION_ERROR", "message": "no",'
        ' "context": {"propertyName": ["a"]}}]}'
    )
    reading = read_written(ROWS, Reply(207, {}, body), id_property=None)
    assert (reading.outcomes, reading.again) == ([], [ROWS[:1], ROWS[1:]])


@pytest.mark.parametrize("token", TOKENS)
def test_a_token_shows_in_no_message_trace_or_log(tmp_path, caplog, token):
    caplog.set_level(logging.DEBUG)
    time = FakeClock()
    weather = Weather(script=deque(["drop_before"]), token="another")
    with hubspot(seconds=time.seconds, weather=weather) as (_, address):
        to = crm(address, tmp_path, clock=time.clock, token=token)
        with closing(opened(to, sleep=time.sleep, now=lambda: NOW)) as vendor:
            answers = [vendor.send(ROWS, None), vendor.send(ROWS, None)]
    assert answers[1].stop is not None
    told = [repr(to), repr(vendor), str(vars(vendor)), repr(answers), vendor.name, vendor.place]
    told += traceback.format_exception(answers[1].stop)
    assert token.strip() not in "\n".join([*told, caplog.text])


def test_a_call_that_is_put_off_again_and_again_is_for_later(tmp_path):
    time = FakeClock()
    weather = Weather(shares={"429": 1.0}, retry_after="1")
    with hubspot(seconds=time.seconds, weather=weather) as (server, address):
        to = crm(address, tmp_path, clock=time.clock)
        to = replace(to, patience=replace(to.patience, waits=3))
        with closing(opened(to, sleep=time.sleep, now=lambda: NOW)) as vendor:
            answer = vendor.send(ROWS, None)
    assert isinstance(answer.stop, TryAgainLaterError)
    assert "put off 3 times" in str(answer.stop)
    assert [outcome.state for outcome in answer.outcomes] == ["pending", "pending"]
    assert len(server.calls) == 3


@pytest.mark.parametrize("token", BROKEN_TOKENS)
def test_a_token_that_cannot_be_one_is_refused_without_being_shown(tmp_path, token):
    to = crm("https://api.example.com", tmp_path, token=token)
    with pytest.raises(ConfigError, match="token") as told:
        opened(to, sleep=FakeClock().sleep, now=lambda: NOW)
    assert token not in "".join(traceback.format_exception(told.value))


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_that_cannot_be_one_is_refused_without_being_shown(address):
    with pytest.raises(PortfolioError) as told:
        address_of(address, who="HubSpot")
    assert "sesame" not in "".join(traceback.format_exception(told.value)).replace("address_of", "")


def test_an_address_may_have_a_path_and_this_machine_needs_no_encryption():
    assert address_of("https://gate.example.com/crm/", who="HubSpot") == (
        "https://gate.example.com/crm"
    )
    assert address_of("http://127.0.0.1:8000", who="HubSpot") == "http://127.0.0.1:8000"


def test_a_table_is_named_after_its_object(tmp_path):
    assert table_of(crm("https://a.example", tmp_path).target) == "hubspot_contacts"
    assert table_of(crm("https://a.example", tmp_path, object="2-34").target) == "hubspot_2_34"
