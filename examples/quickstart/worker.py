# SPDX-License-Identifier: Apache-2.0
"""A worker of the quickstart on libzmq: worker.py NAME REGISTRATION.

It speaks the same messages as worker.go; nothing in it knows of zwire.
"""
import hashlib
import json
import os
import signal
import sys
import threading

import zmq


def end_with_coordinator():
    """Standard input is open for as long as the coordinator lives."""
    while os.read(0, 4096):  # not sys.stdin: its lock disturbs the interpreter's own end
        pass
    os._exit(1)


def hash_file(path):
    digest, size = hashlib.sha256(), 0
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            digest.update(block)
            size += len(block)
    return digest.hexdigest().encode(), size


def do(task, name, root):
    """task is id, path, content; without content the file is read here."""
    number, path, digest, size, error = task[0], task[1], b"", 0, b""
    if len(task) == 3:
        digest, size = hashlib.sha256(task[2]).hexdigest().encode(), len(task[2])
    else:
        try:
            digest, size = hash_file(os.path.join(root, path))
        except OSError as failure:
            error = str(failure).encode()
    return [number, name, path, str(size).encode(), digest, error]


def main(name, registration):
    context = zmq.Context()
    request = context.socket(zmq.REQ)
    request.connect(registration)
    hello = {"role": "worker", "name": name, "language": "Python", "pid": os.getpid()}
    request.send_multipart([b"hello", json.dumps(hello).encode()])
    status, body = request.recv_multipart()
    if status != b"ok":
        sys.exit("quickstart %s: refused: %s" % (name, body.decode()))
    settings = json.loads(body)

    control = context.socket(zmq.SUB)
    for topic in ("stop", "start"):  # start last: it tells the coordinator that all are there
        control.subscribe(topic)
    control.connect(settings["control"][0])
    results = context.socket(zmq.PUSH)
    results.connect(settings["results"])
    tasks = context.socket(zmq.PULL)
    tasks.rcvhwm = settings["queue"]
    tasks.connect(settings["tasks"])

    poller = zmq.Poller()
    poller.register(control, zmq.POLLIN)
    poller.register(tasks, zmq.POLLIN)
    root, sender = os.fsencode(settings["root"]), name.encode()
    while True:
        ready = dict(poller.poll())
        if control in ready and control.recv_multipart()[0] == b"stop":
            break
        if tasks in ready:
            results.send_multipart(do(tasks.recv_multipart(), sender, root))
    context.destroy(linger=0)  # results left after the stop signal are repetitions


if __name__ == "__main__":
    threading.Thread(target=end_with_coordinator, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the coordinator decides
    main(sys.argv[1], sys.argv[2])
