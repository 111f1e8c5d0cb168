#!/usr/bin/env bash
# Say whether a demo runs on this machine, and where it lives: exit 1 and a sentence when one does.
# Needs no virtual environment, so that a second checkout hears it before anything is installed.
set -uo pipefail
record=${1:-/run/kite/kl/tenant.json}
[[ -r $record ]] || exit 0

field() { sed -nE "s/.*\"$1\": \"?([^\",}]*)\"?[,}].*/\1/p" "$record"; }
pid=$(field pid) began=$(field began) state=$(field state)
# The process of the record, not another one that was given its number: field 22 is when it began.
now=$(awk '{sub(/.*\) /, ""); if ($1 !~ /[ZX]/) print $20}' "/proc/$pid/stat" 2>/dev/null)
[[ -n $now && $now == "$began" ]] || exit 0

home=${state%/.run/cloud}
how="\`make stop\` in $home"
[[ $home != "$state" ]] || how="\`python -m localcloud stop\`"
printf 'A local cloud already runs on this machine (process %s, state in %s); stop it with %s.\n' "$pid" "$state" "$how" >&2
exit 1
