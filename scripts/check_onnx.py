#!/usr/bin/env python3
"""Runs an exported ONNX graph over a test set and compares its predictions with those of the packed file.

    bitspike export RUN -o my.bsnn --onnx my.onnx
    bitspike infer my.bsnn --data cifar10 --data-dir DIR --write-predictions packed.csv
    python3 scripts/check_onnx.py my.onnx packed.csv --cifar10 DIR          (or --idx DIR for MNIST and Fashion-MNIST)

The images come from the data set's own files, read here, so the normalisation in the graph is checked as well. Exit code 1
below --min-agreement of equal predictions. packed.csv says which images (all, or those of --samples N); without it --limit N takes the
first N, for --bench.

--bench measures 1 and 32 images on --threads threads, by default one, also of int8 graphs that ONNX Runtime makes of this one:
dynamic quantisation, and static quantisation calibrated on 64 training images.

Needed: pip install onnxruntime onnx numpy    (checked with onnxruntime 1.32)
"""

import argparse
import csv
import gzip
import os
import sys
import tempfile
import time

import numpy as np
import onnxruntime as ort


def read(path):
    """A file's bytes, packed or not."""
    for name in (path, path + ".gz"):
        if os.path.exists(name):
            opened = gzip.open(name) if name.endswith(".gz") else open(name, "rb")
            with opened:
                return np.frombuffer(opened.read(), np.uint8)
    sys.exit(f"check_onnx.py: {path}: no such file")


def cifar10(folder, name):
    """Images [N, 3, 32, 32] and labels of a CIFAR-10 file in the binary version."""
    records = read(os.path.join(folder, name)).reshape(-1, 3073)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0]


def idx(folder, part):
    """Images [N, 1, 28, 28] and labels in MNIST's format."""
    images = read(os.path.join(folder, f"{part}-images-idx3-ubyte"))[16:].reshape(-1, 1, 28, 28)
    return images, read(os.path.join(folder, f"{part}-labels-idx1-ubyte"))[8:]


def session(path, threads):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def logits(net, images, batch=200):
    parts = [images[i : i + batch].astype(np.float32) for i in range(0, len(images), batch)]
    return np.concatenate([net.run(["logits"], {"image": x})[0] for x in parts])


def quantised(path, folder, calibration):
    """Paths of int8 graphs, dynamic and static."""
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_dynamic, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    # Folds the casts of the weights, which the quantisers want as plain initialisers.
    plain = os.path.join(folder, "plain.onnx")
    quant_pre_process(path, plain, skip_symbolic_shape=True)

    class Images(CalibrationDataReader):
        def __init__(self):
            self.rows = iter(calibration)

        def get_next(self):
            row = next(self.rows, None)
            return None if row is None else {"image": row[None].astype(np.float32)}

    dynamic, static = os.path.join(folder, "dynamic.onnx"), os.path.join(folder, "static.onnx")
    quantize_dynamic(plain, dynamic, weight_type=QuantType.QUInt8)
    quantize_static(plain, static, Images(), per_channel=True, op_types_to_quantize=["Conv", "Gemm"])
    return {"int8, dynamic": dynamic, "int8, static": static}


def timed(net, images, repeats):
    x = images.astype(np.float32)
    net.run(None, {"image": x})
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        net.run(None, {"image": x})
        walls.append(1e3 * (time.perf_counter() - wall))
        cpus.append(1e3 * (time.process_time() - cpu))
    return [min(walls), np.median(walls), np.median(cpus)]


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("onnx")
    args.add_argument("predictions", nargs="?", help="CSV of bitspike infer --write-predictions")
    args.add_argument("--cifar10", metavar="DIR", help="folder with test_batch.bin")
    args.add_argument("--idx", metavar="DIR", help="folder with t10k-images-idx3-ubyte")
    args.add_argument("--limit", type=int, default=0)
    args.add_argument("--min-agreement", type=float, default=0.999)
    args.add_argument("--bench", action="store_true")
    args.add_argument("--repeats", type=int, default=20)
    args.add_argument("--threads", type=int, default=1)
    args = args.parse_args()
    if args.cifar10:
        images, labels = cifar10(args.cifar10, "test_batch.bin")
        training = lambda: cifar10(args.cifar10, "data_batch_1.bin")[0][:64]
    elif args.idx:
        images, labels = idx(args.idx, "t10k")
        training = lambda: idx(args.idx, "train")[0][:64]
    elif args.bench and not args.predictions:
        # Speed alone needs no data.
        shape = session(args.onnx, 1).get_inputs()[0].shape[1:]
        images = np.random.default_rng(1).integers(0, 256, (64, *shape), np.uint8)
        labels, training = None, lambda: images
    else:
        sys.exit("check_onnx.py: give --cifar10 DIR or --idx DIR")
    if args.limit and not args.predictions:
        images, labels = images[: args.limit], labels[: args.limit] if labels is not None else None

    ok = True
    net = session(args.onnx, args.threads)
    if args.predictions:
        with open(args.predictions, newline="") as file:
            rows = list(csv.reader(file))[1:]
        at = [int(row[0]) for row in rows]
        if max(at, default=0) >= len(images):
            sys.exit(f"check_onnx.py: {args.predictions} has image {max(at)}, there are {len(images)}")
        images, labels = images[at], labels[at]
        packed = np.array([[float(v) for v in row[3:]] for row in rows], np.float32)
        if not np.array_equal([int(row[1]) for row in rows], labels):
            sys.exit("check_onnx.py: labels differ: other images, or another order")
        found = logits(net, images)
        same = int((found.argmax(1) == packed.argmax(1)).sum())
        near = int((np.abs(found - packed).max(1) < 1e-4).sum())
        n = len(images)
        print(f"onnxruntime {ort.__version__}, {n} images: {same} predictions agree; logits within 1e-4 in {near}")
        accuracy = [100 * float((x.argmax(1) == labels).mean()) for x in (found, packed)]
        print(f"accuracy {accuracy[0]:.2f} % in ONNX, {accuracy[1]:.2f} % packed")
        ok = same >= args.min_agreement * n

    if args.bench:
        with tempfile.TemporaryDirectory() as folder:
            nets = {"float32": args.onnx, **quantised(args.onnx, folder, training())}
            title = f"onnxruntime, {args.threads} thread(s)"
            print("\nms: shortest, median, median of processor time (which other programs on the machine disturb least)")
            print(f"{title:26} {'file, kB':>9} {'1 image':>24} {'32 images':>27} {'accuracy':>9}")
            for name, path in nets.items():
                net = session(path, args.threads)
                one, many = timed(net, images[:1], args.repeats), timed(net, images[:32], max(3, args.repeats // 5))
                share = "" if labels is None else f"{100 * (logits(net, images).argmax(1) == labels).mean():.2f} %"
                row = [f"{v:8.2f}" for v in one] + [f"{v:9.1f}" for v in many]
                print(f"{name:26} {os.path.getsize(path) / 1e3:9.1f} {''.join(row[:3])} {''.join(row[3:])} {share:>9}")
    sys.exit(0 if ok else 1)


main()
