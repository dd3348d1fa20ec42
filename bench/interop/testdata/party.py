# SPDX-License-Identifier: Apache-2.0
"""One zmq socket that a Go test works through standard input and output.

usage: party.py KIND IDENTITY TOPIC bind|connect ENDPOINT

First it writes a line with the endpoint. Then it obeys:
  S message   send: answers K, or U if a ROUTER has no such peer
  R u32       receive within milliseconds: answers M message, or L if late
A message is u32 frames, then for each u32 length and its bytes, big-endian.
The end of standard input closes the socket, which lingers.
"""

import struct
import sys

import zmq

source, sink = sys.stdin.buffer, sys.stdout.buffer


def read_number():
    return struct.unpack(">I", source.read(4))[0]


def read_message():
    return [source.read(read_number()) for _ in range(read_number())]


def write_message(frames):
    sink.write(struct.pack(">I", len(frames)))
    for frame in frames:
        sink.write(struct.pack(">I", len(frame)) + frame)


def answer_send(socket, frames):
    try:
        socket.send_multipart(frames)
    except zmq.ZMQError as error:
        if error.errno != zmq.EHOSTUNREACH:
            raise
        sink.write(b"U")
        return
    sink.write(b"K")


def answer_receive(socket, milliseconds):
    if not socket.poll(milliseconds):
        sink.write(b"L")
        return
    sink.write(b"M")
    write_message(socket.recv_multipart())


def open_socket(context, kind, identity, topic):
    socket = context.socket(getattr(zmq, kind))
    socket.linger = 20000
    if identity:
        socket.setsockopt(zmq.IDENTITY, identity.encode())
    if kind == "ROUTER":
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    if kind in ("SUB", "XSUB"):
        socket.linger = 0
    if kind == "SUB":
        socket.subscribe(topic)
    if kind == "XSUB":
        socket.send(b"\x01" + topic.encode())
    return socket


def main():
    kind, identity, topic, verb, endpoint = sys.argv[1:]
    context = zmq.Context()
    socket = open_socket(context, kind, identity, topic)
    getattr(socket, verb)(endpoint)
    sink.write(socket.last_endpoint.rstrip(b"\0") + b"\n")
    sink.flush()
    while command := source.read(1):
        if command == b"S":
            answer_send(socket, read_message())
        else:
            answer_receive(socket, read_number())
        sink.flush()
    socket.close()
    context.term()


main()
