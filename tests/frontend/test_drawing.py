"""Plots as coordinates and texts: by table, and for any data that a worker may send."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mimir.frontend.drawing import classification, importance, profiles, regression
from mimir.frontend.drawing.charts import HEIGHT, SERIES_MAX, TOP, WIDTH, Chart, frame, labels
from mimir.frontend.drawing.scales import LARGEST, figure, label, scale
from tests.frontend.shelf import classification as classified
from tests.frontend.shelf import regression as regressed

FLOOR = 216


@pytest.mark.parametrize(
    ("value", "description"),
    [
        (412.3, "412"),
        (0.86, "0.86"),
        (0.8601, "0.86"),
        (35.0, "35"),
        (1105, "1,105"),
        (-0.002, "−0.002"),
        (100, "100"),
        (99.96, "100"),
        (0, "0"),
        (12_345_678, "12.3 M"),
        (0.00001234, "1.23e−05"),
        (None, "missing"),
        (True, "missing"),
        (float("nan"), "not a number"),
        (float("inf"), "infinite"),
        (10**400, "beyond 1e+150"),
    ],
)
def test_a_measured_value_has_three_significant_digits(value: object, description: str) -> None:
    assert figure(value) == description


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0, 52], ["0", "20", "40", "60"]),
        ([212, 5871], ["0", "2,000", "4,000", "6,000"]),
        ([0, 1], ["0", "0.25", "0.50", "0.75", "1.00"]),
        ([-1.6, 1.6], ["−2", "−1", "0", "1", "2"]),
        ([3, 3], ["1", "2", "3", "4", "5"]),
        ([0, 0], ["−1.0", "−0.5", "0", "0.5", "1.0"]),
        ([2e6, 9e6], ["2 M", "4 M", "6 M", "8 M", "10 M"]),
        ([0.0001, 0.0004], ["0.0001", "0.0002", "0.0003", "0.0004"]),
    ],
)
def test_an_axis_has_round_numbers_around_its_values(
    values: list[float], labels: list[str]
) -> None:
    assert [word for _, word in scale(values, 0, 100).ticks()] == labels


def test_a_fixed_axis_has_the_round_numbers_between_its_ends() -> None:
    drawn = scale([-1600, 1600], 0, 320, most=6, whole=False)
    assert drawn.ticks() == [(60.0, "−1,000"), (160.0, "0"), (260.0, "1,000")]
    assert (drawn.at(-1600), drawn.at(1600), drawn.at(9999)) == (0, 320, 320)


@given(st.lists(st.floats(-LARGEST, LARGEST), min_size=1, max_size=20))
def test_an_axis_holds_all_its_values_and_not_many_ticks(values: list[float]) -> None:
    drawn = scale(values, 0, 100)
    assert 0 < len(drawn.ticks()) <= 8
    assert all(0 <= drawn.at(value) <= 100 for value in values)
    assert all(word for _, word in drawn.ticks())


def test_a_tick_of_a_fine_step_keeps_its_digits() -> None:
    assert label(0.25, 0.25) == "0.25"
    assert label(0.025, 0.005) == "0.025"
    assert label(-2.5, 2.5) == "−2.5"


def test_predicted_against_actual_puts_correct_predictions_on_the_diagonal() -> None:
    chart = regression.predicted_actual(
        [("", {"predicted_actual": {"actual": [0, 50, 100], "predicted": [0, 50, 100]}})]
    )
    assert chart
    points = chart.marks[0].points
    slope = (chart.floor - TOP) / (chart.right - chart.left)
    for x, y in points:
        assert chart.floor - y == pytest.approx((x - chart.left) * slope, abs=0.2)
    assert (
        chart.description
        == "Predicted against actual values of 3 held-out rows; median absolute error 0."
    )
    assert chart.numbers.head == ["Actual", "Predicted"]
    assert chart.numbers.rows == [["0", "0"], ["50", "50"], ["100", "100"]]
    assert chart.labels == []


def test_two_versions_differ_by_marks_and_names() -> None:
    data = {"predicted_actual": {"actual": [1, 2], "predicted": [2, 2]}}
    chart = regression.predicted_actual([("version 1", data), ("version 2", data)])
    assert chart
    assert (len(chart.marks[0].points), chart.marks[0].path) == (2, "")
    assert (chart.marks[1].points, chart.marks[1].path.count("M")) == ([], 2)
    assert [one.text for one in chart.labels] == ["version 1", "version 2"]
    assert chart.numbers.rows[2] == ["version 2", "1", "2"]
    assert "version 2: predicted against actual" in chart.description


def test_the_height_of_a_bar_is_the_count_of_its_bin() -> None:
    chart = regression.residuals([("", {"residuals": {"edges": [-2, 0, 2], "counts": [10, 20]}})])
    assert chart
    low, high = chart.bars
    assert (low.height, high.height) == ((FLOOR - TOP) / 2, FLOOR - TOP)
    assert low.y + low.height == high.y + high.height == FLOOR
    assert low.description == "−2 to 0: 10"
    assert (
        chart.description
        == "Errors of 30 held-out rows, from −2 to 2; most of them, 20, between 0 and 2."
    )


def test_errors_of_two_versions_are_comparable_despite_different_bins() -> None:
    same = [
        ("a", {"residuals": {"edges": [0, 2, 4], "counts": [10, 10]}}),
        ("b", {"residuals": {"edges": [0, 1, 2, 3, 4], "counts": [7, 7, 7, 7]}}),
    ]
    chart = regression.residuals(same)
    assert chart
    one, two = (line.path for line in chart.lines)
    tops = [{point.split()[1] for point in path[1:].split("L")} for path in (one, two)]
    assert tops[0] == tops[1]  # a quarter of the rows per unit, whatever the bin width


BAD_PLOTS: list[Any] = [
    None,
    {},
    [],
    "text",
    {"actual": [1], "predicted": []},
    {"actual": [], "predicted": []},
    {"actual": ["1"], "predicted": ["2"]},
    {"actual": [float("nan")], "predicted": [1.0]},
    {"actual": [1e308], "predicted": [-1e308]},
    {"actual": [10**400], "predicted": [1]},
    {"edges": [0, 1], "counts": [1, 2]},
    {"edges": [1, 1], "counts": [3]},
    {"edges": [0, 1], "counts": [0]},
    {"classes": ["a"], "counts": [[1, 2]]},
    {"classes": ["a", "b"], "counts": [[0, 0], [0, 0]]},
    {"classes": 3, "counts": [[1]]},
    [{"class": "a"}],
    [{"class": "a", "fpr": [0], "tpr": [0, 1]}],
    [None],
]


@pytest.mark.parametrize("plot", BAD_PLOTS)
def test_data_that_cannot_be_drawn_is_omitted(plot: object) -> None:
    plots: Any = dict.fromkeys(
        ("predicted_actual", "residuals", "confusion", "roc", "precision_recall", "calibration"),
        plot,
    )
    assert regression.predicted_actual([("", plots)]) is None
    assert regression.residuals([("", plots)]) is None
    assert classification.confusion(plots) is None
    for name, draw in (
        ("roc", classification.roc),
        ("precision_recall", classification.precision_recall),
        ("calibration", classification.calibration),
    ):
        assert draw(classification.chosen(plots, name)) is None
    assert importance.importance([("", plot)]) is None
    assert profiles.head({"top": plot}, 3).bars == []


def test_the_confusion_matrix_names_the_correct_share_and_the_most_frequent_mistake() -> None:
    found = classification.confusion(
        {"confusion": {"classes": ["rain", "sun"], "counts": [[40, 10], [0, 50]]}}
    )
    assert found
    assert found.description == (
        "90 of 100 held-out rows are classified correctly; most frequent error: rain "
        "predicted as sun, 10 times."
    )
    assert [(cell.count, cell.shade, cell.right) for cell in found.rows[0][1]] == [
        (40, 4, True),
        (10, 1, False),
    ]
    assert [cell.shade for cell in found.rows[1][1]] == [0, 5]
    assert [right for _, _, right in found.rows] == ["80 %", "100 %"]


def test_rare_classes_of_many_are_grouped() -> None:
    counts = [
        [100 + row if row == column else row % 2 for column in range(30)] for row in range(30)
    ]
    plots = {"confusion": {"classes": [f"c{number}" for number in range(30)], "counts": counts}}
    found = classification.confusion(plots)
    assert found
    assert (len(found.classes), found.classes[-1], found.omitted) == (12, "others", 18)
    assert sum(cell.count for _, cells, _ in found.rows for cell in cells) == sum(map(sum, counts))


def test_a_perfect_model_has_no_most_frequent_mistake() -> None:
    found = classification.confusion(
        {"confusion": {"classes": ["a", "b"], "counts": [[4, 0], [0, 2]]}}
    )
    assert found
    assert found.description == "6 of 6 held-out rows are classified correctly."


def test_curves_are_drawn_for_the_four_most_frequent_classes() -> None:
    plots = classified(1, classes=6)["plots"]
    plots["confusion"]["counts"] = [
        [10 + number if column == number else 0 for column in range(6)] for number in range(6)
    ]
    curves = classification.chosen(plots, "roc")
    assert [name for name, _ in curves] == ["class 5", "class 4", "class 3", "class 2"]
    chart = classification.roc(curves)
    assert chart
    assert [line.series for line in chart.lines] == [1, 2, 3, 4]
    assert chart.description.startswith("ROC curves. class 5: AUC 0.85; class 4: AUC 0.87")
    assert all(line.path.startswith(f"M{float(chart.left)} {float(FLOOR)}") for line in chart.lines)


def test_a_calibration_curve_names_its_largest_deviation() -> None:
    chart = classification.calibration(
        [("rain", {"predicted": [0.1, 0.5, 0.9], "observed": [0.1, 0.7, 0.95]})]
    )
    assert chart
    assert chart.description == "Calibration. rain: largest gap at 0.5, observed 0.7."
    assert len(chart.lines[0].points) == 3
    assert chart.ideal


def test_names_at_the_ends_of_lines_do_not_overlap() -> None:
    place = frame(["0"], ["one", "two", "three", "four"])
    drawn = labels(["one", "two", "three", "four"], [FLOOR, FLOOR, 30, 31], place)
    heights = sorted(one.y for one in drawn)
    assert all(high - low >= 14.9 for low, high in pairwise(heights))
    assert heights[-1] <= FLOOR
    assert all(one.x > place.right for one in drawn)


def _inside(chart: Chart) -> None:
    for line in chart.lines:
        for point in line.path[1:].split("L"):
            x, y = map(float, point.split())
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT
    for marks in chart.marks:
        assert all(
            chart.left <= x <= chart.right and TOP <= y <= chart.floor for x, y in marks.points
        )
    assert all(bar.x >= chart.left and bar.x + bar.width <= chart.right + 0.2 for bar in chart.bars)


def test_every_plot_of_a_version_stays_inside_its_frame() -> None:
    one, two = regressed(1)["plots"], regressed(2, 1.3)["plots"]
    for versions in ([("", one)], [("version 1", one), ("version 2", two)]):
        for draw in (regression.predicted_actual, regression.residuals):
            chart = draw(versions)
            assert chart
            _inside(chart)
    plots = classified(1)["plots"]
    for name, curve in (
        ("roc", classification.roc),
        ("precision_recall", classification.precision_recall),
        ("calibration", classification.calibration),
    ):
        drawn = curve(classification.chosen(plots, name))
        assert drawn
        assert len(drawn.lines) == SERIES_MAX
        _inside(drawn)


@example([(5e-324, 5e-324)])
@given(st.lists(st.tuples(st.floats(-1e12, 1e12), st.floats(-1e12, 1e12)), min_size=1, max_size=60))
def test_any_points_can_be_drawn(pairs: list[tuple[float, float]]) -> None:
    chart = regression.predicted_actual(
        [
            (
                "",
                {
                    "predicted_actual": {
                        "actual": [a for a, _ in pairs],
                        "predicted": [p for _, p in pairs],
                    }
                },
            )
        ]
    )
    assert chart
    _inside(chart)


def test_importance_is_ordered_and_nothing_negative_has_a_bar() -> None:
    drawn = importance.importance(
        [
            (
                "",
                [
                    {"feature": "b", "value": 0.1},
                    {"feature": "a", "value": 0.4},
                    {"feature": "c", "value": -0.2},
                ],
            )
        ]
    )
    assert drawn
    assert [feature.name for feature in drawn.features] == ["a", "b", "c"]
    widths = [feature.bars[0][2] for feature in drawn.features]
    assert widths == [drawn.plot_width, pytest.approx(drawn.plot_width / 4, abs=0.1), 0]
    assert [feature.bars[0][4] for feature in drawn.features] == ["0.4", "0.1", "−0.2"]
    assert drawn.description == "Importance of the features: a 0.4, b 0.1, c −0.2."


def test_the_table_has_all_of_many_features() -> None:
    drawn = importance.importance(
        [("", [{"feature": f"f{number}", "value": 1 / (number + 1)} for number in range(40)])]
    )
    assert drawn
    assert (len(drawn.features), drawn.omitted, len(drawn.numbers.rows)) == (12, 28, 40)


def test_a_feature_of_only_one_version_is_marked() -> None:
    drawn = importance.importance(
        [
            ("version 1", [{"feature": "old", "value": 1}]),
            ("version 2", [{"feature": "new", "value": 2}]),
        ]
    )
    assert drawn
    assert [[bar[4] for bar in feature.bars] for feature in drawn.features] == [
        ["1", "not used"],
        ["not used", "2"],
    ]
