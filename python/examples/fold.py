"""A network of PyTorch, trained on the embedded images, as a `.bsnn` file; and the proof, over all test images, that both are one.

    python python/examples/fold.py --epochs 2

The network is evaluated in float64 and the file in float32, spike by spike: `bitspike.verify`.
"""

from __future__ import annotations

import argparse

import torch
from torch import nn

import bitspike as bs
from bitspike.torch import LIF, Agmm, BinaryConv2d, RelativeSGD, TimeBatchNorm, TimeDistributed, fold, param_groups, repeat_steps, tet_loss


def build(t: int) -> nn.Sequential:
    return nn.Sequential(
        TimeDistributed(nn.Conv2d(1, 16, 3, padding=1, bias=False)), TimeBatchNorm(16), LIF(),
        BinaryConv2d(16, 32, 3, padding=1), TimeBatchNorm(32), Agmm(t, gate="hard", pool="none"), TimeDistributed(nn.AvgPool2d(2)), LIF(),
        BinaryConv2d(32, 32, 3, padding=1), TimeBatchNorm(32), Agmm(t, gate="hard", pool="none"), TimeDistributed(nn.AvgPool2d(2)), LIF(),
        nn.Flatten(2), nn.Linear(32 * 7 * 7, 10),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--train", type=int, default=8000, help="images to train on")
    parser.add_argument("--test", type=int, default=2000, help="images to compare on")
    parser.add_argument("--steps", type=int, default=2, help="time steps T")
    args = parser.parse_args()

    data = bs.data.load()
    mean, std = 0.286, 0.353
    pixels = [torch.from_numpy(part.x).float().div(255).sub(mean).div(std) for part in (data.train, data.test)]
    labels = [torch.from_numpy(part.y).long() for part in (data.train, data.test)]
    x, y, x_test, y_test = pixels[0][: args.train], labels[0][: args.train], pixels[1][: args.test], labels[1][: args.test]

    torch.manual_seed(1)
    net = build(args.steps)
    opt = RelativeSGD(param_groups(net, lr=0.1), momentum=0.9)
    for epoch in range(args.epochs):
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            loss = tet_loss(net(repeat_steps(x[i], args.steps)), y[i])
            loss.backward()
            opt.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.3f}", flush=True)

    net.eval()
    spec = fold(net, args.steps, (1, 28, 28))
    spec.save("net.bsnn")
    with torch.no_grad():
        logits = torch.cat([net(repeat_steps(part, args.steps)).mean(0) for part in x_test.split(200)])
    print(f"accuracy {100 * (logits.argmax(1) == y_test).double().mean():.2f} %, file of {len(spec.to_bytes())} bytes")
    print(bs.verify(net, "net.bsnn", x_test.numpy()))


if __name__ == "__main__":
    main()
