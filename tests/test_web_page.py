"""The page's own files: colours that can be read, and no other site's address."""

import re

import numpy as np
import pytest

pytest.importorskip("starlette")

from asteroid_karaoke.formats import FORMATS
from asteroid_karaoke.web.server import PAGE


def test_what_is_written_can_be_read():
    """4.5 is what WCAG 2.2 asks of the contrast of text, level AA (success criterion 1.4.3)."""
    style = (PAGE / "style.css").read_text(encoding="utf-8")
    for theme in style.split(":root {")[1:]:
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6,8});", theme.partition("}")[0]))
        for ground in ("paper", "card"):
            for text in ("ink", "soft", "voice", "bad"):
                assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
        # A button that is pressed: a wash of its own colour on the card.
        share = int(colours["wash"][7:], 16) / 255
        mixed = share * rgb(colours["wash"]) + (1 - share) * rgb(colours["card"])
        washed = "#" + "".join(f"{round(255 * part):02x}" for part in mixed)
        assert contrast(colours["voice"], washed) >= 4.45


def rgb(colour):
    return np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255


def contrast(one, other):
    def luminance(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb(colour)]
        return np.dot(linear, (0.2126, 0.7152, 0.0722))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_page_names_nobody_else():
    for path in PAGE.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text and "https://" not in text.replace("https://…", ""), path.name
    script = (PAGE / "words.js").read_text(encoding="utf-8")
    block = script[script.index("FORMAT_NAMES") :]
    names = [line.split(":")[0].strip() for line in block[: block.index("}")].splitlines()[1:]]
    assert {*names} - {""} == {*FORMATS} - {"wav"}
