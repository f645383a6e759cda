"""rig - what the fault rigs share: a broker that can be killed, a load beside it (load.py), and the
comparison of what is on the disk with the catalog."""
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, os.environ.get('B', 'build'))
KBROKER = os.path.join(os.environ.get('KCORE_BIN', BUILD + '/bin'), 'kbroker')
PYTHON = '/usr/bin/python3'  # the one that has python3-confluent-kafka


class Wrong(Exception):
    """What the rig was made to find, or that it could not look."""


def wait_for(what, condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Wrong('waited %d s for %s' % (seconds, what))
        time.sleep(0.002)


class Broker:
    """kbroker on a data directory, its messages and port beside it in work."""

    def __init__(self, work, data, *extra, env=None):
        self.work, self.data, self.extra = work, data, extra
        self.env = {**os.environ, **(env or {})}
        self.port, self.process = 0, None

    def start(self, ready=True):
        port_file = self.work + '/port'
        if os.path.exists(port_file):
            os.unlink(port_file)
        with open(self.work + '/messages', 'ab') as messages:
            self.process = subprocess.Popen(
                [KBROKER, '-d', self.data, '-l', '127.0.0.1:%d' % self.port, '--port-file',
                 port_file, *self.extra], stderr=messages, env=self.env)
        if not ready:
            return self
        wait_for('the broker to be ready', lambda: self.process.poll() is not None or
                 os.path.exists(port_file) and os.path.getsize(port_file) > 0)
        if self.process.poll() is not None:
            raise Wrong('kbroker ended with %d: %s' % (self.process.returncode, self.last_words()))
        with open(port_file) as f:
            self.port = int(f.read())
        return self

    def last_words(self):
        with open(self.work + '/messages', errors='replace') as f:
            return ''.join(f.readlines()[-5:])

    @property
    def address(self):
        return '127.0.0.1:%d' % self.port

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Wrong('kbroker did not stop within 30 s of SIGTERM') from None
        if status != 0:
            raise Wrong('kbroker, asked to stop, ended with %d: %s' % (status, self.last_words()))

    def end(self):
        """Whatever state it is in."""
        if self.process and self.process.poll() is None:
            self.kill()


class Load:
    def __init__(self, broker, journal, **opt):
        self.journal = journal
        self.process = subprocess.Popen(
            [PYTHON, HERE + '/load.py', 'produce', broker.address, journal] +
            ['%s=%s' % o for o in opt.items()])

    def size(self):
        """Of the journal: all that was acknowledged by now is in front of it."""
        return os.path.getsize(self.journal) if os.path.exists(self.journal) else 0

    def text(self):
        with open(self.journal) as f:
            return f.read()

    def wait_for(self, what, pattern, after=0):
        def there():
            if self.process.poll() is not None:
                raise Wrong('the load ended with %d' % self.process.returncode)
            if self.size() <= after:
                return False
            with open(self.journal) as f:
                f.seek(after)
                return re.search(pattern, f.read(), re.M)
        wait_for(what, there)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(180)

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def verify(broker, journal, **opt):
    """load.py's counts as a dictionary."""
    out = subprocess.run([PYTHON, HERE + '/load.py', 'verify', broker.address, journal] +
                         ['%s=%s' % o for o in opt.items()],
                         stdout=subprocess.PIPE, timeout=300, check=True, text=True).stdout
    return {k: int(v) for k, v in (word.split('=') for word in out.split())}


def check_agreement(data):
    """Catalog and directories name the same partitions, by topic id; read without our code."""
    db = sqlite3.connect('file:%s/catalog.db?mode=ro' % data, uri=True)
    rows = db.execute('SELECT name || "-" || partition, id FROM partitions JOIN topics '
                      'ON partitions.topic = topics.id').fetchall()
    if db.execute('PRAGMA integrity_check').fetchall() != [('ok',)]:
        raise Wrong('the catalog is damaged')
    db.close()
    wanted = dict(rows)
    there = {}
    for name in os.listdir(data):
        path = data + '/' + name + '/partition.metadata'
        if name.endswith(('-delete', '-stray')) or not os.path.exists(path):
            continue
        with open(path) as f:
            there[name] = re.search(r'topic_id: (\S+)', f.read()).group(1)
    if wanted != there:
        raise Wrong('catalog and directories differ: %s' % sorted(
            set(wanted.items()) ^ set(there.items()))[:6])


def clean(counts):
    return all(counts[k] == 0 for k in ('lost', 'doubled', 'torn', 'gaps', 'missing', 'undead'))


def rounds(default):
    return int(os.environ.get('ROUNDS', default))


def tap(tests):
    """Runs the functions; each is a TAP test named by its docstring's first line."""
    print('1..%d' % len(tests), flush=True)
    bad = 0
    for n, test in enumerate(tests, 1):
        name = test.__doc__.split('\n')[0]
        try:
            said = test()
            print('ok %d - %s%s' % (n, name, ' (%s)' % said if said else ''), flush=True)
        except (Wrong, subprocess.SubprocessError, OSError) as e:
            bad += 1
            print('not ok %d - %s' % (n, name))
            print(re.sub('^', '# ', str(e), flags=re.M), flush=True)
    sys.exit(bad != 0)
