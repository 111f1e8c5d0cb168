#!/usr/bin/env bash
# Say at once what this machine lacks for the demo, before anything on it is changed.
set -uo pipefail
cd "$(dirname "$0")/.."

found=0
lacks() { printf '%s\n' "$*" >&2; found=1; }

deploy/tenant.sh || exit 1

if [[ "$(uname -s)" != Linux ]]; then
  lacks "The demo needs Linux (this is $(uname -s)); use a Linux machine or virtual machine."
elif [[ "$(uname -m)" != x86_64 ]]; then
  lacks "The demo needs an x86-64 machine (this is $(uname -m)): the Milvus it runs is made for no other."
elif [[ "$(id -u)" -ne 0 ]]; then
  lacks "The demo needs root for namespaces and mounts; run it as root: sudo make demo"
elif command -v unshare >/dev/null && ! unshare -m -p -u -i -n --fork true 2>/dev/null; then
  lacks "This machine does not let root make namespaces; use a virtual machine or a privileged container."
fi

version_fits='import sys; sys.exit(sys.version_info < (3, 11))'
python=
for one in "${KITE_PYTHON:-python3}" python3.13 python3.12 python3.11; do
  "$one" -c "$version_fits" 2>/dev/null && python=$one && break
done
[[ -n $python ]] || lacks "Python 3.11 or newer is needed; install it (Debian: apt-get install python3 python3-venv)."

free=$(df -Pk . | awk 'NR == 2 {print int($4 / 1048576)}')
[[ $free -ge 6 ]] || lacks "This folder's disk has $free GiB free and 6 GiB are needed; make room."

if [[ $found -eq 0 && ! -d .venv ]] && ! command -v apt-get >/dev/null; then
  for tool in ip nft mmdebstrap mkfs.xfs ssh; do
    command -v "$tool" >/dev/null || lacks "$tool is missing and this is not Debian or Ubuntu; install it by hand."
  done
fi
exit $found
