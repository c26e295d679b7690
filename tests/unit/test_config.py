"""From a YAML file and the environment to frozen settings, or to every fault at once."""

import os

import pytest
from pydantic import ValidationError

from portfolio_ml import config
from portfolio_ml.config import Settings, load_settings, settings_from, yaml_file
from portfolio_ml.errors import ConfigError

pytestmark = pytest.mark.unit

SHOP = """\
name: shop
data:
  transactions: {source: sales.csv}
"""


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    """No setting comes in from the machine that runs the tests."""
    for name in os.environ:
        if name.upper().startswith(config.ENVIRONMENT_PREFIX):
            monkeypatch.delenv(name)


@pytest.fixture
def load(tmp_path):
    """Loads a text as a config file."""

    def load(text: str | bytes) -> Settings:
        file = tmp_path / "shop.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_settings(file)

    return load


def fault(load, text: str | bytes) -> str:
    """What is said about a faulty text."""
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert caught.value.exit_code == 2
    return str(caught.value)


class TestAGoodFile:
    def test_needs_only_a_name_and_the_transactions(self, load):
        settings = load(SHOP)
        assert settings.name == "shop"
        assert settings.data.transactions.source == "sales.csv"
        assert settings.targets.churn.horizon_days == 90

    def test_may_begin_with_a_byte_order_mark(self, load):
        assert load(b"\xef\xbb\xbf" + SHOP.encode()).name == "shop"

    def test_keeps_text_that_is_not_ascii(self, load):
        assert load(SHOP + "currency: złoty\n").currency == "złoty"

    def test_gives_settings_that_cannot_be_changed(self, load):
        settings = load(SHOP)
        with pytest.raises(ValidationError, match="frozen"):
            settings.name = "other"
        with pytest.raises(ValidationError, match="frozen"):
            settings.training.seed = 1

    def test_names_the_experiment_or_leaves_it_to_the_portfolio(self, load):
        assert load(SHOP).experiment == "shop"
        assert load(SHOP + "tracking: {experiment: other}\n").experiment == "other"

    def test_may_write_a_number_as_text(self, load):
        assert load(SHOP + 'training: {snapshots: "4"}\n').training.snapshots == 4

    def test_may_deliver_to_several_targets(self, load):
        text = "delivery: [{kind: sql, url: 'sqlite:///a.db'}, {kind: parquet, path: a.parquet}]\n"
        assert [target.kind for target in load(SHOP + text).delivery] == ["sql", "parquet"]


class TestPaths:
    def test_are_relative_to_the_folder_of_the_config(self, load, tmp_path):
        settings = load(SHOP)
        assert settings.base == tmp_path
        assert settings.resolve(settings.report.path) == tmp_path / "report.html"

    def test_are_not_relative_to_where_the_command_is_run(self, load, tmp_path, monkeypatch):
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "shop.yaml").write_text(SHOP)
        monkeypatch.chdir(tmp_path)
        settings = load_settings("shop.yaml")
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert settings.resolve(settings.report.path) == tmp_path / "report.html"

    def test_stay_where_they_are_if_absolute(self, load):
        settings = load(SHOP + "report: {path: /srv/report.html}\n")
        assert str(settings.resolve(settings.report.path)) == "/srv/report.html"

    def test_of_the_engines_temporary_folder_are_relative_to_it_too(self, load, tmp_path):
        settings = load(SHOP + "engine: {temp_directory: spill}\n")
        assert settings.engine.temp_directory == tmp_path / "spill"

    def test_of_sparks_temporary_folder_are_relative_to_it_too(self, load, tmp_path):
        settings = load(SHOP + "engine: {kind: spark, temp_directory: spill}\n")
        assert settings.engine.temp_directory == tmp_path / "spill"

    def test_of_settings_from_a_mapping_start_from_the_given_folder(self, tmp_path):
        values = {"name": "shop", "data": {"transactions": {"source": "a.csv"}}}
        assert settings_from(values, base=tmp_path).base == tmp_path


