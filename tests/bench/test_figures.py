"""What the tables are computed from."""

from tests.bench.crowd import writes_in
from tests.bench.figures import Figure, at_least, at_most, compared, percentile, short

METRICS = """\
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",component="apiserver",resource="clawinstances",subresource="status",verb="PATCH"} 3
apiserver_request_total{code="422",component="apiserver",resource="clawinstances",subresource="status",verb="PATCH"} 7
apiserver_request_total{code="201",component="apiserver",resource="secrets",subresource="",verb="POST"} 1.2e+01
apiserver_request_total{code="200",component="apiserver",resource="secrets",subresource="",verb="GET"} 9
apiserver_request_duration_seconds_sum{verb="POST"} 5
"""


def test_a_figure_is_told_by_its_median_and_its_range() -> None:
    assert str(Figure.of([3.04, 1.01, 2.0], "ms")) == "2 ms (1.01–3.04)"
    assert str(Figure.of([1234.5], "/s")) == "1,234 /s"


def test_a_ratio_is_made_round_by_round() -> None:
    ours, theirs = Figure.of([1.0, 10.0, 3.0], "/s"), Figure.of([2.0, 20.0, 3.0], "/s")
    assert (ours / theirs).rounds == (0.5, 0.5, 1.0)


def test_an_aim_is_one_of_the_median() -> None:
    figure = Figure.of([0.1, 0.6, 0.7])
    assert at_least(0.5, figure).held
    assert not at_most(0.5, figure).held
    assert at_most(0.5, Figure.of([1], "s")).text == "≤ 0.5 s"


def test_what_is_compared_is_held_against_the_ratio() -> None:
    row = compared("X1", "ours", Figure.of([100.0], "/s"), "floor", Figure.of([400.0], "/s"), least=0.3)
    assert row.against == "floor: 400 /s"
    assert row.aim is not None
    assert not row.aim.held


def test_percentiles_of_few_and_of_many() -> None:
    assert percentile([7.0], 99) == 7.0
    assert percentile([float(number) for number in range(101)], 99) == 99.0


def test_numbers_have_about_three_digits() -> None:
    assert [short(value) for value in (0, 0.0123, 0.25, 1.5, 12.34, 123.4, 12345)] == [
        "0",
        "0.012",
        "0.25",
        "1.50",
        "12.3",
        "123",
        "12,345",
    ]


def test_the_api_server_counts_writes_and_only_those_that_succeeded() -> None:
    assert writes_in(METRICS) == {"PATCH clawinstances/status": 3, "POST secrets": 12}
