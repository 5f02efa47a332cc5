"""The engine behind the checks: outcomes, errors, hints and pictures."""

import re

import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

from convlab.exercises.beside import _compared, draw_beside
from convlab.exercises.choices import Choices
from convlab.exercises.compare import difference, format_answer, same_value
from convlab.exercises.exercise import Exercise
from convlab.exercises.nearly import inexact
from convlab.exercises.predict import predict
from convlab.exercises.reply import ANSWER, Hints, Reply

DOUBLE = Exercise(
    target=lambda number: 2 * number,
    cases=[(1,), (10,)],
    mistakes={"That adds 2.": lambda number: number + 2},
    hints=["Twice.", "2 * number"],
    takeaway="Two of each.",
)
SIX = Exercise(target=lambda: 6, mistakes={"That is half.": lambda: 3}, hints=["2 · 3"], takeaway="Six.")


def sum_of(*cases):
    return Exercise(lambda matrix: matrix.sum(axis=0, keepdims=True), {}, [], "", [(case,) for case in cases])


SUM = sum_of(np.arange(6.0).reshape(2, 3))
TWO_SUMS = sum_of(np.ones((1, 3)), np.ones((2, 3)))


def test_a_wrong_answer_is_quoted_with_the_argument_by_name_and_the_wanted_value():
    reply = DOUBLE(lambda number: 3 * number)
    assert reply.outcome == "wrong"
    assert reply.message.startswith("You get 3, for number = 1. Wanted 2.")


def test_a_mistake_must_explain_every_result():
    assert "That adds 2." in DOUBLE(lambda number: number + 2).message
    assert "That adds 2." not in DOUBLE(lambda number: 3 if number == 1 else 30).message


def test_a_number_that_is_wrong_does_not_give_the_answer_away():
    for answer in (3, 4):
        assert "6" not in SIX(answer).message


@pytest.mark.parametrize("answer", ["five", True, [6, 7], {}, np.array([6, 5])], ids=str)
def test_an_answer_of_the_wrong_kind_is_wrong_and_says_what_was_wanted(answer):
    reply = SIX(answer)
    assert reply.outcome == "wrong"
    assert "Wanted one number" in reply.message


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (6.0, "6.0 is right, but it is a float"),
        ("6", "'6' is right, but it is text"),
        ([6], "[6] is right, but it is in a list"),
        ((6,), "(6,) is right, but it is in a tuple"),
        (np.array([6]), "right, but it is in an array of shape (1,)"),
        (torch.tensor([[6]]), "right, but it is in an array of shape (1, 1)"),
        ((6, 6), "it is there 2 times"),
    ],
    ids=str,
)
def test_the_right_value_in_another_form_is_nearly_right_from_numbers_and_functions_alike(answer, words):
    reply = SIX(answer)
    assert reply.outcome == "nearly" and words in reply.message
    for_one = Exercise(lambda number: 6, {}, [], "", cases=[(1,)])(lambda number: answer)
    assert for_one.outcome == "nearly" and words in for_one.message


def test_percent_in_place_of_a_share_and_a_rounded_share_are_nearly_right():
    share = Exercise(lambda: 0.0439, {}, [], "")
    assert [share(answer).outcome for answer in (0.0439, 4.39, 0.044, 0.05, 439)] == [
        "right", "nearly", "nearly", "wrong", "wrong",
    ]  # fmt: skip


def test_a_function_that_raises_is_wrong_and_its_own_line_is_quoted():
    def broken(number):
        return number + undefined  # noqa: F821

    reply = DOUBLE(broken)
    assert reply.outcome == "wrong"
    assert "NameError" in reply.message
    assert "return number + undefined" in reply.message


def test_a_function_that_is_half_written_is_not_yet_when_it_says_so():
    def later(number):
        raise NotImplementedError

    assert DOUBLE(later).outcome == "not yet"


