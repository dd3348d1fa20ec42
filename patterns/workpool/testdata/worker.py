# SPDX-License-Identifier: Apache-2.0

"""A worker of a pool, on libzmq: python3 worker.py ENDPOINT

It speaks the protocol that internal/wire/doc.go writes down. Tasks and results are JSON; put your own work into do(). It ends when its
standard input does, after it has finished what it has begun.
"""

import json
import os
import queue
import struct
import sys
import threading
import time

import zmq

HELLO, BEAT, RESULTS, BYE = 1, 2, 3, 4
WELCOME, TASKS, CANCEL, ALIVE, STRANGER = 32, 33, 34, 35, 36
DONE, FAILED, REFUSED, RETURNED = 1, 2, 3, 4
VERSION, SILENT_INTERVALS = 1, 5


def do(task_id, attempt, value):
    """The work: strings are turned round, numbers doubled; "fail" fails once."""
    if value == "fail" and attempt == 1:
        raise ValueError("on purpose")
    return value[::-1] if isinstance(value, str) else 2 * value


class Worker:
    def __init__(self, endpoint, threads=2):
        context = zmq.Context.instance()
        self.socket = context.socket(zmq.DEALER)
        self.socket.identity = b"py" + os.urandom(8).hex().encode()
        self.socket.immediate = 1
        self.socket.sndtimeo = 1000
        self.socket.linger = 500
        self.socket.connect(endpoint)
        self.finished = context.socket(zmq.PULL)  # wakes the poll when a thread has finished
        self.finished.bind("inproc://finished")
        self.todo = queue.Queue()
        self.credit = threads
        self.held = {}  # lease: whether a thread has begun with it
        self.cancelled = set()
        self.lock = threading.Lock()  # around held and cancelled
        self.interval, self.welcomed = 1.0, False
        self.heard = self.beaten = time.monotonic()
        self.greeted = 0.0
        self.leaving = False
        for _ in range(threads):
            threading.Thread(target=self.work, daemon=True).start()

    def work(self):
        results = zmq.Context.instance().socket(zmq.PUSH)
        results.connect("inproc://finished")
        while True:
            lease, task_id, attempt, payload = self.todo.get()
            with self.lock:
                if lease in self.cancelled or self.leaving:
                    outcome, value = RETURNED, b""
                else:
                    self.held[lease] = True
                    outcome = None
            if outcome is None:
                try:
                    outcome, value = DONE, json.dumps(do(task_id, attempt, json.loads(payload))).encode()
                except Exception as error:
                    outcome, value = FAILED, str(error).encode()[:4096]
            results.send(struct.pack(">QBI", lease, outcome, len(value)) + value)

    def send(self, message):
        try:
            self.socket.send(message)
        except zmq.Again:
            pass  # what gets lost is missed in the next beat

    def hello(self):
        name = b"python:%d" % os.getpid()
        self.greeted = time.monotonic()
        self.send(struct.pack(">BHII", HELLO, VERSION, self.credit, len(name)) + name)

    def beat(self):
        self.beaten = time.monotonic()
        with self.lock:
            leases = list(self.held)
        self.send(struct.pack(">BII", BEAT, self.credit, len(leases)) + b"".join(struct.pack(">Q", lease) for lease in leases))

    def receive(self, frame):
        self.heard = time.monotonic()
        kind = frame[0]
        if kind == WELCOME:
            version, _, milliseconds = struct.unpack_from(">HQI", frame, 1)
            self.welcomed, self.interval = version == VERSION, milliseconds / 1000
            self.beat()
        elif kind == TASKS:
            (count,) = struct.unpack_from(">I", frame, 1)
            at = 5
            for _ in range(count):
                lease, task_id, attempt, _, size = struct.unpack_from(">QQIQI", frame, at)
                at += 32
                with self.lock:
                    self.held[lease] = False
                self.todo.put((lease, task_id, attempt, frame[at : at + size]))
                at += size
        elif kind == CANCEL:
            (count,) = struct.unpack_from(">I", frame, 1)
            with self.lock:
                self.cancelled.update(lease for lease in struct.unpack_from(f">{count}Q", frame, 5) if lease in self.held)
        elif kind == STRANGER:
            self.welcomed = False
            self.hello()

    def answer(self, item):
        (lease,) = struct.unpack_from(">Q", item)
        with self.lock:
            self.held.pop(lease, None)
            self.cancelled.discard(lease)
        self.send(struct.pack(">BII", RESULTS, self.credit, 1) + item)

    def tick(self):
        now = time.monotonic()
        if now - self.heard > SILENT_INTERVALS * self.interval:
            self.welcomed = False
        if not self.welcomed and now - self.greeted >= self.interval:
            self.hello()
        elif self.welcomed and now - self.beaten >= self.interval:
            self.beat()

    def leave(self):
        with self.lock:
            self.leaving, self.credit = True, 0
        self.beat()

    def run(self):
        poller = zmq.Poller()
        poller.register(self.socket, zmq.POLLIN)
        poller.register(self.finished, zmq.POLLIN)
        poller.register(sys.stdin.fileno(), zmq.POLLIN)
        self.hello()
        while not (self.leaving and not self.held):
            ready = dict(poller.poll(self.interval * 1000 / 4))
            if self.socket in ready:
                self.receive(self.socket.recv())
            if self.finished in ready:
                self.answer(self.finished.recv())
            if sys.stdin.fileno() in ready and not sys.stdin.buffer.read1():
                poller.unregister(sys.stdin.fileno())
                self.leave()
            self.tick()
        self.send(struct.pack(">B", BYE))
        self.socket.close()


if __name__ == "__main__":
    Worker(sys.argv[1]).run()
