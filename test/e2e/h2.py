"""h2: a minimal gRPC client: HTTP/2 without TLS, one call at a time. Headers go out as HPACK literals; for what comes back the dynamic table is
switched off (SETTINGS_HEADER_TABLE_SIZE 0), so that only the static table and Huffman codes need decoding (RFC 7541)."""
import gzip
import socket
import struct

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
STATIC = {8: (':status', '200'), 9: (':status', '204'), 11: (':status', '400'), 13: (':status', '404'), 14: (':status', '500'), 31: ('content-type', ''), 54: ('server', '')}


def _huffman():
    """The code is canonical: lengths alone give it. Only printable ASCII and NUL: longer codes do not occur in headers of ours."""
    lengths = {0: 13}
    for n, chars in ((5, '012aceiost'), (6, ' %-./3456789=A_bdfghlmnpru'), (7, ':BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz'), (8, '&*,;XZ'), (10, '!"()?'), (11, "'+|"), (12, '#>'),
                     (13, '$@[]~'), (14, '^}'), (15, '<`{')):
        lengths.update({ord(c): n for c in chars})
    table, code, last = {}, 0, 0
    for symbol, n in sorted(lengths.items(), key=lambda kv: (kv[1], kv[0])):
        code <<= n - last
        table[n, code] = symbol
        code, last = code + 1, n
    return table


HUFFMAN = _huffman()


def huffman_decode(data):
    out, code, n = bytearray(), 0, 0
    for byte in data:
        for bit in range(7, -1, -1):
            code, n = code << 1 | byte >> bit & 1, n + 1
            if (n, code) in HUFFMAN:
                out.append(HUFFMAN[n, code])
                code, n = 0, 0
    assert n < 8 and code == (1 << n) - 1, 'not a Huffman code'
    return bytes(out)


def _integer(data, at, bits):
    value = data[at] & (1 << bits) - 1
    at += 1
    if value == (1 << bits) - 1:
        shift = 0
        while True:
            value, shift, at = value + ((data[at] & 127) << shift), shift + 7, at + 1
            if data[at - 1] < 128:
                break
    return value, at


def _string(data, at):
    huffman = data[at] & 128
    n, at = _integer(data, at, 7)
    text = data[at:at + n]
    return (huffman_decode(text) if huffman else text).decode(), at + n


def hpack_decode(data):
    headers, at = [], 0
    while at < len(data):
        if data[at] & 128:
            index, at = _integer(data, at, 7)
            headers.append(STATIC[index])
        elif data[at] & 0xe0 == 0x20:
            _, at = _integer(data, at, 5)
        else:
            index, at = _integer(data, at, 6 if data[at] & 64 else 4)
            name, at = (STATIC[index][0], at) if index else _string(data, at)
            value, at = _string(data, at)
            headers.append((name, value))
    return headers


def literal(name, value):
    def text(s):
        n = len(s)
        return (bytes([n]) if n < 127 else b'\x7f' + _varint(n - 127)) + s
    return b'\0' + text(name.encode()) + text(value.encode())


def _varint(n):
    out = b''
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def frame(kind, flags, stream, payload=b''):
    return struct.pack('>I', len(payload))[1:] + bytes([kind, flags]) + struct.pack('>I', stream) + payload


class Result:
    """status: grpc-status or None; http: :status; text: grpc-message; messages; headers: all that came."""

    def __init__(self):
        self.headers, self.messages, self.data, self.reset = {}, [], b'', None

    @property
    def status(self):
        return int(self.headers['grpc-status']) if 'grpc-status' in self.headers else None

    def finish(self):
        while self.data:
            n = int.from_bytes(self.data[1:5], 'big')
            self.messages.append(self.data[5:5 + n])
            self.data = self.data[5 + n:]
        return self


class Client:
    def __init__(self, port, timeout=60):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        settings = struct.pack('>HIHI', 1, 0, 4, 1 << 24)  # HEADER_TABLE_SIZE 0, INITIAL_WINDOW_SIZE
        self.socket.sendall(b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + frame(SETTINGS, 0, 0, settings) + frame(WINDOW_UPDATE, 0, 0, struct.pack('>I', 1 << 24)))
        self.stream, self.input = -1, b''
        self.window, self.first_window, self.stream_window = 65535, 65535, 0
        while self.first_window == 65535:  # the server's SETTINGS: with them no call waits for a window
            self.take(None)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def read(self, n):
        while len(self.input) < n:
            more = self.socket.recv(1 << 16)
            if not more:
                raise ConnectionError('the server closed the connection')
            self.input += more
        out, self.input = self.input[:n], self.input[n:]
        return out

    def take(self, result):
        """One frame; True: it ended the call."""
        head = self.read(9)
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], 'big')
        payload = self.read(int.from_bytes(head[:3], 'big'))
        if kind == SETTINGS and not flags & ACK:
            for i in range(0, len(payload), 6):
                name, value = struct.unpack('>HI', payload[i:i + 6])
                if name == 4:
                    self.first_window = value
            self.socket.sendall(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            self.socket.sendall(frame(PING, ACK, 0, payload))
        elif kind == WINDOW_UPDATE:
            n = int.from_bytes(payload, 'big')
            if stream == 0:
                self.window += n
            elif stream == self.stream:
                self.stream_window += n
        elif kind == GOAWAY:
            raise ConnectionError('GOAWAY, error %d' % int.from_bytes(payload[4:8], 'big'))
        elif result is not None and stream == self.stream:
            if kind == HEADERS:
                result.headers.update(hpack_decode(payload))
            elif kind == DATA:
                result.data += payload
                if payload:
                    self.socket.sendall(frame(WINDOW_UPDATE, 0, 0, struct.pack('>I', len(payload))))
            elif kind == RST_STREAM:
                result.reset = int.from_bytes(payload, 'big')
            return kind == RST_STREAM or (kind in (HEADERS, DATA) and bool(flags & END_STREAM))
        return False

    def call(self, path, message, compress=False, raw=None, **headers):
        """raw: the body as sent, instead of a message with its prefix."""
        self.stream += 2
        self.stream_window = self.first_window
        if compress:
            message = gzip.compress(message)
            headers['grpc_encoding'] = 'gzip'
        body = raw if raw is not None else bytes([compress]) + struct.pack('>I', len(message)) + message
        fields = {':method': 'POST', ':scheme': 'http', ':path': path, ':authority': 'localhost', 'content-type': 'application/grpc', 'te': 'trailers'}
        fields.update({name.replace('_', '-'): value for name, value in headers.items()})
        out = [frame(HEADERS, END_HEADERS, self.stream, b''.join(literal(n, v) for n, v in fields.items()))]
        result, at, done = Result(), 0, False
        while at < len(body) and not done:
            n = min(16384, len(body) - at, self.window, self.stream_window)
            if n <= 0:
                self.socket.sendall(b''.join(out))
                out, done = [], self.take(result)
                continue
            out.append(frame(DATA, END_STREAM if at + n == len(body) else 0, self.stream, body[at:at + n]))
            at, self.window, self.stream_window = at + n, self.window - n, self.stream_window - n
        self.socket.sendall(b''.join(out))
        while not done:
            done = self.take(result)
        return result.finish()
