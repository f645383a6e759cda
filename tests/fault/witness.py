#!/usr/bin/python3
"""witness - a well-behaved client beside whatever else goes on: librdkafka sends one record at a time,
waits for its acknowledgement, reads it back, and sends the next.

    witness.py BOOTSTRAP TOPIC     says "ready" after the first, and goes on until SIGTERM

Then it prints one line of JSON: trips, a list of [begun, seconds, machine] by the monotonic clock;
errors, all that it was told or that was not as it had been sent, by content, offset or order. machine
is how long this process itself was kept waiting meanwhile: that part is not the broker's."""
import json
import os
import signal
import sys
import threading
import time

from confluent_kafka import Consumer, Producer, TopicPartition

BEAT = 0.01


class Machine:
    """Notes when it is woken later than it had asked for."""

    def __init__(self):
        self.late = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            due = time.monotonic() + BEAT
            time.sleep(BEAT)
            now = time.monotonic()
            if now - due > BEAT:
                self.late.append((due, now))

    def share(self, begin, end):
        return sum(min(end, b) - max(begin, a) for a, b in self.late[-1000:]
                   if b > begin and a < end)


class Witness:
    def __init__(self, address, topic):
        conf = {'bootstrap.servers': address, 'log_level': 0, 'error_cb': self.note,
                'socket.timeout.ms': 10000}
        self.topic, self.errors, self.trips, self.acked = topic, [], [], None
        self.producer = Producer({**conf, 'acks': 'all', 'linger.ms': 0, 'retries': 0,
                                  'message.timeout.ms': 10000})
        self.consumer = Consumer({**conf, 'group.id': 'none', 'enable.auto.commit': False,
                                  'check.crcs': True, 'fetch.wait.max.ms': 500})
        self.offset = self.consumer.get_watermark_offsets(TopicPartition(topic, 0), 10)[1]
        self.consumer.assign([TopicPartition(topic, 0, self.offset)])
        self.machine = Machine()

    def note(self, error):
        self.errors.append(str(error))

    def told(self, error, m):
        self.acked = m.offset()
        if error or m.offset() != self.offset:
            self.note('acknowledged at %s, expected %s: %s' % (m.offset(), self.offset, error))

    def read(self):
        while (m := self.consumer.poll(10)) is not None and m.error():
            self.note(m.error())
        return m

    def trip(self):
        value = b'%d %s' % (self.offset, os.urandom(40).hex().encode())
        begun = time.monotonic()
        self.acked = None
        self.producer.produce(self.topic, value, on_delivery=self.told)
        while self.acked is None:
            self.producer.poll(10)
        m = self.read()
        if m is None or m.value() != value or m.offset() != self.offset:
            self.note('read %s instead of %s at %d' %
                      (m and (m.offset(), m.value()), value, self.offset))
        end = time.monotonic()
        self.offset += 1
        self.trips.append([begun, end - begun, self.machine.share(begun, end)])


def main():
    going = [True]
    signal.signal(signal.SIGTERM, lambda *_: going.clear())
    w = Witness(*sys.argv[1:])
    w.trip()
    print('ready', flush=True)
    while going and len(w.errors) < 20:
        w.trip()
    print(json.dumps({'trips': w.trips[1:], 'errors': w.errors}), flush=True)
    os._exit(0)  # nothing is under way any more


main()
