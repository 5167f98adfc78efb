"""wire: Thrift and protobuf written by hand, as the clients of test_jaeger and test_malformed send them.

    binary([(1, 'i64', 7), (6, 'list', ('struct', [...]))])     a Thrift struct: (field id, type, value); a list's value is (item type, items)
    message(binary, 'emitBatch', args)                          a whole ONEWAY message
    pb([(1, 'bytes', b'..'), (7, 'fixed64', 5)])                a protobuf message; 'msg' takes fields again
"""
import struct

BINARY_TYPES = {'bool': 2, 'i8': 3, 'double': 4, 'i16': 6, 'i32': 8, 'i64': 10, 'string': 11, 'struct': 12, 'list': 15}
COMPACT_TYPES = {'i8': 3, 'i16': 4, 'i32': 5, 'i64': 6, 'double': 7, 'string': 8, 'list': 9, 'struct': 12}


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out) + bytes([n])


def zigzag(n):
    return varint((n << 1 ^ n >> 63) & (1 << 64) - 1)


def as_bytes(s):
    return s.encode() if isinstance(s, str) else s


# --- Thrift, binary protocol

def binary_value(kind, v):
    if kind == 'string':
        return struct.pack('>i', len(as_bytes(v))) + as_bytes(v)
    if kind == 'struct':
        return binary(v)
    if kind == 'list':
        return struct.pack('>Bi', BINARY_TYPES[v[0]], len(v[1])) + b''.join(binary_value(v[0], item) for item in v[1])
    return struct.pack({'bool': '>B', 'i8': '>b', 'double': '>d', 'i16': '>h', 'i32': '>i', 'i64': '>q'}[kind], v)


def binary(fields):
    return b''.join(struct.pack('>Bh', BINARY_TYPES[kind], number) + binary_value(kind, v) for number, kind, v in fields) + b'\0'


# --- Thrift, compact protocol

def compact_value(kind, v):
    if kind == 'string':
        return varint(len(as_bytes(v))) + as_bytes(v)
    if kind == 'struct':
        return compact(v)
    if kind == 'list':
        n, item = len(v[1]), COMPACT_TYPES[v[0]]
        head = bytes([n << 4 | item]) if n < 15 else bytes([0xf0 | item]) + varint(n)
        return head + b''.join(compact_value(v[0], i) for i in v[1])
    return {'double': lambda: struct.pack('<d', v), 'i8': lambda: struct.pack('b', v)}.get(kind, lambda: zigzag(v))()


def compact(fields):
    out, last = b'', 0
    for number, kind, v in fields:
        code = (1 if v else 2) if kind == 'bool' else COMPACT_TYPES[kind]
        delta = number - last
        out += bytes([delta << 4 | code]) if 0 < delta < 16 else bytes([code]) + zigzag(number)
        out += b'' if kind == 'bool' else compact_value(kind, v)
        last = number
    return out + b'\0'


def message(protocol, name, args):
    if protocol is compact:
        return b'\x82\x81\x00' + compact_value('string', name) + compact(args)
    return struct.pack('>I', 0x80010004) + binary_value('string', name) + struct.pack('>i', 0) + binary(args)


# --- jaeger.thrift

def i64(n):
    """An unsigned 64-bit id as Thrift's signed one."""
    return n - (1 << 64) if n >= 1 << 63 else n


def jaeger_tag(key, v):
    if isinstance(v, bool):
        return [(1, 'string', key), (2, 'i32', 2), (5, 'bool', v)]
    if isinstance(v, int):
        return [(1, 'string', key), (2, 'i32', 3), (6, 'i64', v)]
    if isinstance(v, float):
        return [(1, 'string', key), (2, 'i32', 1), (4, 'double', v)]
    if isinstance(v, bytes):
        return [(1, 'string', key), (2, 'i32', 4), (7, 'string', v)]
    return [(1, 'string', key), (2, 'i32', 0), (3, 'string', v)]


def jaeger_tags(tags):
    return ('struct', [jaeger_tag(k, v) for k, v in tags])


def jaeger_span(trace, span, parent, name, start_us, duration_us, tags=(), refs=(), logs=(), flags=1, trace_hi=0):
    """tags: [(key, value)]; refs: [(follows_from, trace hi, trace lo, span)]; logs: [(time us, tags)]."""
    return [(1, 'i64', i64(trace)), (2, 'i64', i64(trace_hi)), (3, 'i64', i64(span)), (4, 'i64', i64(parent)), (5, 'string', name),
            (6, 'list', ('struct', [[(1, 'i32', r[0]), (2, 'i64', i64(r[2])), (3, 'i64', i64(r[1])), (4, 'i64', i64(r[3]))] for r in refs])),
            (7, 'i32', flags), (8, 'i64', start_us), (9, 'i64', duration_us), (10, 'list', jaeger_tags(tags)),
            (11, 'list', ('struct', [[(1, 'i64', t), (2, 'list', jaeger_tags(f))] for t, f in logs]))]