class TestAFileThatCannotBeRead:
    def test_may_be_missing(self, tmp_path):
        with pytest.raises(ConfigError, match="saw no such file"):
            load_settings(tmp_path / "none.yaml")

    def test_may_be_a_folder(self, tmp_path):
        with pytest.raises(ConfigError, match="saw a folder"):
            load_settings(tmp_path)

    def test_may_have_an_impossible_name(self, tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            load_settings(tmp_path / ("x" * 300))

    def test_may_be_too_large(self, load):
        assert "too large" in fault(load, SHOP + "#" * yaml_file.MAX_CONFIG_BYTES)

    @pytest.mark.parametrize("text", ["", "- a\n- b\n", "shop", "1: a\n", "null\n"])
    def test_may_be_no_mapping(self, load, text):
        assert "must be a mapping" in fault(load, text)

    @pytest.mark.parametrize(
        "text",
        [
            "name: [",
            "name: 'shop",
            "name: a: b",
            "a: 1\n---\nb: 2\n",
            b"name: \xff\xfe",
            "name: \x07",
            "name: !!python/object:os.system {}",
            "name: 2024-02-31",
            "name: !!timestamp often",
            "? [a]\n: b\n",
            "name: " + "[" * 5_000,
        ],
    )
    def test_may_be_no_yaml(self, load, text):
        assert "no valid YAML" in fault(load, text)

    def test_tells_the_line_at_fault_but_none_of_its_text(self, load):
        said = fault(load, "name: shop\nurl: 'postgresql://ann:s3cret@db/crm\n")
        assert "line" in said
        assert "s3cret" not in said


class TestYamlThatIsNotPlain:
    def test_a_key_that_is_there_twice_is_refused_with_its_line(self, load):
        said = fault(load, SHOP + "training: {seed: 1}\ntraining: {seed: 2}\n")
        assert "at line 5" in said
        assert "the key 'training' a second time" in said

    def test_a_key_that_is_there_twice_further_down_is_refused_too(self, load):
        assert "'seed' a second time" in fault(load, SHOP + "training: {seed: 1, seed: 2}\n")

    def test_the_same_key_in_two_sections_is_fine(self, load):
        text = "targets: {churn: {horizon_days: 30}, lifetime_value: {horizon_days: 60}}\n"
        assert load(SHOP + text).targets.lifetime_value.horizon_days == 60

    def test_aliases_that_would_multiply_are_refused_at_once(self, load):
        levels = (f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
        assert "at line 2" in fault(load, "a0: &a0 lol\n" + "".join(levels))

    def test_an_alias_of_itself_is_refused(self, load):
        assert "an alias" in fault(load, SHOP + "delivery: &d [*d]\n")


class TestFaults:
    def test_are_told_all_at_once_each_with_its_path(self, load):
        said = fault(
            load,
            """
            name: a shop
            timezone: Mars/Base
            data:
              transactions: {columns: {customer_id: id, amount: value}}
              max_quarantined_share: 2
            activity: {window_days: never}
            targets: {segments: {count: 1}}
            training: {snapshot: 3}
            delivery: [{kind: sql}, {kind: fax}, {kind: sql, url: 'sqlite:///a.db', tabel: x}]
            """,
        )
        for path in (
            "name: use letters, digits",
            "timezone: 'Mars/Base' is no time zone",
            "data.transactions.source: field required",
            "data.transactions.columns: 'timestamp' must be mapped",
            "data.max_quarantined_share: input should be less than or equal to 1",
            "activity.window_days: input should be a valid integer",
            ", or input should be 'auto'",
            "targets.segments.count: input should be greater than or equal to 2",
            "training.snapshot: unknown key, did you mean 'snapshots'?",
            "delivery[0].url: field required",
            "delivery[1]: kind should be one of 'sql', 'parquet', 'csv', 'hubspot', 'salesforce'",
            "delivery[2].tabel: unknown key, did you mean 'table'?",
        ):
            assert path in said

    @pytest.mark.parametrize(
        ("text", "hint"),
        [
            ("trainig: {seed: 1}\n", "trainig: unknown key, did you mean 'training'?"),
            ("targets: {chrun: {}}\n", "targets.chrun: unknown key, did you mean 'churn'?"),
            ("my-own: 1\n", "my-own: unknown key ("),
            ("report: {my-own: 1}\n", "report.my-own: unknown key ("),
        ],
    )
    def test_of_an_unknown_key_suggest_the_nearest(self, load, text, hint):
        assert hint in fault(load, SHOP + text)

    def test_of_two_targets_that_write_to_one_object_name_the_object(self, load):
        one = "{kind: hubspot, token: x, columns: {p_churn: risk}}"
        said = fault(load, SHOP + f"delivery: [{one}, {one}]\n")
        assert "delivery: two targets write to hubspot's contacts" in said

    def test_of_a_state_database_that_cannot_hold_an_outbox_name_those_that_can(self, load):
        text = SHOP + "state: {url: mariadb://db/crm}\n"
        assert load(text).state.url == "mariadb://db/crm"
        hubspot = "{kind: hubspot, token: x, columns: {p_churn: risk}}"
        said = fault(load, f"{text}delivery: [{hubspot}]\n")
        assert "state: hubspot needs a state database in SQLite or PostgreSQL" in said

    @pytest.mark.parametrize("key", ["_env_file", "_cli_parse_args", "_base", "__pydantic_self__"])
    def test_of_keys_that_would_steer_the_library_are_unknown_keys(self, load, key):
        assert f"{key}: unknown key" in fault(load, SHOP + f"{key}: true\n")

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("training: 3\n", "training: input should be a mapping"),
            ("training:\n", "training: input should be a mapping"),
            ("training: {seed: -1}\n", "training.seed: input should be greater than"),
            ("training: {seed: 1.5}\n", "training.seed: input should be a valid integer"),
            ("training: {snapshots: yes}\n", "training.snapshots: input should be a number"),
            ("targets: {churn: {horizon_days: 0}}\n", "horizon_days: input should be greater"),
            ("targets: {lifetime_value: {coverage: .nan}}\n", "coverage: input should be"),
            ("scoring: {reasons: 11}\n", "scoring.reasons: input should be less"),
            ("gate: {max_loss: .inf}\n", "gate.max_loss: input should be less"),
            ("delivery: {kind: sql}\n", "delivery: input should be a list"),
            ("engine: {kind: polars}\n", "engine: kind should be one of 'duckdb', 'spark'"),
            ("engine: {treads: 2}\n", "engine.treads: unknown key, did you mean 'threads'"),
            ("engine: {kind: spark, master: here}\n", "engine.master: write it as local[4]"),
            ("engine: {kind: spark, remote: here}\n", "engine.remote: write it as sc://"),
            (
                "engine: {kind: spark, master: local, remote: 'sc://x'}\n",
                "engine: name a master or a remote, not both",
            ),
            (
                "engine: {kind: spark, options: {spark.driver.memory: [1]}}\n",
                "engine.options: input should be a valid string",
            ),
            ("engine: {memory_limit: lots}\n", "engine.memory_limit: write a number and its unit"),
            ("engine: {threads: off}\n", "engine.threads: input should be a number, not false"),
            ("report: {path: 3}\n", "report.path: input is not a valid path"),
            ("currency: [EUR]\n", "currency: input should be a valid string"),
        ],
    )
    def test_of_wrong_types_say_what_is_wanted(self, load, text, said):
        assert said in fault(load, SHOP + text)

    @pytest.mark.parametrize(
        "zone", ["Europe", "localtime", "posix/Europe/Berlin", "../etc/passwd", "''", "x'; --"]
    )
    def test_of_a_time_zone_name_a_good_one(self, load, zone):
        assert "use a name such as Europe/Berlin" in fault(load, SHOP + f"timezone: {zone}\n")

    def test_of_a_mapping_are_told_as_well(self):
        with pytest.raises(ConfigError, match=r"data: field required.*the given settings"):
            settings_from({"name": "shop"})

    def test_of_a_mapping_may_be_a_key_that_is_no_text(self):
        with pytest.raises(ConfigError, match="1: unknown key"):
            settings_from({"name": "shop", 1: 2})


