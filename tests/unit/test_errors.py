"""What an error says, and the exit code it carries."""

import pytest

from portfolio_ml.errors import (
    ConfigError,
    DataError,
    NothingToDoError,
    PortfolioError,
    RefusedError,
    ServiceUnavailableError,
    TryAgainLaterError,
    missing_column,
    nearest,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (PortfolioError, 1),
        (ConfigError, 2),
        (DataError, 65),
        (ServiceUnavailableError, 69),
        (TryAgainLaterError, 75),
        (RefusedError, 78),
        (NothingToDoError, 99),
    ],
)
def test_every_kind_carries_its_exit_code(kind, code):
    assert kind("no").exit_code == code


def test_every_kind_is_a_portfolio_error_with_a_code_of_its_own():
    kinds = PortfolioError.__subclasses__()
    assert len({kind.exit_code for kind in kinds} | {1}) == len(kinds) + 1


class TestTheSentence:
    def test_is_only_what_was_wrong_where_nothing_else_is_known(self):
        assert str(DataError("no rows")) == "No rows."

    def test_tells_where_what_was_seen_and_what_to_do(self):
        error = DataError("no rows", where="a.csv", saw="a header", do="export it again")
        assert str(error) == "No rows (in a.csv): saw a header. Export it again."

    @pytest.mark.parametrize("ending", [".", "?", "!"])
    def test_gets_no_second_full_stop(self, ending):
        assert str(DataError("no rows", do=f"look{ending}")) == f"No rows. Look{ending}"

    def test_leaves_the_case_of_a_quoted_name_alone(self):
        assert str(DataError("'Amount' is missing")) == "'Amount' is missing."

    def test_keeps_its_parts_for_those_who_show_them_apart(self):
        error = DataError("no rows", where="a.csv", saw="a header", do="look")
        assert (error.what, error.where, error.saw, error.do) == (
            *("no rows", "a.csv", "a header", "look"),
        )


class TestTheNearestName:
    @pytest.mark.parametrize("name", ["custmer_id", "Customer_ID", "customerid"])
    def test_forgives_slips_and_case(self, name):
        assert nearest(name, ["amount", "customer_id"]) == "customer_id"

    def test_is_given_as_it_is_written(self):
        assert nearest("amount", ["Amount"]) == "Amount"

    @pytest.mark.parametrize("known", [[], ["date", "quantity"]])
    def test_is_none_where_nothing_is_close(self, known):
        assert nearest("customer_id", known) is None

    def test_can_be_chosen_from_names_that_are_read_only_once(self):
        assert nearest("amuont", iter(["amount"])) == "amount"


class TestAMissingColumn:
    def test_lists_those_that_are_there_in_order(self):
        error = missing_column("price", ["day", "Buyer"], where="a.csv")
        assert error.saw == "columns 'Buyer', 'day'"
        assert error.exit_code == 65

    def test_says_where_there_is_none_at_all(self):
        assert missing_column("price", [], where="a.csv").saw == "no columns"

    def test_offers_the_nearest_and_the_section_that_maps_it(self):
        error = missing_column("amuont", ["amount"], where="a.csv", mapped_under="data.x.columns")
        assert str(error).endswith("Did you mean 'amount'? Map it under data.x.columns.")

    def test_names_the_section_that_maps_it_where_nothing_is_near(self):
        error = missing_column("price", ["day"], where="a.csv", mapped_under="data.x.columns")
        assert str(error).endswith(". Map it under data.x.columns.")

    def test_names_no_section_where_nothing_maps_it(self):
        assert str(missing_column("x", ["day"], where="the input")).endswith(
            ". Give it under this name."
        )
