#!/usr/bin/env python3
"""What SpikingJelly, snnTorch, Norse and Sinabs make of a NIR file that bitspike wrote.

    pip install "nir>=1.0.8" "nirtorch>=2.6,<2.7" torch snntorch spikingjelly norse
    pip install --no-deps sinabs==3.1.3; pip install samna pbr    # sinabs asks for nir<=1.0.4, which reads no metadata
    bitspike infer net.bsnn --samples 200 --write-predictions net.csv --write-inputs net.f32
    bitspike export RUN --nir net.nir
    python3 scripts/nir_rivals.py net.nir net.f32 net.csv

Every sample is run through the importer of each library for the steps that the file states, and the prediction and the logits
(means over the steps) are compared with those of bitspike. A second line per library, where there is one, is the same with a change
that names the cause of a difference. A library that is not installed is left out. Exit code 1 if a library that should agree does not.
"""

import argparse
import contextlib
import csv
import importlib.metadata
import io
import logging
import math
import sys
import warnings

import nir
import numpy as np
import torch


def facts(graph):
    """Metadata of the file as numbers and texts."""
    plain = {}
    for key, value in graph.metadata.items():
        plain[key] = value.decode() if isinstance(value, bytes) else value
    return plain


def mean(step, frames, steps, sequence):
    """Mean output of so many steps; `step(x, state)` gives output and state."""
    total, state = 0.0, None
    for t in range(steps):
        out, state = step(frames[:, t] if sequence else frames, state)
        total = total + out
    return (total / steps).reshape(len(frames), -1).numpy()


def reference(graph, x, steps, sequence):
    """The equations of NIR in plain PyTorch, one Euler step of dt at a time."""
    dt = float(graph.metadata["dt"])
    fields = torch.nn.functional
    order, sources = [], {name: [a for a, b in graph.edges if b == name] for name in graph.nodes}
    while len(order) < len(graph.nodes):
        order += [n for n in graph.nodes if n not in order and all(s in order for s in sources[n])]

    def step(frame, potentials):
        potentials, values = potentials or {}, {}
        for name in order:
            node = graph.nodes[name]
            value = sum(values[s] for s in sources[name]) if sources[name] else frame
            if isinstance(node, nir.Conv2d):
                weight, bias = torch.tensor(node.weight), torch.tensor(node.bias)
                stride, padding = tuple(int(v) for v in node.stride), tuple(int(v) for v in node.padding)
                value = fields.conv2d(value, weight, bias, stride, padding)
            elif isinstance(node, nir.AvgPool2d):
                value = fields.avg_pool2d(value, tuple(int(v) for v in node.kernel_size), tuple(int(v) for v in node.stride))
            elif isinstance(node, nir.Scale):
                value = value * torch.tensor(node.scale)
            elif isinstance(node, nir.Flatten):
                value = value.flatten(1)
            elif isinstance(node, nir.Affine):
                value = fields.linear(value, torch.tensor(node.weight), torch.tensor(node.bias))
            elif isinstance(node, (nir.LIF, nir.IF)):
                v = potentials.get(name, torch.zeros_like(value))
                if isinstance(node, nir.LIF):
                    v = v + dt / torch.tensor(node.tau) * (torch.tensor(node.v_leak) - v + torch.tensor(node.r) * value)
                else:
                    v = v + dt * torch.tensor(node.r) * value
                threshold = torch.tensor(node.v_threshold)
                value = (v > threshold).float()
                soft = node.metadata.get("reset") in (b"soft", "soft")
                after = v - threshold if soft else torch.tensor(node.v_reset)
                potentials[name] = torch.where(value > 0, after, v)
            values[name] = value
        return values[order[-1]], potentials

    return mean(step, x, steps, sequence)


def spikingjelly(graph, x, steps, sequence):
    from spikingjelly.activation_based.nir_exchange import import_from_nir

    module = import_from_nir(graph)
    return mean(lambda frame, state: module(frame) if state is None else module(frame, state), x, steps, sequence)


def snntorch(graph, x, steps, sequence, reset=True):
    import snntorch as snn
    from snntorch.import_nir import import_from_nir

    module = import_from_nir(graph)
    if reset:
        return mean(lambda frame, _: module(frame), x, steps, sequence)
    # One sample after another, potentials going on from each to the next.
    return np.concatenate([mean(lambda frame, _: module(frame), x[i : i + 1], steps, sequence) for i in range(len(x))])


