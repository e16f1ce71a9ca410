#!/usr/bin/env python3
"""Condenses an archive on Apache Spark.

    spark_condense.py MANIFEST ARCHIVE RESULTS MASTER [ROWS]      (local[4], spark://127.0.0.1:7077)

MANIFEST is what `handshark plan ARCHIVE -o RESULTS --due` writes. With ROWS the shards are read as well, if that is of `plan --shards`, each by one worker. pip install
pyspark; Java 17; or give it to spark-submit. ARCHIVE, RESULTS and ROWS have the same paths on all machines.
"""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import window
from pyspark.sql import SparkSession


def main(manifest, archive, results, master, rows=None):
    archive, results, program = os.path.abspath(archive), os.path.abspath(results), window.program()
    os.makedirs(results, exist_ok=True)
    window.sweep(results)
    builder = SparkSession.builder.appName("handshark").master(master)
    # A window is retried; the loss of a machine is no failure of a window.
    settings = {"spark.task.maxFailures": "8", "spark.ui.showConsoleProgress": "false"}
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    session.sparkContext.addPyFile(window.__file__)
    # Each in a task of its own.
    spread = lambda items: session.sparkContext.parallelize(items, max(1, min(len(items), 10_000)))
    begin = time.monotonic()
    done = spread(window.lines(manifest)).map(lambda line: window.do(line, archive, results, program)).collect()
    seconds = time.monotonic() - begin
    window.sweep(results)
    print(window.told(done, seconds))
    if rows:
        rows = os.path.abspath(rows)
        for path, seconds, _ in spread(window.divided(results)).map(lambda shard: window.read(shard, results, rows, program)).collect():
            print(f"{path}: {seconds:.1f} s")
    session.stop()


if __name__ == "__main__":
    if len(sys.argv) not in (5, 6):
        sys.exit(__doc__)
    main(*sys.argv[1:])
