"""tasks - the side of a client in Python that tests/interop/clients/README describes"""
import sys
import traceback


def run(things):
    """Tasks from stdin, a line each; things by name."""
    for line in sys.stdin:
        words = line.split()
        try:
            things[words[0]](*words[1:])
            print('ok', line.strip(), flush=True)
        except Exception as e:  # the next task is another matter
            traceback.print_exc()
            print('not ok %s: %r' % (line.strip(), e), flush=True)


def write(name, lines):
    with open(name, 'w') as f:
        f.writelines(l + '\n' for l in lines)
