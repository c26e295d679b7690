"""Whatever stands in a file: settings, or one error that tells every fault and no secret."""

import contextlib

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tests.examples import shown

from portfolio_ml.config import Settings, load_settings, settings_from
from portfolio_ml.errors import ConfigError

pytestmark = pytest.mark.property

SECRET = "s3cret"
SHOP = {"name": "shop", "data": {"transactions": {"source": "a.csv"}}}

examples = shown(60, HealthCheck.function_scoped_fixture)

keys = st.one_of(
    st.sampled_from(
        (*Settings.model_fields, "source", "columns", "url", "kind", "table", "seed", "_env_file")
    ),
    st.text(max_size=6),
)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.dates(),
    st.sampled_from(("sql", "auto", "cdnow", "UTC", "${PORTFOLIO_NOT_SET}", "x://y", "1 GB")),
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
mappings = st.dictionaries(keys, values, max_size=6)


@examples
@given(st.one_of(st.text(), st.binary(), mappings.map(yaml.safe_dump)))
def test_any_file_gives_settings_or_a_config_error(tmp_path, content):
    file = tmp_path / "shop.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode(errors="replace"))
    with contextlib.suppress(ConfigError):
        assert isinstance(load_settings(file), Settings)


@examples
@given(mappings)
def test_any_mapping_gives_settings_or_a_config_error(given):
    with contextlib.suppress(ConfigError):
        assert isinstance(settings_from(SHOP | given), Settings)


@examples
@given(st.lists(st.sampled_from(("activity", "engine", "gate", "targets")), min_size=1))
def test_every_faulty_section_is_named(sections):
    with pytest.raises(ConfigError) as caught:
        settings_from(SHOP | {section: {"my_own": 1} for section in sections})
    assert all(f"{section}.my_own: unknown key" in str(caught.value) for section in sections)


@examples
@given(
    fault=st.dictionaries(st.sampled_from(("name", "timezone", "gate", "training")), leaves),
    place=st.sampled_from(("tracking", "delivery", "data")),
    extra=st.dictionaries(st.sampled_from(("tabel", "uri", "kind", "path")), st.integers()),
)
def test_no_message_and_no_settings_show_a_secret(tmp_path, monkeypatch, fault, place, extra):
    monkeypatch.setenv("PORTFOLIO_TEST_SECRET", SECRET)
    url = "postgresql://ann:${PORTFOLIO_TEST_SECRET}@db/crm"
    section = {
        "tracking": {"uri": url, **extra},
        "delivery": [{"kind": "sql", "url": url, **extra}],
        "data": {"transactions": {"source": url, "table": "sales", **extra}},
    }[place]
    file = tmp_path / "shop.yaml"
    file.write_text(yaml.safe_dump({**SHOP, **fault, place: section}))
    try:
        shown = repr(load_settings(file))
    except ConfigError as error:
        shown = str(error)
    assert SECRET not in shown
