"""The Bi-Real network of ``recipes/study-cifar-bireal.toml`` in PyTorch, beside the Rust trainer.

    python python/examples/bireal.py --data-dir CIFAR10 --out runs/bireal --program target/release/bitspike

Both sides train the same network by the same recipe: step rule, schedule, loss, augmentation, T, batches, starting distributions. Random
numbers differ, so single runs do; what is compared is accuracy, loss and sign flips over seeds. A run that is in ``--out`` is not made
again, so more seeds may be added. CIFAR10 is the folder of the official binary version; a first part of its files will do.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import bitspike as bs
from bitspike import torch as bt

RECIPE = Path(__file__).parents[2] / "recipes/study-cifar-bireal.toml"
T, BATCH, LR, PAD = 2, 64, 0.1, 4
WIDTHS = [16] * 4 + [32] * 4 + [64] * 4


def real_conv(inputs: int, out: int, kernel: int) -> nn.Conv2d:
    """A real convolution that starts as the Rust trainer's does: normal, by the fan out."""
    conv = nn.Conv2d(inputs, out, kernel, padding=kernel // 2, bias=False)
    nn.init.normal_(conv.weight, std=math.sqrt(2.0 / (kernel * kernel * out)))
    return conv


class Block(nn.Module):
    """``x + gate(norm(conv(neuron(x))))``; where it halves the map, ``x`` goes through average pooling, 1x1 convolution and norm."""

    def __init__(self, inputs: int, out: int, halve: bool) -> None:
        super().__init__()
        self.neuron = bt.LIF()
        self.conv = bt.BinaryConv2d(inputs, out, 3, stride=2 if halve else 1, padding=1)
        self.norm, self.gate = bt.TimeBatchNorm(out), bt.Agmm(T, pool="none", gate="hard")
        around = [bt.TimeDistributed(nn.AvgPool2d(2), real_conv(inputs, out, 1)), bt.TimeBatchNorm(out)] if halve else []
        self.around = nn.Sequential(*around)

    def forward(self, x: Tensor) -> Tensor:
        return self.gate(self.norm(self.conv(self.neuron(x)))) + self.around(x)


class BiReal(nn.Module):
    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(bt.TimeDistributed(real_conv(channels, 16, 3)), bt.TimeBatchNorm(16))
        before = [16, *WIDTHS[:-1]]
        # "16-P-...": the first block halves the map too.
        self.blocks = nn.Sequential(*(Block(a, b, a != b or i == 0) for i, (a, b) in enumerate(zip(before, WIDTHS))))
        self.last, self.head = bt.LIF(), nn.Linear(WIDTHS[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[T, N, classes]`` of ``[T, N, C, H, W]``."""
        return self.head(self.last(self.blocks(self.stem(x))).mean((3, 4)))


def augmented(x: Tensor, rng: torch.Generator) -> Tensor:
    """uint8 ``[N, C, H, W]``, each padded by black, cut out at random, and flipped or not."""
    n, _, h, w = x.shape
    padded = F.pad(x, [PAD] * 4)
    places = torch.randint(2 * PAD + 1, (n, 2), generator=rng).tolist()
    x = torch.stack([image[:, dy : dy + h, dx : dx + w] for image, (dy, dx) in zip(padded, places)])
    return torch.where(torch.rand(n, 1, 1, 1, generator=rng) < 0.5, x.flip(3), x)


@dataclass
class Result:
    """What came of a run; lists have a number per epoch."""

    accuracy: float
    """Of the test part."""
    loss: list[float]
    """Of training."""
    unchanged: float
    """Share of signs that are those of the start, at the end."""
    ratio: dict[str, list[float]]
    """Share of signs that a step changes, of each layer."""


class Data:
    def __init__(self, data: bs.data.DataSet) -> None:
        self.mean, self.std = (torch.from_numpy(v)[:, None, None] for v in (data.channel_mean, data.channel_std))
        self.x, self.y = torch.from_numpy(data.train.x), torch.from_numpy(data.train.y)
        self.test_x, self.test_y = torch.from_numpy(data.test.x), torch.from_numpy(data.test.y)
        self.classes = data.classes

    def floats(self, x: Tensor) -> Tensor:
        """``[T, N, C, H, W]`` of pixels."""
        return bt.repeat_steps((x / 255 - self.mean) / self.std, T)

    def epoch(self, rng: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Whole batches in a random order; the rest of an epoch is left out, as the trainer does."""
        for part in torch.randperm(len(self.y), generator=rng).split(BATCH):
            if len(part) == BATCH:
                yield self.floats(augmented(self.x[part], rng)), self.y[part]


def in_torch(data: Data, seed: int, epochs: int, lr: float) -> tuple[nn.Module, Result]:
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    net = BiReal(data.x.shape[1], len(data.classes))
    optimizer = bt.RelativeSGD(bt.param_groups(net, lr), lr, momentum=0.9)
    steps = len(data.y) // BATCH * epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 0.5 * (1 + math.cos(math.pi * k / steps)))
    flips = bt.FlipTracker(net)
    losses: list[float] = []
    ratio: dict[str, list[float]] = {}
    began, unchanged = time.perf_counter(), 1.0
    for epoch in range(epochs):
        net.train()
        every = []
        for x, y in data.epoch(rng):
            loss = bt.tet_loss(net(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            flips.step()
            every.append(loss.item())
        report = flips.end_epoch()
        losses.append(float(np.mean(every)))
        for name, layer in report.layers.items():
            ratio.setdefault(name.removesuffix(".conv"), []).append(layer.ratio)
        unchanged = report.total.unchanged_since_start
        print(f"torch, seed {seed}, epoch {epoch + 1}: loss {losses[-1]:.4f}, {time.perf_counter() - began:.0f} s", flush=True)
    net.eval()
    with torch.no_grad():
        right = [(net(data.floats(x)).mean(0).argmax(1) == y).sum() for x, y in zip(data.test_x.split(250), data.test_y.split(250))]
    accuracy = int(sum(right)) / len(data.test_y)
    return net, Result(accuracy, losses, unchanged, ratio)


def in_rust(a: argparse.Namespace, seed: int, folder: Path) -> Result:
    if not (folder / "summary.json").exists():
        keys = {"optim.lr": a.lr, "train.test": "end"} | {f"data.{k}": v for k, v in limits(a).items()}
        options: dict[str, Any] = {"seed": seed, "epochs": a.epochs, "keys": keys, "threads": 1, "program": a.program}
        bs.train(RECIPE, data=a.data_dir, out=folder, **options)
    run = bs.Run(folder)
    epochs = run.epochs
    ratio: dict[str, list[float]] = {}
    for layer in epochs[-1]["layers"]:
        if layer["binary"]:
            name = layer["name"]
            ratio[name] = [next(r for r in e["layers"] if r["name"] == name)["flip_ratio"] for e in epochs]
    unchanged = epochs[-1]["flips"]["unchanged_since_start"]
    assert run.accuracy is not None
    return Result(run.accuracy, [e["train_loss"] for e in epochs], unchanged, ratio)


def limits(a: argparse.Namespace) -> dict[str, int]:
    return {k: v for k, v in (("train_limit", a.train), ("test_limit", a.test)) if v}


def welch(a: list[float], b: list[float]) -> tuple[float, float]:
    """Mean of b − a, and half of its 95 % interval."""
    shares = [np.var(v, ddof=1) / len(v) for v in (a, b)]
    width = math.sqrt(sum(shares))
    if width == 0.0:
        return float(np.mean(b) - np.mean(a)), 0.0
    freedom = sum(shares) ** 2 / sum(s**2 / (len(v) - 1) for s, v in zip(shares, (a, b)))
    # The quantile of Student's t, by summing its density.
    t = np.linspace(0.0, 400.0, 4_000_001)
    mass = np.cumsum((1 + t * t / freedom) ** (-(freedom + 1) / 2))
    return float(np.mean(b) - np.mean(a)), float(t[np.searchsorted(mass, 0.95 * mass[-1])]) * width


def row(what: str, rust: list[float], torch_: list[float], scale: float = 1.0, digits: int = 2) -> str:
    rust, torch_ = ([v * scale for v in values] for values in (rust, torch_))
    shown = [f"{np.mean(v):.{digits}f} ± {np.std(v, ddof=1):.{digits}f}" for v in (rust, torch_)]
    difference, half = welch(rust, torch_)
    return f"| {what} | {shown[0]} | {shown[1]} | {difference:+.{digits}f} ± {half:.{digits}f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True, help="folder of CIFAR-10, binary version")
    parser.add_argument("--out", type=Path, default=Path("runs/bireal"))
    parser.add_argument("--program", help="the program bitspike, if it is not in PATH")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--lr", type=float, default=LR)
    parser.add_argument("--train", type=int, help="the first so many training images")
    parser.add_argument("--test", type=int, help="the first so many test images")
    a = parser.parse_args()
    if a.seeds < 2:
        parser.error("--seeds: expected at least 2, to have a spread")
    a.out.mkdir(parents=True, exist_ok=True)
    data = Data(bs.data.load("cifar10", a.data_dir, **limits(a)))
    rust: list[Result] = []
    torch_: list[Result] = []
    for seed in range(1, a.seeds + 1):
        rust.append(in_rust(a, seed, a.out / f"rust-{seed}"))
        kept = a.out / f"torch-{seed}.json"
        if not kept.exists():
            net, result = in_torch(data, seed, a.epochs, a.lr)
            kept.write_text(json.dumps(asdict(result)))
            normalise = (data.mean.flatten(), data.std.flatten())
            bt.fold(net, T, data.x.shape[1:], normalise=normalise, classes=data.classes).save(kept.with_suffix(".bsnn"))
        torch_.append(Result(**json.loads(kept.read_text())))

    def rows(what: str, of: Any, **shown: Any) -> None:
        print(row(what, [of(r) for r in rust], [of(r) for r in torch_], **shown))

    print(f"\n{a.seeds} seeds of either, {a.epochs} epochs of {len(data.y)} images, lr {a.lr}")
    print("| | Rust | PyTorch | difference, 95 % |\n|---|---|---|---|")
    rows("test accuracy, %", lambda r: r.accuracy, scale=100)
    for e in range(a.epochs):
        rows(f"training loss, epoch {e + 1}", lambda r, e=e: r.loss[e], digits=4)
    rows("signs unchanged since the start, %", lambda r: r.unchanged, scale=100)
    for name in rust[0].ratio:
        rows(f"{name}: signs that change per step, ‰", lambda r, name=name: float(np.mean(r.ratio[name])), scale=1000, digits=3)


if __name__ == "__main__":
    main()