class TestTheColumns:
    @pytest.mark.parametrize(
        ("columns", "said"),
        [
            ("{customer_id: a, timestamp: b, amuont: c}", "'amuont' is no column of transactions"),
            ("{customer_id: a, timestamp: b, amuont: c}", "did you mean 'amount'?"),
            ("{customer_id: a, timestamp: b, amuont: c}", "'amount' must be mapped"),
            ("{customer_id: a, timestamp: b, amount: a}", "'a' must not be mapped more than once"),
            ("{}", "'customer_id', 'timestamp', 'amount' must be mapped"),
        ],
    )
    def test_are_checked_against_those_of_transactions(self, load, columns, said):
        text = f"name: shop\ndata: {{transactions: {{source: a.csv, columns: {columns}}}}}\n"
        told = fault(load, text)
        assert told.count("data.transactions.columns: ") == 1
        assert said in told


class TestTheSource:
    @pytest.mark.parametrize(
        "ways", ["", ", table: a, query: SELECT 1"], ids=["neither", "table and query"]
    )
    def test_a_database_is_read_by_either_a_table_or_a_query(self, load, ways):
        text = f"name: shop\ndata: {{transactions: {{source: 'sqlite:///a.db'{ways}}}}}\n"
        assert "data.transactions: a database needs either table or query" in fault(load, text)

    def test_a_file_has_neither(self, load):
        text = "name: shop\ndata: {transactions: {source: a.csv, table: sales}}\n"
        assert "data.transactions: table and query are for a database" in fault(load, text)


