#!/usr/bin/env bash
# Install what a part of the workshop needs, and nothing when it is there already.
#
#   deploy/setup.sh base [demo] [test] [lint] [wire] [strangers] [grpcurl] [bench]
#
#   base   .venv with Kite and everything it is developed with
#   demo   Debian packages of the local cloud
#   test   Debian packages and environments of the tests (container engine, browser, .wire, .strangers)
#   lint   .venv-lint with ansible-lint
#   grpcurl  grpcurl in the cache, when Go is here
#   wire   .wire with the MongoDB-protocol server of the store tests
#   strangers  .strangers with schemathesis, and Ansible with the collection that reads EC2
#   bench  .bench with the peers that `make bench` measures against
#
# Never asks, never uses sudo: without root it says which packages are missing and goes on, and what
# needs them says so again.
set -euo pipefail
cd "$(dirname "$0")/.."

DEMO_PACKAGES=(ca-certificates iproute2 mmdebstrap mount nftables openssh-client procps util-linux xfsprogs)
TEST_PACKAGES=(chromium curl docker.io iptables openssl)
ANSIBLE_LINT='ansible-lint==26.10.1'
WIRE='secantusdb==0.7.0b3'
STRANGERS=('schemathesis==4.32.5' 'ansible==12.3.0' 'boto3>=1.44,<2')  # ansible brings amazon.aws
GRPCURL='github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3'
BENCH=('ansible==12.3.0' 'pyinfra==3.10.0' 'apache-libcloud==3.9.1' 'boto3>=1.44,<2')

say() { printf 'setup: %s\n' "$*" >&2; }

missing_packages() {
  local name
  for name in "$@"; do
    [[ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null || true)" == installed ]] || echo "$name"
  done
}

packages() {
  command -v dpkg-query >/dev/null || { say "not a Debian or Ubuntu machine; install by hand: $*"; return 0; }
  local -a wanted
  mapfile -t wanted < <(missing_packages "$@")
  [[ ${#wanted[@]} -eq 0 ]] && return 0
  if [[ $EUID -ne 0 ]]; then
    say "missing Debian packages; as root: apt-get install -y --no-install-recommends ${wanted[*]}"
    return 0
  fi
  say "installing Debian packages: ${wanted[*]}"
  export DEBIAN_FRONTEND=noninteractive
  # A machine that has just started may be busy with its own updates.
  local wait=DPkg::Lock::Timeout=300
  local -a install=(apt-get -o $wait install -y -q --no-install-recommends)
  # A package that starts a daemon must not do so here: the tests start their own.
  local policy=/usr/sbin/policy-rc.d made=
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && made=1
  fi
  local code=0
  "${install[@]}" "${wanted[@]}" >&2 || { apt-get -o $wait update -q >&2 && "${install[@]}" "${wanted[@]}" >&2; } || code=$?
  [[ -n $made ]] && rm -f "$policy"
  [[ $code -eq 0 ]] || say "apt-get could not install: ${wanted[*]}"
  return "$code"
}

python_here() {
  local one
  for one in "${KITE_PYTHON:-python3}" python3.13 python3.12 python3.11; do
    if "$one" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$one"
      return 0
    fi
  done
  say "Python 3.11 or newer is needed and was not found; install it (Debian: apt-get install python3)"
  return 1
}

# environment FOLDER: an empty virtual environment, when there is none that works.
environment() {
  "$1/bin/python" -c '' 2>/dev/null && return 0
  local python
  python="$(python_here)"
  say "making $1"
  if uv --version >/dev/null 2>&1; then
    uv venv -q --clear --python "$python" "$1"
    return
  fi
  if ! "$python" -c 'import ensurepip' 2>/dev/null; then packages python3-venv; fi
  rm -rf "$1"
  "$python" -m venv "$1"
}

# install_into FOLDER REQUIREMENT...
install_into() {
  local python=$1/bin/python
  shift
  if uv --version >/dev/null 2>&1; then
    uv pip install -q --python "$python" "$@"
    return
  fi
  "$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip >/dev/null || return
  "$python" -m pip install -q --no-input "$@"
}

# why LOG: the innermost cause, which installers say last.
why() {
  { grep -E '^[^[:alpha:]]*(cause|error|ERROR):' "$1" || cat "$1"; } | grep -v 'subprocess-exited' | tail -n 1 | sed -E 's/^[^[:alpha:]]*(cause|error|ERROR): *//' | cut -c1-200
}

# wheels FOLDER STAMP REQUIREMENT...: install into an environment once per stamp.
wheels() {
  local folder=$1 stamp=$2
  shift 2
  [[ -f $folder/.stamp && "$(<"$folder/.stamp")" == "$stamp" ]] && "$folder/bin/python" -c '' 2>/dev/null && return 0
  local made= log=.run/setup.log
  "$folder/bin/python" -c '' 2>/dev/null || made=1
  environment "$folder"
  say "installing wheels into $folder"
  mkdir -p "${log%/*}"
  if ! install_into "$folder" "$@" >"$log" 2>&1; then
    say "the wheels for $folder could not be installed ($(why "$log")); check the network or the package index" \
      "(UV_INDEX_URL, PIP_INDEX_URL) and run this again; everything said is in $log"
    [[ -z $made ]] || rm -rf "$folder"
    return 1
  fi
  rm -f "$log"
  printf '%s' "$stamp" >"$folder/.stamp"
}

# go_tool NAME MODULE@VERSION: a stranger's program, into the cache; without Go its test is skipped.
go_tool() {
  local name=$1 module=$2
  local bin="${KITE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kite}/go/${module##*@}"
  [[ -x $bin/$name ]] && return 0
  command -v go >/dev/null || { say "no Go toolchain here: $name is left out and its test skipped"; return 0; }
  say "building $name"
  GOBIN="$bin" GOFLAGS=-modcacherw go install "$module"
}

fingerprint() { cat "$@" | sha256sum | cut -c1-16; }

part() {
  case $1 in
    base)
      wheels .venv "$(fingerprint pyproject.toml deploy/constraints.txt)" -c deploy/constraints.txt -e '.[demo,dev]'
      ;;
    demo) packages "${DEMO_PACKAGES[@]}" ;;
    test) packages "${DEMO_PACKAGES[@]}" "${TEST_PACKAGES[@]}"; part wire; part strangers; part grpcurl ;;
    lint) wheels .venv-lint "$ANSIBLE_LINT" "$ANSIBLE_LINT" ;;
    wire) wheels .wire "$WIRE" "$WIRE" ;;
    strangers) wheels .strangers "${STRANGERS[*]}" "${STRANGERS[@]}" ;;
    grpcurl) go_tool grpcurl "$GRPCURL" ;;
    bench) wheels .bench "${BENCH[*]}" "${BENCH[@]}" ;;
    *) say "no such part: $1 (base demo test lint wire strangers grpcurl bench)"; return 2 ;;
  esac
}

[[ $# -gt 0 ]] || set -- base
for one in "$@"; do part "$one"; done
