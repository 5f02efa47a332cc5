"""The engine behind the checks: outcomes, errors, hints and pictures."""

import numpy as np
import pytest
import torch

from convlab.exercises.compare import format_answer, same_value
from convlab.exercises.exercise import Exercise
from convlab.exercises.predict import predict
from convlab.exercises.reply import Reply

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


def test_draw_shows_target_and_answer_and_survives_every_answer():
    answers = [
        lambda matrix: matrix.sum(axis=0, keepdims=True),
        lambda matrix: np.zeros((1, 3)),
        lambda matrix: None,
        lambda matrix: 5,
        lambda matrix: matrix / undefined,  # noqa: F821
        lambda matrix: np.zeros((0, 3)),
        lambda matrix: np.zeros((2, 2, 2)),
        lambda matrix: np.zeros((100, 50)),
    ]
    texts = [repr(SUM.draw(answer)) for answer in answers]
    assert "yours: not yet" in texts[2]
    assert texts[3].startswith("Wrong: You get 5, a int") and "That cannot be drawn" in texts[3]
    assert len(set(texts)) == len(texts)


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
