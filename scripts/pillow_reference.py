#!/usr/bin/env python3
"""Write crates/bitspike-data/testdata/pillow.txt: what Pillow makes of a small image under each AutoAugment operation.

    python3 -m venv v && v/bin/pip install pillow && v/bin/python scripts/pillow_reference.py

One line per case: operation, level (-9..9), channels, result as hexadecimal planes [C, H, W]. The image is 24x20 with
pixel(c, y, x) = (x*11 + y*7 + c*50 + (x*y % 5)*9) % 256; the operations are those of the policy's text, written
with Pillow calls, so that the Rust code is compared with somebody else's arithmetic.
"""

import pathlib

import PIL
from PIL import Image, ImageEnhance, ImageOps

W, H = 24, 20
FILL = 128


def image(channels: int) -> Image.Image:
    def pixel(c, y, x):
        return (x * 11 + y * 7 + c * 50 + (x * y % 5) * 9) % 256

    if channels == 1:
        out = Image.new("L", (W, H))
        out.putdata([pixel(0, y, x) for y in range(H) for x in range(W)])
    else:
        out = Image.new("RGB", (W, H))
        out.putdata([tuple(pixel(c, y, x) for c in range(3)) for y in range(H) for x in range(W)])
    return out


def affine(im, m):
    return im.transform(im.size, Image.Transform.AFFINE, m, Image.Resampling.NEAREST, fillcolor=(FILL,) * len(im.getbands()) if im.mode == "RGB" else FILL)


def rotate(im, level):
    return im.rotate(level * 30 / 9, Image.Resampling.NEAREST, fillcolor=(FILL,) * 3 if im.mode == "RGB" else FILL)


def shift(side, level):
    return int(150 / 331 * side * level / 9)


SIGNED = {
    "ShearX": lambda im, v: affine(im, (1, v / 30, 0, 0, 1, 0)),
    "ShearY": lambda im, v: affine(im, (1, 0, 0, v / 30, 1, 0)),
    "TranslateX": lambda im, v: affine(im, (1, 0, -shift(W, v), 0, 1, 0)),
    "TranslateY": lambda im, v: affine(im, (1, 0, 0, 0, 1, -shift(H, v))),
    "Rotate": rotate,
    "Contrast": lambda im, v: ImageEnhance.Contrast(im).enhance(1 + v / 10),
    "Color": lambda im, v: ImageEnhance.Color(im).enhance(1 + v / 10),
    "Brightness": lambda im, v: ImageEnhance.Brightness(im).enhance(1 + v / 10),
    "Sharpness": lambda im, v: ImageEnhance.Sharpness(im).enhance(1 + v / 10),
}
UNSIGNED = {
    "Solarize": lambda im, v: ImageOps.solarize(im, 255 * (9 - v) / 9),
    "Posterize": lambda im, v: ImageOps.posterize(im, 8 - round(4 * v / 9)),
}
PLAIN = {
    "AutoContrast": lambda im, v: ImageOps.autocontrast(im),
    "Invert": lambda im, v: ImageOps.invert(im),
    "Equalize": lambda im, v: ImageOps.equalize(im),
}


def main() -> None:
    lines = [f"# written by scripts/pillow_reference.py with Pillow {PIL.__version__}"]
    for ops, levels in ((SIGNED, (-9, -4, 2, 9)), (UNSIGNED, (0, 2, 5, 9)), (PLAIN, (0,))):
        for name, op in ops.items():
            for level in levels:
                for channels in (1, 3):
                    out = op(image(channels), level)
                    planes = b"".join(band.tobytes() for band in out.split())
                    lines.append(f"{name} {level} {channels} {planes.hex()}")
    target = pathlib.Path(__file__).resolve().parent.parent / "crates/bitspike-data/testdata/pillow.txt"
    target.parent.mkdir(exist_ok=True)
    target.write_text("\n".join(lines) + "\n")
    print(target, len(lines) - 1, "cases")


if __name__ == "__main__":
    main()
