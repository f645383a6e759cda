#!/usr/bin/env bats
# kbroker as a service: SIGHUP, what it tells a service manager and its journal, who may read its files.
bats_require_minimum_version 1.5.0
load ../clients/support

setup() {
	PATH=$KCORE_BIN:$PATH
	cd "$BATS_TEST_TMPDIR"
}

# hup N: SIGHUP; when the broker has said N lines about it they are in "said", sorted, without times
hup() {
	local before deadline=$((SECONDS + 30))
	before=$(grep -c ' reload: ' broker.err || true)
	kill -HUP "$BROKER_PID"
	until [ "$(grep -c ' reload: ' broker.err)" -ge $((before + $1)) ]; do
		kill -0 "$BROKER_PID"
		[ $SECONDS -lt $deadline ]
	done
	grep ' reload: ' broker.err | tail -n +$((before + 1)) | sed 's/^[^ ]* //' | sort >said
	cat said
}

@test "SIGHUP: the file is read again, -X stays on top of it, a line that is gone is the default again" {
	printf 'num.partitions=2\nauto.create.topics.enable=true\n' >conf
	start_broker -c conf -X auto.create.topics.enable=false
	printf 'num.partitions=5\nauto.create.topics.enable=true\n' >conf
	hup 1
	[ "$(cat said)" = 'info kbroker: reload: num.partitions: from 2 to 5' ]
	ktopic create a
	[ "$(ktopic list -q | awk '{ print $1, $2 }')" = 'a 5' ]
	run ! kprod -q none <<<x
	: >conf
	hup 1
	[ "$(cat said)" = 'info kbroker: reload: num.partitions: from 5 to 1 (the default)' ]
	ktopic create b
	[ "$(ktopic list -q | awk '$1 == "b" { print $2 }')" = 1 ]
	hup 1
	[ "$(cat said)" = 'info kbroker: reload: nothing has changed' ]
}

@test "SIGHUP: what needs a restart is said, and stays; what has no effect is said" {
	: >conf
	start_broker -c conf
	printf 'node.id=9\nnum.network.threads=3\nnum.io.threads=3\nnum.partitions=4\nlisteners=:1\n' >conf
	hup 4
	diff - said <<-'E'
		info kbroker: reload: num.io.threads: from 8 (the default) to 3: known, but has no effect here
		info kbroker: reload: num.partitions: from 1 (the default) to 4
		warn kbroker: reload: node.id: from 1 (the default) to 9: needs a restart
		warn kbroker: reload: num.network.threads: from not set to 3: needs a restart
	E
	[[ $(kcat -L -b "$BROKER") == *'broker 1 at '* ]] # and -l still counts more than the file
}

@test "SIGHUP: a bad file changes nothing and is said in one line; without -c there is nothing to read" {
	echo num.partitions=2 >conf
	start_broker -c conf
	printf 'num.partitions=7\nnum.partition=3\n' >conf
	hup 1
	grep -qx "error kbroker: reload: conf:2: unknown setting 'num.partition' (did you mean 'num.partitions'?); nothing is changed" said
	printf 'num.partitions=7\nlog.segment.bytes=many\n' >conf
	hup 1
	grep -qx "error kbroker: reload: conf:2: log.segment.bytes: 'many' is not a whole number; nothing is changed" said
	printf 'num.partitions=7\n\\u12\n' >conf
	hup 1
	grep -q '^error kbroker: reload: conf:2: .*; nothing is changed$' said
	printf 'num.partitions=7\nadvertised.listeners=PLAINTEXT://:9\n' >conf
	hup 1
	grep -qx 'error kbroker: reload: advertised.listeners: PLAINTEXT names no host; nothing is changed' said
	rm conf
	hup 1
	grep -qx 'error kbroker: reload: conf: No such file or directory; nothing is changed' said
	[ "$(wc -l <said)" = 1 ]
	ktopic create t
	[ "$(ktopic list -q | awk '{ print $2 }')" = 2 ]
	stop_broker
	start_broker
	hup 1
	grep -qx 'warn kbroker: reload: there is nothing to read: no -c FILE was given' said
	ktopic create u
}

@test "SIGHUP: a producer and a consumer at work do not notice" {
	echo num.partitions=1 >conf
	start_broker -c conf
	ktopic create t
	mkfifo in
	kprod --timeout 60 t <in >out 2>&1 3>&- &
	producer=$!
	kcons --timeout 60 t -c 20000 >got 3>&- &
	consumer=$!
	exec 5>in
	for i in $(seq 20); do
		seq $((i * 1000 - 999)) $((i * 1000)) >&5
		printf 'num.partitions=%d\nlog.segment.bytes=%d\nsocket.request.max.bytes=%d\n' "$i" $((i * 5000)) $((i * 1000000)) >conf
		hup 1
	done
	exec 5>&-
	wait $producer
	wait $consumer
	seq 20000 | cmp - got
	[ ! -s out ]
	[ "$(grep -c 'reload: log.segment.bytes' broker.err)" = 20 ]
	run ! grep -q error broker.err
}

