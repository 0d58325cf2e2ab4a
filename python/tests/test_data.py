"""Events, sensors, encoders and data sets out of the compiled part. NumPy alone."""

from __future__ import annotations

import numpy as np
import pytest

import bitspike as bs
from bitspike import data, encode, events, sensors

F = np.float32


def recording() -> events.Events:
    image = np.zeros((12, 10), F)
    image[3:9, 2:7] = 1.0
    return events.saccades(image, margin=2, images_per_saccade=20)


def test_saccades_are_seeded_and_on_the_sensor() -> None:
    e, again = recording(), recording()
    assert e.size == (14, 16) and len(e) > 100
    assert all(np.array_equal(a, b) for a, b in zip(e, again))
    t, x, y, p = e
    assert (t.dtype, x.dtype, y.dtype, p.dtype) == (np.int64, np.uint16, np.uint16, np.bool_)
    assert t.min() >= 0 and t.max() <= 300_000 and x.max() < 14 and y.max() < 16 and 0 < p.sum() < len(p)
    other = events.saccades(np.eye(12, 10, dtype=F), margin=2, images_per_saccade=20, sensor=events.Sensor(seed=1))
    assert len(other) != len(e)


def test_files_of_numpy_and_text_are_read(tmp_path) -> None:
    e = recording()
    path = tmp_path / "a.npz"
    np.savez(path, t=e.t, x=e.x, y=e.y, p=e.p)
    found = events.read(path)
    assert found.format == "npz" and all(np.array_equal(a, b) for a, b in zip(found, e))
    assert all(np.array_equal(a, b) for a, b in zip(events.read(path.read_bytes()), e))
    text = "t,x,y,p\n" + "".join(f"{t},{x},{y},{int(p)}\n" for t, x, y, p in zip(*e))
    (tmp_path / "a.csv").write_text(text)
    found = events.read(tmp_path / "a.csv", time_unit="us")
    assert all(np.array_equal(a, b) for a, b in zip(found, e))
    # N-MNIST: five bytes an event; polarity and the upper bits of the time share one.
    five = b"".join(bytes([x, y, int(p) << 7 | t >> 16, t >> 8 & 255, t & 255]) for t, x, y, p in zip(*(c.tolist() for c in e)))
    found = events.read(five, format="bin40")
    assert all(np.array_equal(a, b) for a, b in zip(found, e))


def test_frames_hold_every_event_once(tmp_path) -> None:
    e = recording()
    f = events.frames(e, 5)
    assert f.shape == (5, 2, 16, 14) and f.dtype == F and f.sum() == len(e)
    want = np.zeros((5, 2, 16, 14))
    t, x, y, p = e
    bins = (t - t.min()) * 5 // (t.max() - t.min() + 1)
    np.add.at(want, (bins, p.astype(int), y, x), 1)
    assert np.array_equal(f, want)
    assert events.frames(e, 4, by="count").sum((1, 2, 3)).max() <= len(e) // 4 + 1
    assert events.frames(e, 3, kind="voxel-grid").shape == (3, 1, 16, 14)
    surface = events.frames(e, 3, kind="time-surface", tau_us=1e4)
    assert surface.min() >= 0 and surface.max() <= 1


def test_events_that_cannot_be_are_refused(tmp_path) -> None:
    e = recording()
    bad = events.Events(e.t, e.x, e.y, e.p, size=(5, 5))
    with pytest.raises(bs.InputError, match="5"):
        events.frames(bad, 2)
    with pytest.raises(bs.InputError, match="size: expected the width and height"):
        events.frames(events.Events(*e), 2)
    with pytest.raises(bs.InputError, match=r"x: expected integers \[2\], found int64 \[3\]"):
        events.Events.of(np.arange(2), np.arange(3), np.arange(2), np.arange(2))
    with pytest.raises(bs.InputTypeError, match="found float64"):
        events.Events.of([0.5], [0], [0], [1])
    with pytest.raises(bs.InputError, match="x: expected 0 to 65535, found 70000 to 70000"):
        events.Events.of([1], [70000], [0], [1])
    for key in ({"by": "bytes"}, {"kind": "pictures"}, {"steps": 0}, {"size": (0, 3)}):
        with pytest.raises(bs.InputError, match=next(iter(key))):
            events.frames(e, **({"steps": 2} | key))  # type: ignore[arg-type]
    with pytest.raises(bs.InputError, match="format: expected one of aedat2"):
        events.read(b"", format="mp3")
    with pytest.raises(bs.DataError, match="hint: known"):
        events.read(b"no events at all in here")
    with pytest.raises(FileNotFoundError, match="none.raw"):
        events.read(tmp_path / "none.raw")
    camera = events.Camera(3, 2)
    with pytest.raises(bs.InputError, match=r"image: expected float32 \[2, 3\], found float32 \[3, 2\]"):
        camera.frame(0, np.zeros((3, 2), F))
    camera.frame(5, np.zeros((2, 3), F))
    with pytest.raises(bs.InputError, match="later than 5"):
        camera.frame(5, np.ones((2, 3), F))
    with pytest.raises(bs.InputError, match="threshold_on"):
        events.Camera(3, 2, events.Sensor(threshold_on=0.0))


