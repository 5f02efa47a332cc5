"""Makes docs/explorer.gif, the picture in README.md, from the live explorer of a window: `python docs/picture.py`.

It needs the extra `test` and Chromium, at the path in CHROMIUM where the system has it elsewhere.
"""

import os
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from convlab import ConvSpec
from convlab.explore import explore_window

WIDTH, HEIGHT = 560, 550  # CSS pixels, as README.md shows it; the file has twice as many
COLORS = 128
STEP, LOOK = 350, 900  # milliseconds: for a step of the window, and where there is something to read
STEPS = [  # the slider to move, or None for the window; the key; how long to look at the result
    *[(None, "ArrowRight", STEP)] * 3,
    (None, "ArrowRight", LOOK),
    ("padding p", "ArrowRight", LOOK),
    (None, "ArrowRight", STEP),
    (None, "ArrowRight", LOOK),
    ("stride s", "ArrowRight", LOOK),
]
PAGE = f"""<body style="margin: 0">
<style>.convlab-explorer {{ height: {HEIGHT}px }} :focus {{ outline: none !important }}</style>
{explore_window(ConvSpec(1, 1, 3), (1, 1, 7, 7))._repr_html_()}"""


def main() -> None:
    """Take the pictures, and store them as one file that repeats."""
    times = [LOOK, *(time for _, _, time in STEPS)]
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=2)
        page.set_content(PAGE)
        taken = [page.screenshot()]
        for slider, key, _ in STEPS:
            target = page.get_by_label(slider) if slider else page.get_by_role("application")
            target.press(key)
            taken.append(page.screenshot())
        browser.close()
    frames = [Image.open(BytesIO(one)).convert("RGB") for one in taken]
    width, height = frames[0].size
    strip = Image.new("RGB", (width, height * len(frames)))
    for place, frame in enumerate(frames):
        strip.paste(frame, (0, height * place))
    strip = strip.quantize(COLORS, dither=Image.Dither.NONE)  # one palette for all, so that nothing flickers
    first, *rest = [strip.crop((0, top, width, top + height)) for top in range(0, strip.height, height)]
    to = Path(__file__).with_name("explorer.gif")
    first.save(to, save_all=True, append_images=rest, duration=times, loop=0, optimize=True)
    print(f"{to.name}: {len(frames)} frames, {sum(times) / 1000:g} s, {to.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
