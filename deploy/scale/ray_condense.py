#!/usr/bin/env python3
"""Condenses an archive on Ray.

    ray_condense.py MANIFEST ARCHIVE RESULTS [ADDRESS [ROWS]]      (HOST:6379, auto, ray://HOST:10001; local, or nothing, for a Ray of this machine alone)

MANIFEST is what `handshark plan ARCHIVE -o RESULTS --due` writes. With ROWS the shards are read as well, if that is of `plan --shards`, each by one worker. pip install
ray; `ray start --head`, and on each other machine `ray start --address HOST:6379`. ARCHIVE, RESULTS and ROWS have the same paths on all machines.
"""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ray
import window


def main(manifest, archive, results, address="local", rows=None):
    archive, results = os.path.abspath(archive), os.path.abspath(results)
    os.makedirs(results, exist_ok=True)
    window.sweep(results)
    ray.init(address=address, include_dashboard=False if address == "local" else None, logging_level="ERROR")
    # The workers need not have this folder.
    ray.cloudpickle.register_pickle_by_value(window)
    # What a lost worker or machine had done is done again, and finds its result.
    remote = ray.remote(num_cpus=1, max_retries=8, retry_exceptions=True)
    work = remote(window.do)
    begin = time.monotonic()
    done = ray.get([work.remote(line, archive, results, window.program()) for line in window.lines(manifest)])
    seconds = time.monotonic() - begin
    window.sweep(results)
    print(window.told(done, seconds))
    if rows:
        work, rows = remote(window.read), os.path.abspath(rows)
        for path, seconds, _ in ray.get([work.remote(shard, results, rows, window.program()) for shard in window.divided(results)]):
            print(f"{path}: {seconds:.1f} s")


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5, 6):
        sys.exit(__doc__)
    main(*sys.argv[1:])
