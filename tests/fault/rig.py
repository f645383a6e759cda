"""rig - what the fault rigs share: a broker that can be killed, a load beside it (load.py), and the
comparison of what is on the disk with the catalog."""
import ctypes
import fnmatch
import os
import re
import shutil
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


def die_with_the_rig():
    """In a child: whatever ends the rig ends it, so that no mount is kept alive."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


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
                 port_file, '-X', 'auto.create.topics.enable=false', *self.extra],
                stderr=messages, env=self.env, preexec_fn=die_with_the_rig)
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
    """command: produce, or watch, which reads only."""

    def __init__(self, broker, journal, command='produce', **opt):
        self.journal = journal
        self.process = subprocess.Popen(
            [PYTHON, HERE + '/load.py', command, broker.address, journal] +
            ['%s=%s' % o for o in opt.items()], preexec_fn=die_with_the_rig)

    def size(self):
        """Of the journal: all that was acknowledged by now is in front of it."""
        return os.path.getsize(self.journal) if os.path.exists(self.journal) else 0

    def lines(self):
        if not os.path.exists(self.journal):
            return 0
        with open(self.journal, 'rb') as f:
            return f.read().count(b'\n')

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


def topic_ids(data):
    """From the names; read without our code."""
    db = sqlite3.connect('file:%s/catalog.db?mode=ro' % data, uri=True)
    ids = dict(db.execute('SELECT name, id FROM topics').fetchall())
    db.close()
    return ids


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


def need_a_disk(name):
    """For a rig that mounts: goes on in a mount namespace of its own, or skips."""
    if os.getuid() != 0 or not os.path.exists('/dev/loop-control'):
        print('1..1\nok 1 - %s # SKIP not root, or no loop device' % name)
        sys.exit(0)
    if 'KCORE_NAMESPACE' in os.environ:
        return
    os.environ['KCORE_NAMESPACE'] = 'private'
    # in a plain chroot nothing is mounted at /, so nothing there can be made private
    with open('/proc/self/mountinfo') as f:
        how = 'private' if any(line.split()[4] == '/' for line in f) else 'unchanged'
    os.execvp('unshare', ['unshare', '-m', '--propagation', how, *sys.argv])


def rounds(default):
    return int(os.environ.get('ROUNDS', default))


def remove(work):
    if os.environ.get('KEEP'):
        print('# kept: ' + work)
    else:
        shutil.rmtree(work)


def told_to_end(*_):
    sys.exit('told to end') # so that what was begun is undone: mounts, processes, directories


def tap(tests):
    """Runs the functions; each is a TAP test named by its docstring's first line. ONLY=PATTERN: those
    whose own name matches."""
    signal.signal(signal.SIGTERM, told_to_end)
    tests = [t for t in tests if fnmatch.fnmatch(t.__name__, os.environ.get('ONLY', '*'))]
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
