#!/usr/bin/env python3
"""Frames from several cameras at a steady rate, and afterwards every accepted one must have its result.

  burst.py send URL PHOTO SECONDS RATE JOBS   sends RATE frames a second; writes the ids of accepted frames to the file JOBS, a line each
  burst.py collect URL JOBS PATIENCE          waits up to PATIENCE seconds for all of them; 1 if one is missing, failed or expired
"""

import collections
import concurrent.futures
import json
import pathlib
import sys
import threading
import time
import urllib.error
import urllib.request

CAMERAS = 6


def call(request, patience):
    """The status and the JSON, or None when the server does not answer."""
    try:
        with urllib.request.urlopen(request, timeout=patience) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, None
    except (OSError, ValueError):
        return None, None


def send(url, photo, seconds, rate, jobs):
    photo = pathlib.Path(photo).read_bytes()
    lock, statuses = threading.Lock(), collections.Counter()
    with open(jobs, "w") as accepted, concurrent.futures.ThreadPoolExecutor(32) as pool:

        def one(number):
            address = f"{url}/cameras/gate-{number % CAMERAS}/frames"
            request = urllib.request.Request(address, data=photo, headers={"content-type": "image/jpeg"}, method="POST")
            status, answer = call(request, 60)
            with lock:
                statuses[status] += 1
                if status == 202:
                    accepted.write(answer["job_uuid"] + "\n")
                    accepted.flush()

        began = time.monotonic()
        for number in range(int(float(seconds) * float(rate))):
            time.sleep(max(0.0, began + number / float(rate) - time.monotonic()))
            pool.submit(one, number)
    refused = {str(status): count for status, count in statuses.items() if status != 202}
    print(f"{statuses[202]} frames accepted, refused: {refused or 'none'}")


def collect(url, jobs, patience):
    ids = pathlib.Path(jobs).read_text().split()
    if len(set(ids)) != len(ids) or not ids:
        sys.exit(f"{len(ids)} ids, {len(set(ids))} different ones")
    give_up = time.monotonic() + float(patience)

    def one(job):
        while True:
            status, answer = call(f"{url}/jobs/{job}?wait=10s", 30)
            if status == 200:
                return answer
            if time.monotonic() > give_up:
                return {"status": f"no result, HTTP {status}"}
            time.sleep(0.2)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(one, ids))
    found = collections.Counter(answer["status"] for answer in answers)
    good = [answer for answer in answers if answer["status"] == "done"]
    cups = sum(any(detection["class"] == "cup" for detection in answer["detections"]) for answer in good)
    tiers = collections.Counter(answer["decision"]["destination"] for answer in good)
    again = sum(answer["attempt"] > 1 for answer in good)
    print(f"{len(ids)} accepted: {dict(found)}; {cups} with a cup; {dict(tiers)}; {again} were sent again")
    if cups != len(ids):
        bad = [(job, answer) for job, answer in zip(ids, answers) if answer not in good][:3]
        sys.exit(f"not every accepted frame has its result: {bad}")


if len(sys.argv) > 1 and sys.argv[1] in ("send", "collect"):
    {"send": send, "collect": collect}[sys.argv[1]](*sys.argv[2:])
else:
    sys.exit(__doc__)