class TestTheLifecycle:
    def test_has_usual_limits(self, load):
        limits = load(SHOP).lifecycle
        found = (limits.new_days, limits.mature_days, limits.declining_below)
        assert found == (365, 730, -0.25)

    def test_needs_days_in_between_for_those_who_develop(self, load):
        said = fault(load, SHOP + "lifecycle: {new_days: 800}\n")
        assert "lifecycle: new_days must be below mature_days" in said


class TestTheEnvironment:
    def test_fills_in_variables_wherever_they_stand(self, load, monkeypatch):
        monkeypatch.setenv("CRM_PASSWORD", "s3cret")
        text = "delivery: [{kind: sql, url: 'postgresql://ann:${CRM_PASSWORD}@db/crm'}]\n"
        assert load(SHOP + text).delivery[0].url == "postgresql://ann:s3cret@db/crm"

    def test_fills_in_numbers(self, load, monkeypatch):
        monkeypatch.setenv("SEED", "11")
        assert load(SHOP + "training: {seed: '${SEED}'}\n").training.seed == 11

    def test_fills_a_value_in_once_only(self, load, monkeypatch):
        monkeypatch.setenv("OUTER", "${INNER}")
        monkeypatch.setenv("INNER", "x")
        assert load(SHOP + "tracking: {uri: 'a-${OUTER}'}\n").tracking.uri == "a-${INNER}"

    def test_leaves_a_lone_dollar_alone(self, load):
        assert load(SHOP + "currency: $US\n").currency == "$US"

    def test_is_told_by_name_and_path_where_a_variable_is_missing(self, load, monkeypatch):
        monkeypatch.delenv("CRM_PASSWORD", raising=False)
        said = fault(load, SHOP + "delivery: [{kind: sql, url: 'x://ann:${CRM_PASSWORD}@db'}]\n")
        assert "delivery[0].url: needs the environment variable CRM_PASSWORD" in said

    def test_is_told_of_every_missing_variable_and_of_the_other_faults(self, load):
        said = fault(
            load,
            "name: shop\n"
            "data: {transactions: {source: '${NO_SOURCE}', table: sales}}\n"
            "timezone: ${NO_ZONE}\n"
            "training: {sede: 1}\n",
        )
        assert "data.transactions.source: needs the environment variable NO_SOURCE" in said
        assert "timezone: needs the environment variable NO_ZONE" in said
        assert "training.sede: unknown key" in said
        assert said.count(";") == 2

    @pytest.mark.parametrize("name", ["PASS-WORD", "PASSWORD:-s3cret", "", " "])
    def test_is_not_asked_for_what_is_no_name(self, load, name):
        said = fault(load, SHOP + f"tracking: {{uri: 'x://${{{name}}}'}}\n")
        assert "tracking.uri: ${...} must hold the name of an environment variable" in said
        assert "s3cret" not in said

    def test_overrides_a_key_of_the_file_and_leaves_its_neighbours(self, load, monkeypatch):
        monkeypatch.setenv("PORTFOLIO_ML__TRAINING__SEED", "11")
        settings = load(SHOP + "training: {seed: 3, snapshots: 4}\n")
        assert (settings.training.seed, settings.training.snapshots) == (11, 4)

    def test_supplies_what_the_file_leaves_out(self, load, monkeypatch):
        monkeypatch.setenv("PORTFOLIO_ML__NAME", "shop")
        assert load("data: {transactions: {source: a.csv}}\n").name == "shop"

    def test_supplies_a_section_as_json(self, load, monkeypatch):
        monkeypatch.setenv("PORTFOLIO_ML__DELIVERY", '[{"kind": "parquet", "path": "a.parquet"}]')
        assert load(SHOP).delivery[0].kind == "parquet"

    def test_of_another_programme_is_left_alone(self, load, monkeypatch):
        monkeypatch.setenv("PORTFOLIO_ML_DATA", "/data")
        assert load(SHOP).name == "shop"

    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("TRAINING__SEED", "s3cret", "training.seed: input should be a valid integer"),
            ("TARGETS__CHURN__HORIZON_DAYS", "0", "targets.churn.horizon_days: input should be"),
            ("TRAINING__SEDE", "1", "training.sede: unknown key, did you mean 'seed'?"),
            ("TRAINIG__SEED", "1", "PORTFOLIO_ML__TRAINIG__SEED: unknown key, did you mean"),
            ("DATA", "s3cret", "PORTFOLIO_ML__... is no valid JSON"),
        ],
    )
    def test_has_its_faults_told_with_the_others(self, load, monkeypatch, name, value, said):
        monkeypatch.setenv(f"PORTFOLIO_ML__{name}", value)
        told = fault(load, SHOP + "gate: {max_loss: -1}\n")
        assert said in told
        assert "s3cret" not in told


