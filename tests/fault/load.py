#!/usr/bin/python3
"""load - a witness who is not ours: librdkafka (python3-confluent-kafka) produces, creates and
deletes, and writes down what it was told; later it reads everything back and compares.

    load.py produce BOOTSTRAP JOURNAL [name=value ...]    until SIGTERM, then flushes and ends
    load.py watch BOOTSTRAP JOURNAL                       only reads, until it is killed
    load.py verify BOOTSTRAP JOURNAL [name=value ...]     prints one line of counts

The journal, a line each, written the moment it is known:

    ack TOPIC PARTITION OFFSET SEQ    the broker has acknowledged it
    seen TOPIC PARTITION OFFSET SEQ   a consumer was given it
    fail TOPIC SEQ ERROR              it was refused, or given up
    creating|created|deleting|deleted TOPIC
    end SENT                          all that was sent has been answered

A value is its sequence number and bytes that follow from it, so that a torn or foreign one is
recognised by itself."""
import hashlib
import os
import signal
import sys
import threading
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

KEEP = 'keep'
PARTITIONS = 2


def value_of(seq, size):
    digest = hashlib.sha256(b'%d' % seq).hexdigest().encode()
    return b'%d ' % seq + (digest * (size // 64 + 1))[:size]


def seq_of(value):
    """The sequence number, or None for bytes that no producer of ours has sent."""
    try:
        head, body = value.split(b' ', 1)
        seq = int(head)
    except ValueError:
        return None
    return seq if value_of(seq, len(body)) == value else None


class Journal:
    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, *words):
        os.write(self.fd, (' '.join(map(str, words)) + '\n').encode())


def read_journal(path, limit):
    with open(path, 'rb') as f:
        whole = f.read(min(limit, os.fstat(f.fileno()).st_size))
    lines = whole.split(b'\n')
    return [line.decode().split(' ') for line in lines[:-1]]


def options(words, **defaults):
    for word in words:
        name, value = word.split('=', 1)
        defaults[name] = type(defaults[name])(value)
    return defaults


def watch(bootstrap, journal, going):
    """Takes down all that a consumer is given."""
    consumer = Consumer({'bootstrap.servers': bootstrap, 'group.id': 'none',
                         'enable.auto.commit': False, 'log_level': 0, 'check.crcs': True,
                         'fetch.wait.max.ms': 50, 'reconnect.backoff.ms': 10,
                         'reconnect.backoff.max.ms': 100})
    consumer.assign([TopicPartition(KEEP, p, OFFSET_BEGINNING) for p in range(PARTITIONS)])
    while going():
        for m in consumer.consume(1000, 0.1):
            if not m.error():
                journal.note('seen', m.topic(), m.partition(), m.offset(), seq_of(m.value()))
    consumer.close()


# ---- produce ------------------------------------------------------------------------------------

class Load:
    def __init__(self, bootstrap, journal, opt):
        self.bootstrap, self.opt, self.journal = bootstrap, opt, Journal(journal)
        self.lock = threading.Lock()
        self.seq, self.going = opt['first'], True
        common = {'bootstrap.servers': bootstrap, 'acks': opt['acks'], 'linger.ms': 2,
                  'max.in.flight': 5, 'message.timeout.ms': 120000,
                  'reconnect.backoff.max.ms': 100, 'socket.timeout.ms': 5000, 'log_level': 0,
                  'compression.type': opt['codec']}
        self.producer = Producer({**common, 'enable.idempotence': bool(opt['idempotent'])})
        # its topics may go while records are on the way; that must not disturb the other's sequence
        self.passing = Producer(common)
        self.admin = AdminClient({'bootstrap.servers': bootstrap, 'log_level': 0,
                                  'reconnect.backoff.max.ms': 100})

    def told(self, seq):
        def callback(error, message):
            if error:
                self.journal.note('fail', message.topic(), seq, error.name())
            else:
                self.journal.note('ack', message.topic(), message.partition(), message.offset(), seq)
        return callback

    def send(self, producer, topic, partition):
        with self.lock:
            seq, self.seq = self.seq, self.seq + 1
        while True:
            try:
                producer.produce(topic, value_of(seq, self.opt['size']), partition=partition,
                                 on_delivery=self.told(seq))
                return
            except BufferError:
                producer.poll(0.01)

    def create(self, topic, partitions):
        config = {'segment.bytes': '1048576'}
        if self.opt['flush']:
            config['flush'] = self.opt['flush']
        self.journal.note('creating', topic)
        future = self.admin.create_topics(
            [NewTopic(topic, partitions, 1, config=config)], operation_timeout=20)[topic]
        future.result(10)
        self.journal.note('created', topic)

    def delete(self, topic):
        self.journal.note('deleting', topic)
        self.admin.delete_topics([topic], operation_timeout=20)[topic].result(10)
        self.journal.note('deleted', topic)

    def make_and_drop(self):
        """Topics come, get a few records, and every other one goes again."""
        n = self.opt['first']
        while self.going:
            n += 1
            topic = 'passing-%d' % n
            try:
                self.create(topic, 1)
                for _ in range(3):
                    self.send(self.passing, topic, 0)
                self.passing.flush(1)
                if n % 2:
                    self.delete(topic)
            except (KafkaException, TimeoutError):
                time.sleep(0.05)  # not answered: what became of it is open
            time.sleep(0.02)

    def consume(self):
        watch(self.bootstrap, self.journal, lambda: self.going)

    def run(self):
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, 'going', False))
        if self.opt['first'] == 0:
            self.create(KEEP, PARTITIONS)
        helpers = [threading.Thread(target=f, daemon=True)
                   for f in (self.make_and_drop, self.consume)]
        for h in helpers:
            h.start()
        n = 0
        while self.going:
            while len(self.producer) > self.opt['window']:
                self.producer.poll(0.01)
            self.send(self.producer, KEEP, n // 7 % PARTITIONS)
            self.producer.poll(0.01 if n % (self.opt['rate'] // 100) == 0 else 0)
            n += 1
        for h in helpers:
            h.join(60)
        left = self.producer.flush(60)
        self.journal.note('end', self.seq - self.opt['first'] if left == 0 else 'unanswered')


# ---- verify -------------------------------------------------------------------------------------

def read_topic(bootstrap, topic, partitions, found):
    """All records of a topic; found[topic, partition] = {offset: seq}. Faults are counted."""
    torn = gaps = 0
    consumer = Consumer({'bootstrap.servers': bootstrap, 'group.id': 'none', 'log_level': 0,
                         'enable.auto.commit': False, 'check.crcs': True,
                         'enable.partition.eof': False})
    for p in partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, p), 10)
        records, deadline = {}, time.monotonic() + 30
        found[topic, p] = records
        consumer.assign([TopicPartition(topic, p, low)])
        expected = low
        while expected < high and time.monotonic() < deadline:
            for m in consumer.consume(5000, 0.2):
                if m.error():
                    print('%s-%d at %d: %s' % (topic, p, expected, m.error()), file=sys.stderr)
                    torn += 1
                    deadline = 0
                    break
                seq = seq_of(m.value())
                torn += seq is None
                gaps += m.offset() != expected
                expected = m.offset() + 1
                records[m.offset()] = seq
        if expected < high:
            print('%s-%d: read to %d of %d' % (topic, p, expected, high), file=sys.stderr)
            gaps += 1
    consumer.close()
    return torn, gaps


def topics_expected(journal):
    """What must be there and what must not; in between is what was never answered."""
    state = {}
    for line in journal:
        if line[0] in ('creating', 'created', 'deleting', 'deleted'):
            state[line[1]] = line[0]
    return ({t for t, s in state.items() if s == 'created'},
            {t for t, s in state.items() if s == 'deleted'})


def compare(journal, found, must, opt):
    lost = doubled = 0
    where = {}
    for (topic, p), records in found.items():
        for offset, seq in records.items():
            if topic == KEEP:
                doubled += seq in where
                where[seq] = offset
    promised = ('ack', 'seen') if opt['acks'] == 'all' else ('seen',)
    for line in journal:
        if line[0] in promised and line[1] in must:
            topic, p, offset, seq = line[1], int(line[2]), int(line[3]), line[4]
            if str(found.get((topic, p), {}).get(offset)) != seq:
                lost += 1
                if lost <= 3:
                    print('lost: %s' % ' '.join(line), file=sys.stderr)
    if opt['all']:  # the load came to its end: everything was acknowledged
        lost += sum(1 for line in journal if line[0] == 'fail' and line[1] == KEEP)
        lost += 0 if any(line[0] == 'end' for line in journal) else 1
        lost += sum(1 for line in journal if line == ['end', 'unanswered'])
    return lost, doubled


def verify(bootstrap, path, opt):
    journal = read_journal(path, opt['bytes'])
    must, must_not = topics_expected(read_journal(opt['topics'], -1) if opt['topics'] else journal)
    admin = AdminClient({'bootstrap.servers': bootstrap, 'log_level': 0})
    have = admin.list_topics(timeout=20).topics
    missing, undead = must - set(have), must_not & set(have)
    for t in missing:
        print('missing topic: %s' % t, file=sys.stderr)
    for t in undead:
        print('deleted topic is back: %s' % t, file=sys.stderr)
    found, torn, gaps = {}, 0, 0
    for topic, meta in have.items():
        t, g = read_topic(bootstrap, topic, sorted(meta.partitions), found)
        torn, gaps = torn + t, gaps + g
    lost, doubled = compare(journal, found, must, opt)
    acked = sum(1 for line in journal if line[0] == 'ack')
    seen = sum(1 for line in journal if line[0] == 'seen')
    print('acked=%d seen=%d have=%d topics=%d lost=%d doubled=%d torn=%d gaps=%d missing=%d undead=%d'
          % (acked, seen, sum(map(len, found.values())), len(must), lost, doubled, torn, gaps,
             len(missing), len(undead)))


def main():
    command, bootstrap, journal = sys.argv[1:4]
    if command == 'produce':
        Load(bootstrap, journal, options(sys.argv[4:], first=0, idempotent=1, size=1000, window=2000,
                                         rate=5000, acks='all',
                                         flush='', codec='none')).run()
    elif command == 'watch':
        watch(bootstrap, Journal(journal), lambda: True)
    else:
        verify(bootstrap, journal, options(sys.argv[4:], bytes=-1, all=0, acks='all',
                                                topics=''))


if __name__ == '__main__':
    main()
