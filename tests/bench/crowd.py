"""crowd - many clients in one process, as bytes on sockets, for the rows about memory and limits."""
import resource
import selectors
import socket
import struct
import time

ALL = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
CRC_TABLE = []


def may_open_many():
    resource.setrlimit(resource.RLIMIT_NOFILE, (ALL, ALL))


def frame(key, version, body, correlation=1):
    data = struct.pack('>hhih', key, version, correlation, 5) + b'crowd' + body
    return struct.pack('>i', len(data)) + data


API_VERSIONS = frame(18, 0, b'')


def string(s):
    return struct.pack('>h', len(s)) + s.encode()


def create_topics(names, partitions=1, **config):
    """CreateTopics, version 2."""
    settings = struct.pack('>i', len(config)) + b''.join(
        string(k.replace('_', '.')) + string(str(v)) for k, v in config.items())
    return frame(19, 2, struct.pack('>i', len(names)) + b''.join(
        string(n) + struct.pack('>ihi', partitions, 1, 0) + settings for n in names) +
        struct.pack('>i?', 120000, False))


def crc32c(data):
    if not CRC_TABLE:
        for i in range(256):
            for _ in range(8):
                i = i >> 1 ^ (0x82F63B78 if i & 1 else 0)
            CRC_TABLE.append(i)
    c = 0xFFFFFFFF
    for b in data:
        c = CRC_TABLE[(c ^ b) & 255] ^ c >> 8
    return c ^ 0xFFFFFFFF


RECORD = b'\x0e\0\0\0\1\2v\0'


def batch(producer_id=-1):
    """One small record."""
    sequence, epoch = (0, 0) if producer_id >= 0 else (-1, -1)
    body = struct.pack('>hiqqqhii', 0, 0, 0, 0, producer_id, epoch, sequence, 1) + RECORD
    return struct.pack('>qiibI', 0, len(body) + 9, 0, 2, crc32c(body)) + body


def produce(topic, batches, acks=1):
    """Produce, version 3: a batch to each of the partitions from 0 on."""
    return frame(0, 3, struct.pack('>hhii', -1, acks, 30000, 1) + string(topic) + struct.pack('>i', len(batches)) +
                 b''.join(struct.pack('>ii', i, len(b)) + b for i, b in enumerate(batches)))


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(('127.0.0.1', port), 30)

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def answer(self):
        """One frame's body."""
        n = struct.unpack('>i', self.exactly(4))[0]
        return self.exactly(n)

    def exactly(self, n):
        out = b''
        while len(out) < n:
            part = self.socket.recv(n - len(out))
            if not part:
                raise ConnectionError('closed by the broker')
            out += part
        return out

    def ask(self, data):
        self.send(data)
        return self.answer()


def all_at_once(clients, data):
    """Each sends the same; when all have an answer, their bodies."""
    sel, left = selectors.DefaultSelector(), len(clients)
    state = {}
    for c in clients:
        c.socket.setblocking(False)
        state[c] = [memoryview(data), b'']
        sel.register(c.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, c)
    until = time.monotonic() + 120
    while left and time.monotonic() < until:
        for key, events in sel.select(1):
            c, s = key.data, state[key.data]
            if events & selectors.EVENT_WRITE and s[0]:
                try:
                    s[0] = s[0][c.socket.send(s[0][:1 << 18]):]
                except BlockingIOError:
                    pass
                if not s[0]:
                    sel.modify(c.socket, selectors.EVENT_READ, c)
            if events & selectors.EVENT_READ:
                part = c.socket.recv(1 << 16)
                if not part:
                    raise ConnectionError('closed by the broker')
                s[1] += part
                if len(s[1]) >= 4 and len(s[1]) >= 4 + struct.unpack('>i', s[1][:4])[0]:
                    sel.unregister(c.socket)
                    left -= 1
    if left:
        raise TimeoutError('%d have no answer' % left)
    return [state[c][1][4:] for c in clients]
