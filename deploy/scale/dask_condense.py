#!/usr/bin/env python3
"""Condenses an archive on Dask.

    dask_condense.py MANIFEST ARCHIVE RESULTS SCHEDULER [ROWS]      (tcp://127.0.0.1:8786)

MANIFEST is what `handshark plan ARCHIVE -o RESULTS --due` writes. With ROWS the shards are read as well, if that is of `plan --shards`, each by one worker. pip install
distributed; `dask scheduler`, and on each machine `dask worker tcp://SCHEDULER:8786 --nworkers 4 --nthreads 1`. ARCHIVE, RESULTS and ROWS have the same paths on all machines.
"""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import window
from dask.distributed import Client


def main(manifest, archive, results, scheduler, rows=None):
    archive, results = os.path.abspath(archive), os.path.abspath(results)
    os.makedirs(results, exist_ok=True)
    window.sweep(results)
    begin = time.monotonic()
    with Client(scheduler) as client:
        client.upload_file(window.__file__)
        # Dask does again what a lost worker had done, which finds its result and leaves it as it is.
        futures = client.map(window.do, window.lines(manifest), archive=archive, results=results, program=window.program(), pure=False, retries=8)
        done = client.gather(futures)
        window.sweep(results)
        print(window.told(done, time.monotonic() - begin))
        if rows:
            reads = client.map(window.read, window.divided(results), results=results, rows=os.path.abspath(rows), program=window.program(), pure=False, retries=8)
            for path, seconds, _ in client.gather(reads):
                print(f"{path}: {seconds:.1f} s")


if __name__ == "__main__":
    if len(sys.argv) not in (5, 6):
        sys.exit(__doc__)
    main(*sys.argv[1:])
