#!/usr/bin/python3
"""librdkafka.py TEST BOOTSTRAP    one test of librdkafka.bats: a broker under an unmodified client

A test is a function below; it raises when the broker did something that a Kafka broker would not."""
import sys
import threading
import time

from confluent_kafka import (OFFSET_BEGINNING, OFFSET_END, TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME,
                             KafkaError, KafkaException, Producer, TopicPartition)
from confluent_kafka.admin import AdminClient, NewTopic

import records
from records import consumer_of, made, read, send


def equal(got, want):
    if got != want:
        raise AssertionError('got %.300r, expected %.300r' % (got, want))


def refused(code, future):
    try:
        future.result(20)
    except KafkaException as e:
        equal(e.args[0].name(), code)
        return e.args[0].str()
    raise AssertionError('accepted; expected %s' % code)


def admin_of(bootstrap):
    return AdminClient({'bootstrap.servers': bootstrap, **records.LONELY})


def create(bootstrap, topic, partitions=1, **config):
    config = {k.replace('_', '.'): str(v) for k, v in config.items()}
    a = admin_of(bootstrap)  # which has to live until it is answered
    a.create_topics([NewTopic(topic, partitions, 1, config=config)])[topic].result(20)


def poll(consumer, count, seconds=20):
    """That many messages; none of them an error."""
    out, deadline = [], time.monotonic() + seconds
    while len(out) < count:
        if time.monotonic() > deadline:
            raise AssertionError('%d of %d messages after %d s' % (len(out), count, seconds))
        for m in consumer.consume(count - len(out), 0.02):
            if m.error():
                raise KafkaException(m.error())
            out.append(m)
    return out


# ---- records ------------------------------------------------------------------------------------

def kinds(bootstrap):
    """Keys, values and headers of every kind, in each codec, with acks=all, 1 and by an idempotent producer."""
    for codec in ('none', 'gzip', 'snappy', 'lz4', 'zstd'):
        for how in ({'acks': 'all'}, {'acks': '1'}, {'enable.idempotence': 'true'}):
            topic = 'kinds.%s' % codec
            have = read(bootstrap, topic) if how != {'acks': 'all'} else create(bootstrap, topic, 2) or []
            sent = send(bootstrap, topic, made(150), **{'compression.type': codec, 'linger.ms': '100', **how})
            equal(read(bootstrap, topic), records.in_order(have + sent))
            equal(read(bootstrap, topic, **{'isolation.level': 'read_uncommitted'}), records.in_order(have + sent))


def acks_0(bootstrap):
    """Nothing comes back, and everything is there."""
    create(bootstrap, 't')
    producer = Producer({'bootstrap.servers': bootstrap, 'acks': '0', 'linger.ms': 1, **records.LONELY})
    for n in range(5000):
        producer.produce('t', b'%d' % n)
    equal(producer.flush(30), 0)
    consumer = consumer_of(bootstrap)
    consumer.assign([TopicPartition('t', 0, OFFSET_BEGINNING)])
    equal([(m.offset(), m.value()) for m in poll(consumer, 5000)], [(n, b'%d' % n) for n in range(5000)])


def idempotent(bootstrap):
    """Small batches, five in flight, several threads: each thread's records once and in its order."""
    create(bootstrap, 't')
    producer = Producer({'bootstrap.servers': bootstrap, 'enable.idempotence': True, 'batch.num.messages': 10,
                         'linger.ms': 0, **records.LONELY})
    offsets = {}

    def told(error, m):
        if error:
            raise KafkaException(error)
        offsets[m.offset()] = m.value()

    def work(name):
        for n in range(1000):
            producer.produce('t', b'%d %d' % (name, n), on_delivery=told)
    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    equal(producer.flush(30), 0)
    consumer = consumer_of(bootstrap)
    consumer.assign([TopicPartition('t', 0, OFFSET_BEGINNING)])
    got = [(m.offset(), m.value()) for m in poll(consumer, 4000)]
    equal(got, sorted(offsets.items()))
    equal([o for o, _ in got], list(range(4000)))
    for name in range(4):
        equal([v for _, v in got if v.startswith(b'%d ' % name)], [b'%d %d' % (name, n) for n in range(1000)])


