#!/usr/bin/env bash
# Condenses an archive on a Slurm cluster, whose machines share ARCHIVE, RESULTS and this folder.
#
#     handshark plan ARCHIVE -o RESULTS --due > manifest.jsonl
#     sbatch --array=0-63 deploy/scale/slurm.sh manifest.jsonl ARCHIVE RESULTS
#
# Each of the 64 tasks does every 64th window. One that is lost with its machine is queued again, and finds what it had done. sbatch keeps a copy of this script
# elsewhere: start it where deploy/scale/window.py is found, or name that in WINDOW.
#SBATCH --job-name=handshark --cpus-per-task=1 --mem=1G --requeue --open-mode=append
set -euo pipefail
[ $# -eq 3 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2; }
window=${WINDOW:-${SLURM_SUBMIT_DIR:-.}/deploy/scale/window.py}
mapfile -t numbers < <(seq $((SLURM_ARRAY_TASK_ID + 1)) "$SLURM_ARRAY_TASK_COUNT" "$(wc -l < "$1")")
[ ${#numbers[@]} -eq 0 ] || printf '%s\n' "${numbers[@]}" | xargs -r -n 64 "$window" "$@"