def test_a_function_that_returns_none_for_one_case_alone_is_wrong():
    assert DOUBLE(lambda number: 2 if number == 1 else None).outcome == "wrong"


def test_a_float_in_place_of_a_count_is_named():
    reply = DOUBLE(lambda number: number / 0.5)
    assert reply.outcome == "nearly"
    assert "2.0 is right, but it is a float" in reply.message


def test_one_case_in_another_form_is_enough_and_is_the_one_that_is_quoted():
    reply = DOUBLE(lambda number: 2 if number == 1 else 20.0)
    assert reply.outcome == "nearly"
    assert "The value 20.0 is right, but it is a float, for number = 10." in reply.message


def test_another_form_of_a_wrong_value_or_of_one_wrong_case_is_wrong():
    for answer in (lambda number: str(3 * number), lambda number: "2" if number == 1 else 21):
        assert DOUBLE(answer).outcome == "wrong"


def test_a_mistake_that_is_known_comes_before_what_is_nearly_right():
    kept = Exercise(lambda x: x[0], {"Take [0] of it.": lambda x: x[:1]}, [], "", [(np.ones((2, 3)),)])
    assert "Take [0] of it." in kept(lambda x: x[:1]).message
    assert kept(lambda x: x[:1]).outcome == "wrong"
    assert kept(lambda x: x[0][:, None]).outcome == "nearly"


@pytest.mark.parametrize(
    ("result", "wanted", "reason"),
    [
        (4.39, 0.0439063, "percent in place of a share"),
        (0.0439, 4.39063, "a share in place of percent"),
        (0.044, 0.0439063, "Do not round"),
        (0.05, 0.0439063, ""),
        (44, 0.0439063, ""),
        (8.2e6, 8_192_000, "Do not round"),
        (8_192_100, 8_192_000, ""),  # by a formula of its own, not rounded
        (364, 363, ""),
        (100, 1, ""),  # a count is no share
        (float("nan"), 363, ""),
        (float("inf"), 0.5, ""),
        ("four", 4, ""),
    ],
)
def test_rounded_and_percent_are_told_from_wrong(result, wanted, reason):
    found = inexact([result], [wanted])
    assert reason in found and bool(found) == bool(reason)


def test_all_cases_have_to_be_rounded_or_in_percent():
    assert inexact([4.39, 10.1], [0.0439063, 10.12]) == ""
    assert inexact([0.04, 10.12], [0.0439063, 10.12]) == ""


def test_a_function_cannot_change_the_cases():
    def spoil(matrix):
        matrix[:] = 0
        return matrix.sum(axis=0, keepdims=True)

    assert SUM(spoil).outcome == "wrong"
    assert SUM(lambda matrix: matrix.sum(axis=0, keepdims=True)).outcome == "right"


@pytest.mark.parametrize(
    ("given", "wanted", "same"),
    [
        (10**20, 10**20, True),
        (10**20 + 1, 10**20, False),
        (float(2**53), 2**53 + 1, True),  # a float is compared as a float; the exercise then asks for an integer
        (0.1 + 0.2, 0.3, True),
        (0.3001, 0.3, False),
        (True, 1, False),
        ("1", 1, False),
        (np.array([1, 2]), 1, False),
        ((8, 8, 1), (8, 8, 1), True),
        ([8, 8, 1], (8, 8, 1), True),
        ((8, 8), (8, 8, 1), False),
        (np.ones((2, 3)), np.ones((3, 2)), False),
        (np.ones((1, 3)), np.ones((2, 3)), False),
        (np.eye(2, dtype=bool), [[1, 0], [0, 1]], True),
        ("no array", np.ones(2), False),
        ([[1], [1, 2]], np.ones(2), False),
    ],
)
def test_same_value_compares_integers_exactly_and_arrays_by_shape(given, wanted, same):
    assert same_value(given, wanted) is same


