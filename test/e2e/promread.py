"""promread: Prometheus' remote read and remote write as a client speaks them, decoders written from the formats' documentation.

    push(server, [({'__name__': 'up'}, [(1.0, 1000)], [histogram])])       remote write 1.0
    read(server, [(start_ms, end_ms, [('=', '__name__', 'up')])])          [[(labels, [(t_ms, value or histogram)])]] by query, from SAMPLES
    read(..., chunks=True)                                                 the same out of STREAMED_XOR_CHUNKS

A histogram is a dict: t, count, sum, schema, zero_threshold, zero_count, pos_spans, pos, neg_spans, neg, custom, hint. NaN: compare with bits()."""
import math
import struct

import bn
import wire

HINTS = {0x00: 0, 0x80: 1, 0x40: 2, 0xc0: 3}
OPS = {'=': 0, '!=': 1, '=~': 2, '!~': 3}


def bits(v):
    return struct.unpack('<Q', struct.pack('<d', v))[0]


# --- protobuf and snappy

def fields(data):
    """[(number, value)] of a message: int, 8 bytes as bytes, or bytes."""
    at, out = 0, []

    def varint():
        nonlocal at
        n = shift = 0
        while True:
            b = data[at]
            at += 1
            n |= (b & 127) << shift
            shift += 7
            if b < 128:
                return n
    while at < len(data):
        tag = varint()
        kind = tag & 7
        if kind == 0:
            v = varint()
        elif kind == 1:
            v, at = data[at:at + 8], at + 8
        elif kind == 2:
            n = varint()
            v, at = data[at:at + n], at + n
            assert len(v) == n, 'cut field'
        else:
            raise AssertionError('wire type %d' % kind)
        out.append((tag >> 3, v))
    return out


def f64(b):
    return struct.unpack('<d', b)[0]


def signed(n):
    return n - (1 << 64) if n >> 63 else n


def zigzag(n):
    return n >> 1 ^ -(n & 1)


def snappy(data):
    """Block format, literals only."""
    out = wire.varint(len(data))
    for i in range(0, len(data), 60):
        piece = data[i:i + 60]
        out += bytes([len(piece) - 1 << 2]) + piece
    return out


def unsnappy(data):
    at = n = shift = 0
    while True:
        b = data[at]
        at += 1
        n |= (b & 127) << shift
        shift += 7
        if b < 128:
            break
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        if tag & 3 == 0:
            size = tag >> 2
            if size >= 60:
                more = size - 59
                size = int.from_bytes(data[at:at + more], 'little')
                at += more
            out += data[at:at + size + 1]
            at += size + 1
            continue
        if tag & 3 == 1:
            size, offset, at = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | data[at], at + 1
        else:
            width = 2 if tag & 3 == 2 else 4
            size, offset, at = (tag >> 2) + 1, int.from_bytes(data[at:at + width], 'little'), at + width
        for _ in range(size):
            out.append(out[-offset])
    bn.eq(len(out), n, 'snappy length')
    return bytes(out)


# --- chunks

class Bits:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        v = 0
        for _ in range(n):
            v = v << 1 | self.data[self.at >> 3] >> (7 - (self.at & 7)) & 1
            self.at += 1
        return v

    def uvarint(self):
        v = shift = 0
        while True:
            b = self.take(8)
            v |= (b & 127) << shift
            shift += 7
            if b < 128:
                return v

    def prefix(self, most):
        n = 0
        while n < most and self.take(1):
            n += 1
        return n

    def offset_signed(self, n):
        v = self.take(n)
        return v - (1 << n) if n < 64 and v > 1 << n - 1 else signed(v) if n == 64 else v

    def varbit(self, is_signed):
        n = self.prefix(8)
        if n == 0:
            return 0
        width = (3, 6, 9, 12, 18, 25, 56, 64)[n - 1]
        return self.offset_signed(width) if is_signed else self.take(width)


