"""forward: the client's side of Fluentd's forward protocol, standard library only: MessagePack, the message modes, the handshake."""
import gzip
import hashlib
import os
import socket
import struct


class Ext(bytes):
    """EventTime (ext type 0)."""




def event_time(seconds, nanos=0):
    return Ext(struct.pack('>II', seconds, nanos))


def pack(v):
    if v is None:
        return b'\xc0'
    if isinstance(v, bool):
        return b'\xc3' if v else b'\xc2'
    if isinstance(v, Ext):
        return (b'\xd7' if len(v) == 8 else b'\xc7' + bytes([len(v)])) + b'\x00' + v
    if isinstance(v, int):
        return struct.pack('b', v) if -32 <= v < 128 else b'\xd3' + struct.pack('>q', v)
    if isinstance(v, float):
        return b'\xcb' + struct.pack('>d', v)
    if isinstance(v, str):
        v = v.encode()
        return (bytes([0xa0 | len(v)]) if len(v) < 32 else b'\xdb' + struct.pack('>I', len(v))) + v
    if isinstance(v, bytes):
        return b'\xc6' + struct.pack('>I', len(v)) + v
    if isinstance(v, list):
        return b'\xdd' + struct.pack('>I', len(v)) + b''.join(pack(i) for i in v)
    return b'\xdf' + struct.pack('>I', len(v)) + b''.join(pack(k) + pack(i) for k, i in v.items())


def unpack(data, at=0):
    """(value, end) of what binnacle writes; IndexError or struct.error when there is not enough."""
    f = data[at]
    at += 1
    if f < 0x80:
        return f, at
    if f in (0xc2, 0xc3):
        return f == 0xc3, at
    for kind, fix, mask, sizes in (('s', 0xa0, 0x1f, {0xd9: 'B', 0xda: '>H', 0xdb: '>I'}), ('b', None, 0, {0xc4: 'B', 0xc5: '>H', 0xc6: '>I'}),
                                   ('a', 0x90, 0x0f, {0xdc: '>H'}), ('m', 0x80, 0x0f, {0xde: '>H'})):
        if f in sizes:
            n, = struct.unpack_from(sizes[f], data, at)
            at += struct.calcsize(sizes[f])
        elif fix is not None and f & ~mask & 0xff == fix:
            n = f & mask
        else:
            continue
        if kind in 'sb':
            if len(data) < at + n:
                raise IndexError
            raw = data[at:at + n]
            return (raw.decode() if kind == 's' else raw), at + n
        values = []
        for _ in range(n * (2 if kind == 'm' else 1)):
            v, at = unpack(data, at)
            values.append(v)
        return (values if kind == 'a' else dict(zip(values[::2], values[1::2]))), at
    raise ValueError('format %02x' % f)


def packed(entries):
    return b''.join(pack([t, r]) for t, r in entries)


def message(tag, entries, mode='forward', **options):
    """mode: forward, packed, gzip; a message with option compressed for gzip."""
    if mode == 'forward':
        body = [[t, r] for t, r in entries]
    elif mode == 'packed':
        body = packed(entries)
    else:
        body, options = gzip.compress(packed(entries)), {**options, 'compressed': 'gzip'}
    return pack([tag, body] + ([options] if options else []))


class Client:
    def __init__(self, port, key=None, hostname='client'):
        self.socket = socket.create_connection(('127.0.0.1', port), 30)
        self.socket.settimeout(30)
        self.rest = b''
        self.authenticated = None
        if key is not None:
            self.shake_hands(key, hostname)

    def shake_hands(self, key, hostname):
        helo = self.read()
        assert helo[0] == 'HELO', helo
        nonce, salt = helo[1]['nonce'], os.urandom(16)
        digest = hashlib.sha512(salt + hostname.encode() + nonce + key.encode()).hexdigest()
        self.send(pack(['PING', hostname, salt, digest, '', '']))
        pong = self.read()
        assert pong[0] == 'PONG', pong
        self.authenticated, self.reason = pong[1], pong[2]
        if self.authenticated:
            assert pong[4] == hashlib.sha512(salt + pong[3].encode() + nonce + key.encode()).hexdigest(), 'the server does not know the key'

    def send(self, data):
        self.socket.sendall(data)

    def read(self):
        """One value; EOFError when the server closed."""
        while True:
            try:
                value, end = unpack(self.rest)
                self.rest = self.rest[end:]
                return value
            except (IndexError, struct.error):
                more = self.socket.recv(65536)
                if not more:
                    raise EOFError from None
                self.rest += more

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
