#!/usr/bin/env python3
"""Does windows of a manifest: what every driver here maps over its lines.

    window.py MANIFEST ARCHIVE RESULTS LINE...     lines of the manifest, counted from 1
    window.py --sweep RESULTS                      removes what killed workers left behind
    window.py --shards RESULTS                     names the shards that are there, one a line
    window.py --read SHARD RESULTS ROWS            reads one shard, 1-of-4, once all windows are done: its rows go to ROWS/1-of-4.ndjson

MANIFEST is what `handshark plan ARCHIVE -o RESULTS` writes. A line names a command's arguments, its files, the name of its result, and the digest
of all that. The result gets its name when it is whole, and then a file RESULT.done that holds the digest: done twice, or by two workers at once, a
line gives the same bytes under the same name. A result that is divided into shards has several names, with 1-of-4… and side-of-4 in the place of {shard};
the note stands beside the last. Objects (s3://, https://) are fetched to the local disk for the time that they are needed: those of S3 with
boto3, which takes the store's address from AWS_ENDPOINT_URL. Needs Python 3.8; HANDSHARK names the program if it is not on the PATH.
"""
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

PARTIAL = ".partial"
SHARD = "{shard}"


def do(line, archive, results, program="handshark"):
    """Does one line. Gives its result's name, the seconds it took (0 if there was nothing to do) and the process that did it; raises if it cannot."""
    task = json.loads(line)
    begin = time.monotonic()
    names = shards(task)
    targets = [os.path.join(results, task["output"].replace(SHARD, name)) for name in names]
    note = targets[-1] + ".done"
    if task["state"] == "stale":
        for path in (note, *targets):
            if os.path.exists(path):
                os.unlink(path)
    elif not (all(map(os.path.exists, targets)) and noted(note) == task["digest"]):
        for target in targets:
            os.makedirs(os.path.dirname(target), exist_ok=True)
        # Hidden, so that nobody takes it for a capture; of a name of its own, should another worker be at the same window.
        name = f".{socket.gethostname()}-{os.getpid()}-{time.time_ns()}{PARTIAL}-{os.path.basename(task['output'])}"
        partials = [os.path.join(os.path.dirname(target), name) for target in targets]
        # Parts are renamed only within their folders.
        written = os.path.join(os.path.dirname(os.path.join(results, task["output"])), name)
        try:
            with tempfile.TemporaryDirectory(prefix="handshark-") as stage:
                place, files = fetched(task["files"], archive, stage)
                run([program, *task["arguments"], "-o", os.path.abspath(written), "--", *files], place)
            for partial, target in zip(partials, targets):
                os.replace(partial, target)
        finally:
            for partial in filter(os.path.exists, partials):
                os.unlink(partial)
        write(note, task["digest"] + "\n")
        return task["output"], time.monotonic() - begin, os.getpid()
    return task["output"], 0.0, os.getpid()


def shards(task):
    """What stands in the place of {shard} in a result's name, the side table's last."""
    of = task.get("shards")
    return [f"{number}-of-{of}" for number in range(1, of + 1)] + [f"side-of-{of}"] if of else [""]


def divided(results):
    """The shards that are there, each to be read by itself: 1-of-4, 2-of-4… Only once all windows are done."""
    named = [re.fullmatch(r"([0-9]+)-of-([0-9]+)", name) for name in os.listdir(results)]
    found = sorted((int(name[2]), int(name[1])) for name in named if name)
    if not found:
        raise RuntimeError(f"{results} has no shards to read; plan with --shards, or read it as it is: handshark read {results}")
    if len({of for of, _ in found}) > 1:
        raise RuntimeError(f"{results} is divided in more than one way; plan once more with --due, which removes what is stale")
    return [f"{number}-of-{of}" for of, number in found]


def read(shard, results, rows, program="handshark"):
    """Reads one shard with what crosses shards. Gives the name of its rows, the seconds it took and the process that did it."""
    begin = time.monotonic()
    os.makedirs(rows, exist_ok=True)
    target = os.path.join(rows, shard + ".ndjson")
    partial = os.path.join(rows, f".{socket.gethostname()}-{os.getpid()}-{time.time_ns()}{PARTIAL}-{shard}")
    try:
        with open(partial, "wb") as out:
            run([program, "read", "--json", shard, "side-of-" + shard.rpartition("-")[2]], results, out)
        os.replace(partial, target)
    finally:
        if os.path.exists(partial):
            os.unlink(partial)
    return target, time.monotonic() - begin, os.getpid()


def run(command, place, out=subprocess.DEVNULL):
    """Runs a command that dies with this process, which may be killed without a word."""
    if shutil.which("setpriv"):
        command = ["setpriv", "--pdeathsig", "KILL", *command]
    ran = subprocess.run(command, cwd=place, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE)
    if ran.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {ran.returncode}: {ran.stderr.decode(errors='replace')[-500:]}")


def fetched(files, archive, stage):
    """Where to run, and the names of the files from there: the same wherever the archive lies, as they stand in the result."""
    if not any("://" in file for file in files):
        return archive, files
    names = []
    for url in files:
        scheme, name = url.split("://", 1)
        path = os.path.join(stage, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if scheme == "s3":
            import boto3

            bucket, key = name.split("/", 1)
            boto3.client("s3").download_file(bucket, key, path)
        else:
            import urllib.request

            with urllib.request.urlopen(url, timeout=60) as source, open(path, "wb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)
        names.append(name)
    return stage, names


def noted(path):
    try:
        with open(path) as note:
            return note.read().strip()
    except FileNotFoundError:
        return None


def write(path, text):
    with open(f"{path}-{os.getpid()}{PARTIAL}", "w") as out:
        out.write(text)
    os.replace(out.name, path)


def sweep(results):
    """Removes what killed workers left behind. Only while none is at work."""
    for folder, _, names in os.walk(results):
        for name in names:
            if (name.startswith(".") and f"{PARTIAL}-" in name) or name.endswith(f".done-{PARTIAL}") or (".done-" in name and name.endswith(PARTIAL)):
                os.unlink(os.path.join(folder, name))


def told(done, seconds):
    """One line on what was done: windows, time, and how the work was divided."""
    workers = {}
    for _, took, worker in done:
        if took:
            workers[worker] = workers.get(worker, 0) + 1
    did, busy = sum(workers.values()), sum(took for _, took, _ in done)
    shares = " + ".join(str(share) for share in sorted(workers.values(), reverse=True)) or "0"
    return f"{did} of {len(done)} windows done in {seconds:.1f} s, {busy:.1f} s of work, by worker {shares}"


def program():
    return os.environ.get("HANDSHARK", "handshark")


def lines(manifest):
    with open(manifest) as file:
        return file.read().splitlines()


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--sweep":
        return sweep(arguments[1])
    if len(arguments) == 2 and arguments[0] == "--shards":
        return print(*divided(arguments[1]), sep="\n")
    if len(arguments) == 4 and arguments[0] == "--read":
        return print(read(*arguments[1:], program())[0])
    if len(arguments) < 4:
        sys.exit(__doc__)
    if not shutil.which(program()):
        sys.exit(f"window.py: there is no {program()}; put handshark on the PATH, or name it in HANDSHARK")
    manifest, archive, results, *numbers = arguments
    wanted, failed = set(map(int, numbers)), False
    with open(manifest) as file:
        for number, line in enumerate(file, 1):
            if number not in wanted:
                continue
            try:
                do(line, archive, results, program())
            except Exception as error:
                print(f"window.py: line {number}: {error}", file=sys.stderr)
                failed = True
    # Not 255, at which xargs gives up.
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
