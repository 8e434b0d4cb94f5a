#!/bin/sh
# Renew requirements.lock with uv: every version and hash, and no address of any package index, since those differ by site.
set -eu
cd "$(dirname "$0")/.."
uv lock --quiet
uv export --quiet --no-header --no-annotate --no-emit-project --all-groups --extra llamacpp --extra demo --extra hf --output-file requirements.lock
rm uv.lock
