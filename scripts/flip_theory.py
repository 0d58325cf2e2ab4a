#!/usr/bin/env python3
"""Draws docs/images/flips-theory.png: the share of signs a step changes, predicted and observed, over four decades of step.

    python3 scripts/flip_theory.py target/release/bitspike      needs matplotlib; about three minutes on one core

Nine one-epoch runs of the baseline on the embedded images at a constant learning rate, seed 1. Lines: arctan(η/√(1−β²))/π for
starting weights. Open marks: flip_ratio_predicted, from the weights as they grow. Full marks: flip_ratio, counted.
"""
import json, math, pathlib, subprocess, sys, tempfile
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

MULT = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100]
LR, BETA = 0.1, 0.9
program = sys.argv[1]
figure, axes = plt.subplots(figsize=(6.4, 4.2), dpi=110)
eta = [LR * m / 16 for m in MULT]
points = {"observed": [], "predicted": []}
with tempfile.TemporaryDirectory() as folder:
    for mult in MULT:
        out = pathlib.Path(folder) / str(mult)
        sets = ["schedule.kind=constant", f"optim.lr_binary_mult={mult}", "train.diagnose_every=5"]
        subprocess.run([program, "train", "--method", "bsnn", "--seed", "1", "--epochs", "1", "-q", "--out", out]
                       + [part for s in sets for part in ("--set", s)], check=True, stdout=subprocess.DEVNULL)
        epoch = [r for r in map(json.loads, open(out / "metrics.jsonl")) if r["kind"] == "epoch"][-1]
        layers = [l for l in epoch["layers"] if l["flip_ratio_predicted"] is not None]
        points["observed"].append([l["flip_ratio"] for l in layers])
        points["predicted"].append([l["flip_ratio_predicted"] for l in layers])
        print(mult, points["observed"][-1], points["predicted"][-1], flush=True)
axes.plot(eta, [math.atan(e / math.sqrt(1 - BETA**2)) / math.pi for e in eta], color="#888888", label="starting weights: arctan(η/√(1−β²))/π")
for name, fill in (("predicted", "none"), ("observed", None)):
    for layer, values in enumerate(zip(*points[name])):
        color = ["#3366aa", "#cc6633"][layer % 2]
        axes.scatter(eta, values, s=34, marker="os"[layer % 2], edgecolors=color, facecolors=fill or color, label=f"{name}, binary layer {layer + 1}")
axes.axvline(LR / 16, color="#bbbbbb", linewidth=0.8, linestyle="--")
axes.annotate("default", (LR / 16, 3e-5), fontsize=8, color="#666666")
axes.set(xscale="log", yscale="log", xlabel="step η, in units of a layer's starting weights", ylabel="share of signs changed by a step")
axes.legend(fontsize=8, frameon=False)
for side in ("top", "right"):
    axes.spines[side].set_visible(False)
figure.tight_layout()
figure.savefig(pathlib.Path(__file__).parent.parent / "docs/images/flips-theory.png")