def large(bootstrap):
    """Up to the limit, and back; one above it is refused, and what follows it is taken."""
    create(bootstrap, 't')
    # a batch of one record without key and headers is 72 bytes more than this; 1048588 is the limit
    values = [bytes([n]) * (1048516 - 1000 * n) for n in range(20)]
    lines = send(bootstrap, 't', [(None, v, [], 1000 + n) for n, v in enumerate(values)],
                 **{'message.max.bytes': '2000000', 'linger.ms': '0', 'batch.num.messages': '1'})
    equal(read(bootstrap, 't', **{'fetch.message.max.bytes': '10000'}), lines)
    producer = Producer({'bootstrap.servers': bootstrap, 'message.max.bytes': 3000000, 'linger.ms': 0,
                         **records.LONELY})
    told = []
    for value in (b'before', b'x' * 1048517, b'after'):
        producer.produce('t', value, on_delivery=lambda e, m: told.append((e and e.name(), m.value()[:6])))
        producer.flush(20)
    equal(told, [(None, b'before'), ('MSG_SIZE_TOO_LARGE', b'xxxxxx'), (None, b'after')])
    equal(len(read(bootstrap, 't')), 22)
    create(bootstrap, 'wide', max_message_bytes=5000000)
    lines = send(bootstrap, 'wide', [(b'k', b'y' * 4000000, [], 1)], **{'message.max.bytes': '5000000'})
    equal(read(bootstrap, 'wide', **{'fetch.message.max.bytes': '10000', 'receive.message.max.bytes': '6000000',
                                     'fetch.max.bytes': '20000', 'message.max.bytes': '10000'}), lines)


def append_time(bootstrap):
    """LogAppendTime, also over compressed batches: the broker's clock, said to be so."""
    for codec in ('none', 'lz4'):
        topic = 'append.' + codec
        create(bootstrap, topic, message_timestamp_type='LogAppendTime')
        before = int(time.time() * 1000)
        send(bootstrap, topic, made(100), **{'compression.type': codec})
        consumer = consumer_of(bootstrap)
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        for m in poll(consumer, 100):
            kind, at = m.timestamp()
            equal(kind, TIMESTAMP_LOG_APPEND_TIME)
            equal(before <= at <= time.time() * 1000, True)
    create(bootstrap, 'created')
    send(bootstrap, 'created', [(None, b'v', [], 12345)])
    consumer.assign([TopicPartition('created', 0, OFFSET_BEGINNING)])
    equal(poll(consumer, 1)[0].timestamp(), (TIMESTAMP_CREATE_TIME, 12345))


# ---- positions ----------------------------------------------------------------------------------

def positions(bootstrap):
    """Assign at, and seek to, any offset, within compressed batches too; pause and resume."""
    for codec in ('none', 'zstd'):
        topic = 'positions.' + codec
        create(bootstrap, topic, segment_bytes=50000)
        for n in range(10):
            send(bootstrap, topic, [(None, b'%d' % (n * 100 + i) + b'.' * 200, [], 1) for i in range(100)],
                 **{'compression.type': codec, 'linger.ms': '50'})
        consumer = consumer_of(bootstrap)
        equal(consumer.get_watermark_offsets(TopicPartition(topic, 0), 20), (0, 1000))
        for at in (0, 1, 99, 100, 150, 555, 998, 999):
            consumer.assign([TopicPartition(topic, 0, at)])
            m = poll(consumer, 1)[0]
            equal((m.offset(), m.value().rstrip(b'.')), (at, b'%d' % at))
        for at in (777, 3):
            consumer.seek(TopicPartition(topic, 0, at))
            m = poll(consumer, 1)[0]
            equal((m.offset(), m.value().rstrip(b'.')), (at, b'%d' % at))
        consumer.pause([TopicPartition(topic, 0)])
        equal(consumer.consume(1, 0.3), [])
        consumer.resume([TopicPartition(topic, 0)])
        equal(poll(consumer, 1)[0].offset(), 4)
        consumer.assign([TopicPartition(topic, 0, OFFSET_END)])
        equal(consumer.consume(1, 0.3), [])
        consumer.close()


def out_of_range(bootstrap):
    """Beyond the end: an error where the client asks for one, else its reset."""
    create(bootstrap, 't')
    send(bootstrap, 't', [(None, b'only', [], 1)])
    consumer = consumer_of(bootstrap, **{'auto.offset.reset': 'error'})
    consumer.assign([TopicPartition('t', 0, 2)])
    try:
        poll(consumer, 1)
        raise AssertionError('no error')
    except KafkaException as e:
        equal(e.args[0].code() in (KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._AUTO_OFFSET_RESET), True)
    consumer = consumer_of(bootstrap, **{'auto.offset.reset': 'earliest'})
    consumer.assign([TopicPartition('t', 0, 2)])
    equal(poll(consumer, 1)[0].value(), b'only')


