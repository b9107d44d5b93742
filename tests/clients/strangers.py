"""Attacks on a server of one's own, ten connections each, while its memory and its probes are watched.

Usage: strangers.py STEPWELL [SECONDS [ATTACK …]]

Nothing but the standard library. Each attack goes on for SECONDS (30). Afterwards the process may have held
256 MiB at the most, beyond what its Postgres holds, and `/health/live` was answered within 100 ms (median).
"""

import http.client
import json
import pathlib
import socket
import statistics
import struct
import sys
import threading
import time
import urllib.parse

from server import Server

CONNECTIONS = 10
MEMORY_MAX = 256 << 20
LATENCY_MAX = 0.100
JSON = "content-type: application/json\r\n"


def resident(pid):
    """What the process holds now, in bytes."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) << 10
    return 0


class Target:
    def __init__(self, url, grpc):
        self.host, self.port = urllib.parse.urlsplit(url).hostname, urllib.parse.urlsplit(url).port
        self.grpc = grpc
        self.over = threading.Event()

    def connect(self, port=None):
        return socket.create_connection((self.host, port or self.port), timeout=10)

    def request(self, method, path, body, headers=None):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {"content-type": "application/json"})
            answer = connection.getresponse()
            return answer.status, len(answer.read())
        finally:
            connection.close()

    def post(self, path, body):
        status, length = self.request("POST", path, body)
        if status >= 400 and length > 64 << 10:
            raise SystemExit(f"{path} answered {status} with {length} bytes")
        return status


def nuls_under_a_long_key(target):
    inner = json.dumps(["\0"] * 9_000)
    body = '{"output": {"' + "k" * 100_000 + '": ' + inner + "}}"
    while not target.over.is_set():
        for path in ("external/x/complete", "callbacks/x", "workflows/w/execute"):
            target.post(f"/api/v1/{path}", body.replace("output", "input") if "execute" in path else body)


def wrong_steps(target):
    body = '{"name": "w", "steps": [' + ",".join(["1"] * 2_000_000) + "]}"
    while not target.over.is_set():
        target.post("/api/v1/workflows/validate", body)


def unknown_fields(target):
    body = json.dumps({"u" * 4_000_000: 1})
    while not target.over.is_set():
        target.post("/api/v1/agents", body)


def batch_of_nuls(target):
    run = json.dumps({"workflow": "w", "input": {"a": ["\0"] * 900}})
    body = '{"runs": [' + ",".join([run] * 2_000) + "]}"
    while not target.over.is_set():
        target.post("/api/v1/runs/batch", body)


def thousands_of_violations(target):
    body = json.dumps({"input": {"n": ["x"] * 700_000}})
    while not target.over.is_set():
        target.post("/api/v1/workflows/schema/execute", body)


def small_numbers(target):
    body = '{"input": {"a": [' + ",".join(["0"] * 2_000_000) + "]}}"
    while not target.over.is_set():
        target.post("/api/v1/workflows/w/execute", body)


def unfinished_bodies(target):
    held = []
    while not target.over.is_set():
        for path in ("callbacks/x", "external/x/complete", "workflows/w/execute"):
            try:
                stream = target.connect()
                head = f"POST /api/v1/{path} HTTP/1.1\r\nhost: x\r\n{JSON}content-length: 4194304\r\n\r\n"
                stream.sendall(head.encode() + b" " * (1 << 20))
                held.append(stream)
            except OSError:
                pass
        del held[:-60]


def silent_connections(target, port=None):
    held = []
    while not target.over.is_set():
        try:
            held.append(target.connect(port))
        except OSError:
            time.sleep(0.01)
        del held[:-600]


def silent_grpc(target):
    silent_connections(target, target.grpc)


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name, value):
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def unfinished_calls(target):
    """Messages of 4 MiB to the health service, on one connection, that never come to their end."""
    fields = {b":method": b"POST", b":scheme": b"http", b":path": b"/grpc.health.v1.Health/Check",
              b":authority": b"x", b"content-type": b"application/grpc", b"te": b"trailers"}
    head = b"".join(literal(name, value) for name, value in fields.items())
    while not target.over.is_set():
        try:
            stream = target.connect(target.grpc)
            stream.settimeout(2)
            stream.sendall(PREFACE + frame(4, 0, 0, b""))
            for number in range(1, 2_000, 2):
                stream.sendall(frame(1, 4, number, head))
                stream.sendall(frame(0, 0, number, b"\0" + struct.pack(">I", 4 << 20) + b"x" * 8_000))
            while not target.over.is_set() and stream.recv(65_536):
                pass
        except OSError:
            time.sleep(0.05)


def large_pages(target):
    while not target.over.is_set():
        try:
            stream = target.connect()
            stream.sendall(b"GET /api/v1/runs?limit=200 HTTP/1.1\r\nhost: x\r\n\r\n")
            # It is read slowly.
            for _ in range(20):
                if target.over.is_set() or not stream.recv(65_536):
                    break
                time.sleep(0.1)
            stream.close()
        except OSError:
            time.sleep(0.05)


def waits(target):
    body = json.dumps({"input": {"a": "x" * 4_000_000}})
    head = (f"POST /api/v1/workflows/slow/execute?wait_ms=60000 HTTP/1.1\r\nhost: x\r\n{JSON}"
            f"content-length: {len(body)}\r\n\r\n").encode()
    held = []
    while not target.over.is_set() and len(held) < 20:
        try:
            stream = target.connect()
            stream.sendall(head + body.encode())
            held.append(stream)
        except OSError:
            time.sleep(0.05)
    target.over.wait()


ATTACKS = [nuls_under_a_long_key, wrong_steps, unknown_fields, batch_of_nuls, thousands_of_violations,
           small_numbers, unfinished_bodies, silent_connections, silent_grpc, unfinished_calls, large_pages,
           waits]


def prepare(target):
    step = {"name": "t", "type": "transform", "config": {"value": 1}}
    schema = {"type": "object", "properties": {"n": {"items": {"type": "integer"}}}}
    wait = {"name": "t", "type": "wait", "config": {"signal": "go"}}
    for workflow in ({"id": "w", "steps": [step]}, {"id": "schema", "steps": [step], "input_schema": schema},
                     {"id": "slow", "steps": [wait]}):
        body = json.dumps({"name": workflow["id"], **workflow})
        assert target.request("POST", "/api/v1/workflows", body)[0] == 201
    large = json.dumps({"input": {"a": "x" * 4_000_000}})
    for _ in range(60):
        assert target.request("POST", "/api/v1/workflows/w/execute", large)[0] == 202


def attack(target, one, pid, seconds):
    target.over = threading.Event()
    failed = []

    def go():
        try:
            one(target)
        except (OSError, http.client.HTTPException):
            pass
        except SystemExit as error:
            failed.append(str(error))

    threads = [threading.Thread(target=go, daemon=True) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    most, latencies, end = 0, [], time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.monotonic()
        try:
            answered = target.request("GET", "/health/live", None)[0] == 200
        except (OSError, http.client.HTTPException):
            answered = False
        latencies.append(time.monotonic() - begun if answered else 30.0)
        most = max(most, resident(pid))
        time.sleep(0.05)
    target.over.set()
    for thread in threads:
        thread.join(20)
    median, worst = statistics.median(latencies), max(latencies)
    held = most <= MEMORY_MAX and median <= LATENCY_MAX and not failed
    print(f"{'ok ' if held else 'BAD'} {one.__name__:26} {most >> 20:5} MiB, probes {median * 1000:6.1f} ms "
          f"median, {worst * 1000:7.1f} ms worst {' '.join(failed[:1])}", flush=True)
    return held


def main():
    program, seconds = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 30
    wanted = [one for one in ATTACKS if not sys.argv[3:] or one.__name__ in sys.argv[3:]]
    free = socket.socket()
    free.bind(("127.0.0.1", 0))
    grpc = free.getsockname()[1]
    free.close()
    held = True
    # A server for each: what the allocator keeps of one attack is not counted to the next.
    for one in wanted:
        with Server(program, "--grpc-port", str(grpc)) as server:
            target = Target(server.url, grpc)
            prepare(target)
            print(f"    at rest {resident(server.process.pid) >> 20} MiB", flush=True)
            held &= attack(target, one, server.process.pid, seconds)
    sys.exit(not held)


main()
