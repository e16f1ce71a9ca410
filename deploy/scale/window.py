#!/usr/bin/env python3
"""Does windows of a manifest: what every driver here maps over its lines.

    window.py MANIFEST ARCHIVE RESULTS LINE...     lines of the manifest, counted from 1
    window.py --sweep RESULTS                      removes what killed workers left behind

MANIFEST is what `handshark plan ARCHIVE -o RESULTS` writes. A line names a command's arguments, its files, the name of its result, and the digest
of all that. The result gets its name when it is whole, and then a file RESULT.done that holds the digest: done twice, or by two workers at once, a
line gives the same bytes under the same name. Objects (s3://, https://) are fetched to the local disk for the time that they are needed: those of S3 with
boto3, which takes the store's address from AWS_ENDPOINT_URL. Needs Python 3.8; HANDSHARK names the program if it is not on the PATH.
"""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

PARTIAL = ".partial"


def do(line, archive, results, program="handshark"):
    """Does one line. Gives its result's name, the seconds it took (0 if there was nothing to do) and the process that did it; raises if it cannot."""
    task = json.loads(line)
    begin = time.monotonic()
    target = os.path.join(results, task["output"])
    note = target + ".done"
    if task["state"] == "stale":
        for path in (note, target):
            if os.path.exists(path):
                os.unlink(path)
    elif not (os.path.exists(target) and noted(note) == task["digest"]):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        # Hidden, so that nobody takes it for a capture; of a name of its own, should another worker be at the same window.
        folder, name = os.path.split(target)
        partial = os.path.join(folder, f".{socket.gethostname()}-{os.getpid()}-{time.time_ns()}{PARTIAL}-{name}")
        try:
            with tempfile.TemporaryDirectory(prefix="handshark-") as stage:
                place, files = fetched(task["files"], archive, stage)
                run([program, *task["arguments"], "-o", os.path.abspath(partial), "--", *files], place)
            os.replace(partial, target)
        finally:
            if os.path.exists(partial):
                os.unlink(partial)
        write(note, task["digest"] + "\n")
        return task["output"], time.monotonic() - begin, os.getpid()
    return task["output"], 0.0, os.getpid()


def run(command, place):
    """Runs a command that dies with this process, which may be killed without a word."""
    if shutil.which("setpriv"):
        command = ["setpriv", "--pdeathsig", "KILL", *command]
    ran = subprocess.run(command, cwd=place, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
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
