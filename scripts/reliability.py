#!/usr/bin/env python3
"""Campaigns against the finished program: kills, damaged files, full disks, missing permissions.

    scripts/reliability.py kill PROGRAM [--count 300] [--seed 1]
    scripts/reliability.py mutate PROGRAM [--count 60] [--seed 1] [--only WORD]
    scripts/reliability.py disk PROGRAM          (mounts small tmpfs: needs root)
    scripts/reliability.py permission PROGRAM    (as the user nobody when started by root)

kill        SIGKILL at random moments of train, compare, sweep and export. What is finished in the end must have the bits of what
            was never killed, every file under its own name must be whole, and no temporary file may stay.
mutate      For files of every format: single flipped bits, cuts, blocks of zeros and of noise. Panics, signals, more than a
            minute and more memory than the bound are faults everywhere; where a format has a checksum, so is exit code 0.
disk        Every command that writes, on file systems of several sizes that it fills: exit code 2, a message with the path, what was
            there before is untouched, nothing half written under a final name; with room again the result is that of the first try.
permission  Files and folders that may not be read or written: exit code 2 and a message with the path.

Needs Linux and Python 3.9, nothing else. The data is embedded in the program or made here. Exit code 1 if there is a fault; every
fault is printed with its command, so that it can be run again. Figures of the last campaigns: docs, page "Reliability".
"""
import argparse
import collections
import json
import math
import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RECIPE = """name = 'tiny'
[data]
train_limit = 96
test_limit = 30
[network]
layers = '4-P-8'
[agmm]
pool = 'chw'
[train]
epochs = 3
batch_size = 8
log_every = 2
diagnose_every = 4
checkpoint_every = 3
"""
SENSORS = """name = 'motion'
[data]
set = 'sensors'
path = 'recordings'
[data.sensors]
rate_hz = 50
format = { kind = 'csv' }
labels = { from = 'folder' }
window = { length = 32, hop = 32 }
split = { by = 'recording' }
[network]
layers = '4-8'
[train]
epochs = 1
batch_size = 16
"""
# Times, which no two runs share.
TIMES = {"seconds", "samples_per_second", "train_seconds", "eval_milliseconds_per_sample", "started", "crc32c", "ended"}
# Memory of one command on tiny files, bytes; bombs have tests of their own, with bounds of their own.
MEMORY = 1 << 30
SECONDS = 60


class Faults:
    def __init__(self):
        self.list = []

    def add(self, what):
        self.list.append(what)
        print(f"FAULT: {what}", flush=True)

    def end(self):
        print(f"{len(self.list)} faults")
        return 1 if self.list else 0


class Result:
    def __init__(self, code, out, err, seconds, memory):
        self.code, self.out, self.err, self.seconds, self.memory = code, out, err, seconds, memory


def run(program, args, folder, stdin=None, user=None, timeout=SECONDS):
    """Runs the program; exit code None is a timeout, below 0 a signal."""
    def child():
        if user is not None:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)

    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.monotonic()
        process = subprocess.Popen([program, *args], cwd=folder, stdin=stdin or subprocess.DEVNULL, stdout=out, stderr=err,
                                   preexec_fn=child if user is not None else None)
        code, memory = None, 0
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                code, memory = os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024
                break
            if time.monotonic() - start > timeout:
                process.kill()
                os.wait4(process.pid, 0)
                break
            time.sleep(0.002)
        process.returncode = -9 if code is None else code
        seconds = time.monotonic() - start
        out.seek(0)
        err.seek(0)
        return Result(code, out.read().decode(errors="replace"), err.read().decode(errors="replace"), seconds, memory)


def must(program, args, folder, **more):
    result = run(program, args, folder, timeout=600, **more)
    if result.code != 0:
        sys.exit(f"reliability.py: `bitspike {' '.join(args)}` must work: exit code {result.code}\n{result.out}{result.err}")
    return result


