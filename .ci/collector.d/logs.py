"""Runs the DaemonSet's configuration on a real suite's log, laid out as a node has it: logs.py COLLECTOR

Every line must arrive at a receiver that plays Loki, with its fields, although the receiver is away at first, the Collector is killed then,
and the kubelet puts files aside, once while nobody reads. Then a node that was away brings lines of the last days. Only the receiver's address
and its encoding (JSON, which this reads) are set from outside.
"""

import datetime
import gzip
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIG = ROOT / "deploy/components/logging/log-collector.yml"
LOKI = ROOT / "deploy/components/logging/loki-settings.yml"
PATIENCE_S = 120
# Loki's own values: half of ingester.max_chunk_age, and limits_config.shard_streams.time_sharding_ignore_recent
BEHIND_S, RECENT_S = 3600, 2400
# where containerd and CRI-O split a line
SPLIT_AT = 16 * 1024


def main(collector):
    with tempfile.TemporaryDirectory(prefix="mlvi-logs-") as scratch:
        scratch = pathlib.Path(scratch)
        lines = log_of_a_suite(scratch)
        node = Node(scratch / "pods")
        loki = PlayedLoki()
        problems = list(collect(collector, scratch, node, loki, lines))
    for problem in problems[:20]:
        print(f"error: {problem}", file=sys.stderr)
    print(
        f"collector: {len(lines)} lines of a suite, some of them late a second time, and {len(node.plain)} of others, "
        f"{len(loki.records)} records arrived, {loki.refused} requests refused at first, {len(problems)} problems"
    )
    return 1 if problems else 0


def collect(collector, scratch, node, loki, lines):
    quarter = len(lines) // 4
    first, second, third, fourth = (
        lines[:quarter], lines[quarter : 2 * quarter], lines[2 * quarter : 3 * quarter], lines[3 * quarter :],
    )
    with loki:
        process = start(collector, scratch, loki)
        node.write("suite-0", "mlvi", first)
        node.write("edge-broker-0", "kafka", node.plain)
        node.write("stranger-0", "other", ["nobody asked for this"], namespace="mlvi-observability")
        wait(lambda: loki.refused > 2, "the Collector asks the receiver while it is away")
        # what waits is on the disk, not in the process
        process.kill()
        process.wait()
        loki.away = False
        process = start(collector, scratch, loki)
        arrived = len(first) + len(node.plain)
        wait(lambda: len(loki.records) >= arrived, "what waited arrives")
        node.put_aside("suite-0", "mlvi", "20261129-091244")
        node.write("suite-0", "mlvi", second)
        arrived += len(second)
        wait(lambda: len(loki.records) >= arrived, "what stands in a new file arrives")
        end(process)
        # while nobody reads
        node.write("suite-0", "mlvi", third)
        node.put_aside("suite-0", "mlvi", "20261129-092350")
        node.write("suite-0", "mlvi", fourth)
        process = start(collector, scratch, loki)
        arrived += len(third) + len(fourth)
        wait(lambda: len(loki.records) >= arrived, "all lines arrive")
        # the same unit on a node that was away, while the others' lines of today are there already
        late = made_late(first)
        node.write("suite-1", "mlvi", late)
        arrived += len(late)
        wait(lambda: len(loki.records) + loki.too_far_behind >= arrived, "late lines arrive")
        end(process)
        if loki.too_far_behind:
            yield f"{loki.too_far_behind} lines are lost: more than {BEHIND_S} s behind the newest line of their stream"
        yield from compare({"suite-0": lines, "suite-1": late}, node.plain, loki.records)


