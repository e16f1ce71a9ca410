#!/usr/bin/env bash
# Condenses an archive on one machine.
#
#     xargs.sh MANIFEST ARCHIVE RESULTS [JOBS]
#
# MANIFEST is what `handshark plan ARCHIVE -o RESULTS --due` writes. JOBS windows are done at a time: one for each processor if nothing is said. What fails
# is tried three times. Started again, it goes on where it was.
set -euo pipefail
[ $# -ge 3 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2; }
manifest=$1 archive=$2 results=$3 jobs=${4:-$(nproc)}
window="$(dirname "$0")/window.py"
mkdir -p "$results"
"$window" --sweep "$results"
for _ in 1 2 3; do
  if seq "$(wc -l < "$manifest")" | xargs -r -P "$jobs" -n 4 "$window" "$manifest" "$archive" "$results"; then
    exec "$window" --sweep "$results"
  fi
done
echo "xargs.sh: some windows could not be done; see above" >&2
exit 1
