"""The kernel's explorer: its script convolves as torch does, and says what convlab says."""

import json
from base64 import b64decode

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from test_explore import ask, engine

from convlab.explore import explore_kernel
from convlab.explore.kernel import SLIDERS, say_kernel

EDGES = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])


@pytest.mark.parametrize("seed", range(100))
def test_the_script_convolves_as_torch_and_says_what_convlab_says(seed):
    draw = np.random.default_rng(seed)
    photo = draw.integers(0, 256, draw.integers(3, 9, 2))
    weights = draw.integers(-4, 5, 9)
    code = f"JSON.stringify(convolve({photo.ravel().tolist()}, {photo.shape[1]}, {photo.shape[0]}, {weights.tolist()}))"
    found = json.loads(engine("kernel").eval(code))
    wanted = F.conv2d(torch.tensor(photo)[None, None], torch.tensor(weights).reshape(1, 1, 3, 3))[0, 0]
    assert (found["rows"], found["columns"]) == tuple(wanted.shape)
    assert [found["numbers"][str(n)] for n in range(wanted.numel())] == wanted.ravel().tolist()
    state = {slider.key: int(weight) for slider, weight in zip(SLIDERS, weights)}
    assert ask("kernel", "tell", state) == say_kernel(state.values())


def test_shades_are_those_of_the_picture_without_script():
    """A sum of weights above 0 divides; else 0 is the middle, and the size that 99 % stay below is black or white."""
    shades = engine("kernel").eval("JSON.stringify(shades(new Int32Array([-100, 0, 50, 100]), 0))")
    np.testing.assert_allclose(json.loads(shades), [0, 127.5, 191.25, 255])
    shades = engine("kernel").eval("JSON.stringify(shades(new Int32Array([-90, 900, 9000]), 9))")
    np.testing.assert_allclose(json.loads(shades), [0, 100, 255])


def test_the_page_holds_the_photo_its_still_and_three_sliders_a_row():
    photo = np.arange(48.0).reshape(6, 8)
    shown = explore_kernel(photo, EDGES)
    state = shown.data["state"]
    assert b64decode(state["pixels"]) == bytes(range(48)) and (state["rows"], state["columns"]) == (6, 8)
    assert [state[f"w{n}"] for n in range(9)] == EDGES.ravel().tolist()
    page = shown._repr_html_()
    assert page.index("<img alt=") < page.index("<script") and repr(shown).startswith("The weights are 1, 0, −1, 2")
    assert "columns: 3" in page and not any(link in page for link in ('src="http', "fetch("))


@pytest.mark.parametrize(
    ("photo", "kernel", "words"),
    [
        (np.zeros((4, 4, 3)), EDGES, r"\(4, 4, 3\); wanted \(height, width\)"),
        (np.zeros((2, 9)), EDGES, r"\(2, 9\)"),
        (np.full((4, 4), 256), EDGES, "256; wanted numbers from 0 to 255"),
        (np.full((4, 4), np.nan), EDGES, "nan; wanted numbers"),
        (np.zeros((4, 4)), EDGES / 8, "wanted 3 rows of 3 whole numbers"),
        (np.zeros((4, 4)), EDGES[:2], "wanted 3 rows"),
        (np.zeros((4, 4)), 3 * EDGES, "row 1, column 0 = 6 is outside its slider; wanted -4 to 4"),
    ],
)
def test_what_cannot_be_shown_is_refused(photo, kernel, words):
    with pytest.raises(ValueError, match=words):
        explore_kernel(photo, kernel)