@pytest.mark.parametrize(
    ("guess", "value", "outcome", "message"),
    [
        (100, 100, "right", "It is 100 MACs."),
        (np.int64(100), 100, "right", "It is 100 MACs."),
        (torch.tensor(100), 100, "right", "It is 100 MACs."),
        (5.8, 5.76, "right", "It is 5.76 MACs."),
        (2184, 2178, "nearly", "You said 2,184. It is 2,178 MACs. You were close."),
        (25, 100, "wrong", "You said 25. It is 100 MACs, 4 times your guess."),
        (400, 100, "wrong", "You said 400. It is 100 MACs, your guess divided by 4."),
        (0, 100, "wrong", "You said 0. It is 100 MACs."),
        (5, -1, "wrong", "You said 5. It is -1 MACs."),
        (float("nan"), 100, "wrong", "You said nan. It is 100 MACs."),
        (10**400, 100, "wrong", f"You said {10**400:,}. It is 100 MACs, your guess divided by more than a billion."),
        (1, 8192, "wrong", "You said 1. It is 8,192 MACs, 8,190 times your guess."),
        (np.array([2, 2]), (2, 2), "right", "You said (2, 2). It is (2, 2): MACs."),
        (torch.tensor([2, 3]), (2, 2), "wrong", "You said (2, 3). It is (2, 2): MACs."),
        ((4, 4), (2, 2), "wrong", "You said (4, 4). It is (2, 2): MACs."),
        ([2, 2], (2, 2), "right", "You said [2, 2]. It is (2, 2): MACs."),
    ],
)
def test_predict_tells_how_far_off_a_guess_is(guess, value, outcome, message):
    assert predict(guess, value, "MACs") == Reply(outcome, message)


@pytest.mark.parametrize(
    ("guess", "unit", "outcome", "end"),
    [
        (0.18, "percent", "nearly", "In percent, your guess is 18."),
        (0.2, "% of the time", "wrong", "In percent, your guess is 20."),
        (0.18, "percentage points", "wrong", "101 times your guess."),
        (0.9, "percent", "wrong", "20.1 times your guess."),
        (18, "percent", "right", "It is 18.1 percent."),
    ],
)
def test_predict_reads_a_share_where_percent_is_asked(guess, unit, outcome, end):
    reply = predict(guess, 18.1, unit)
    assert reply.outcome == outcome
    assert reply.message.endswith(end)


@pytest.mark.parametrize("guess", [None, ..., (1, 228, 800), "1,228,800", True], ids=str)
def test_predict_does_not_give_the_value_away_for_what_is_no_number(guess):
    reply = predict(guess, 1_228_800, "MACs")
    assert reply.outcome == "not yet"
    assert "1,228,800 MACs" not in reply.message


@pytest.mark.parametrize("guess", [3, "4,3", (4, 3, 3)], ids=str)
def test_predict_asks_for_all_numbers_of_a_shape(guess):
    reply = predict(guess, (4, 3), "H, W")
    assert reply.outcome == "not yet"
    assert f"{guess!r} is not 2 numbers" in reply.message


@pytest.mark.parametrize(
    ("guess", "outcome", "words"),
    [
        (1_228_800, "right", "It is 1,228,800 MACs."),
        (2e6, "right", "within a factor of 2"),
        (700_000, "right", "within a factor of 2"),
        (200_000, "nearly", "6.14 times your guess: the right order of magnitude"),
        (1e7, "nearly", "your guess divided by 8.14: the right order of magnitude"),
        (100_000, "wrong", "12.3 times your guess"),
        (19_200, "wrong", "Those are the weights."),
        (-5, "wrong", "It is 1,228,800 MACs."),
    ],
)
def test_predict_takes_an_order_of_magnitude_and_tells_the_reason_of_a_known_idea(guess, outcome, words):
    reply = predict(guess, 1_228_800, "MACs", within=10, ideas={19_200: "Those are the weights."})
    assert reply.outcome == outcome and words in reply.message


