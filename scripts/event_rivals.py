"""Decoding speed of event files: this project's reader beside the Python packages expelliarmus, faery and aedat.

    pip install numpy lz4 expelliarmus faery aedat
    cargo build --release -p bitspike-events --example events_per_second
    taskset -c 0 python scripts/event_rivals.py FIXTURES WORK target/release/examples/events_per_second [EVENTS]

FIXTURES holds real recordings (EVT2, EVT3, DAT, AEDAT4); each is repeated with its times shifted until it has about
50 million events, and written to WORK. Every reader decodes the same file five times; the median of the processor
time counts, so that other programs on the machine do not. The packages
are used in the way that is fastest for them: whole file or chunks. What a package cannot read is printed as such.
"""

import statistics
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

fixtures, work, ours = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
EVENTS = int(sys.argv[4]) if len(sys.argv) > 4 else 50_000_000


def header_end(data):
    """First byte after lines that start with '%'."""
    i = 0
    while data[i : i + 1] == b"%":
        i = data.index(b"\n", i) + 1
    return i


def repeat_words(source, target, dtype, kind_shift, bits, events):
    """EVT2 and EVT3: whole copies, with the time highs of each continued after those of the one before."""
    data = source.read_bytes()
    i = header_end(data)
    words = np.frombuffer(data[i:], dtype)
    is_high = (words >> kind_shift) == 8
    mask = (1 << bits) - 1
    span = int((words[is_high] & mask).max()) - int((words[is_high] & mask).min()) + 1
    with target.open("wb") as f:
        f.write(data[:i])
        for k in range(EVENTS // events):
            copy = words.copy()
            copy[is_high] = (8 << kind_shift) | ((words[is_high] + k * span) & mask)
            f.write(copy.tobytes())


def repeat_dat(source, target):
    data = source.read_bytes()
    i = header_end(data) + 2
    records = np.frombuffer(data[i:], np.dtype([("t", "<u4"), ("w", "<u4")]))
    with target.open("wb") as f:
        f.write(data[:i])
        for k in range(EVENTS // len(records)):
            copy = records.copy()
            copy["t"] += np.uint32(k * 100_000)
            f.write(copy.tobytes())


def repeat_aedat4(source, target):
    """Packets are unpacked, shifted and packed again; the header's position of the data table becomes -1."""
    import lz4.frame

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
        while total < EVENTS:
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


def median(run):
    seconds, events = [], 0
    for _ in range(5):
        start = time.process_time()
        events = run()
        seconds.append(time.process_time() - start)
    return events, statistics.median(seconds)


def expelliarmus_all(path, encoding):
    import expelliarmus

    return lambda: len(expelliarmus.Wizard(encoding=encoding).read(str(path)))


def expelliarmus_chunks(path, encoding):
    import expelliarmus

    def run():
        wizard = expelliarmus.Wizard(encoding=encoding, chunk_size=1 << 16)
        wizard.set_file(str(path))
        return sum(len(chunk) for chunk in wizard.read_chunk())

    return run


def faery_all(path):
    import faery

    return lambda: sum(len(chunk) for chunk in faery.events_stream_from_file(path))


def aedat_all(path):
    import aedat

    return lambda: sum(len(p["events"]) for p in aedat.Decoder(str(path)) if "events" in p)


def own(path):
    """Million events per second, decoded as rows and as columns."""
    lines = subprocess.run([ours, str(path)], capture_output=True, text=True, check=True).stdout.splitlines()
    return {line.split()[-2]: float(line.split()[-1]) for line in lines}


files = {
    "dat": (work / "large.dat", lambda t: repeat_dat(fixtures / "tonic/sample_ncars.dat", t)),
    "evt2": (
        work / "large_evt2.raw",
        lambda t: repeat_words(fixtures / "expelliarmus/evt2_sample.raw", t, "<u4", 28, 28, 539_481),
    ),
    "evt3": (
        work / "large_evt3.raw",
        lambda t: repeat_words(fixtures / "expelliarmus/evt3_sample.raw", t, "<u2", 12, 12, 219_596),
    ),
    "aedat4": (work / "large.aedat4", lambda t: repeat_aedat4(fixtures / "tonic/sample.aedat4", t)),
}
for name, (path, make) in files.items():
    if not path.exists():
        make(path)
    first = own(path)
    print(f"{name}: bitspike {first}", flush=True)
    rivals = {"faery": faery_all(path)}
    if name == "aedat4":
        rivals["aedat"] = aedat_all(path)
    else:
        rivals["expelliarmus, whole"] = expelliarmus_all(path, name)
        rivals["expelliarmus, chunks"] = expelliarmus_chunks(path, name)
    best = 0.0
    for rival, run in rivals.items():
        try:
            events, seconds = median(run)
        except Exception as e:
            print(f"  {rival}: {type(e).__name__}: {e}", flush=True)
            continue
        best = max(best, events / seconds / 1e6)
        print(f"  {rival}: {events} events, {events / seconds / 1e6:.1f} M/s", flush=True)
    again = own(path)
    times = {kind: f"{min(first[kind], again[kind]) / best:.2f}" for kind in first}
    print(f"  bitspike again {again}; times the best: {times}", flush=True)
