#!/usr/bin/env bash
# Remove what builds and killed test runs left: this folder's caches, our engines and namespaces, and
# what a chaos or overload that was killed itself left running.
set -uo pipefail
cd "$(dirname "$0")/.."
if [[ -x .venv/bin/python && -d tests/compose && "$(id -u)" -eq 0 ]]; then
  .venv/bin/python -m tests.compose.engine clean
fi
if [[ -x .venv/bin/python && -d tests/worlds ]]; then
  .venv/bin/python -m tests.worlds.runs || exit 1
fi
rm -rf .run .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist .coverage
find . -path './.venv*' -prune -o -path ./.wire -prune -o -path ./.strangers -prune -o -path ./.bench -prune -o -name __pycache__ -type d -print0 |
  xargs -0r rm -rf
