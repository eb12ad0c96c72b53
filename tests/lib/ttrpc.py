"""ttrpc.py - messages of protobuf and frames of ttrpc, for fakes that speak it."""
import struct

REQUEST, RESPONSE, DATA = 1, 2, 3


def varint(n):
    out = b""
    while n > 0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def number(field, n):
    return varint(field << 3) + varint(n & (2**64 - 1))


def text(field, b):
    return varint(field << 3 | 2) + varint(len(b)) + b


def fields(b):
    out, at = {}, 0

    def take():
        nonlocal at
        n = shift = 0
        while True:
            n |= (b[at] & 0x7F) << shift
            shift += 7
            at += 1
            if b[at - 1] < 0x80:
                return n

    while at < len(b):
        key = take()
        if key & 7 == 2:
            n = take()
            out[key >> 3] = b[at:at + n]
            at += n
        else:
            out[key >> 3] = take()
    return out


def frame(stream, kind, body, length=None):
    return struct.pack(">IIBB", len(body) if length is None else length, stream, kind, 0) + body


def answer(body):
    return text(2, body)


def refuse(code, words):
    return text(1, number(1, code) + text(2, words))
