#!/usr/bin/env bash
# Condenses an archive on a Slurm cluster, whose machines share ARCHIVE, RESULTS, ROWS and this folder.
#
#     handshark plan ARCHIVE -o RESULTS --due > manifest.jsonl
#     sbatch --array=0-63 deploy/scale/slurm.sh manifest.jsonl ARCHIVE RESULTS
#     sbatch --array=0-3 --dependency=afterok:JOB deploy/scale/slurm.sh --read RESULTS ROWS      shards, if that is of plan --shards
#
# Each of the 64 tasks does every 64th window, each of the 4 every 4th shard. One that is lost with its machine is queued again, and finds what it had done; what fails is
# tried three times. sbatch keeps a copy of this script elsewhere: start it where deploy/scale/window.py is found, or name that in WINDOW.
#SBATCH --job-name=handshark --cpus-per-task=1 --mem=1G --requeue --open-mode=append
set -euo pipefail
[ $# -eq 3 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2; }
window=${WINDOW:-${SLURM_SUBMIT_DIR:-.}/deploy/scale/window.py}
# Every so-manieth of the lines read, from this task's on.
own() { awk -v first="$SLURM_ARRAY_TASK_ID" -v every="$SLURM_ARRAY_TASK_COUNT" '(NR - 1 - first) % every == 0 && NR > first'; }
todo() {
  if [ "$1" = --read ]; then
    "$window" --shards "$2" | own | xargs -r -I{} "$window" --read {} "$2" "$3"
  else
    seq "$(wc -l < "$1")" | own | xargs -r -n 16 "$window" "$@"
  fi
}
for _ in 1 2 3; do
  ! todo "$@" || exit 0
done
echo "slurm.sh: some could not be done; see above" >&2
exit 1