def times(bootstrap):
    """Offsets by time, held to a search through all records; timestamps are not in order."""
    create(bootstrap, 't', 2, segment_bytes=3000, index_interval_bytes=100)
    for n in range(20):
        send(bootstrap, 't', [(b'%d' % i, b'v' * 20, [], 1600000000000 + (n * 1000 + i * 37) % 7001)
                              for i in range(25)],
             **{'compression.type': ('none', 'gzip')[n % 2], 'linger.ms': '10'})
    have = {0: [], 1: []}
    for l in read(bootstrap, 't'):
        p, o, t = map(int, l.split(' ')[:3])
        have[p].append((o, t))
    consumer = consumer_of(bootstrap)
    for t in [0, 1] + [1600000000000 + d for d in range(-100, 7300, 61)] + [1700000000000]:
        for tp in consumer.offsets_for_times([TopicPartition('t', p, t) for p in have], 20):
            # none: the client says the end
            equal((tp.partition, t, tp.offset),
                  (tp.partition, t, next((o for o, at in have[tp.partition] if at >= t), OFFSET_END)))


def tail(bootstrap):
    """A waiting consumer is given each record when it comes, not when its wait is over."""
    create(bootstrap, 't')
    consumer = consumer_of(bootstrap, **{'fetch.wait.max.ms': 20000, 'fetch.min.bytes': 1})
    consumer.assign([TopicPartition('t', 0, OFFSET_BEGINNING)])
    producer = Producer({'bootstrap.servers': bootstrap, 'linger.ms': 0, **records.LONELY})
    began = time.monotonic()
    for n in range(50):
        producer.produce('t', b'%d' % n)
        producer.poll(0)
        equal(poll(consumer, 1)[0].value(), b'%d' % n)
    equal(time.monotonic() - began < 15, True)


# ---- topics -------------------------------------------------------------------------------------

def admin(bootstrap):
    """Create and delete, and every refusal by its name."""
    a = admin_of(bootstrap)
    made_now = a.create_topics([NewTopic('one', 1, 1), NewTopic('three', 3, 1, config={'segment.bytes': '100000'}),
                                NewTopic('assigned', replica_assignment=[[1], [1]], num_partitions=2)])
    for future in made_now.values():
        future.result(20)
    for code, topic in {'TOPIC_ALREADY_EXISTS': NewTopic('one', 1, 1), 'TOPIC_EXCEPTION': NewTopic('a b', 1, 1),
                        'INVALID_REPLICATION_FACTOR': NewTopic('r', 1, 3),
                        'INVALID_CONFIG': NewTopic('c', 1, 1, config={'retention.ms': 'soon'})}.items():
        refused(code, a.create_topics([topic])[topic.topic])
    for code, config in {'INVALID_CONFIG': {'no.such': '1'}}.items():
        refused(code, a.create_topics([NewTopic('d', 1, 1, config=config)])['d'])
    a.create_topics([NewTopic('only.checked', 1, 1)], validate_only=True)['only.checked'].result(20)
    refused('TOPIC_ALREADY_EXISTS', a.create_topics([NewTopic('one', 1, 1)], validate_only=True)['one'])
    topics = a.list_topics(timeout=20).topics
    equal({t: sorted(m.partitions) for t, m in topics.items()}, {'one': [0], 'three': [0, 1, 2], 'assigned': [0, 1]})
    equal([(p.leader, p.replicas, p.isrs) for p in topics['three'].partitions.values()], [(1, [1], [1])] * 3)
    equal([b.id for b in a.list_topics(timeout=20).brokers.values()], [1])
    send(bootstrap, 'one', [(None, b'old', [], 1)])
    deleted = a.delete_topics(['one', 'missing'])
    deleted['one'].result(20)
    refused('UNKNOWN_TOPIC_OR_PART', deleted['missing'])
    equal(sorted(a.list_topics(timeout=20).topics), ['assigned', 'three'])
    create(bootstrap, 'one')  # the same name is another topic
    equal(read(bootstrap, 'one'), [])


def auto_create(bootstrap):
    """A producer makes a topic by naming it; one that only reads does not."""
    consumer = consumer_of(bootstrap)
    consumer.assign([TopicPartition('unheard.of', 0, OFFSET_BEGINNING)])
    equal([m for m in consumer.consume(1, 1) if not m.error()], [])
    consumer.close()
    equal('unheard.of' in admin_of(bootstrap).list_topics(timeout=20).topics, False)
    lines = send(bootstrap, 'fresh', [(None, b'%d' % n, [], 1) for n in range(100)])
    equal(read(bootstrap, 'fresh'), lines)
    equal(len(admin_of(bootstrap).list_topics(timeout=20).topics['fresh'].partitions), 3)


def transactions(bootstrap):
    """There are none yet: the client is told so at once, and for good."""
    producer = Producer({'bootstrap.servers': bootstrap, 'transactional.id': 'one', **records.LONELY})
    try:
        producer.init_transactions(30)
        raise AssertionError('accepted')
    except KafkaException as e:
        equal((e.args[0].name(), e.args[0].fatal()), ('TRANSACTIONAL_ID_AUTHORIZATION_FAILED', True))


if __name__ == '__main__':
    globals()[sys.argv[1]](sys.argv[2])