def test_recordings_are_read(tmp_path) -> None:
    values = np.random.default_rng(0).normal(size=(3, 50)).astype(F)
    np.save(tmp_path / "a.npy", values)
    (r,) = sensors.read(tmp_path / "a.npy", format={"kind": "npy", "axes": "CL"})
    assert r.name == "a" and np.array_equal(r.values, values)
    (r,) = sensors.read("b.csv", data=b"t;x\n0;1,5\n20;2,5\n40;\n", format={"kind": "csv", "separator": ";", "decimal": ",", "time_column": "t", "time_unit": "ms"}, missing="hold")  # fmt: skip
    assert r.rate_hz == pytest.approx(50.0) and r.values.tolist() == [[1.5, 2.5, 2.5]]
    assert sensors.read("b.csv", data=b"x\n1\n\n", missing=7.0)[0].values.shape[0] == 1
    with pytest.raises(bs.InputError, match="format: unknown field `seperator`, expected one of"):
        sensors.read("b.csv", data=b"", format={"kind": "csv", "seperator": ";"})
    with pytest.raises(bs.InputError, match="whose ending is not known"):
        sensors.read("b.dat")
    with pytest.raises(FileNotFoundError):
        sensors.read(tmp_path / "none.csv")


def test_a_folder_becomes_arrays(tmp_path) -> None:
    r = np.random.default_rng(1)
    for label, step in (("up", 1), ("down", -1)):
        for take in range(4):
            rows = np.cumsum(np.full((40, 2), step) + r.normal(0, 0.3, (40, 2)), 0)
            text = "ax,ay\n" + "".join(f"{a:.4f},{b:.4f}\n" for a, b in rows)
            (tmp_path / f"{label}_{take}.csv").write_text(text)
    found = sensors.load(
        tmp_path,
        labels={"from": "name", "pattern": "{label}_{take}.csv"},
        window={"length": 16, "hop": 8},
        split={"by": "recording", "test": ["*_3"]},
        encode={"kind": "delta", "steps": 4, "threshold": 0.25},
    )
    assert found.classes == ["down", "up"] and found.channels == ["ax", "ay"] and found.steps == 4
    assert found.train.x.shape == (24, 4, 4, 1, 4) and found.test.x.shape == (8, 4, 4, 1, 4) and found.train.x.dtype == np.uint8
    assert {n[-1] for n in found.test.recordings} == {"3"} and found.train.starts[:4] == [0, 8, 16, 24]
    with pytest.raises(bs.InputError, match="windows"):
        sensors.load(tmp_path, windows={})


def test_encoders_are_those_of_the_formulas() -> None:
    x = np.random.default_rng(2).uniform(-1, 1, (3, 2, 8)).astype(F)
    assert np.array_equal(encode.direct(x, 4)[:, 0, :, 0], x)
    parts = encode.direct(x, 4, segments=True)
    assert parts.shape == (3, 4, 2, 1, 2) and np.array_equal(parts[:, 1, :, 0], x[..., 2:4])
    late = encode.latency(x, 5)
    steps = np.where(late.any(1)[:, :, 0], late.argmax(1)[:, :, 0], -1)
    want = np.floor((1 - np.clip(x.astype(np.float64), 0, 1)) * 4 + 0.5)
    assert np.abs(steps[x > 0] - want[x > 0]).max() == 0
    many = np.full((200, 1, 50), 0.3, F)
    rate = encode.rate(many, 10, seed=4)
    assert rate.dtype == np.uint8 and abs(rate.mean() - 0.3) < 0.005
    assert np.array_equal(rate[7:9], encode.rate(many[7:9], 10, seed=4, first=7)) and not np.array_equal(rate, encode.rate(many, 10, seed=5))
    assert encode.rate(-many, 10).sum() == 0 and encode.rate(-many, 2, signed=True).shape == (200, 2, 2, 1, 50)
    up = encode.delta(np.linspace(0, 2, 8, dtype=F)[None, None], 4, threshold=0.5, max_count=3)
    assert up.shape == (1, 4, 2, 1, 2) and up[:, :, 0].sum() >= 3 and up[:, :, 1].sum() == 0
    assert encode.population(x, 6, fields=5).shape == (3, 6, 10, 1, 8)
    values = encode.population(x, 6, fields=5, values=True)
    assert values.shape == (3, 1, 10, 1, 8) and values.dtype == F and values.max() <= 1


def test_encoders_refuse_by_name() -> None:
    with pytest.raises(bs.InputTypeError, match=r"x: expected float32 \[N, C, R, L\] or \[N, C, L\], found float64 \[1, 1, 8\]"):
        encode.latency(np.zeros((1, 1, 8)), 4)
    with pytest.raises(bs.InputError, match=r"found float32 \[8\]"):
        encode.latency(np.zeros(8, F), 4)
    with pytest.raises(bs.InputError, match="encode.steps: expected a divisor of the 8 columns"):
        encode.delta(np.zeros((1, 1, 8), F), 3)
    with pytest.raises(bs.InputError, match="steps: expected 1 to 4096"):
        encode.rate(np.zeros((1, 1, 8), F), 0)
    with pytest.raises(bs.InputError, match="expected finite values, found nan"):
        encode.rate(np.full((1, 1, 8), np.nan, F), 2)
    assert encode.rate(np.zeros((0, 1, 8), F), 2).shape == (0, 2, 1, 1, 8)


def test_the_embedded_images() -> None:
    found = data.load(train_limit=500, test_limit=100)
    assert found.train.x.shape == (500, 1, 28, 28) and found.train.x.dtype == np.uint8 and found.train.y.dtype == np.int64
    assert len(found.classes) == 10 and set(found.test.y.tolist()) == set(range(10))
    assert found.channel_mean[0] == pytest.approx(found.train.x.mean() / 255, abs=1e-5)
    with pytest.raises(bs.InputError, match="unknown variant `fashion`"):
        data.load("fashion")
    with pytest.raises(bs.InputError, match="train_limit"):
        data.load(train_limit=10**6)