def jaeger_batch(service, spans, process_tags=()):
    return [(1, 'struct', [(1, 'string', service), (2, 'list', jaeger_tags(process_tags))]), (2, 'list', ('struct', spans))]


def zipkin_span(trace, span, parent, name, service, start_us, duration_us, tags=()):
    """zipkincore.thrift: a server span."""
    host = [(1, 'i32', 0x7f000001), (2, 'i16', 80), (3, 'string', service)]
    return [(1, 'i64', i64(trace)), (3, 'string', name), (4, 'i64', i64(span)), (5, 'i64', i64(parent)),
            (6, 'list', ('struct', [[(1, 'i64', start_us), (2, 'string', 'sr'), (3, 'struct', host)],
                                    [(1, 'i64', start_us + duration_us), (2, 'string', 'ss'), (3, 'struct', host)]])),
            (8, 'list', ('struct', [[(1, 'string', k), (2, 'string', v), (3, 'i32', 6), (4, 'struct', host)] for k, v in tags])),
            (10, 'i64', start_us), (11, 'i64', duration_us)]


# --- protobuf

def pb(fields):
    out = bytearray()
    for number, kind, v in fields:
        if kind in ('varint', 'bool'):
            out += varint(number << 3) + varint(int(v) & (1 << 64) - 1)
        elif kind == 'fixed64':
            out += varint(number << 3 | 1) + struct.pack('<Q', v)
        elif kind == 'double':
            out += varint(number << 3 | 1) + struct.pack('<d', v)
        elif kind == 'fixed32':
            out += varint(number << 3 | 5) + struct.pack('<I', v)
        else:
            data = pb(v) if kind == 'msg' else as_bytes(v)
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return bytes(out)


def pb_value(v):
    kind = 'double' if isinstance(v, float) else 'bytes' if isinstance(v, str) else 'varint'
    return [({'double': 4, 'bytes': 1}.get(kind, 2 if isinstance(v, bool) else 3), kind, v)]


def pb_attrs(number, attrs):
    return [(number, 'msg', [(1, 'bytes', k), (2, 'msg', pb_value(v))]) for k, v in attrs]


def otlp_pb_span(trace_hex, span_hex, name, start_ns, end_ns, attrs=(), kind=2):
    return [(1, 'bytes', bytes.fromhex(trace_hex)), (2, 'bytes', bytes.fromhex(span_hex)), (5, 'bytes', name), (6, 'varint', kind),
            (7, 'fixed64', start_ns), (8, 'fixed64', end_ns)] + pb_attrs(9, attrs)


def otlp_pb_traces(service, spans):
    return pb([(1, 'msg', [(1, 'msg', pb_attrs(1, [('service.name', service)])),
                           (2, 'msg', [(1, 'msg', [(1, 'bytes', 'test')])] + [(2, 'msg', s) for s in spans])])])


# --- io.prometheus.client.MetricFamily, delimited

PROM_PROTOBUF = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited'
PROM_TYPES = {'counter': (0, 3), 'gauge': (1, 2), 'summary': (2, 4), 'untyped': (3, 5), 'histogram': (4, 7), 'gaugehistogram': (5, 7)}  # number, field of Metric


def sint(n):
    return n << 1 ^ n >> 63


def prom_labels(number, labels):
    return [(number, 'msg', [(1, 'bytes', k), (2, 'bytes', v)]) for k, v in labels.items()]


def prom_time(number, seconds):
    return (number, 'msg', [(1, 'varint', int(seconds)), (2, 'varint', int(seconds % 1 * 1e9))])


def prom_exemplar(number, v, labels, seconds):
    return (number, 'msg', prom_labels(1, labels) + [(2, 'double', v), prom_time(3, seconds)])


def prom_family(name, kind, metrics, help_text='help'):
    """metrics: [(labels, fields of the data message)]"""
    number, field = PROM_TYPES[kind]
    data = pb([(1, 'bytes', name), (2, 'bytes', help_text), (3, 'varint', number)] +
              [(4, 'msg', prom_labels(1, labels) + [(field, 'msg', fields)]) for labels, fields in metrics])
    return varint(len(data)) + data


def prom_native(count, total, schema, zero_count, positive, classic=(), more=()):
    """Fields of a Histogram. positive: (offset, [counts]); classic: [(le, cumulative count)]."""
    deltas = [b - a for a, b in zip([0] + positive[1], positive[1])]
    return ([(1, 'varint', count), (2, 'double', total), (5, 'varint', sint(schema)), (6, 'double', 0.001), (7, 'varint', zero_count),
             (12, 'msg', [(1, 'varint', sint(positive[0])), (2, 'varint', len(positive[1]))]), (13, 'bytes', b''.join(varint(sint(d)) for d in deltas))] +
            [(3, 'msg', [(1, 'varint', n), (2, 'double', le)]) for le, n in classic] + list(more))


# --- remote write

def snappy(data):
    """Snappy's block format, in literals."""
    out = varint(len(data))
    for at in range(0, len(data), 65536):
        piece = data[at:at + 65536]
        out += b'\xf4' + struct.pack('<H', len(piece) - 1) + piece
    return out
