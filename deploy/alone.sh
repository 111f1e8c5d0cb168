#!/usr/bin/env bash
# Run a command as the only one under a lock: deploy/alone.sh LOCK WHAT COMMAND [ARGUMENT...]
# A second one says who is at work, WHAT it is and where, and ends with 1 before it has changed anything.
# The lock is the kernel's: it ends with the last process that was given it, however that ends.
set -uo pipefail
lock=$1 what=$2
shift 2

# Who may not write there may not do what the lock is for, and is told so by the command itself.
mkdir -p "${lock%/*}" 2>/dev/null && { : >>"$lock"; } 2>/dev/null || exec "$@"
exec 9<>"$lock"
if ! flock -n 9; then
  read -r holder folder <"$lock"
  printf '%s is already at work on this machine (process %s, in %s); wait for it, or end it first.\n' \
    "$what" "$holder" "$folder" >&2
  exit 1
fi
: >"$lock"
printf '%s %s\n' "$$" "$PWD" >&9
exec "$@"
