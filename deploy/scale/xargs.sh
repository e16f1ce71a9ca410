#!/usr/bin/env bash
# Condenses an archive on one machine.
#
#     xargs.sh MANIFEST ARCHIVE RESULTS [JOBS [ROWS]]
#
# MANIFEST is what `handshark plan ARCHIVE -o RESULTS --due` writes. JOBS windows are done at a time: one for each processor if nothing, or 0, is said. What fails
# is tried three times. Started again, it goes on where it was. With ROWS the shards are read as well, if the manifest is of `plan --shards`, JOBS at a time.
set -euo pipefail
[ $# -ge 3 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2; }
manifest=$1 archive=$2 results=$3 jobs=${4:-0} rows=${5:-}
[ "$jobs" -gt 0 ] || jobs=$(nproc)
window="$(dirname "$0")/window.py"
# `thrice COMMAND…`: until it succeeds.
thrice() { "$@" || "$@" || "$@"; }
windows() { seq "$(wc -l < "$manifest")" | xargs -r -P "$jobs" -n 4 "$window" "$manifest" "$archive" "$results"; }
shards() { "$window" --shards "$results" | xargs -r -P "$jobs" -I{} "$window" --read {} "$results" "$rows"; }
mkdir -p "$results"
"$window" --sweep "$results"
thrice windows || { echo "xargs.sh: some windows could not be done; see above" >&2; exit 1; }
"$window" --sweep "$results"
[ -z "$rows" ] || thrice shards || { echo "xargs.sh: some shards could not be read; see above" >&2; exit 1; }
