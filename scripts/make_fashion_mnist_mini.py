#!/usr/bin/env python3
"""Write the data set `fashion-mnist-mini`, which bitspike-data carries inside its binary.

    python3 scripts/make_fashion_mnist_mini.py [SOURCE] [TARGET]

SOURCE  folder with the four official Fashion-MNIST files, plain or .gz
        (default /usr/share/datasets/fashion-mnist, from `apt-get install dataset-fashion-mnist`)
TARGET  folder to write (default crates/bitspike-data/assets/fashion-mnist-mini beside this script's folder)

What is taken: the first 800 images of each class from the 60,000 training images, and the first 200 of each class
from the 10,000 test images. Order: round robin over the classes (sample i has label i mod 10; within a class the
original order), so that every prefix and every suffix of the file is balanced to within one image per class.

The result is deterministic: the same source gives the same uncompressed bytes everywhere. The .gz bytes also depend
on the zlib version; the README that is written therefore lists the hash of the uncompressed content too.

Needs only the Python standard library. Fashion-MNIST is MIT licensed, Copyright (c) 2017 Zalando SE.
"""

import gzip
import hashlib
import io
import os
import pathlib
import struct
import sys

CLASSES = 10
PER_CLASS = {"train": 800, "t10k": 200}
SOURCE_COUNT = {"train": 60_000, "t10k": 10_000}
SIDE = 28
# SHA-256 of the uncompressed official files: refuse to build from anything else.
SOURCE_SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}

LICENSE = """\
The MIT License (MIT)

Copyright (c) 2017 Zalando SE, https://tech.zalando.com

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""

README = """\
# fashion-mnist-mini

A part of Fashion-MNIST (Xiao, Rasul, Vollgraf 2017; <https://github.com/zalandoresearch/fashion-mnist>; MIT licence,
see `LICENSE`), small enough to live inside a program: the first 800 images of each class from the training part
(8,000) and the first 200 of each class from the test part (2,000), 28x28 grey, in round-robin order over the ten
classes. Accuracy on it is not comparable with published Fashion-MNIST accuracy: say "fashion-mnist-mini".

Written by `scripts/make_fashion_mnist_mini.py` from the official files; do not edit by hand.

| file | bytes | SHA-256 of the file | bytes uncompressed | SHA-256 uncompressed |
|---|---|---|---|---|
"""


def read(folder: pathlib.Path, name: str) -> bytes:
    """The uncompressed content of an official file, checked against its published hash."""
    for candidate in (folder / name, folder / (name + ".gz")):
        if candidate.is_file():
            data = candidate.read_bytes()
            if data[:2] == b"\x1f\x8b":
                data = gzip.decompress(data)
            found = hashlib.sha256(data).hexdigest()
            if found != SOURCE_SHA256[name]:
                sys.exit(f"{candidate}: expected uncompressed SHA-256 {SOURCE_SHA256[name]}, found {found}")
            return data
    sys.exit(f"{folder}: neither {name} nor {name}.gz is there")


def pick(labels: bytes, per_class: int) -> list[int]:
    """Source indices in output order: round robin over the classes, the first `per_class` of each."""
    queues = [[i for i, label in enumerate(labels) if label == c][:per_class] for c in range(CLASSES)]
    assert all(len(q) == per_class for q in queues)
    return [queues[c][k] for k in range(per_class) for c in range(CLASSES)]


def gz(data: bytes) -> bytes:
    """gzip without a file name and with time 0, so that building twice gives the same bytes."""
    out = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=out, mtime=0) as f:
        f.write(data)
    return out.getvalue()


def write(path: pathlib.Path, data: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(data)
    os.replace(temporary, path)


def main() -> None:
    if len(sys.argv) > 3 or any(a in ("-h", "--help") for a in sys.argv[1:]):
        sys.exit(__doc__)
    source = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/datasets/fashion-mnist")
    root = pathlib.Path(__file__).resolve().parent.parent
    default = root / "crates" / "bitspike-data" / "assets" / "fashion-mnist-mini"
    target = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else default
    target.mkdir(parents=True, exist_ok=True)
    readme = README
    for part, per_class in PER_CLASS.items():
        images = read(source, f"{part}-images-idx3-ubyte")
        labels = read(source, f"{part}-labels-idx1-ubyte")
        count = SOURCE_COUNT[part]
        assert images[:16] == struct.pack(">IIII", 0x0803, count, SIDE, SIDE)
        assert labels[:8] == struct.pack(">II", 0x0801, count)
        order = pick(labels[8:], per_class)
        size = SIDE * SIDE
        outputs = {
            f"{part}-images-idx3-ubyte.gz": struct.pack(">IIII", 0x0803, len(order), SIDE, SIDE)
            + b"".join(images[16 + i * size : 16 + (i + 1) * size] for i in order),
            f"{part}-labels-idx1-ubyte.gz": struct.pack(">II", 0x0801, len(order)) + bytes(labels[8 + i] for i in order),
        }
        for name, raw in outputs.items():
            packed = gz(raw)
            write(target / name, packed)
            h, hr = hashlib.sha256(packed).hexdigest(), hashlib.sha256(raw).hexdigest()
            readme += f"| `{name}` | {len(packed)} | `{h}` | {len(raw)} | `{hr}` |\n"
    write(target / "LICENSE", LICENSE.encode())
    write(target / "README.md", readme.encode())
    print(readme[readme.index("| file") :], end="")


if __name__ == "__main__":
    main()
