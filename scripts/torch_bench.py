#!/usr/bin/env python3
"""Time a binary spiking VGG with the AGMM gate in PyTorch, on the CPU: the counterpart of `bitspike bench train`.

    python3 -m venv v && v/bin/pip install torch numpy && v/bin/python scripts/torch_bench.py --net small --threads 1

Normally `bitspike bench train --against torch` starts it, once per mode. One JSON object per mode is printed: median,
shortest and longest seconds of a training step (forward, TET loss, backward, SGD with momentum), median seconds of
inference at the batch and at one sample, and the peak memory of the process so far in units of 2^20 bytes.

Modes: `eager` is float32 with channels-last tensors; `compile` is torch.compile of that (needs a C++ compiler); `bf16`
is autocast to bfloat16; `compile_bf16` is both.

The network is that of the Rust program: a real stem, then binary 3x3 convolutions (sign of the weight, straight-through
gradient within |w| <= 1), each followed by batch norm over time and batch, the gate, and LIF neurons (leak 1/2,
threshold 1, soft reset without gradient, triangle surrogate). P averages 2x2 of the current, before gate and neuron. The
classifier sees the mean rate of every channel. Images are random and the same at every time step. Two differences: the
stem is computed at every step, as frameworks for spiking networks do with a static image (`--stem-once` computes it
once, as the Rust program does), and flips of weights are not counted.
"""

import argparse
import contextlib
import json
import resource
import statistics
import sys
import time

try:
    import torch
except ImportError as error:
    sys.exit(f"cannot import torch ({error}); install it with: {sys.executable} -m pip install torch numpy")
from torch import nn
from torch.nn import functional as F

NETWORKS = {
    "small": "32-64-P-128-128-P-256",
    "vgg11": "64-128-P-256-256-P-512-512-P-512-512",
}
METHODS = ("agmm", "bsnn", "full-precision")
MODES = ("eager", "compile", "bf16", "compile_bf16")
CLASSES = 10


class BinarySign(torch.autograd.Function):
    """-1 or +1; the gradient passes where |w| <= 1."""

    @staticmethod
    def forward(ctx, latent):
        ctx.save_for_backward(latent)
        return (latent >= 0).to(latent.dtype).mul(2).sub(1)

    @staticmethod
    def backward(ctx, grad):
        (latent,) = ctx.saved_tensors
        return grad.masked_fill(latent.abs() > 1, 0)


class Fire(torch.autograd.Function):
    """1 at or above the threshold; the gradient is a triangle of width 1 around it."""

    @staticmethod
    def forward(ctx, above):
        ctx.save_for_backward(above)
        return (above >= 0).to(above.dtype)

    @staticmethod
    def backward(ctx, grad):
        (above,) = ctx.saved_tensors
        return grad * F.relu(1 - above.abs())


def neurons(current, leak=0.5, threshold=1.0):
    """Spikes [T, N, C, H, W] of leaky integrate-and-fire neurons for a current of that shape."""
    spikes, rest = [], None
    for step in current.unbind(0):
        membrane = step if rest is None else leak * rest + step
        fired = Fire.apply(membrane - threshold)
        rest = membrane - threshold * fired.detach()
        spikes.append(fired)
    return torch.stack(spikes)