def broken(result):
    """Why a result is a fault whatever the input, or None."""
    if result.code is None:
        return f"more than {SECONDS} s"
    if result.code < 0:
        return f"signal {-result.code}"
    if result.code not in (0, 1, 2):
        return f"exit code {result.code}"
    if "panicked at" in result.err:
        return "a panic"
    if result.memory > MEMORY:
        return f"{result.memory >> 20} MiB of memory"
    if result.code == 2 and not result.err.strip():
        return "refused without a word"
    return None


# ---------------------------------------------------------------- what a run left

def without_times(value):
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in TIMES}
    if isinstance(value, list):
        return [without_times(v) for v in value]
    return value


def tensors(path):
    """Header and bytes of a safetensors file; the progress in its metadata without times."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    meta = header.pop("__metadata__", {})
    kept = {}
    for key, value in meta.items():
        try:
            kept[key] = without_times(json.loads(value))
        except (ValueError, TypeError):
            kept[key] = value
    # The checksum of the file is over its times too; `verify-run` checks it.
    header.pop("seal.crc32c", None)
    body = data[8 + length:]
    found = {name: body[slice(*entry["data_offsets"])] for name, entry in header.items()}
    return {key: value for key, value in kept.items() if "sha" not in key and "crc" not in key and key not in TIMES}, found


def lines(path):
    return [without_times(json.loads(line)) for line in path.read_text().splitlines()]


def difference(a, b):
    """What two finished run folders do not share, or None."""
    for name in ("last", "best"):
        one, two = (folder / "checkpoints" / f"{name}.safetensors" for folder in (a, b))
        if one.exists() != two.exists():
            return f"{name}.safetensors is there in one only"
        if one.exists():
            (meta1, body1), (meta2, body2) = tensors(one), tensors(two)
            if body1 != body2:
                return f"tensors of {name}.safetensors"
            if meta1 != meta2:
                return f"metadata of {name}.safetensors"
    if lines(a / "metrics.jsonl") != lines(b / "metrics.jsonl"):
        return "metrics.jsonl"
    one, two = (without_times(json.loads((f / "summary.json").read_text())) for f in (a, b))
    if one != two:
        return "summary.json: " + ", ".join(k for k in one if one.get(k) != two.get(k))
    if (a / "recipe.toml").read_bytes() != (b / "recipe.toml").read_bytes():
        return "recipe.toml"
    return None


def runs(folder):
    return sorted(path.parent.relative_to(folder) for path in folder.rglob("run.json"))


def json_status(folder):
    try:
        return json.loads((folder / "run.json").read_text())["status"]
    except OSError:
        return None


def temporary(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*.tmp"))


# ---------------------------------------------------------------- kill

def kill(program, count, seed):
    faults, chance = Faults(), random.Random(seed)
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        (work / "r.toml").write_text(RECIPE)
        common = ["--quiet", "--threads", "1"]
        folders = {"train": ["train", "r.toml", *common],
                   "compare": ["compare", "r.toml", "--methods", "bsnn,agmm", "--seeds", "1", "--jobs", "1", *common],
                   "sweep": ["sweep", "r.toml", "--grid", "optim.lr=0.1,0.2", "--methods", "agmm", "--seeds", "1", "--jobs", "1", *common]}
        references = {}
        for name, args in folders.items():
            reference = work / f"{name}-reference"
            result = must(program, [*args, "--out", reference.name], work)
            references[name] = (reference, result.seconds)
        export = ["export", "train-reference", "-o", "OUT/my.bsnn", "--c", "OUT/c", "--onnx", "OUT/my.onnx",
                  "--safetensors", "OUT/my.safetensors"]
        whole = work / "export-reference"
        whole.mkdir()
        result = must(program, [arg.replace("OUT", whole.name) for arg in export], work)
        references["export"] = (whole, result.seconds)
        whole = {p.relative_to(whole): p.read_bytes() for p in whole.rglob("*") if p.is_file()}

        killed, finished, equal, before_start = (collections.Counter() for _ in range(4))

        def killed_once(name, args):
            """Starts the command and kills it after a random time; whether it was alive then."""
            process = subprocess.Popen([program, *args], cwd=work, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE)
            # A little longer than the whole: the last moments are as likely as others.
            time.sleep(chance.uniform(0, 1.05 * references[name][1]))
            alive = process.poll() is None
            if alive:
                process.send_signal(signal.SIGKILL)
            said = process.communicate()[1].decode(errors="replace")
            if not alive and process.returncode != 0:
                faults.add(f"{name}: `{' '.join(args)}` ended by itself with {process.returncode}: {said}")
            killed[name] += alive
            return alive

        share = math.ceil(count / 4)
        n = 0
        for name in ("train", "compare", "sweep"):
            reference = references[name][0]
            while killed[name] < share:
                n += 1
                out = work / f"{name}-{n}"

                def command():
                    if name == "train" and json_status(out) == "finished":
                        return None
                    if name == "train" and (out / "checkpoints" / "last.safetensors").exists():
                        return ["train", "--resume", out.name, *common]
                    before_start[name] += out.exists() and not list(out.rglob("last.safetensors"))
                    return [*folders[name], "--out", out.name]

                # One to five kills of the same folder, then it may finish.
                for _ in range(chance.randint(1, 5)):
                    if command() is None or not killed_once(name, command()):
                        break
                last = command()
                result = last and run(program, last, work, timeout=600)
                finished[name] += 1
                if result and result.code != 0:
                    faults.add(f"{name}: `{' '.join(last)}` after kills: exit code {result.code}: {result.err}")
                    continue
                if runs(out) != runs(reference):
                    faults.add(f"{name}: runs {runs(out)} instead of {runs(reference)}")
                    continue
                differences = [d for d in (difference(out / r, reference / r) for r in runs(out)) if d]
                for d in differences:
                    faults.add(f"{name}: {out}: {d}")
                equal[name] += not differences
                if temporary(out):
                    faults.add(f"{name}: left {temporary(out)}")
                for r in runs(out):
                    check = run(program, ["verify-run", str(out / r)], work)
                    if check.code != 0:
                        faults.add(f"{name}: verify-run {out / r}: {check.code} {check.out}{check.err}")
                shutil.rmtree(out)
        name = "export"
        out = work / "exported"
        while killed[name] < share:
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            args = [arg.replace("OUT", out.name) for arg in export]
            for _ in range(chance.randint(1, 3)):
                killed_once(name, args)
                for path in out.rglob("*"):
                    if path.is_file() and path.suffix != ".tmp" and path.read_bytes() != whole.get(path.relative_to(out)):
                        faults.add(f"export: after a kill {path.name} is half written")
            must(program, args, work)
            finished[name] += 1
            now = {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}
            equal[name] += now == whole
            if now != whole:
                faults.add(f"export: after kills {sorted(map(str, set(now) ^ set(whole))) or 'other content'}")
        print("\n| command | kills | finished afterwards | of them with equal bits |\n|---|---|---|---|")
        for name in references:
            print(f"| `{name}` | {killed[name]} | {finished[name]} | {equal[name]} |")
        print(f"| all | {sum(killed.values())} | {sum(finished.values())} | {sum(equal.values())} |")
        print(f"runs begun again because they were killed before their first checkpoint: {before_start['train']}")
    return faults.end()


# ---------------------------------------------------------------- mutate

def recordings(folder):
    for label, step in (("still", 0.02), ("shaking", 0.9)):
        (folder / label).mkdir(parents=True)
        for take in range(6):
            rows = "".join(f"{math.sin(step * i + take):.4f},{math.cos(step * i + take):.4f}\n" for i in range(160))
            (folder / label / f"{take}.csv").write_text("ax,ay\n" + rows)


def wav(path):
    body = b"".join(struct.pack("<h", int(9000 * math.sin(i / 5))) for i in range(2000))
    head = b"RIFF" + struct.pack("<I", 36 + len(body)) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
    path.write_bytes(head + b"data" + struct.pack("<I", len(body)) + body)


def npy(path):
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 200), }"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    values = b"".join(struct.pack("<f", math.sin(i / 7)) for i in range(400))
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + values)


def idx(folder):
    """Fashion-MNIST's four files, tiny, packed: gzip has a CRC-32."""
    import gzip
    folder.mkdir()
    for name, n in (("train", 60), ("t10k", 20)):
        pixels = bytes((i * 7) % 256 for i in range(n * 784))
        (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(
            gzip.compress(struct.pack(">IIII", 0x803, n, 28, 28) + pixels, mtime=0))
        (folder / f"{name}-labels-idx1-ubyte.gz").write_bytes(
            gzip.compress(struct.pack(">II", 0x801, n) + bytes(i % 10 for i in range(n)), mtime=0))


def png(path):
    import zlib
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes((x * 9 + y) % 256 for x in range(24)) for y in range(8))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def mutations(data, count, chance):
    """Damaged copies with a word about each: half single bits, a quarter cuts, the rest blocks."""
    for i in range(count):
        copy = bytearray(data)
        at = chance.randrange(len(data))
        if i % 4 < 2:
            copy[at] ^= 1 << chance.randrange(8)
            what = f"bit flipped in byte {at}"
        elif i % 4 == 2:
            del copy[at:]
            what = f"cut to {at} bytes"
        else:
            length = min(chance.randint(1, 64), len(data) - at)
            block = bytes(length) if i % 8 == 3 else bytes(chance.randrange(256) for _ in range(length))
            copy[at:at + length] = block
            what = f"{length} bytes {'zeroed' if i % 8 == 3 else 'of noise'} at {at}"
        if bytes(copy) != data:
            yield what, bytes(copy)