def test_a_hint_answers_any_level_in_words():
    assert DOUBLE.hint().message == "There are 2, from gentle to the answer. Write a number in the brackets: 1 to 2."
    assert DOUBLE.hint(2) == Reply("hint 2 of 2", "2 * number")
    for level in (0, 3, "1", 1.0, True):
        told = f"You gave {level!r}. Wanted a whole number from 1 to 2, as in hint(1)."
        assert DOUBLE.hint(level) == Reply("hints", told)
    assert "Add brackets" in repr(DOUBLE.hint)


def test_a_reply_is_text_and_html_and_escapes_the_learners_code():
    reply = Reply("wrong", "1 < 2\nnext")
    assert repr(reply) == "Wrong: 1 < 2\nnext"
    assert "<b>Wrong.</b> 1 &lt; 2<br>next" in reply._repr_html_()


def test_each_outcome_has_a_colour_of_its_own():
    outcomes = ["not yet", "wrong", "nearly", "right", "hint 1 of 2"]
    colours = {re.search("#[0-9A-F]{6}", Reply(outcome, "")._repr_html_())[0] for outcome in outcomes}
    assert len(colours) == len(outcomes)


def test_draw_shows_target_and_answer_beside_each_other():
    assert "yours: all 3 cells right" in repr(SUM.draw(lambda matrix: matrix.sum(axis=0, keepdims=True)))
    assert "yours: 3 of 3 cells differ" in repr(SUM.draw(lambda matrix: np.zeros((1, 3))))
    assert "yours: not yet" in repr(SUM.draw(lambda matrix: None)) and "yours: not yet" in repr(SUM.draw(None))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            lambda matrix: "text",
            "You get 'text', of type str, for matrix = an array of shape (2, 3). That cannot be drawn.",
        ),
        (lambda matrix: 5, "Wanted an array of shape (1, 3)."),
        (lambda matrix: np.zeros((0, 3)), "That cannot be drawn."),
        (lambda matrix: [[1], [1, 2]], "That cannot be drawn."),
        (lambda matrix: matrix / undefined, "Your function stopped with NameError"),  # noqa: F821
        (5, "Wanted a function"),
    ],
)
def test_draw_says_why_an_answer_cannot_be_drawn(answer, said):
    reply = SUM.draw(answer)
    assert reply.outcome == "wrong"
    assert said in reply.message


PLAN = np.arange(1.0, 7.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("mine", "said"),
    [
        (PLAN[:1], "yours, of shape (1, 3); wanted (2, 3): 1 row missing: all 3 cells right."),
        (PLAN[:, :1], "wanted (2, 3): 2 columns missing: all 2 cells right."),
        (np.pad(PLAN, ((0, 1), (0, 0))), "wanted (2, 3): 1 row too many: 3 of 9 cells differ."),
        (np.pad(PLAN, ((1, 0), (0, 0))), "wanted (2, 3): 1 row too many: 9 of 9 cells differ."),
        (PLAN.T, "wanted (2, 3): 1 row too many, 1 column missing: 4 of 6 cells differ."),
        (PLAN[None], "yours, of shape (1, 2, 3); wanted (2, 3): all 6 cells right."),
        (PLAN[0], "yours, of shape (3,); wanted (2, 3): 1 row missing: all 3 cells right."),
        (np.stack([PLAN, PLAN]), "yours, of shape (2, 2, 3); wanted (2, 3): 1 channel too many: all 6 cells right."),
        (np.ones((30, 25)), "28 rows too many, 22 columns too many: 399 of 400 cells differ."),
    ],
)
def test_draw_compares_the_part_that_both_have_and_marks_what_is_missing_or_too_many(mine, said):
    assert repr(draw_beside(PLAN, mine)).endswith(said)


def test_draw_marks_a_column_too_many_of_a_mask_and_keeps_it_a_mask():
    mask = np.eye(2, 3, dtype=bool)
    for mine in (np.pad(mask, ((0, 0), (0, 1))), np.pad(mask, ((0, 0), (0, 1))).astype(int)):
        assert repr(draw_beside(mask, mine)).endswith("1 column too many: 2 of 8 cells differ.")
        assert _compared(mine, mask).dtype == bool


