#!/usr/bin/python3
"""records - what every client is asked to write, and what must then be read

    records.py make KIND NOW          the records, a line each; NOW, in ms, is where their times begin
    records.py expect TOPIC <LINES    the same as lines of a topic: what its readers must print
    records.py untimed <LINES         lines of a topic without the times
    records.py kcat <LINES            the same with the headers as kcat's %h prints them, one field
    records.py kcons <JSON            those of kcons -J as lines of topics

A record is PARTITION TIMESTAMP KEY VALUE HEADERS, a line of a topic is TOPIC PARTITION OFFSET TIMESTAMP
KEY VALUE HEADERS: base64, "-" for null, "." for empty, headers NAME:VALUE;... . KIND is `whole`: every byte,
null and empty everywhere, names that come twice; `most`: without what kafka-python cannot say, a header without
value and a record without both key and value; `text`: what fits on a command line, all in partition 0,
no time of its own."""
import base64
import json
import random
import sys

PARTITIONS, COUNT = 2, 60


def text(data):
    if data is None:
        return '-'
    return base64.b64encode(data).decode() if data else '.'


def data(field):
    return None if field == '-' else b'' if field == '.' else base64.b64decode(field)


def headers_text(headers):
    return ';'.join(text(n) + ':' + text(v) for n, v in headers) or '.'


def headers(field):
    return [] if field == '.' else [tuple(data(x) for x in h.split(':')) for h in field.split(';')]


def topic_line(topic, partition, offset, timestamp, key, value, heads):
    return '%s %d %d %d %s %s %s' % (topic, partition, offset, timestamp, text(key), text(value), headers_text(heads))


def read_records(name):
    """(partition, timestamp, key, value, [(name, value)])"""
    with open(name) as f:
        for l in f:
            p, t, k, v, h = l.split()
            yield int(p), int(t), data(k), data(v), headers(h)


def field(n, rnd):
    kind = n % 5
    if kind == 0:
        return None
    if kind == 1:
        return b''
    if kind == 2:
        return bytes(range(256)) + b'\r\n\0'
    if kind == 3:
        return ('zeile %d \u00e4\u00f6\u00fc \u20ac \U0001f600' % n).encode()
    return b'field %d ' % n + bytes(rnd.choices(b'abcdefgh ', k=rnd.randrange(300)))


def make_whole(rnd, now):
    for i in range(COUNT):
        heads = [('name %d' % h if h != 1 else 'n\u00e4me').encode() for h in range(i % 4)]
        if i % 8 == 7:
            heads.insert(1, heads[0])  # a name may come twice
        value = bytes(rnd.choices(range(256), k=7000)) * 20 if i == 50 else field(i, rnd)
        yield (i % PARTITIONS, now + i * 7919 % 100000, field(i // 5 + i, rnd), value,
               [(n, field(i + k, rnd)) for k, n in enumerate(heads)])


def make_most(rnd, now):
    for p, t, k, v, h in make_whole(rnd, now):
        yield p, t, b'one of the two' if k is v is None else k, v, [(n, b'' if x is None else x) for n, x in h]


def make_text(rnd, now):
    for i in range(COUNT):
        key = None if i % 5 == 1 else 'key %d \u00e4' % i
        value = None if i % 7 == 3 else 'value %d \u20ac %s' % (i, 'x' * rnd.randrange(300))
        yield (0, now, key.encode() if key else None, value.encode() if value else None,
               [(b'name', b'value'), ('n\u00e4me'.encode(), '\u00fc'.encode())])


def make(kind, now):
    rnd = random.Random(4)
    for p, t, k, v, h in {'whole': make_whole, 'most': make_most, 'text': make_text}[kind](rnd, now):
        print(p, t, text(k), text(v), headers_text(h))


def expect(topic):
    at = {}
    for l in sys.stdin:
        partition, rest = l.rstrip('\n').split(' ', 1)
        print(topic, partition, at.get(partition, 0), rest)
        at[partition] = at.get(partition, 0) + 1


def kcons():
    def of(f):
        return base64.b64decode(f['base64']) if isinstance(f, dict) else f if f is None else f.encode()
    for r in map(json.loads, sys.stdin):
        print(topic_line(r['topic'], r['partition'], r['offset'], r['timestamp'], of(r['key']), of(r['value']),
                         [(of(n), of(v)) for n, v in r['headers']]))


def main():
    command, arguments = sys.argv[1], sys.argv[2:]
    if command == 'make':
        make(arguments[0], int(arguments[1]))
    elif command == 'expect':
        expect(arguments[0])
    elif command == 'untimed':
        for l in sys.stdin:
            f = l.split(' ')
            print(' '.join(f[:3] + f[4:]), end='')
    elif command == 'kcat':
        for l in sys.stdin:
            rest, heads = l.rstrip('\n').rsplit(' ', 1)
            print(rest, text(b','.join(n + b'=' + (b'NULL' if v is None else v.split(b'\0')[0]) for n, v in headers(heads))))
    else:
        kcons()


if __name__ == '__main__':
    main()
