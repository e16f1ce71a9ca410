#!/usr/bin/env python3
"""Lists the captures of an S3-compatible store for `handshark plan`: URL, time of the first packet, ETag.

    objects.py s3://BUCKET/PREFIX > objects.tsv
    handshark plan objects.tsv -o RESULTS > manifest.jsonl

Of each object the first 256 kB are fetched. pip install boto3, which takes the store's address from AWS_ENDPOINT_URL; HANDSHARK names the program if it is
not on the PATH. What is no capture is passed over; what cannot be read is told, and the exit code is 1.
"""
import json
import os
import subprocess
import sys
import tempfile

HEAD = 256 << 10


def first(head, name):
    """The time of the first packet, as `handshark plan` finds it, or why there is none."""
    with tempfile.TemporaryDirectory(prefix="handshark-") as folder:
        with open(os.path.join(folder, os.path.basename(name)), "wb") as file:
            file.write(head)
        # The window of an only file begins with its first packet.
        ran = subprocess.run([os.environ.get("HANDSHARK", "handshark"), "plan", folder, "-o", os.path.join(folder, "none")], capture_output=True)
        if ran.returncode != 0:
            return None, ran.stderr.decode(errors="replace").strip()
        return json.loads(ran.stdout.splitlines()[0])["begin"], None


def main(place):
    import boto3

    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    store, failed = boto3.client("s3"), False
    for page in store.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for object in page.get("Contents", []):
            if object["Size"] == 0:
                continue
            head = store.get_object(Bucket=bucket, Key=object["Key"], Range=f"bytes=0-{HEAD - 1}")["Body"].read()
            begin, problem = first(head, object["Key"])
            if begin:
                print(f"s3://{bucket}/{object['Key']}", begin, object["ETag"].strip('"'), sep="\t")
            elif "no capture" not in problem:
                print(f"objects.py: {object['Key']}: {problem}", file=sys.stderr)
                failed = True
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1].startswith("s3://"):
        sys.exit(__doc__)
    main(sys.argv[1])
