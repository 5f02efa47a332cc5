"""Photographs are drawn in shades that mean what the docstring says."""

import numpy as np
import pytest

from convlab.figures import Photo, draw_photo, show

RAMP = np.arange(0, 255, 15.0).reshape(1, 17)


def shades(numbers):
    return draw_photo(Photo("shades", numbers)).images[0].get_array()


def test_from_0_to_255_is_from_black_to_white():
    np.testing.assert_allclose(shades(RAMP), RAMP / 255)


def test_numbers_around_0_have_0_in_the_middle():
    found = shades(RAMP - RAMP.mean())
    assert found[0, 8] == pytest.approx(0.5) and found[0, 0] < 0.05 and found[0, -1] > 0.95


def test_a_sharpened_photo_with_a_few_negative_numbers_is_no_edge_picture():
    np.testing.assert_allclose(shades(RAMP - 10), ((RAMP - 10) / 255).clip(0, 1))


def test_the_alt_text_has_title_and_size():
    picture = show(draw_photo, Photo("A temple", np.zeros((4, 6))), Photo("A flower", np.zeros((3, 5, 3), np.uint8)))
    assert repr(picture) == ("A temple: a picture of 4 × 6 pixels. A flower: a picture of 3 × 5 pixels, in colour.")


@pytest.mark.parametrize(
    ("photo", "error", "words"),
    [
        (RAMP, TypeError, "wanted a Photo"),
        (Photo("four channels", np.zeros((2, 2, 4))), ValueError, r"\(2, 2, 4\); wanted \(height, width\)"),
        (Photo("a row", np.zeros(5)), ValueError, r"shape \(5,\)"),
    ],
)
def test_what_is_no_photo_is_refused(photo, error, words):
    with pytest.raises(error, match=words):
        show(draw_photo, photo)
