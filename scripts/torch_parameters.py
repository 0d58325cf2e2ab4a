#!/usr/bin/env python3
"""Runs exported parameters in PyTorch and compares predictions with the packed file: an example of how to read them.

    bitspike export RUN -o my.bsnn --safetensors my.safetensors
    bitspike infer my.bsnn --data cifar10 --data-dir DIR --samples 500 --write-inputs x.f32 --write-predictions packed.csv
    python3 scripts/torch_parameters.py my.safetensors x.f32 packed.csv

Chains of blocks, not residual networks. Exit code 1 below 99.9 % of equal predictions.
Needed: pip install torch numpy safetensors
"""

import csv
import json
import sys

import numpy as np
import safetensors
import safetensors.torch
import torch
import torch.nn.functional as F


def channels(values):
    return values.view(1, -1, 1, 1)


def gate(layer, weights, t, z):
    """Factor of a current z [N, C, H, W] before any pooling."""
    kind, name = layer["gate"]["kind"], layer["name"]
    if kind == "none":
        return 1.0
    if kind == "fixed":
        return channels(weights[name + ".factor"][t])
    alpha = channels(weights[name + ".alpha"][t])
    mean = z.mean((2, 3) if layer["gate"]["per_channel"] else (1, 2, 3), keepdim=True)
    return torch.sigmoid(alpha * mean) if layer["gate"]["inside"] else alpha * torch.sigmoid(mean)


def block(layer, weights, frames):
    """Spikes, or counts of four quarters (of a signal, of two halves), of T frames."""
    name, neuron, v, out = layer["name"], layer["neuron"], 0.0, []
    for t, x in enumerate(frames):
        x = F.conv2d(x, weights[name + ".weight"].float(), stride=layer["stride"], padding=layer["padding"])
        z = channels(weights[name + ".slope"]) * x + channels(weights[name + ".offset"])
        k = gate(layer, weights, t, z)
        window = (min(z.shape[2], 2), 2)
        u = neuron["decay"] * v + k * (F.avg_pool2d(z, window) if layer["pool"] == "current" else z)
        s = (u >= neuron["threshold"]).float()
        v = u - neuron["threshold"] * s if neuron["reset"] == "soft" else u * (1 - s)
        out.append({"spikes": lambda: 2 * window[0] * F.avg_pool2d(s, window), "max-spikes": lambda: F.max_pool2d(s, window)}.get(
            layer["pool"], lambda: s)())
    return out


def main():
    file, inputs, predictions = sys.argv[1:]
    weights = safetensors.torch.load_file(file)
    with safetensors.safe_open(file, "pt") as opened:
        net = json.loads(opened.metadata()["bitspike"])
    # Inputs are normalised already: (byte / 255 - input.mean) / input.std.
    images = torch.from_numpy(np.fromfile(inputs, np.float32)).view(-1, *net["input"])
    frames = [images] * net["T"]
    *blocks, head = net["layers"]
    for layer in blocks:
        if layer["kind"] != "block":
            sys.exit(f"torch_parameters.py: {layer['name']}: only chains of blocks")
        frames = block(layer, weights, frames)
    counted = 2 if net["input"][1] == 1 else 4
    unit = 1 / counted if blocks[-1]["pool"] == "spikes" else 1.0
    features = [unit * (x.mean((2, 3)) if head["features"] == "average" else x.flatten(1)) for x in frames]
    logits = sum(F.linear(x, weights["head.weight"], weights["head.bias"]) for x in features) / net["T"]
    with open(predictions, newline="") as opened:
        packed = [int(row[2]) for row in list(csv.reader(opened))[1:]]
    same = int((logits.argmax(1) == torch.tensor(packed)).sum())
    print(f"PyTorch {torch.__version__}, {len(packed)} images: {same} predictions agree")
    sys.exit(0 if same >= 0.999 * len(packed) else 1)


main()
