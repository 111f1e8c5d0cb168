#!/usr/bin/env bash
# The demo from a bare machine on: what is missing is said or installed, then the story is told.
#   deploy/demo.sh [--keep]
set -uo pipefail
cd "$(dirname "$0")/.."
deploy/preflight.sh && deploy/setup.sh base demo && exec .venv/bin/python -m localcloud.demo "$@"
