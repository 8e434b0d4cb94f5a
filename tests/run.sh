#!/bin/sh
# Everything the tests need, then the tests: from a fresh clone with Python 3.11 or newer, Node 20 or newer and npm.
#   sh tests/run.sh          all rings: style, types, imports, unit, in process, real engine and real agents
#   sh tests/run.sh unit     style, types and imports, and what is pure by its examples: a minute
#   sh tests/run.sh quick    these, the properties, and the app in process: without the real engine and agents
set -eu
cd "$(dirname "$0")/.."

python="${PYTHON:-python3}"
venv=.venv
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
lock=$(cksum < requirements.lock)
if [ "$(cat "$venv/.installed" 2>/dev/null || true)" != "$lock" ]; then
    # The lock is whole, so pip need not resolve anything; hashes are checked.
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
    printf '%s' "$lock" > "$venv/.installed"
fi

"$venv/bin/ruff" check .
"$venv/bin/ruff" format --check .
"$venv/bin/mypy"
"$venv/bin/mypy" --platform win32 --cache-dir .mypy_cache/win32
"$venv/bin/mypy" --platform darwin --cache-dir .mypy_cache/darwin
"$venv/bin/lint-imports"
# Examples alone reach every branch of what is pure; what properties and processes happen to reach does not count.
"$venv/bin/python" -m pytest -n 2 -m "not real and not hypothesis" tests/core tests/agents --cov=agentlaunch.core \
    --cov=agentlaunch.agents --cov-branch --cov-report=term-missing:skip-covered --cov-fail-under=100
[ "${1:-all}" = unit ] && exit 0

"$venv/bin/python" -m pytest -n 2 -m "not real and hypothesis" tests/core tests/agents
# They wait for one another's sockets most of the time.
"$venv/bin/python" -m pytest -n 4 -m "not real" --ignore tests/core --ignore tests/agents
[ "${1:-all}" = quick ] && exit 0

# Not `npm ci`: it wants every optional package of other systems in the lock, and npm leaves those out that are not served.
agents=tests/agents_pinned
[ -x "$agents/node_modules/.bin/claude" ] && [ -x "$agents/node_modules/.bin/codex" ] && [ -x "$agents/node_modules/.bin/opencode" ] \
    || npm install --prefix "$agents" --no-audit --no-fund --loglevel=error
more=tests/agents_more
[ -x "$more/node_modules/.bin/qwen" ] && [ -x "$more/node_modules/.bin/pi" ] \
    || npm install --prefix "$more" --no-audit --no-fund --loglevel=error
# In an environment of its own: the proxy pins versions of what we use as well.
litellm=.venv-litellm
if [ ! -x "$litellm/bin/litellm" ]; then
    "$python" -m venv "$litellm"
    "$litellm/bin/python" -m pip install --quiet --disable-pip-version-check 'litellm[proxy]==1.108.*'
fi
AGENTLAUNCH_TEST_LITELLM="$PWD/$litellm/bin/litellm"
export AGENTLAUNCH_TEST_LITELLM
"$venv/bin/python" -m pytest -m real --ignore tests/e2e/test_faults.py
# Agents before faults wait most of the time, so four of them do it at once.
"$venv/bin/python" -m pytest -m real -n 4 tests/e2e/test_faults.py
