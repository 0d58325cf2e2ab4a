"""Makes the small HDF5 files beside this script, with random content: `pip install h5py; python make_hdf5.py`.

Spike lists in the layout of SHD and SSC, in the oldest and the newest form of the file format, plain and chunked with
gzip and shuffle; recordings as a compound (Prophesee's names) and as columns. Prints what tests/hdf5.rs expects.
"""

from pathlib import Path

import h5py
import numpy as np

here = Path(__file__).parent
random = np.random.default_rng(5)


def lists(name, samples, libver, times, **storage):
    with h5py.File(here / name, "w", libver=libver) as f:
        kinds = h5py.vlen_dtype(np.dtype(times)), h5py.vlen_dtype(np.dtype("<u2"))
        t = f.create_dataset("spikes/times", (samples,), dtype=kinds[0], **storage)
        u = f.create_dataset("spikes/units", (samples,), dtype=kinds[1], **storage)
        for i in range(samples):
            n = 0 if i == 2 else int(random.integers(5, 60))
            t[i] = np.sort(random.random(n)).astype(times)
            u[i] = random.integers(0, 700, n).astype("<u2")
        f.create_dataset("labels", data=(np.arange(samples) % 3).astype("<u2"))
        f.create_dataset("extra/speaker", data=(np.arange(samples) % 4).astype("<u2"))
        f.create_dataset("extra/keys", data=np.array([b"zero", b"one", b"eins"], dtype="S4"))
    with h5py.File(here / name) as f:
        rows = []
        for i in range(samples):
            t, u = f["spikes/times"][i].astype(np.float64), f["spikes/units"][i].astype(int)
            rows.append((len(t), int(np.rint(t * 1e6).sum()), int(u.sum())))
        print(name, rows)


def recordings():
    n = 300
    t = np.cumsum(random.integers(0, 50, n)) + 7
    x, y, p = random.integers(0, 640, n), random.integers(0, 480, n), random.integers(0, 2, n)
    rows = np.empty(n, [("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")])
    rows["x"], rows["y"], rows["p"], rows["t"] = x, y, p, t
    with h5py.File(here / "compound.h5", "w", libver="earliest") as f:
        f.create_dataset("CD/events", data=rows, chunks=(128,), compression="gzip", shuffle=True)
    with h5py.File(here / "columns.h5", "w", libver="latest") as f:
        f.create_dataset("events/t", data=t / 1e6)
        f.create_dataset("events/x", data=x.astype(">u2"))
        f.create_dataset("events/y", data=y.astype("<i4"))
        f.create_dataset("events/p", data=p.astype(bool))
    print("recordings", n, int(t[0]), int(t[-1]), int(t.sum()), int(x.sum()), int(y.sum()), int(p.sum()))


lists("shd_train.h5", 6, "earliest", "<f2")
lists("shd_test.h5", 3, "earliest", "<f2")
lists("newest.h5", 6, "latest", "<f4")
lists("chunked.h5", 6, "earliest", "<f8", chunks=(4,), compression="gzip", shuffle=True)
recordings()
