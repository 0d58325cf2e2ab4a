"""MiniRocket of aeon and the random forest of scikit-learn on windows that the example `company` has written.

    cargo run --release -p bitspike-classics --example company -- CONFIG.toml FOLDER --write DIR FOLD...
    python scripts/classics_rivals.py DIR [SEEDS]

Needs numpy, scikit-learn and aeon. MiniRocket has 10,000 features, a scaler without mean and RidgeClassifierCV over 10 values of
1e-3 to 1e3; the forest has 300 trees on mean, deviation, minimum, maximum and the first 19 magnitudes of the spectrum.
"""

import pathlib
import sys
import time

import numpy as np
from aeon.transformations.collection.convolution_based import MiniRocket
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def part(folder, name):
    (path,) = folder.glob(f"{name}-*.f32")
    channels, length = map(int, path.stem.split("-")[1].split("x"))
    return np.fromfile(path, np.float32).reshape(-1, channels, length), np.loadtxt(folder / f"{name}.labels", int)


def statistics(x):
    spectrum = np.abs(np.fft.rfft(x, axis=2))[:, :, 1:20].reshape(len(x), -1)
    return np.concatenate([x.mean(2), x.std(2), x.min(2), x.max(2), spectrum], 1)


for folder in sorted(p for p in pathlib.Path(sys.argv[1]).iterdir() if p.is_dir()):
    (x, y), (test, want) = part(folder, "train"), part(folder, "test")
    found = []
    for seed in range(1, 1 + int(sys.argv[2] if len(sys.argv) > 2 else 1)):
        start = time.time()
        transform = MiniRocket(random_state=seed, n_jobs=1)
        features = transform.fit_transform(x)
        model = make_pipeline(StandardScaler(with_mean=False), RidgeClassifierCV(np.logspace(-3, 3, 10)))
        model.fit(features, y)
        seconds = time.time() - start
        rocket = (model.predict(transform.transform(test)) == want).mean()
        forest = RandomForestClassifier(300, random_state=seed).fit(statistics(x), y)
        found.append((100 * rocket, 100 * (forest.predict(statistics(test)) == want).mean()))
    for name, values in zip(("MiniRocket", "forest"), zip(*found)):
        print(f"{folder.name}: {name} {np.mean(values):.2f} %, of seeds {' '.join(f'{v:.2f}' for v in values)}")
    print(f"{folder.name}: MiniRocket trained in {seconds:.1f} s", flush=True)
