#!/usr/bin/python3
"""records - records of every kind through librdkafka (python3-confluent-kafka), each as one line

    records.py send BOOTSTRAP TOPIC COUNT [property=value ...]    prints them as they were acknowledged
    records.py read BOOTSTRAP TOPIC [property=value ...]          prints them as they are read
    records.py json                                               kcons -J on stdin, the same lines
    records.py lines TIMESTAMP                                    stdin's lines as values in partition 0

    PARTITION OFFSET TIMESTAMP KEY VALUE HEADERS

in base64, "-" for null, "." for empty; headers are NAME:VALUE;..., "." for none. Lines are sorted by
partition and offset, so that what one client sent and what another one read can be compared with diff."""
import base64
import ctypes
import json
import random
import sys
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition

LONELY = {'log_level': 0, 'reconnect.backoff.max.ms': 100, 'socket.timeout.ms': 20000}


def text(data):
    if data is None:
        return '-'
    if isinstance(data, str):
        data = data.encode()
    return base64.b64encode(data).decode() if data else '.'


def line(partition, offset, timestamp, key, value, headers):
    return '%d %d %d %s %s %s' % (partition, offset, timestamp, text(key), text(value), ';'.join(
        text(n) + ':' + text(v) for n, v in headers or []) or '.')


def of_message(m):
    headers = m.headers() or []
    for _, value in headers:
        if value is None:  # confluent_kafka 1.7 hands out a reference to None that it does not own
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(None))
    return line(m.partition(), m.offset(), m.timestamp()[1], m.key(), m.value(), headers)


def in_order(lines):
    return sorted(lines, key=lambda l: tuple(map(int, l.split(' ', 2)[:2])))


def made(count, seed=1, base=None):
    """(key, value, headers, timestamp): null, empty, text, every byte, now and then a long one."""
    rnd = random.Random(seed)
    base = base or int(time.time() * 1000) - 3600000
    every = bytes(range(256))

    def field(n):
        kind = (n * 5 + n // 7) % 7
        if kind < 2:
            return (None, b'')[kind]
        if kind == 2:
            return every + b'\r\n\0'
        if kind == 3:
            return ('zeile %d \u00e4\u00f6\u00fc \u20ac' % n).encode()
        return b'field %d ' % n + bytes(rnd.choices(b'abcdefgh ', k=rnd.randrange(300)))

    for i in range(count):
        headers = [('name %d' % h if h != 2 else 'n\u00e4me', field(i + h + 1)) for h in range(i % 4)]
        if i % 8 == 7:
            headers += [headers[0]]  # a name may come twice
        value = bytes(rnd.choices(every, k=70000)) + b'x' * 70000 if i % 100 == 50 else field(i)
        yield field(i // 3 + i), value, headers, base + i * 7919 % 100000


def options(words):
    return dict(w.split('=', 1) for w in words)


def send(bootstrap, topic, records, partition=None, **properties):
    """Returns the lines in order. Raises when one was refused."""
    producer = Producer({'bootstrap.servers': bootstrap, **LONELY, **properties})
    producer.list_topics(timeout=20)  # without a connection its first look at the topic comes a second late
    lines, errors = [], []

    def told(key, value, headers, timestamp):
        def callback(error, m):
            if error:
                errors.append(error)
            else:
                lines.append(line(m.partition(), m.offset(), timestamp, key, value, headers))
        return callback

    where = {} if partition is None else {'partition': partition}
    for key, value, headers, timestamp in records:
        while True:
            try:
                producer.produce(topic, value=value, key=key, headers=headers, timestamp=timestamp,
                                 on_delivery=told(key, value, headers, timestamp), **where)
                break
            except BufferError:
                producer.poll(0.1)
    deadline = time.monotonic() + 60
    while len(producer) and time.monotonic() < deadline:  # flush() would not wait for linger.ms
        producer.poll(0.1)
    if len(producer) or errors:
        raise AssertionError('not all were acknowledged: %s' % errors[:3])
    return in_order(lines)


def consumer_of(bootstrap, **properties):
    return Consumer({'bootstrap.servers': bootstrap, 'group.id': 'none', 'enable.auto.commit': False,
                     'check.crcs': True, 'fetch.wait.max.ms': 10, 'fetch.error.backoff.ms': 10, **LONELY, **properties})


def read(bootstrap, topic, offset=OFFSET_BEGINNING, **properties):
    """All records up to the end as of now, from every partition, as lines in order."""
    consumer = consumer_of(bootstrap, **{'enable.partition.eof': True, **properties})
    meta = consumer.list_topics(topic, 20).topics[topic]
    if meta.error:
        raise AssertionError('%s: %s' % (topic, meta.error))
    open_ends = set(meta.partitions)
    consumer.assign([TopicPartition(topic, p, offset) for p in open_ends])
    lines, deadline = [], time.monotonic() + 60
    while open_ends:
        if time.monotonic() > deadline:
            raise AssertionError('still open: %s' % open_ends)
        for m in consumer.consume(1000, 0.02):
            if not m.error():
                lines.append(of_message(m))
            elif m.error().code() == KafkaError._PARTITION_EOF:
                open_ends.discard(m.partition())
            else:
                raise AssertionError(str(m.error()))
    consumer.close()
    return in_order(lines)


def of_json(field):
    return base64.b64decode(field['base64']) if isinstance(field, dict) else field


def main():
    command, arguments = sys.argv[1], sys.argv[2:]
    if command == 'send':
        lines = send(arguments[0], arguments[1], made(int(arguments[2])), **options(arguments[3:]))
    elif command == 'read':
        lines = read(arguments[0], arguments[1], **options(arguments[2:]))
    elif command == 'lines':
        lines = [line(0, n, int(arguments[0]), None, l.removesuffix(b'\n'), [])
                 for n, l in enumerate(sys.stdin.buffer)]
    else:
        lines = in_order(line(r['partition'], r['offset'], r['timestamp'], of_json(r['key']), of_json(r['value']),
                              [(of_json(n), of_json(v)) for n, v in r['headers']])
                         for r in map(json.loads, sys.stdin))
    print('\n'.join(lines))


if __name__ == '__main__':
    main()