class Xored:
    def __init__(self):
        self.v, self.leading, self.trailing = 0, None, 0

    def first(self, b):
        self.v = b.take(64)
        return self.value()

    def next(self, b):
        if b.take(1):
            if b.take(1):
                self.leading, size = b.take(5), b.take(6) or 64
                self.trailing = 64 - self.leading - size
            self.v ^= b.take(64 - self.leading - self.trailing) << self.trailing
        return self.value()

    def value(self):
        return f64(struct.pack('<Q', self.v))


def xor_chunk(data):
    n, b, x, out = data[0] << 8 | data[1], Bits(data[2:]), Xored(), []
    t = delta = 0
    for i in range(n):
        if i == 0:
            t = zigzag(b.uvarint())
            out.append((t, x.first(b)))
            continue
        if i == 1:
            delta = b.uvarint()
        else:
            p = b.prefix(4)
            delta += b.offset_signed((0, 14, 17, 20, 64)[p]) if p else 0
        t += delta
        out.append((t, x.next(b)))
    return out


def histogram_chunk(data):
    n, b, out = data[0] << 8 | data[1], Bits(data[2:]), []
    flags = b.take(8)
    code = b.take(8)
    threshold = 0.0 if code == 0 else f64(struct.pack('<Q', b.take(64))) if code == 255 else math.ldexp(0.5, code - 243)
    schema = b.varbit(True)
    spans = []
    for _ in range(2):
        side = []
        for _ in range(b.varbit(False)):
            length = b.varbit(False)
            side.append((b.varbit(True), length))
        spans.append(side)
    custom = []
    if schema == -53:
        for _ in range(b.varbit(False)):
            v = b.varbit(False)
            custom.append((v - 1) / 1000 if v else f64(struct.pack('<Q', b.take(64))))
    sizes = [sum(length for _, length in side) for side in spans]
    columns = [Xored() for _ in range(3 + sum(sizes))]
    t = delta = 0
    for i in range(n):
        if i == 0:
            t = b.varbit(True)
        else:
            delta += b.varbit(True)
            t += delta
        read = (lambda c: c.first(b)) if i == 0 else (lambda c: c.next(b))
        count, zero, total = (read(c) for c in columns[:3])
        stale = bits(total) == 0x7ff0000000000002
        buckets = [] if stale else [read(c) for c in columns[3:]]
        hint = HINTS[flags] if i == 0 or flags == 0xc0 else 2
        out.append((t, {'t': t, 'count': count, 'sum': total, 'schema': schema, 'zero_threshold': threshold, 'zero_count': zero, 'pos_spans': spans[0],
                        'neg_spans': spans[1], 'pos': buckets[:sizes[0]], 'neg': buckets[sizes[0]:], 'custom': custom, 'hint': hint}))
    return out


# --- remote write

def packed(p):
    return b''.join(struct.pack('<d', v) for v in p)


def histogram_message(h):
    out = [(2, 'fixed64', bits(h['count'])), (3, 'fixed64', bits(h['sum'])), (4, 'varint', h['schema'] << 1 ^ h['schema'] >> 31),
           (5, 'fixed64', bits(h['zero_threshold'])), (7, 'fixed64', bits(h['zero_count'])), (14, 'varint', h['hint']), (15, 'varint', h['t'])]
    for number, side in ((8, 'neg_spans'), (11, 'pos_spans')):
        out += [(number, 'msg', [(1, 'varint', o << 1 ^ o >> 31), (2, 'varint', n)]) for o, n in h[side]]
    return out + [(10, 'bytes', packed(h['neg'])), (13, 'bytes', packed(h['pos'])), (16, 'bytes', packed(h['custom']))]


def push(server, series):
    body = []
    for labels, samples, histograms in series:
        one = [(1, 'msg', [(1, 'bytes', k), (2, 'bytes', v)]) for k, v in sorted(labels.items())]
        one += [(2, 'msg', [(1, 'fixed64', bits(v)), (2, 'varint', t)]) for v, t in samples]
        one += [(4, 'msg', histogram_message(h)) for h in histograms]
        body.append((1, 'msg', one))
    reply = server.post('/api/v1/write', snappy(wire.pb(body)), 'application/x-protobuf', {'Content-Encoding': 'snappy'})
    bn.eq(reply.status, 204, reply.text)


