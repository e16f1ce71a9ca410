#!/usr/bin/env python3
"""Condenses an archive on Ray.

    ray_condense.py MANIFEST ARCHIVE RESULTS [ADDRESS]      (auto, ray://HOST:10001; without it, a Ray of this machine)

MANIFEST is what `handshark plan ARCHIVE -o RESULTS --due` writes. pip install ray. ARCHIVE and RESULTS have the same paths on all machines.
"""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ray
import window


def main(manifest, archive, results, address=None):
    archive, results = os.path.abspath(archive), os.path.abspath(results)
    os.makedirs(results, exist_ok=True)
    window.sweep(results)
    ray.init(address=address, include_dashboard=False if address is None else None, logging_level="ERROR")
    # The workers need not have this folder.
    ray.cloudpickle.register_pickle_by_value(window)
    work = ray.remote(num_cpus=1, max_retries=8, retry_exceptions=True)(window.do)
    begin = time.monotonic()
    done = ray.get([work.remote(line, archive, results, window.program()) for line in window.lines(manifest)])
    seconds = time.monotonic() - begin
    window.sweep(results)
    print(window.told(done, seconds))


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    main(*sys.argv[1:])