def test_draw_gives_each_channel_a_title_and_of_many_shows_the_first_that_differ():
    stack = np.arange(24.0).reshape(2, 3, 4)
    said = repr(draw_beside(stack, stack + np.array([0, 1])[:, None, None], ", for n = 1"))
    assert said == (
        "target, channel 0, for n = 1: 3 × 4 cells. yours, channel 0: all 12 cells right. "
        "target, channel 1: 3 × 4 cells. yours, channel 1: 12 of 12 cells differ."
    )
    many = np.zeros((3, 4, 2, 2))
    mine = many.copy()
    mine[1, 2, 0, 1] = 1
    said = repr(draw_beside(many, mine))
    assert said.endswith("yours, filter 1, channel 2, 1 of 12 matrices drawn: 1 of 4 cells differ.")
    assert said.count("target") == 1
    assert repr(draw_beside(many, many)).count("target") == repr(draw_beside(many, None)).count("target") == 4


def test_a_difference_of_a_mask_is_told_in_one_notation():
    mask = np.eye(2, dtype=bool)
    assert difference(np.ones((2, 2), int), mask).endswith("At (0, 1) you have 1; wanted 0.")
    assert difference(np.ones((2, 2), bool), mask).endswith("At (0, 1) you have True; wanted False.")


def test_draw_says_so_when_only_the_shape_differs():
    batch_kept = TWO_SUMS.draw(lambda matrix: matrix.sum(axis=0, keepdims=True)[None])
    assert "yours, of shape (1, 1, 3); wanted (1, 3)" in repr(batch_kept)


def test_draw_shows_the_first_case_that_is_wrong():
    right_for_one = repr(TWO_SUMS.draw(lambda matrix: matrix[:1] if len(matrix) == 1 else matrix[:1] * 0))
    assert "matrix = an array of shape (2, 3)" in right_for_one
    assert "3 of 3 cells differ" in right_for_one
    assert right_for_one != repr(TWO_SUMS.draw(lambda matrix: matrix.sum(axis=0, keepdims=True)))


def test_a_short_list_is_shown_and_a_long_one_or_an_array_by_its_shape():
    assert format_answer([1.5, 2.0]) == "[1.5, 2.0]"
    assert format_answer([0] * 10) == str([0] * 10)
    assert format_answer([0] * 11) == "an array of shape (11,)"
    assert format_answer([[1, 2]]) == "an array of shape (1, 2)"
    assert format_answer(np.zeros(3)) == "an array of shape (3,)"


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (predict(None, 144, "MACs"), "It is 144 MACs."),
        (predict(None, 1_228_800, "MACs", ideas={1: "That is one."}), "It is 1,228,800 MACs.\nNot 1: That is one."),
        (
            predict(None, (3, 4), "rows, columns", ideas={(4, 3): "Rows."}),
            "It is (3, 4): rows, columns.\nNot (4, 3): Rows.",
        ),
        (predict(144, 144, "MACs"), ""),
        (Choices([("b", {"a": "No.", "b": "Yes."})])(None), "1. b. Yes."),
        (Choices([("b", {"a": "No.", "b": "Yes."})])("a"), ""),
        (Hints(["Twice.", "2 * number"])(), "1. Twice.\n2. 2 * number"),
        (Hints(["Twice.", "2 * number"])(1), ""),
    ],
)
def test_what_is_not_answered_yet_stores_its_answer_where_jupyter_does_not_show_it(reply, answer):
    bundle, _ = InteractiveShell().display_formatter.format(reply)
    assert bundle.pop(ANSWER, "") == answer
    assert bundle.keys() == {"text/plain", "text/html"}
    assert not answer or all(answer not in text and answer.split("\n")[0] not in text for text in bundle.values())
