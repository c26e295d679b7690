"""Texts of any kind reach Salesforce as they are: in the CSV of a job, and in a query."""

import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.salesforce_org import Org

from portfolio_ml.config.delivery_sections import SalesforceTarget
from portfolio_ml.sinks.vendors.salesforce.batch import job_data
from portfolio_ml.sinks.vendors.salesforce.fields import csv_rows
from portfolio_ml.sinks.vendors.salesforce.soql import queries_for
from portfolio_ml.sinks.vendors.vendor import Wanted

pytestmark = pytest.mark.property

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
SPECIAL = st.sampled_from(["'", '"', "\\", "\n", "\r\n", ",", "=1", "') OR Id != ('", "\U0001f600"])
HOSTILE = st.lists(TEXTS | SPECIAL, min_size=1, max_size=6).map("".join)
TARGET = SalesforceTarget(
    kind="salesforce",
    login_url="https://acme.my.salesforce.com",
    client_id="id",
    client_secret="secret",
    external_id="Customer__c",
    columns={"segment_name": "Segment__c", "value_tier": "Tier__c"},
    mode="upsert",
)


@given(values=st.dictionaries(HOSTILE, st.tuples(st.none() | HOSTILE, st.none() | HOSTILE)))
def test_a_job_holds_every_text_as_it_is_and_null_as_its_own_sign(values):
    ready = {
        key: Wanted(key, {"Segment__c": segment, "Tier__c": tier})
        for key, (segment, tier) in values.items()
    }
    data, sent = job_data(ready, target=TARGET, most_bytes=10_000_000)

    assert [tuple(row.values()) for row in csv_rows(data.decode())] == [
        (key, *(text or "#N/A" for text in ready[key].properties.values())) for key in sent
    ]
    assert {key.strip().casefold() for key in ready} == {key.strip().casefold() for key in sent}


@given(values=st.dictionaries(HOSTILE, HOSTILE, max_size=30), most_bytes=st.integers(0, 2000))
def test_a_job_is_never_longer_than_its_limit(values, most_bytes):
    ready = {
        key: Wanted(key, {"Segment__c": text, "Tier__c": None}) for key, text in values.items()
    }
    data, sent = job_data(ready, target=TARGET, most_bytes=most_bytes)

    assert len(data) <= max(most_bytes, len('"Customer__c","Segment__c","Tier__c"\n'))
    assert len(list(csv_rows(data.decode()))) == len(sent)


@given(
    asked=st.lists(HOSTILE, min_size=1, max_size=30, unique=True),
    others=st.lists(HOSTILE, max_size=5),
    most_bytes=st.integers(200, 3000),
)
def test_queries_ask_for_exactly_the_ids_wanted_and_fit_an_address(asked, others, most_bytes):
    org = Org({"Customer__c": "string"})
    org.records = {str(n): {"Id": str(n), "Customer__c": t} for n, t in enumerate(asked + others)}
    found = set()
    for query in queries_for(asked, of="Account", field="Customer__c", most_bytes=most_bytes):
        quoted = re.sub(r"\\.", "", query)  # an id may hold what parts two
        single = quoted.count("','") == 0
        assert single or len(quote(query, safe="")) <= most_bytes
        records = org.query(query)
        assert records is not None
        found |= {record["Customer__c"] for record in records}

    folded = {text.casefold() for text in asked}
    assert found == {t for t in asked + others if t.casefold() in folded}
