#!/usr/bin/env bash
# Write deploy/constraints.txt: the versions of everything in .venv, which setups and images then use.
set -euo pipefail
cd "$(dirname "$0")/.."
{
  echo "# Written by deploy/pins.sh from an environment whose tests passed; do not edit by hand."
  .venv/bin/python -m pip freeze --exclude-editable --exclude pip --exclude kite-milvus | grep -v ' @ ' | LC_ALL=C sort -f
} >deploy/constraints.txt.new
mv deploy/constraints.txt.new deploy/constraints.txt
