#!/bin/sh
# Builds a wheel and installs it as a user would, each time in a home of its own: pip, pipx, `uv tool install`, `uvx`.
# Usage: sh scripts/check_install.sh [PYTHON]. Needs uv; pipx is checked where it is installed or pip can fetch it.
set -eu
python=${1:-python3}
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
limit=1000000

cd "$root"
uv build --quiet --wheel --out-dir "$work/dist" .
wheel=$(ls "$work"/dist/*.whl)
size=$(wc -c < "$wheel")
echo "wheel    $size bytes"
[ "$size" -lt "$limit" ] || { echo "the wheel is not below $limit bytes" >&2; exit 1; }
"$python" "$root/scripts/check_wheel.py" "$wheel"

# works HOME PROGRAM: the installed program answers in that home.
works() {
  version=$(HOME=$1 AGENTLAUNCH_HOME=$1/ours "$2" --version)
  case $version in "agentlaunch "*) ;; *) echo "$2 says: $version" >&2; exit 1 ;; esac
  HOME=$1 AGENTLAUNCH_HOME=$1/ours "$2" check --json > "$1/check.json"
  "$python" -c 'import json, sys; assert json.load(open(sys.argv[1]))["status"] == "ok"' "$1/check.json"
}

home=$work/pip
mkdir "$home"
"$python" -m venv "$home/venv"
HOME=$home "$home/venv/bin/pip" install --quiet --disable-pip-version-check "$wheel"
works "$home" "$home/venv/bin/agentlaunch"
echo "pip      works"

home=$work/uv
mkdir "$home"
HOME=$home UV_TOOL_DIR=$home/tools UV_TOOL_BIN_DIR=$home/bin uv tool install --quiet "$wheel"
works "$home" "$home/bin/agentlaunch"
echo "uv tool  works"

home=$work/uvx
mkdir "$home"
version=$(HOME=$home UV_TOOL_DIR=$home/tools uvx --quiet --from "$wheel" agentlaunch --version)
case $version in "agentlaunch "*) echo "uvx      works" ;; *) echo "uvx says: $version" >&2; exit 1 ;; esac

home=$work/pipx
mkdir "$home"
"$python" -m venv "$home/venv"
if HOME=$home "$home/venv/bin/pip" install --quiet --disable-pip-version-check pipx; then
  HOME=$home PIPX_HOME=$home/pipx PIPX_BIN_DIR=$home/bin PIPX_MAN_DIR=$home/man "$home/venv/bin/pipx" install --quiet "$wheel"
  works "$home" "$home/bin/agentlaunch"
  echo "pipx     works"
else
  echo "pipx     not checked: pip could not fetch it"
fi
