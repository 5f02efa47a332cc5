"""Multiple choice: each answer gets its own sentence, and a wrong one never the right letter."""

import pytest

from convlab import check
from convlab.exercises.choices import Choices

COLOURS = Choices(
    [("b", {"a": "That is warm.", "b": "Like the sky."}), ("a", {"a": "Like grass.", "b": "That is cold."})]
)
ALL = {name: value for name, value in vars(check).items() if isinstance(value, Choices)}


@pytest.mark.parametrize(
    ("answers", "outcome", "words"),
    [
        ((None, None), "not yet", ["Put a letter in quotes"]),
        (("b", "a"), "right", ["2 of 2 are right.", "1. b is right. Like the sky.", "2. a is right. Like grass."]),
        ((" B ", "A"), "right", ["2 of 2 are right."]),
        (("a", "a"), "wrong", ["1 of 2 is right.", "1. a is wrong. That is warm.", "2. a is right."]),
        (("b", None), "not yet", ["1. b is right.", "2. Not yet."]),
        (("b", "z"), "not yet", ["2. You gave 'z'. Wanted one of the letters"]),
        (("b", 3), "not yet", ["2. You gave 3. Wanted"]),
        (("b",), "not yet", ["You gave 1 answer. Wanted 2 answers"]),
        ((["b", "a"],), "right", ["2 of 2"]),
        (("a", "z"), "wrong", ["1. a is wrong.", 'Wanted one of the letters "a" or "b", in quotes.']),
        ((["b"], True), "not yet", ["1. You gave ['b'].", "2. You gave True."]),
        ((), "not yet", ["You gave 0 answers. Wanted 2 answers, with None for a question that you leave out."]),
    ],
)
def test_each_answer_is_told_what_it_means(answers, outcome, words):
    reply = COLOURS(*answers)
    assert reply.outcome == outcome
    assert all(word in reply.message for word in words), reply.message


def test_a_wrong_answer_does_not_name_the_right_letter():
    assert "b is" not in COLOURS("a", "a").message


def test_there_are_hints_only_if_they_are_given():
    assert COLOURS.hint().message == COLOURS.hint(1).message == "There are none here."
    assert Choices([("b", {"a": "", "b": ""})], hints=["Look up."]).hint(1).message == "Look up."


def test_a_question_without_its_right_letter_is_refused():
    with pytest.raises(ValueError, match=r"right letter 'c' of \['a', 'b'\]"):
        Choices([("c", {"a": "", "b": ""})])


@pytest.mark.parametrize("name", ALL)
def test_every_option_of_every_question_of_the_course_is_explained_and_the_right_letters_vary(name):
    questions = ALL[name].questions
    for _, told in questions:
        assert [*told] == [*"abcdefgh"][: len(told)] and len(told) >= 2
        assert all(len(text) > 12 and text.rstrip(")").endswith((".", "…", "?")) for text in told.values()), told
    assert len(questions) < 3 or len({right for right, _ in questions}) > 1
    assert ALL[name](*[right for right, _ in questions]).outcome == "right"