class TestSecrets:
    @pytest.mark.parametrize("broken", ["trainig: {}", "timezone: Mars", "delivery: [{kind: x}]"])
    def test_are_in_no_message_about_other_faults(self, load, monkeypatch, broken):
        monkeypatch.setenv("CRM", "postgresql://ann:s3cret@db/crm")
        key = "tracking" if "delivery" in broken else "delivery"
        text = {"tracking": "{uri: '${CRM}'}", "delivery": "[{kind: sql, url: '${CRM}'}]"}[key]
        said = fault(load, f"{SHOP}{key}: {text}\n{broken}\n")
        assert "s3cret" not in said

    def test_are_in_no_message_about_their_own_section(self, load):
        text = "delivery: [{kind: sql, url: 'postgresql://ann:s3cret@db/crm', tabel: x}]\n"
        assert "s3cret" not in fault(load, SHOP + text)

    def test_are_not_shown_with_the_settings(self, load):
        settings = load(
            """
            name: shop
            data: {transactions: {source: 'postgresql://ann:s3cret@db/crm', table: sales}}
            tracking: {uri: 'postgresql://ann:s3cret@db/mlflow'}
            delivery: [{kind: sql, url: 'postgresql://ann:s3cret@db/crm'}]
            """
        )
        assert "s3cret" not in f"{settings!r} {settings}"
