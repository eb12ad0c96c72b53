"""cri.py - a client of CRI for tests in Python: calls from many threads over one connection (build/cri-bridge).

The messages come from handlers/cri/api.proto, which is read at the start: a request is a dict with the names of the fields there,
and so is an answer. Fields that an answer does not have are "", 0, {} or [], as in proto3.
"""
import os, re, struct, subprocess, threading, time

CODES = ("OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED "
         "FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED").split()


class Proto:
    """The messages and methods of a .proto file."""

    def __init__(self, path):
        text = re.sub(r"//[^\n]*|/\*.*?\*/", "", open(path).read(), flags=re.S)
        self.messages, self.enums, self.methods = {}, {}, {}
        at = 0
        for m in re.finditer(r"^(message|enum|service) (\w+) \{", text, re.M):
            depth, at = 1, m.end()
            while depth:
                depth += {"{": 1, "}": -1}.get(text[at], 0)
                at += 1
            body = text[m.end():at - 1]
            if m[1] == "enum":
                self.enums[m[2]] = {w: int(n) for w, n in re.findall(r"(\w+)\s*=\s*(\d+)", body)}
            elif m[1] == "service":
                for r in re.finditer(r"rpc (\w+)\((?:stream )?(\w+)\) returns \((?:stream )?(\w+)\)", body):
                    self.methods.setdefault(r[1], ("/runtime.v1.%s/%s" % (m[2], r[1]), r[2], r[3]))
            else:
                self.messages[m[2]] = self.fields(body)
                for inner in re.finditer(r"\benum (\w+) \{([^}]*)\}", body):
                    self.enums["%s.%s" % (m[2], inner[1])] = {w: int(n) for w, n in re.findall(r"(\w+)\s*=\s*(\d+)", inner[2])}

    @staticmethod
    def fields(body):
        found = {}
        for f in re.finditer(r"(repeated\s+)?(map<\s*(\w+)\s*,\s*(\w+)\s*>|[\w.]+)\s+(\w+)\s*=\s*(\d+)", body):
            found[f[5]] = (int(f[6]), f[2], bool(f[1]), (f[3], f[4]) if f[3] else None)
        return found

    def encode(self, kind, value):
        out = bytearray()
        for name, v in value.items():
            number, of, repeated, pair = self.messages[kind][name]
            if pair:
                for k, x in v.items():
                    self.put(out, number, "bytes", self.pair(pair, k, x))
            else:
                for x in v if repeated else [v]:
                    self.put(out, number, of, x)
        return bytes(out)

    def pair(self, pair, key, value):
        out = bytearray()
        self.put(out, 1, pair[0], key)
        self.put(out, 2, pair[1], value)
        return bytes(out)

    def put(self, out, number, of, v):
        if of in self.enums or of in ("int32", "int64", "uint32", "uint64", "bool"):
            out += varint(number << 3) + varint(self.enums[of][v] if isinstance(v, str) else int(v) & 0xffffffffffffffff)
            return
        raw = self.encode(of, v) if of in self.messages else v.encode() if isinstance(v, str) else v
        out += varint(number << 3 | 2) + varint(len(raw)) + raw

    def decode(self, kind, raw):
        fields = self.messages[kind]
        value = {name: {} if pair else [] if repeated else "" if of == "string" else b"" if of == "bytes" else
                 {} if of in self.messages else next(iter(self.enums[of])) if of in self.enums else 0 for name, (_, of, repeated, pair) in fields.items()}
        by_number = {f[0]: (name,) + f[1:] for name, f in fields.items()}
        at = 0
        while at < len(raw):
            tag, at = take_varint(raw, at)
            if tag & 7 == 0:
                v, at = take_varint(raw, at)
            else:
                size, at = (8, at) if tag & 7 == 1 else (4, at) if tag & 7 == 5 else take_varint(raw, at)
                v = raw[at:at + size]
                at += size
            if tag >> 3 not in by_number:
                continue
            name, of, repeated, pair = by_number[tag >> 3]
            if pair:
                k, x = self.unpair(pair, v)
                value[name][k] = x
                continue
            v = self.decode(of, v) if of in self.messages else v.decode("utf-8", "replace") if of == "string" else \
                v - (1 << 64) if isinstance(v, int) and v >> 63 else v
            if of in self.enums:
                v = next((w for w, n in self.enums[of].items() if n == v), v)
            if repeated:
                value[name].append(v)
            else:
                value[name] = v
        return value

    def unpair(self, pair, raw):
        found, at = {1: "", 2: ""}, 0
        while at < len(raw):
            tag, at = take_varint(raw, at)
            size, at = take_varint(raw, at)
            found[tag >> 3] = raw[at:at + size].decode("utf-8", "replace")
            at += size
        return found[1], found[2]


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def take_varint(raw, at):
    n = shift = 0
    while True:
        n |= (raw[at] & 127) << shift
        shift += 7
        at += 1
        if raw[at - 1] < 128:
            return n, at


class CriError(Exception):
    def __init__(self, method, code, words):
        Exception.__init__(self, "%s: %s %s" % (method, code, words))
        self.method, self.code, self.words = method, code, words


class Cri:
    """ask() is one call; until() repeats it as the kubelet does, until it succeeds or the time is over."""

    def __init__(self, build, root, address, proto=[]):
        if not proto:
            proto.append(Proto(os.path.join(root, "handlers/cri/api.proto")))
        self.proto = proto[0]
        self.bridge = subprocess.Popen([os.path.join(build, "cri-bridge"), address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.lock, self.waiting, self.last = threading.Lock(), {}, 0
        threading.Thread(target=self.read, daemon=True).start()

    def close(self):
        self.bridge.stdin.close()
        self.bridge.wait()

    def read(self):
        out = open(self.bridge.stdout.fileno(), "rb", closefd=False)
        while True:
            head = out.read(12)
            if len(head) < 12:
                break
            number, code, size = struct.unpack("<III", head)
            body = out.read(size)
            with self.lock:
                call = self.waiting.pop(number)
            call.answer = code, body
            call.done.set()

    def ask(self, method, request={}, timeout=20):
        path, asked, answered = self.proto.methods[method]
        raw = self.proto.encode(asked, request)
        call = Call()
        with self.lock:
            self.last += 1
            self.waiting[self.last] = call
            frame = struct.pack("<IIII", self.last, int(timeout * 1000), len(path), len(raw)) + path.encode() + raw
            self.bridge.stdin.write(frame)
        if not call.done.wait(timeout + 10):
            raise CriError(method, "DEADLINE_EXCEEDED", "the bridge does not answer")
        code, body = call.answer
        if code:
            raise CriError(method, CODES[code], body.decode("utf-8", "replace"))
        return self.proto.decode(answered, body)

    def until(self, method, request={}, seconds=30, again=("UNAVAILABLE",)):
        end = time.monotonic() + seconds
        while True:
            try:
                return self.ask(method, request, max(1, end - time.monotonic()))
            except CriError as e:
                if e.code not in again or time.monotonic() > end:
                    raise
            time.sleep(0.01)


class Call:
    def __init__(self):
        self.done, self.answer = threading.Event(), None