def half(program, work, name):
    """An unfinished run, to be resumed: killed as soon as it has a checkpoint."""
    process = subprocess.Popen([program, "train", "r.toml", "--out", name, "--epochs", "500", "--quiet", "--threads", "1"],
                               cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (work / name / "checkpoints/last.safetensors").exists():
        time.sleep(0.01)
    process.kill()
    process.wait()


def mutate(program, count, seed, only):
    faults, chance = Faults(), random.Random(seed)
    table = []
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        quiet = ["--quiet", "--threads", "1"]
        (work / "r.toml").write_text(RECIPE)
        (work / "motion.toml").write_text(SENSORS)
        recordings(work / "recordings")
        must(program, ["train", "r.toml", "--out", "run", *quiet], work)
        must(program, ["train", "motion.toml", "--out", "motion", *quiet], work)
        must(program, ["export", "run", "-o", "my.bsnn"], work)
        must(program, ["export", "run", "-o", "integer.bsnn", "--integer"], work)
        must(program, ["export", "motion", "-o", "motion.bsnn"], work)
        wav(work / "a.wav")
        npy(work / "a.npy")
        png(work / "a.png")
        idx(work / "idx")
        events = work / "a.csv"
        events.write_text("t_us,x,y,p\n" + "".join(f"{i * 130},{i % 34},{i * 7 % 34},{i % 2}\n" for i in range(400)))
        for end in ("raw", "es", "npz"):
            must(program, ["data", "convert", "a.csv", f"a.{end}"], work)
        half(program, work, "half")

        once = ["--json"]
        rows = [  # name, file, command, has a checksum
            ("`.bsnn`, real", "my.bsnn", ["inspect", "my.bsnn", *once], True),
            ("`.bsnn`, integers", "integer.bsnn", ["infer", "integer.bsnn", "--samples", "4", *once], True),
            ("`.bsnn` with FEED", "motion.bsnn", ["inspect", "motion.bsnn", *once], True),
            ("checkpoint, `eval`", "run/checkpoints/last.safetensors", ["eval", "run", *once], True),
            ("checkpoint, `export`", "run/checkpoints/last.safetensors", ["export", "run", "-o", "out.bsnn"], True),
            ("checkpoint, `train --resume`", "half/checkpoints/last.safetensors", ["train", "--resume", "half", *quiet], True),
            ("checkpoint, `init.from`", "run/checkpoints/last.safetensors",
             ["train", "r.toml", "--set", "init.from=run", "--out", "new", *quiet], True),
            ("`run.json`, `verify-run`", "run/run.json", ["verify-run", "run"], True),
            ("`run.json`, `report`", "run/run.json", ["report", "run", "--out", "page.html"], True),
            ("`summary.json`, `verify-run`", "run/summary.json", ["verify-run", "run"], True),
            ("`summary.json`, `report`", "run/summary.json", ["report", "run", "--out", "page.html"], True),
            ("`recipe.toml`, `verify-run`", "run/recipe.toml", ["verify-run", "run"], True),
            ("`recipe.toml`, `eval`", "run/recipe.toml", ["eval", "run", *once], True),
            ("`metrics.jsonl`, `verify-run`", "run/metrics.jsonl", ["verify-run", "run"], True),
            ("`metrics.jsonl`, `report`", "run/metrics.jsonl", ["report", "run", "--out", "page.html"], True),
            ("IDX in gzip (CRC-32)", "idx/train-images-idx3-ubyte.gz", ["data", "verify", "idx/train-images-idx3-ubyte.gz"], True),
            ("PNG (CRC-32)", "a.png", ["data", "inspect", "a.png", *once], True),
            ("events npz (CRC-32)", "a.npz", ["data", "verify", "a.npz", *once], True),
            ("events EVT3", "a.raw", ["data", "verify", "a.raw", *once], False),
            ("events Event Stream", "a.es", ["data", "verify", "a.es", *once], False),
            ("events CSV", "a.csv", ["data", "inspect", "a.csv", *once], False),
            ("recording CSV", "recordings/still/0.csv", ["train", "motion.toml", "--out", "new", *quiet], False),
            ("recording CSV, `predict`", "recordings/still/0.csv",
             ["predict", "motion.bsnn", "recordings/still/0.csv", "--recipe", "motion.toml", *once], False),
            ("recording WAV", "a.wav", ["data", "inspect", "a.wav", *once], False),
            ("recording npy", "a.npy", ["data", "inspect", "a.npy", *once], False),
            ("recipe of the user", "r.toml", ["inspect", "r.toml", *once], False),
        ]
        for name, file, args, checked in rows:
            if only and only not in name:
                continue
            path = work / file
            data = path.read_bytes()
            kept = work / "kept"
            # Commands that write into a run get it as it was each time.
            folder = next((f for f in ("run", "half") if file.startswith(f + "/")), None)
            if folder:
                shutil.copytree(work / folder, kept)
            tally = collections.Counter()
            peak = 0

            def command():
                if args[:2] == ["train", "--resume"]:
                    # An undamaged one would go on for minutes: what counts is that it is refused before it begins.
                    return run(program, args, work, timeout=4)
                return run(program, args, work)

            # What refuses everything would refuse damage too.
            whole = command()
            if whole.code not in (0, None) or whole.code is None and args[:2] != ["train", "--resume"]:
                sys.exit(f"reliability.py: the undamaged file must be accepted: `{' '.join(args)}`: {whole.code} {whole.err}")
            if folder:
                shutil.rmtree(work / folder)
                shutil.copytree(kept, work / folder)
            shutil.rmtree(work / "new", ignore_errors=True)
            for what, copy in mutations(data, count, chance):
                path.write_bytes(copy)
                result = command()
                tally["all"] += 1
                peak = max(peak, result.memory)
                resumed = args[:2] == ["train", "--resume"] and result.code is None
                fault = None if resumed else broken(result)
                if fault:
                    tally["fault"] += 1
                    faults.add(f"{name}: {what}: {fault}: `{' '.join(args)}` {result.err[-300:]}")
                elif resumed or result.code == 0:
                    tally["accepted"] += 1
                    # Of text, a cut at the end of a line, or before the checksum's own line, cannot be told from a shorter
                    # file, or from one of a version without checksums.
                    said = "note" in result.err.lower() or "cut short" in result.err + result.out or "checksum" in result.err + result.out
                    if said:
                        tally["said"] += 1
                    elif checked:
                        tally["silent"] += 1
                        faults.add(f"{name}: {what}: accepted silently: `{' '.join(args)}`")
                else:
                    tally["refused"] += 1
                if folder:
                    shutil.rmtree(work / folder)
                    shutil.copytree(kept, work / folder)
                shutil.rmtree(work / "new", ignore_errors=True)
            path.write_bytes(data)
            shutil.rmtree(kept, ignore_errors=True)
            table.append((name, checked, tally, peak))
            print(f"{name}: {dict(tally)}", flush=True)
    print("\n| file, read by | checksum | damaged | refused | accepted with a word | accepted silently | panics, signals, timeouts | memory, MiB |")
    print("|---|---|---|---|---|---|---|---|")
    total = collections.Counter()
    for name, checked, t, peak in table:
        silent = t["silent"] if checked else t["accepted"] - t["said"]
        print(f"| {name} | {'yes' if checked else 'no'} | {t['all']} | {t['refused']} | {t['said']} | {silent} | {t['fault']} | {peak >> 20} |")
        total.update(t)
    print(f"| all | | {total['all']} | {total['refused']} | {total['said']} | {total['silent']} where there is a checksum | {total['fault']} | |")
    return faults.end()


# ---------------------------------------------------------------- disk

def snapshot(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def disk(program, faults=None):
    faults = Faults()
    if os.geteuid() != 0:
        print("skipped: mounting a small tmpfs needs root")
        return 0
    rows = []
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        (work / "r.toml").write_text(RECIPE)
        quiet = ["--quiet", "--threads", "1"]
        must(program, ["train", "r.toml", "--out", "run", *quiet], work)
        recordings(work / "recordings")
        text = "t_us,x,y,p\n" + "".join(f"{i * 130},{i % 34},{i * 7 % 34},{i % 2}\n" for i in range(40_000))
        (work / "a.csv").write_text(text)
        small = work / "small"
        small.mkdir()
        commands = {
            "train": ["train", "r.toml", "--out", "small/run", *quiet],
            "compare": ["compare", "r.toml", "--methods", "bsnn,agmm", "--seeds", "1", "--out", "small/compare", *quiet],
            "sweep": ["sweep", "r.toml", "--grid", "optim.lr=0.1,0.2", "--methods", "agmm", "--seeds", "1", "--out", "small/sweep", *quiet],
            "export": ["export", "run", "-o", "small/my.bsnn"],
            "export --c": ["export", "run", "--c", "small/c"],
            "export --onnx": ["export", "run", "--onnx", "small/my.onnx"],
            "export --safetensors": ["export", "run", "--safetensors", "small/my.safetensors"],
            "report": ["report", "run", "--out", "small/report.html"],
            "new": ["new", "recordings", "--yes", "--out", "small/new.toml"],
            "data convert to npz": ["data", "convert", "a.csv", "small/a.npz"],
            "data convert to raw": ["data", "convert", "a.csv", "small/a.raw"],
            "data inspect --picture": ["data", "inspect", "a.csv", "--picture", "small/a.png"],
        }
        for name, args in commands.items():
            refused = silent = 0
            first = None
            for pages in (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 144, 377):
                subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={4096 * (pages + 2)}", "tmpfs", small], check=True)
                try:
                    (small / "mine").write_bytes(b"kept")
                    before = snapshot(small)
                    # The rest is filled but for so many pages.
                    result = run(program, args, work, timeout=600)
                    after = snapshot(small)
                    fault = broken(result)
                    if fault:
                        faults.add(f"{name}, {pages} pages: {fault}: {result.err[-300:]}")
                    elif result.code == 0:
                        first = first or pages
                    else:
                        refused += 1
                        if "small" not in result.err:
                            faults.add(f"{name}, {pages} pages: the message does not name the path: {result.err}")
                        if "space" not in result.err.lower():
                            faults.add(f"{name}, {pages} pages: the message does not say that space is missing: {result.err}")
                        left = [p for p in after if p.endswith(".tmp")]
                        if left:
                            faults.add(f"{name}, {pages} pages: left {left}")
                        halves = [p for p in after if p not in before and p.startswith(("my", "report", "new", "a.", "c/"))]
                        if halves and not name.startswith("export --c"):
                            faults.add(f"{name}, {pages} pages: half written {halves}")
                    if after.get("mine") != b"kept":
                        faults.add(f"{name}, {pages} pages: a file that was there is gone")
                    # With room again, the same command does it, or the run goes on.
                    if result.code == 2 and not fault:
                        subprocess.run(["mount", "-o", "remount,size=64m", small], check=True)
                        again = args
                        if name == "train" and (small / "run/checkpoints/last.safetensors").exists():
                            again = ["train", "--resume", "small/run", *quiet]
                        result = run(program, again, work, timeout=600)
                        if result.code != 0:
                            faults.add(f"{name}, {pages} pages: with room again: exit code {result.code}: {result.err}")
                        elif name == "train" and (other := difference(small / "run", work / "run")):
                            faults.add(f"{name}, {pages} pages: with room again: {other}")
                finally:
                    subprocess.run(["umount", small], check=True)
            rows.append((name, refused, first))
            print(f"{name}: refused {refused} times", flush=True)
    print("\n| command | sizes of disk that were too small | faults |\n|---|---|---|")
    for name, refused, _ in rows:
        print(f"| `{name}` | {refused} of 12 | {sum(f.startswith(name + ',') for f in faults.list)} |")
    return faults.end()


# ---------------------------------------------------------------- permission

def permission(program):
    faults, rows = Faults(), []
    user = 65534 if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        work.chmod(0o777)
        # Somewhere that the user may run it.
        here = work / "bitspike"
        shutil.copy(program, here)
        here.chmod(0o755)
        program = str(here)
        (work / "r.toml").write_text(RECIPE)
        (work / "motion.toml").write_text(SENSORS)
        recordings(work / "recordings")
        quiet = ["--quiet", "--threads", "1"]
        must(program, ["train", "r.toml", "--out", "run", *quiet], work)
        must(program, ["export", "run", "-o", "my.bsnn"], work)
        (work / "a.csv").write_text("t_us,x,y,p\n1,1,1,1\n5,2,2,0\n")
        (work / "sealed").mkdir()
        (work / "sealed/old.bsnn").write_bytes(b"old")
        (work / "sealed").chmod(0o555)
        (work / "shut").mkdir()
        (work / "shut").chmod(0)
        shutil.copy(work / "r.toml", work / "secret.toml")
        shutil.copy(work / "my.bsnn", work / "secret.bsnn")
        shutil.copy(work / "a.csv", work / "secret.csv")
        for name in ("secret.toml", "secret.bsnn", "secret.csv"):
            (work / name).chmod(0)
        half(program, work, "locked")
        for path in [work / "locked", *(work / "locked").rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        shutil.copytree(work / "run", work / "closed")
        (work / "closed/checkpoints/last.safetensors").chmod(0)
        shutil.copytree(work / "recordings", work / "hidden")
        (work / "hidden/still/0.csv").chmod(0)
        (work / "hidden.toml").write_text(SENSORS.replace("'recordings'", "'hidden'"))
        cases = [  # what, command, the name that the message must have
            ("output folder may not be written", ["train", "r.toml", "--out", "sealed/run", *quiet], "sealed"),
            ("output folder of compare", ["compare", "r.toml", "--methods", "bsnn", "--seeds", "1", "--out", "sealed/c", *quiet], "sealed"),
            ("recipe may not be read", ["train", "secret.toml", *quiet], "secret.toml"),
            ("recipe in a closed folder", ["train", "shut/r.toml", *quiet], "shut"),
            ("recipe is a folder", ["train", "run", *quiet], "run"),
            ("recording may not be read", ["train", "hidden.toml", "--out", "new", *quiet], "hidden"),
            ("new on a closed folder", ["new", "shut", "--yes"], "shut"),
            ("packed file may not be read", ["infer", "secret.bsnn"], "secret.bsnn"),
            ("export beside what may not be written", ["export", "run", "-o", "sealed/old.bsnn"], "sealed"),
            ("export onto a folder", ["export", "run", "-o", "recordings"], "recordings"),
            ("C into a folder that may not be written", ["export", "run", "--c", "sealed/c"], "sealed"),
            ("checkpoint may not be read, eval", ["eval", "closed"], "last.safetensors"),
            ("checkpoint may not be read, export", ["export", "closed", "-o", "x.bsnn"], "last.safetensors"),
            ("report into a folder that may not be written", ["report", "run", "--out", "sealed/r.html"], "sealed"),
            ("report onto a folder", ["report", "run", "--out", "recordings"], "recordings"),
            ("events may not be read", ["data", "inspect", "secret.csv"], "secret.csv"),
            ("events into a folder that may not be written", ["data", "convert", "a.csv", "sealed/a.es"], "sealed"),
            ("picture into a folder that may not be written", ["data", "inspect", "a.csv", "--picture", "sealed/a.png"], "sealed"),
            ("inputs into a folder that may not be written",
             ["infer", "my.bsnn", "--samples", "2", "--write-inputs", "sealed/x.f32"], "sealed"),
            ("run may not be written, resume", ["train", "--resume", "locked", *quiet], "locked"),
        ]
        before = (work / "sealed/old.bsnn").read_bytes()
        for what, args, name in cases:
            result = run(program, args, work, user=user)
            fault = broken(result)
            # A finished run has nothing to resume, which is as good an answer.
            if not fault and result.code != 2:
                fault = f"exit code {result.code}"
            if not fault and name not in result.err:
                fault = "the message does not name the path"
            rows.append((what, result, fault))
            if fault:
                faults.add(f"{what}: {fault}: `{' '.join(args)}`: {result.err}")
        if (work / "sealed/old.bsnn").read_bytes() != before or len(list((work / "sealed").iterdir())) != 1:
            faults.add("the folder that may not be written changed")
        # So that the folder can be removed by whoever owns it.
        for path in [work / "shut", work / "sealed", work / "locked", work / "locked/checkpoints"]:
            path.chmod(0o777)
    print("\n| case | exit code | says |\n|---|---|---|")
    for what, result, fault in rows:
        said = " ".join(result.err.split()).replace(str(work), "").replace("|", "/")
        said = said if len(said) < 160 else said[:157] + "..."
        print(f"| {what} | {result.code} | {said} |")
    return faults.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("campaign", choices=["kill", "mutate", "disk", "permission"])
    parser.add_argument("program", help="path of the program, such as target/release/bitspike")
    parser.add_argument("--count", type=int, help="kills, or damaged copies of each file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="mutate: rows whose name has this in it")
    args = parser.parse_args()
    program = str(Path(args.program).resolve())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if args.campaign == "kill":
        return kill(program, args.count or 300, args.seed)
    if args.campaign == "mutate":
        return mutate(program, args.count or 60, args.seed, args.only)
    return {"disk": disk, "permission": permission}[args.campaign](program)


if __name__ == "__main__":
    sys.exit(main())
