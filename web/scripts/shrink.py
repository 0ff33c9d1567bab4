"""`shrink.py FILE …`: PNGs with at most 128 colours, a third of the size; screens have few."""

from __future__ import annotations

import sys

from PIL import Image


def shrink(path: str) -> None:
    """Write the picture again in its place."""
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(128, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        shrink(name)
