"""Decoding speed of event files by the Python packages expelliarmus, faery and aedat.

    pip install numpy lz4 expelliarmus faery aedat
    bitspike bench events FILE... --against python      # starts this script and prints ratios
    python scripts/event_rivals.py read FORMAT FILE [--reps N]
    python scripts/event_rivals.py enlarge FORMAT SOURCE TARGET [--events N]

`read` prints one line of JSON for each reader: `reader`, `installed`, and either `version`, `events` and `seconds`, the
processor time of one reading for each repetition, or `missing`, why there is none. Packages are used in the ways that are
fastest for them: the whole file or chunks. As in `bitspike bench events`, the first reading is not counted and a
repetition reads the file as often as fills 0.2 seconds.

`enlarge` repeats a recording (evt2, evt3, dat, aedat4) with shifted times until it has about N events, 50 million unless
told otherwise: small files measure little but the opening.
"""

import argparse
import importlib
import importlib.metadata
import json
import math
import os
import struct
import time
from pathlib import Path

SECONDS = 0.2


def header_end(data):
    """First byte after lines that start with '%'."""
    i = 0
    while data[i : i + 1] == b"%":
        i = data.index(b"\n", i) + 1
    return i


def enlarge_words(source, target, events, dtype, kind_shift, bits, kinds):
    """EVT2 and EVT3: whole copies, with the time highs of each continued after those of the one before."""
    import numpy as np

    data = source.read_bytes()
    i = header_end(data)
    words = np.frombuffer(data[i:], dtype)
    kind = words >> kind_shift
    # Vectors of EVT3 hold more than one event; only the size of the result depends on it.
    each = max(1, int(np.isin(kind, kinds).sum()))
    is_high = kind == 8
    mask = (1 << bits) - 1
    span = int((words[is_high] & mask).max()) - int((words[is_high] & mask).min()) + 1
    with target.open("wb") as f:
        f.write(data[:i])
        for k in range(max(1, events // each)):
            copy = words.copy()
            copy[is_high] = (8 << kind_shift) | ((words[is_high] + k * span) & mask)
            f.write(copy.tobytes())


def enlarge_dat(source, target, events):
    import numpy as np

    data = source.read_bytes()
    i = header_end(data) + 2
    records = np.frombuffer(data[i:], np.dtype([("t", "<u4"), ("w", "<u4")]))
    with target.open("wb") as f:
        f.write(data[:i])
        for k in range(max(1, events // len(records))):
            copy = records.copy()
            copy["t"] += np.uint32(k * 100_000)
            f.write(copy.tobytes())


def enlarge_aedat4(source, target, events):
    """Packets are unpacked, shifted and packed again; the header's position of the data table becomes -1."""
    import lz4.frame
    import numpy as np

    data = bytearray(source.read_bytes())
    size = struct.unpack_from("<I", data, 14)[0]
    table = 18 + struct.unpack_from("<I", data, 18)[0]
    vtable = table - struct.unpack_from("<i", data, table)[0]
    at = table + struct.unpack_from("<H", data, vtable + 4 + 2)[0]
    end = struct.unpack_from("<q", data, at)[0]
    struct.pack_into("<q", data, at, -1)
    i, packets = 18 + size, []
    while i < (end if end > 0 else len(data)):
        stream, n = struct.unpack_from("<iI", data, i)
        body = lz4.frame.decompress(bytes(data[i + 8 : i + 8 + n]))
        i += 8 + n
        if body[8:12] == b"EVTS":
            packets.append((stream, body))
    total = 0
    with target.open("wb") as f:
        f.write(data[: 18 + size])
        k = 0
        while total < events:
            for stream, body in packets:
                body = bytearray(body)
                root = 4 + struct.unpack_from("<I", body, 4)[0]
                vt = root - struct.unpack_from("<i", body, root)[0]
                field = root + struct.unpack_from("<H", body, vt + 4)[0]
                vector = field + struct.unpack_from("<I", body, field)[0]
                n = struct.unpack_from("<I", body, vector)[0]
                rows = np.frombuffer(body, np.dtype([("t", "<i8"), ("rest", "<u8")]), n, vector + 4)
                rows["t"][:] += k * 700_000
                packed = lz4.frame.compress(bytes(body))
                f.write(struct.pack("<iI", stream, len(packed)) + packed)
                total += n
            k += 1


ENLARGE = {
    "evt2": lambda s, t, n: enlarge_words(s, t, n, "<u4", 28, 28, [0, 1]),
    "evt3": lambda s, t, n: enlarge_words(s, t, n, "<u2", 12, 12, [2, 4, 5]),
    "dat": enlarge_dat,
    "aedat4": enlarge_aedat4,
}


def enlarge(args):
    ENLARGE[args.format](args.source, args.target, args.events)
    # What was just written lies in the page cache in small pieces, slow to copy; a recording is read into it in large ones.
    with args.target.open("rb") as f:
        os.fsync(f.fileno())
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def expelliarmus_whole(package, path, encoding):
    return lambda: len(package.Wizard(encoding=encoding).read(str(path)))


def expelliarmus_chunks(package, path, encoding):
    def run():
        wizard = package.Wizard(encoding=encoding, chunk_size=1 << 16)
        wizard.set_file(str(path))
        return sum(len(chunk) for chunk in wizard.read_chunk())

    return run


def faery_all(package, path, encoding):
    kind = {"evt2": "evt", "evt3": "evt", "aedat4": "aedat"}.get(encoding, encoding)
    return lambda: sum(len(chunk) for chunk in package.events_stream_from_file(path, file_type=kind))


def aedat_all(package, path, _):
    return lambda: sum(len(p["events"]) for p in package.Decoder(str(path)) if "events" in p)


# Reader, package, formats it reads, how.
READERS = [
    ("expelliarmus, whole", "expelliarmus", ["dat", "evt2", "evt3"], expelliarmus_whole),
    ("expelliarmus, chunks", "expelliarmus", ["dat", "evt2", "evt3"], expelliarmus_chunks),
    ("faery", "faery", ["dat", "evt2", "evt3", "es", "aedat4"], faery_all),
    ("aedat", "aedat", ["aedat4"], aedat_all),
]


def measure(run, reps):
    """Events of one reading, and its processor time for each repetition."""
    start = time.process_time()
    events = run()
    times = math.ceil(SECONDS / max(time.process_time() - start, 1e-6))
    seconds = []
    for _ in range(reps):
        start = time.process_time()
        for _ in range(times):
            run()
        seconds.append((time.process_time() - start) / times)
    return events, seconds


def read(args):
    for reader, name, formats, make in READERS:
        line = {"reader": reader, "installed": False}
        try:
            package = importlib.import_module(name)
            line |= {"installed": True, "version": importlib.metadata.version(name)}
            if args.format in formats:
                line["events"], line["seconds"] = measure(make(package, args.file, args.format), args.reps)
            else:
                line["missing"] = f"does not read {args.format}"
        except ImportError as e:
            line["missing"] = f"not installed: {e}"
        except BaseException as e:  # Also what a package written in Rust raises when it panics.
            if isinstance(e, KeyboardInterrupt):
                raise
            line["missing"] = f"cannot read the file: {type(e).__name__}: {e}"
        print(json.dumps(line), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("read")
    one.add_argument("format")
    one.add_argument("file", type=Path)
    one.add_argument("--reps", type=int, default=5)
    one.set_defaults(run=read)
    one = commands.add_parser("enlarge")
    one.add_argument("format", choices=ENLARGE)
    one.add_argument("source", type=Path)
    one.add_argument("target", type=Path)
    one.add_argument("--events", type=int, default=50_000_000)
    one.set_defaults(run=enlarge)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