# --- remote read

def labels_of(message):
    return tuple((f[1].decode(), f[2].decode()) for f in (dict(fields(v)) for n, v in message if n == 1))


def histogram_of(data):
    h = {'t': 0, 'count': 0.0, 'sum': 0.0, 'schema': 0, 'zero_threshold': 0.0, 'zero_count': 0.0, 'pos_spans': [], 'neg_spans': [], 'pos': [], 'neg': [],
         'custom': [], 'hint': 0}
    doubles = {2: 'count', 3: 'sum', 5: 'zero_threshold', 7: 'zero_count'}
    lists = {10: 'neg', 13: 'pos', 16: 'custom'}
    for number, v in fields(data):
        if number in doubles:
            h[doubles[number]] = f64(v)
        elif number in lists:
            h[lists[number]] = [f64(v[i:i + 8]) for i in range(0, len(v), 8)]
        elif number in (8, 11):
            span = dict(fields(v))
            h['neg_spans' if number == 8 else 'pos_spans'].append((zigzag(span[1]), span[2]))
        elif number == 4:
            h['schema'] = zigzag(v)
        elif number == 14:
            h['hint'] = v
        elif number == 15:
            h['t'] = signed(v)
    return h


def samples_of(message):
    out = []
    for number, v in message:
        if number == 2:
            sample = dict(fields(v))
            out.append((signed(sample.get(2, 0)), f64(sample.get(1, bytes(8)))))
        elif number == 4:
            h = histogram_of(v)
            out.append((h['t'], h))
    return sorted(out, key=lambda p: p[0])


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def frames(data):
    at = 0
    while at < len(data):
        n = shift = 0
        while True:
            b = data[at]
            at += 1
            n |= (b & 127) << shift
            shift += 7
            if b < 128:
                break
        crc, message = struct.unpack('>I', data[at:at + 4])[0], data[at + 4:at + 4 + n]
        bn.eq(len(message), n, 'frame length')
        bn.eq(crc, crc32c(message) if n < 100000 else crc, 'frame checksum')
        at += 4 + n
        yield message


def request(queries, types=()):
    body = []
    for start_ms, end_ms, matchers in queries:
        q = [(1, 'varint', start_ms & (1 << 64) - 1), (2, 'varint', end_ms & (1 << 64) - 1)]
        body.append((1, 'msg', q + [(3, 'msg', [(1, 'varint', OPS[op]), (2, 'bytes', name), (3, 'bytes', value)]) for op, name, value in matchers]))
    return snappy(wire.pb(body + [(2, 'varint', t) for t in types]))


def post(server, body):
    headers = {'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy', 'X-Prometheus-Remote-Read-Version': '0.1.0'}
    return server.post('/api/v1/read', body, headers=headers)


def read(server, queries, chunks=False):
    reply = post(server, request(queries, (1, 0) if chunks else ()))
    bn.eq(reply.status, 200, reply.text)
    if not chunks:
        bn.eq(reply.headers['Content-Type'], 'application/x-protobuf')
        bn.eq(reply.headers['Content-Encoding'], 'snappy')
        results = [fields(v) for n, v in fields(unsnappy(reply.body)) if n == 1]
        return [[(labels_of(s), samples_of(s)) for s in (fields(v) for _, v in result)] for result in results]
    bn.eq(reply.headers['Content-Type'], 'application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse')
    out = [[] for _ in queries]
    for frame in frames(reply.body):
        message = fields(frame)
        result = out[dict(message).get(2, 0)]
        for series in (fields(v) for n, v in message if n == 1):
            labels = labels_of(series)
            if not result or result[-1][0] != labels:
                result.append((labels, []))
            for chunk in (dict(fields(v)) for n, v in series if n == 2):
                samples = {1: xor_chunk, 3: histogram_chunk}[chunk[3]](chunk[4])
                bn.eq((signed(chunk[1]), signed(chunk[2])), (samples[0][0], samples[-1][0]), 'times of the chunk')
                result[-1][1].extend(samples)
    return out