def made_late(lines):
    """Two hours to six days old, and not in order: files that the kubelet has put aside are read beside the newest."""
    late = []
    for place, line in enumerate(map(json.loads, lines)):
        moment = datetime.datetime.fromisoformat(line["timestamp"]) - datetime.timedelta(hours=2 + place * 29 % 142)
        late.append(json.dumps({**line, "timestamp": f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z", "pod": "suite-1"}, ensure_ascii=False))
    return late


def end(process):
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=PATIENCE_S)


def start(collector, scratch, loki):
    own = {"LOGS": str(scratch / "pods"), "STATE": str(scratch / "state")}
    command = [
        collector,
        f"--config={CONFIG}",
        f"--set=exporters.otlp_http/loki.endpoint={loki.address}/otlp",
        "--set=exporters.otlp_http/loki.encoding=json",
        # a try a second, not one in thirty
        "--set=exporters.otlp_http/loki.retry_on_failure.max_interval=1s",
        "--set=extensions.health_check.endpoint=127.0.0.1:0",
        "--set=service.telemetry.metrics.level=none",
    ]
    log = open(scratch / "collector.log", "ab")
    return subprocess.Popen(command, env={**os.environ, **own}, stdout=log, stderr=log)


def wait(holds, what):
    started = time.monotonic()
    while not holds():
        if time.monotonic() - started > PATIENCE_S:
            sys.exit(f"collector: this did not happen within {PATIENCE_S} s: {what}")
        time.sleep(0.1)


def log_of_a_suite(scratch):
    """What `mlvi up` writes while frames come, good ones and bad ones."""
    program = ROOT / "target/release/mlvi"
    if not program.exists():
        sys.exit("collector: target/release/mlvi is not there: cargo build --release -p mlvi")
    port = free_port()
    log = scratch / "suite.log"
    environment = {**os.environ, "MLVI_LOG": "debug", "MLVI_LOG_FORMAT": "json", "POD_NAME": "suite-0"}
    with open(log, "wb") as file:
        suite = subprocess.Popen(
            [program, "up", "--history", f"--port={port}", f"--data-dir={scratch / 'data'}"],
            env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=file,
        )
        try:
            photo = (ROOT / "images/coffee.jpg").read_bytes()
            # markers that are whole, and pixels that break off: the decoder sees that, the intake does not
            frames = [photo, photo[: len(photo) // 2] + b"\xff\xd9", photo, b"no picture at all"]
            for frame in frames:
                post(f"http://127.0.0.1:{port}/cameras/gate/frames?wait=30s", frame, suite)
        finally:
            suite.send_signal(signal.SIGTERM)
            suite.wait(timeout=PATIENCE_S)
    lines = log.read_text(encoding="utf-8").splitlines()
    for line in lines:
        json.loads(line)
    # longer than a container runtime's line
    long = {**json.loads(lines[-1]), "message": "a long one", "text": "é" * 12_000}
    return [*lines, json.dumps(long, ensure_ascii=False, separators=(",", ":"))]


def post(url, body, suite):
    started = time.monotonic()
    while True:
        try:
            request = urllib.request.Request(url, data=body, headers={"content-type": "image/jpeg"})
            urllib.request.urlopen(request, timeout=60).read()
            return
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503):
                return
        except OSError:
            pass
        if suite.poll() is not None or time.monotonic() - started > PATIENCE_S:
            sys.exit("collector: the suite does not come up: does `mlvi up` work here (mlvi doctor)?")
        time.sleep(0.2)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Node:
    """A node's /var/log/pods."""

    plain = [
        "[2026-11-29 09:12:44,018] INFO [KafkaRaftServer nodeId=0] Kafka Server started (kafka.server.KafkaRaftServer)",
        "\tat java.base/java.lang.Thread.run(Thread.java:1583)",
        "{ looks like JSON, and is none",
    ]

    def __init__(self, folder):
        self.folder = folder

    def file(self, pod, container, namespace):
        return self.folder / f"{namespace}_{pod}_0b1e2c3d-0000-4000-8000-000000000000" / container / "0.log"

    def write(self, pod, container, lines, namespace="mlvi"):
        file = self.file(pod, container, namespace)
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file, "ab") as log:
            for line in lines:
                text = line.encode()
                parts = [text[at : at + SPLIT_AT] for at in range(0, len(text), SPLIT_AT)]
                for place, part in enumerate(parts, 1):
                    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
                    log.write(f"{now} stderr {'F' if place == len(parts) else 'P'} ".encode() + part + b"\n")

    def put_aside(self, pod, container, when, namespace="mlvi"):
        """What the kubelet does with a file that has become large."""
        file = self.file(pod, container, namespace)
        file.rename(file.with_name(f"0.log.{when}"))


class PlayedLoki(http.server.ThreadingHTTPServer):
    """Takes OTLP's JSON as Loki does with its settings, and keeps it; at first it is away."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.records, self.away, self.refused, self.too_far_behind = [], True, 0, 0
        settings = LOKI.read_text(encoding="utf-8")
        self.labels = re.search(r"action: index_label\n\s+attributes: \[(.+)\]", settings)[1].split(", ")
        self.by_time = re.search(r"^    time_sharding_enabled: true$", settings, re.M) is not None
        # the newest line of each stream
        self.newest, self.lock = {}, threading.Lock()
        self.address = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def take(self, request):
        """Whether it takes all: if not, it has taken the others, and a Collector does not try again."""
        taken = True
        with self.lock:
            for resource in request["resourceLogs"]:
                of = attributes(resource["resource"])
                for scope in resource["scopeLogs"]:
                    for record in scope["logRecords"]:
                        if self.fits(of, record):
                            self.records.append((of, record))
                        else:
                            self.too_far_behind += 1
                            taken = False
        return taken

    def fits(self, of, record):
        """Loki's rule of order, within one stream."""
        moment = int(record.get("timeUnixNano") or record["observedTimeUnixNano"]) / 1e9
        stream = tuple(of.get(name) for name in self.labels)
        if self.by_time and moment < time.time() - RECENT_S:
            stream = (*stream, moment // BEHIND_S)
        newest = self.newest.get(stream, moment)
        self.newest[stream] = max(newest, moment)
        return moment >= newest - BEHIND_S


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        status = 404
        if self.path == "/otlp/v1/logs":
            status = 503 if self.server.away else 200
        if status == 200:
            status = 200 if self.server.take(json.loads(body)) else 400
        else:
            self.server.refused += 1
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def attributes(thing):
    return {entry["key"]: value(entry["value"]) for entry in thing.get("attributes", [])}


def value(wrapped):
    kind, inner = next(iter(wrapped.items()))
    return int(inner) if kind == "intValue" else inner


def compare(written, plain, records):
    """What is missing, there twice, or another one than was written."""
    arrived = {}
    for of, record in records:
        if of.get("service.namespace") != "mlvi" or of.get("k8s.namespace.name") != "mlvi":
            yield f"a record of another namespace: {of}"
        arrived.setdefault(of["k8s.pod.name"], []).append((of, record))
    if arrived.keys() != {*written, "edge-broker-0"}:
        yield f"records of the pods {sorted(arrived)}"
    found = [record["body"]["stringValue"] for _, record in arrived.get("edge-broker-0", [])]
    if sorted(found) != sorted(plain):
        yield f"plain lines: {found}"
    for pod, lines in written.items():
        yield from compare_lines(lines, arrived.get(pod, []))


def compare_lines(lines, records):
    expected = {}
    for line in map(json.loads, lines):
        expected.setdefault(key(line), []).append(line)
    for of, record in records:
        line = as_line(of, record)
        waiting = expected.get(key(line), [])
        if line in waiting:
            waiting.remove(line)
        else:
            yield f"not what was written, or twice: {line}\n  written: {waiting[:1]}"
    for missing in (line for rest in expected.values() for line in rest):
        yield f"missing: {missing}"


def key(line):
    return line["timestamp"], line["message"]


def as_line(of, record):
    """The line that a record must have been."""
    line = attributes(record)
    if line.pop("log.iostream") != "stderr" or of["k8s.container.name"] != "mlvi":
        line["from"] = "another stream or container"
    # names of resources are what Loki's labels are made of
    if of["service.name"] != line.get("unit"):
        line["unit"] = of["service.name"]
    if "trace_id" in line and record.get("traceId") != line["trace_id"]:
        line["trace_id"] = f"the record's own is {record.get('traceId')}"
    line["level"] = record["severityText"]
    line["message"] = record["body"].get("stringValue", "")
    seconds, nanos = divmod(int(record["timeUnixNano"]), 1_000_000_000)
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    line["timestamp"] = f"{moment:%Y-%m-%dT%H:%M:%S}.{nanos // 1000:06}Z"
    return line


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