class Layer(nn.Module):
    """Convolution, batch norm, pooling if asked for, gate if there is one, neurons."""

    def __init__(self, inputs, outputs, steps, *, binary, gated, pooled, repeats=1):
        super().__init__()
        spread = (2 / (9 * outputs)) ** 0.5
        self.weight = nn.Parameter(spread * torch.randn(outputs, inputs, 3, 3))
        self.norm = nn.BatchNorm2d(outputs)
        self.alpha = nn.Parameter(torch.ones(steps)) if gated else None
        self.binary, self.pooled, self.steps, self.repeats = binary, pooled, steps, repeats

    def forward(self, x):
        weight = BinarySign.apply(self.weight) if self.binary else self.weight
        current = self.norm(F.conv2d(x, weight, padding=1))
        if self.pooled:
            current = F.avg_pool2d(current, 2)
        current = current.unflatten(0, (self.steps // self.repeats, -1))
        if self.repeats > 1:
            current = current.expand(self.steps, -1, -1, -1, -1)
        if self.alpha is not None:
            mean = current.mean(dim=(2, 3, 4), keepdim=True)
            current = current * (self.alpha.view(-1, 1, 1, 1, 1) * torch.sigmoid(mean))
        return neurons(current).flatten(0, 1)


def parts_of(text):
    """The parts of a network text, with repeats such as 4x64 written out."""
    for part in text.split("-"):
        times, cross, channels = part.strip().partition("x")
        yield from [channels] * int(times) if cross else [times]


class Network(nn.Module):
    """Logits [T, N, classes] for images [N, 3, 32, 32]."""

    def __init__(self, text, steps, method, stem_once):
        super().__init__()
        parts, layers, channels = list(parts_of(text)), [], 3
        for part, following in zip(parts, parts[1:] + [""]):
            if part.upper() == "P":
                continue
            stem = not layers
            layers.append(
                Layer(
                    channels,
                    int(part),
                    steps,
                    binary=not stem and method != "full-precision",
                    gated=not stem and method == "agmm",
                    pooled=following.upper() == "P",
                    repeats=steps if stem and stem_once else 1,
                )
            )
            channels = int(part)
        self.layers, self.classifier = nn.Sequential(*layers), nn.Linear(channels, CLASSES)
        self.steps, self.copies = steps, 1 if stem_once else steps

    def forward(self, images):
        x = images.expand(self.copies, -1, -1, -1, -1).flatten(0, 1)
        rates = self.layers(x.contiguous(memory_format=torch.channels_last)).mean(dim=(2, 3))
        return self.classifier(rates).unflatten(0, (self.steps, -1))


def seconds(work, repetitions):
    """Durations of some calls, after one that is not counted."""
    work()
    durations = []
    for _ in range(repetitions):
        start = time.perf_counter()
        work()
        durations.append(time.perf_counter() - start)
    return durations


def peak_memory():
    """Peak resident memory in MiB. Linux: from the process itself, as getrusage starts at the size of the parent."""
    with contextlib.suppress(OSError):
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) // 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1 << 20 if sys.platform == "darwin" else 1024)


def measure(mode, options, text):
    """The figures of one mode."""
    torch.manual_seed(0)
    images = torch.randn(options.batch, 3, 32, 32)
    labels = torch.randint(0, CLASSES, (options.batch,))
    network = Network(text, options.T, options.method, options.stem_once).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    call = torch.compile(network) if mode.startswith("compile") else network

    def cast():
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=mode.endswith("bf16"))

    def train_step():
        optimizer.zero_grad(set_to_none=True)
        with cast():
            logits = call(images)
            # TET: the mean over time steps of the cross entropy of each.
            loss = F.cross_entropy(logits.float().flatten(0, 1), labels.repeat(options.T))
        loss.backward()
        optimizer.step()

    def infer(count):
        batch = images[:count]

        def work():
            with torch.no_grad(), cast():
                call(batch)

        return work

    steps = seconds(train_step, options.reps)
    network.eval()
    batches = seconds(infer(options.batch), options.reps)
    singles = seconds(infer(1), options.reps)
    median = statistics.median(steps)
    return {
        "mode": mode,
        "net": options.net if options.layers is None else "layers",
        "layers": text,
        "T": options.T,
        "batch": options.batch,
        "threads": options.threads,
        "method": options.method,
        "stem_once": options.stem_once,
        "reps": options.reps,
        "train_step_s": median,
        "train_step_min_s": min(steps),
        "train_step_max_s": max(steps),
        "samples_per_s": options.batch / median,
        "infer_batch_s": statistics.median(batches),
        "infer_1_s": statistics.median(singles),
        "peak_rss_mb": peak_memory(),
        "torch": torch.__version__,
    }


def count(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not at least 1")
    return value


def modes(text):
    wanted = [mode.strip() for mode in text.split(",") if mode.strip()]
    unknown = [mode for mode in wanted if mode not in MODES]
    if unknown or not wanted:
        raise argparse.ArgumentTypeError(f"unknown mode {', '.join(unknown) or 'list'}; modes: {', '.join(MODES)}")
    return wanted


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", choices=NETWORKS, default="vgg11")
    parser.add_argument("--layers", help="network as text, in place of --net, such as 32-64-P-128")
    parser.add_argument("--T", type=count, default=4, help="time steps")
    parser.add_argument("--batch", type=count, default=32)
    parser.add_argument("--threads", type=count, default=1)
    parser.add_argument("--method", choices=METHODS, default="agmm")
    parser.add_argument("--modes", type=modes, default=list(MODES), help="separated by commas")
    parser.add_argument("--reps", type=count, default=5)
    parser.add_argument("--stem-once", action="store_true", help="compute the stem once, not at every time step")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    text = options.layers or NETWORKS[options.net]
    for mode in options.modes:
        print(json.dumps(measure(mode, options, text)), flush=True)


if __name__ == "__main__":
    main()
