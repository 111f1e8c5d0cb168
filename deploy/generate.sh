#!/usr/bin/env bash
# Generate the wire code of protos/kite/v1 below a folder: deploy/generate.sh FOLDER
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
to="$(cd "$1" && pwd)"
bin="$root/.venv/bin"
cd "$root"
"$bin/python" -m grpc_tools.protoc -I protos \
  --python_out="$to" --grpc_python_out="$to" --mypy_out=quiet:"$to" --mypy_grpc_out=quiet:"$to" \
  --plugin=protoc-gen-mypy="$bin/protoc-gen-mypy" --plugin=protoc-gen-mypy_grpc="$bin/protoc-gen-mypy_grpc" \
  protos/kite/v1/*.proto