def norse(graph, x, steps, sequence):
    import norse.torch

    module = norse.torch.from_nir(graph, dt=float(graph.metadata["dt"]), ignore_warnings=True)
    return mean(module, x, steps, sequence)


def sinabs(graph, x, steps, sequence, as_nir=False):
    import sinabs.activation
    import sinabs.layers
    import sinabs.nir

    shares = {n: float(graph.metadata["dt"]) / float(node.tau.flat[0]) for n, node in graph.nodes.items() if isinstance(node, nir.LIF)}
    nodes = {n: node for n, node in graph.nodes.items() if isinstance(node, (nir.LIF, nir.IF))}
    # Its check for a leak of 0 asks for a vector.
    for node in nodes.values():
        if isinstance(node, nir.LIF):
            node.v_leak = node.v_leak.reshape(-1)
    module = sinabs.nir.from_nir(graph, batch_size=len(x))
    if as_nir:
        for name, layer in module.named_modules():
            name = name.rsplit(".", 1)[-1]
            if name not in nodes or not hasattr(layer, "spike_fn"):
                continue
            layer.spike_fn = sinabs.activation.SingleSpike
            layer.reset_fn = sinabs.activation.MembraneReset()
            layer.min_v_mem = None
            threshold = torch.tensor(nodes[name].v_threshold)
            if name in shares:
                layer.tau_mem = torch.nn.Parameter(torch.tensor(-1.0 / math.log(1.0 - shares[name])))
                threshold = threshold / shares[name]
            layer.spike_threshold = torch.nn.Parameter(threshold)
    frames = x if sequence else x.unsqueeze(1).repeat(1, steps, *[1] * (x.dim() - 1))
    out = module(frames.flatten(0, 1))
    out = out[0] if isinstance(out, tuple) else out
    return out.reshape(len(x), steps, -1).mean(1).numpy()


# Package, what is run, what was changed, whether all predictions must agree.
RUNS = [
    ("nir", reference, "", True),
    ("spikingjelly", spikingjelly, "", True),
    ("snntorch", snntorch, "", True),
    ("snntorch", lambda *a: snntorch(*a, reset=False), "potentials not set back between samples", False),
    ("norse", norse, "", True),
    ("sinabs", sinabs, "", False),
    ("sinabs", lambda *a: sinabs(*a, as_nir=True), "one spike per step, reset to 0, tau as NIR has it", False),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nir", help="file that bitspike wrote")
    parser.add_argument("inputs", help="--write-inputs of bitspike infer")
    parser.add_argument("predictions", help="--write-predictions of bitspike infer")
    parser.add_argument("--only", help="one library")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    graph = nir.read(args.nir)
    about = facts(graph)
    steps, sequence = int(about["steps"]), about["input"].startswith("a frame per step")
    with open(args.predictions, newline="") as file:
        rows = list(csv.DictReader(file))
    predicted = np.array([int(row["predicted"]) for row in rows])
    names = [key for key in rows[0] if key.startswith("logit")]
    logits = np.array([[float(row[key]) for key in names] for row in rows])
    shape = [int(v) for v in next(n for n in graph.nodes.values() if isinstance(n, nir.Input)).input_type["input"]]
    x = torch.from_numpy(np.fromfile(args.inputs, dtype=np.float32))
    x = x.reshape(len(rows), *([steps] if sequence else []), *shape)
    failed = False
    print("| library | version | change | same prediction | largest difference of a logit |\n|---|---|---|---|---|")
    for name, run, change, must in RUNS:
        if args.only and name != args.only:
            continue
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        try:
            with torch.no_grad(), contextlib.redirect_stdout(io.StringIO()):
                out = np.asarray(run(nir.read(args.nir), x, steps, sequence), dtype=np.float64)
            same = int((out.argmax(1) == predicted).sum())
            result = f"{same}/{len(rows)} | {np.abs(out - logits).max():.1e}"
        except Exception as error:  # What an importer refuses is a result.
            same, result = -1, f"{type(error).__name__}: {str(error)[:120]} |"
        failed |= must and same != len(rows)
        print(f"| {name} | {version} | {change} | {result} |", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