@test "sd_notify: ready, how it stands, reloading, the watchdog, stopping, in that order" {
	echo num.partitions=2 >conf
	python3 - "$KCORE_BIN/kbroker" <<-'E'
		import os, re, signal, socket, subprocess, sys, time
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind('notify')
		s.settimeout(30)
		env = dict(os.environ, NOTIFY_SOCKET=os.path.abspath('notify'), WATCHDOG_USEC='60000')
		p = subprocess.Popen(['sh', '-c', 'WATCHDOG_PID=$$ exec "$@"', 'sh', sys.argv[1], '-q', '-d', 'data',
		    '-l', '127.0.0.1:0', '-c', 'conf', '--port-file', 'port'], env=env)
		next = lambda: s.recv(4096).decode()
		assert next() == 'READY=1\nSTATUS=1 listener, 0 topics'
		assert os.path.exists('port')
		for i in range(5):  # it is fed
		    begun = time.monotonic()
		    assert next() == 'WATCHDOG=1\nSTATUS=1 listener, 0 topics'
		    assert time.monotonic() - begun < 20
		def reload():
		    before = time.monotonic_ns() // 1000
		    p.send_signal(signal.SIGHUP)
		    while (m := next()).startswith('WATCHDOG'): pass
		    usec = re.fullmatch(r'RELOADING=1\nMONOTONIC_USEC=(\d+)', m)
		    assert usec and before <= int(usec[1]) <= time.monotonic_ns() // 1000, m
		    while (m := next()).startswith('WATCHDOG'): pass
		    assert m.startswith('READY=1\n'), m
		reload()
		open('conf', 'w').write('nonsense=1\n')
		reload()  # it has failed, and serves as before
		p.terminate()
		while (m := next()).startswith('WATCHDOG'): pass
		assert m == 'STOPPING=1', m
		assert p.wait(30) == 0
		# a watchdog that is for another process, and a manager that has none
		for more in ({'WATCHDOG_PID': '1'}, {'WATCHDOG_USEC': '0'}):
		    p = subprocess.Popen([sys.argv[1], '-q', '-d', 'data', '-l', '127.0.0.1:0'], env=dict(env, **more))
		    assert next().startswith('READY=1')
		    s.settimeout(0.5)
		    try: raise AssertionError(next())
		    except TimeoutError: pass
		    s.settimeout(30)
		    p.terminate()
		    assert next() == 'STOPPING=1'
		    assert p.wait(30) == 0
	E
}

@test "under journald each line has its priority in front" {
	mkfifo pipe
	echo num.partitions=2 >conf
	# the variable names the stream's device and inode
	(exec 7<>pipe && JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/7) exec kbroker -d data -l 127.0.0.1:0 -c conf 2>&7 3>&-) &
	BROKER_PID=$!
	exec 7<pipe
	read -r line <&7
	while [[ $line != *'ready in'* ]]; do read -r line <&7; done
	[[ $line == '<6>1 listener, '* ]]
	rm conf
	kill -HUP "$BROKER_PID"
	read -r -t 30 line <&7
	[[ $line != '<4>serving as root'* ]] || read -r -t 30 line <&7
	[[ $line == '<3>reload: conf: '* ]]
	stop_broker
}

@test "what it makes is its user's alone, whatever the umask; no core dumps; the port is anybody's" {
	umask 000
	start_broker -l "unix:$BATS_TEST_TMPDIR/sock" -X log.segment.bytes=2000
	umask 022
	seq 1000 | kprod -q -p 0 t
	[ "$(find data ! -type d | wc -l)" -gt 10 ]
	[ -z "$(find data -type d ! -perm 700)" ]
	[ -z "$(find data ! -type d ! -perm 600)" ]
	[ "$(stat -c %a port)" = 666 ]
	grep -E '^Max core file size +0 ' "/proc/$BROKER_PID/limits"
	grep '^Umask:.0077$' "/proc/$BROKER_PID/status"
	stop_broker
	[ -z "$(find data \( -type d ! -perm 700 \) -o \( ! -type d ! -perm 600 \))" ]
}

@test "--temp leaves its command the mask and the core dumps it would have had" {
	umask 026
	[ "$(kbroker --temp -- sh -c umask)" = 0026 ]
	[ -n "$SAN" ] || [ "$(kbroker --temp -- sh -c 'ulimit -Sc')" = "$(sh -c 'ulimit -Sc')" ] # sanitizers allow none
}

@test "a listener that other machines can reach is warned about, once, unless that is known" {
	start_broker -l "unix:$BATS_TEST_TMPDIR/sock" -l '[::1]:0' -l localhost:0
	stop_broker
	run ! grep 'other machines' broker.err
	start_broker -l 0.0.0.0:0 -l '[::]:0'
	stop_broker
	[ "$(grep -c 'warn kbroker: listener 0\.0\.0\.0:[0-9]* serves other machines' broker.err)" = 1 ]
	[ "$(grep -c 'warn kbroker: listener \[::\]:[0-9]* serves other machines' broker.err)" = 1 ]
	[ "$(grep -c 'other machines' broker.err)" = 2 ]
	start_broker -l 0.0.0.0:0 -X warn.plaintext.listeners=false
	[ "$(grep -c 'other machines' broker.err)" = 2 ]
}

@test "as root it warns, as another it does not" {
	start_broker
	stop_broker
	[ "$(grep -c 'warn kbroker: serving as root' broker.err)" = $(($(id -u) == 0)) ]
	[ "$(id -u)" = 0 ] || return 0
	: >err
	unshare --user kbroker -d theirs -l 127.0.0.1:0 2>err 3>&- & # whose root is not in there
	BROKER_PID=$!
	until grep -q 'ready in' err; do kill -0 "$BROKER_PID"; done
	stop_broker
	run ! grep root err
}
