#!/usr/bin/env bats
# kbroker as whoever starts it sees it: ready, told to stop, refused.
bats_require_minimum_version 1.5.0
load ../clients/support

setup() {
	PATH=$KCORE_BIN:$PATH
	cd "$BATS_TEST_TMPDIR"
}

# fails STATUS PATTERN CMD...: that status, one line on stderr that matches, nothing on stdout
fails() {
	local want=$1 pattern=$2 status=0
	shift 2
	"$@" >out 2>err || status=$?
	echo "status $status, stderr: $(cat err)"
	[ "$status" = "$want" ]
	[ ! -s out ]
	[ "$(grep -c . err)" = 1 ] || [ "$want" = 2 ]
	grep -Eq "$pattern" err
}

@test "says when it is ready, writes its port, stops with 0 on SIGTERM and marks the stop" {
	start_broker
	[ -s "$BATS_TEST_TMPDIR/port" ]
	grep -Eq '1 listener, 127\.0\.0\.1:[0-9]+; 0 topics; ready in [0-9]+ ms$' broker.err
	echo text | kcat -P -b "$BROKER" -t t
	stop_broker
	[ -e "$DATA/.kafka_cleanshutdown" ]
	start_broker
	[ ! -e "$DATA/.kafka_cleanshutdown" ]
	grep -q '; 1 topic; ready' broker.err
	[ "$(kcat -C -b "$BROKER" -t t -o beginning -e -q)" = text ]
}

@test "SIGINT stops it cleanly too" {
	start_broker
	kill -INT "$BROKER_PID"
	wait "$BROKER_PID"
	BROKER_PID=
}

@test "a directory has one broker; the message names its pid" {
	start_broker
	fails 1 "in use by another kbroker \(pid $BROKER_PID\)" kbroker -d "$DATA" -l 127.0.0.1:0
}

@test "a port in use, and nothing is touched" {
	start_broker
	fails 1 "$BROKER: .*in use" kbroker -d other -l "$BROKER"
	[ ! -e other ]
}

@test "a foreign directory is refused and left alone" {
	mkdir foreign
	echo mine >foreign/file
	fails 1 'foreign is no log directory: it has file in it' kbroker -d foreign -l 127.0.0.1:0
	[ "$(ls -A foreign)" = file ]
}

@test "wrong usage is 2, bad settings are 1, and each says what it wants" {
	fails 2 'unknown option|--nonsense' kbroker --nonsense
	fails 1 'no directory' kbroker
	fails 1 "unknown setting 'log.segment.byte' \(did you mean 'log.segment.bytes'\?\)" kbroker -d d -X log.segment.byte=1
	printf 'node.id=1\n\nlog.retention.hour=3\n' >conf
	fails 1 "conf:3: unknown setting 'log.retention.hour' \(did you mean 'log.retention.hours'\?\)" kbroker -d d -c conf
	fails 1 "^kbroker: num.partitions: '-3' is not a whole number" kbroker -d d -X num.partitions=-3
	printf 'num.partitions=x\n' >conf
	fails 1 "^kbroker: conf:1: num.partitions: 'x' is not" kbroker -d d -c conf
	fails 1 'missing: No such file' kbroker -d d -c missing
	fails 1 'd is given twice' kbroker -d d,d
	fails 1 'there is one broker' kbroker -d d -X default.replication.factor=3
	fails 2 "unexpected operand 'x'" kbroker -d d x
	fails 2 'needs a command' kbroker --temp
	fails 2 'd and --temp exclude each other' kbroker -d d --temp -- true
	[ ! -e d ]
	fails 1 'bad address|bad port' kbroker -d d -l localhost:99999
}

@test "a stock server.properties starts, with one warning" {
	cat >server.properties <<-E
		process.roles=broker,controller
		node.id=1
		controller.quorum.bootstrap.servers=localhost:9093
		listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://:9093
		inter.broker.listener.name=PLAINTEXT
		advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
		controller.listener.names=CONTROLLER
		listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
		num.network.threads=3
		num.io.threads=8
		socket.send.buffer.bytes=102400
		socket.receive.buffer.bytes=102400
		socket.request.max.bytes=104857600
		log.dirs=$BATS_TEST_TMPDIR/stock
		num.partitions=1
		num.recovery.threads.per.data.dir=2
		offsets.topic.replication.factor=1
		share.coordinator.state.topic.replication.factor=1
		share.coordinator.state.topic.min.isr=1
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		log.retention.hours=168
		log.segment.bytes=1073741824
		log.retention.check.interval.ms=300000
	E
	kbroker -c server.properties --check 2>err
	[ "$(grep -c warn err)" = 1 ]
}

@test "--temp: status, stdin, environment, and nothing is left" {
	mkdir tmp
	export TMPDIR=$PWD/tmp
	run kbroker --temp -- sh -c 'exit 7'
	[ "$status" = 7 ]
	[ "$(echo hello | kbroker --temp -- cat)" = hello ]
	[[ $(kbroker --temp -- printenv KCORE_BOOTSTRAP) == 127.0.0.1:* ]]
	run kbroker --temp -- sh -c 'kill -9 $$'
	[ "$status" = 137 ]
	run -127 kbroker --temp -- /no/such/command
	seq 5 | kbroker --temp -- sh -c 'kcat -P -b $KCORE_BOOTSTRAP -t t && kcat -C -b $KCORE_BOOTSTRAP -t t -o beginning -e -q' >out
	seq 5 | cmp - out
	[ -z "$(ls -A tmp)" ]
}

@test "a Unix socket serves, and a stale one is no hindrance" {
	start_broker -l "unix:$BATS_TEST_TMPDIR/sock"
	[ -S sock ]
	[ "$(stat -c %a sock)" = 600 ]
	kill -9 "$BROKER_PID"
	wait "$BROKER_PID" || true
	[ -S sock ]
	start_broker -l "unix:$BATS_TEST_TMPDIR/sock"
	stop_broker
	[ ! -e sock ]
}

@test "the catalog leads: a stray directory is set aside, a missing one refused, a missing catalog named" {
	start_broker
	for t in one two; do echo "$t" | kcat -P -b "$BROKER" -t "$t"; done
	stop_broker
	cp -r "$DATA/one-0" "$DATA/stray-3"
	sed -i 's/^topic_id: .*/topic_id: AAAAAAAAAAAAAAAAAAAABg/' "$DATA/stray-3/partition.metadata"
	start_broker
	stop_broker
	grep -q 'stray-3 is not in the catalog' broker.err
	[ ! -e "$DATA/stray-3" ]
	ls -d "$DATA"/*-stray
	mv "$DATA/one-0" kept
	fails 1 'one-0.*--accept-missing' kbroker -d "$DATA" -l 127.0.0.1:0
	mv kept "$DATA/one-0"
	rm "$DATA"/catalog.db*
	fails 1 '\-\-adopt' kbroker -d "$DATA" -l 127.0.0.1:0
	start_broker --adopt
	[ "$(kcat -C -b "$BROKER" -t two -o beginning -e -q)" = two ]
	stop_broker
	mv "$DATA/one-0" kept
	start_broker --accept-missing
	[ -z "$(kcat -C -b "$BROKER" -t one -o beginning -e -q)" ]
}

@test "what cannot be opened is one line, and nothing is made" {
	fails 1 'open /etc/passwd: Not a directory' kbroker -d /etc/passwd -l 127.0.0.1:0
	fails 1 'mkdir /proc/none: No such file' kbroker -d /proc/none -l 127.0.0.1:0
	fails 1 "host 'no-such-host.invalid'" kbroker -d d -l no-such-host.invalid:0
	fails 1 'listener unix:/no/such/sock: No such file' kbroker -d d -l unix:/no/such/sock
	mkdir locked
	chmod 700 locked . ..
	if [ "$(id -u)" = 0 ]; then
		chmod 755 . ..
		fails 1 'open locked: Permission denied' setpriv --reuid=65534 --clear-groups "$KCORE_BIN/kbroker" -d locked -l 127.0.0.1:0
	fi
	fails 1 'port file /no/such/port.tmp: No such file' kbroker -q -d d -l 127.0.0.1:0 --port-file /no/such/port
}

@test "a listener that asks for more than plain text is refused, not served in plain text" {
	fails 1 'listener SSL asks for SSL, but only PLAINTEXT' kbroker -d d -l SSL://127.0.0.1:0
	fails 1 'asks for SASL_SSL' kbroker -d d -l IN://127.0.0.1:0 -X listener.security.protocol.map=OUT:PLAINTEXT,IN:SASL_SSL
	fails 1 'PLAINTEXT asks for SSL' kbroker -d d -l 127.0.0.1:0 -X listener.security.protocol.map=PLAINTEXT:SSL
	fails 1 'advertised.listeners: PLAINTEXT names no host' kbroker -d d -X advertised.listeners=PLAINTEXT://:9092
	[ ! -e d ]
	start_broker -l IN://127.0.0.1:0 -X listener.security.protocol.map=IN:PLAINTEXT,PLAINTEXT:PLAINTEXT
}

@test "IPv6, several listeners, an advertised name" {
	start_broker -l '[::1]:0' -X advertised.listeners=OUT://kafka.example:19092
	address=$(grep -o '\[::1\]:[0-9]*' broker.err)
	grep -q '^.*2 listeners, ' broker.err
	echo six | kcat -P -b "$address" -t t
	[ "$(kcat -C -b "$address" -t t -o beginning -e -q)" = six ]
	[[ $(kcat -L -b "$address") == *"broker 1 at ::1:${address##*:}"* ]]
	stop_broker
	start_broker -X advertised.listeners=PLAINTEXT://kafka.example:19092
	[[ $(kcat -L -b "$BROKER") == *'broker 1 at kafka.example:19092'* ]]
}

@test "one thread serves, and so do many" {
	for n in 1 32; do
		start_broker --threads $n
		[ "$(ls "/proc/$BROKER_PID/task" | wc -l)" -ge "$n" ]
		for i in 1 2 3 4 5 6; do seq 1000 | kcat -P -b "$BROKER" -t t$n & done
		wait $(jobs -p | grep -v "$BROKER_PID" | tail -6)
		[ "$(kcat -C -b "$BROKER" -t t$n -o beginning -e -q | sort -n | uniq -c | awk '$1 == 6' | wc -l)" = 1000 ]
		stop_broker
	done
}

@test "two directories share the partitions, and each finds its own again" {
	kbroker_dirs="$BATS_TEST_TMPDIR/data,$BATS_TEST_TMPDIR/other"
	start_broker -d "$kbroker_dirs" -X num.partitions=4
	seq 100 | kcat -P -b "$BROKER" -t t
	[ "$(ls -d data/t-* | wc -l)" = 2 ]
	[ "$(ls -d other/t-* | wc -l)" = 2 ]
	stop_broker
	[ -e data/.kafka_cleanshutdown ] && [ -e other/.kafka_cleanshutdown ]
	start_broker -d "$kbroker_dirs"
	[ "$(kcat -C -b "$BROKER" -t t -o beginning -e -q | sort -n | tail -1)" = 100 ]
	stop_broker
	fails 1 't-[0-3].*--accept-missing' kbroker -d data -l 127.0.0.1:0
	[ -e other/t-0 ] || [ -e other/t-1 ]
}

@test "directories and catalog disagree: what was being deleted goes, another topic of the name does not serve" {
	start_broker
	for t in one two; do echo "$t" | kcat -P -b "$BROKER" -t "$t"; done
	stop_broker
	# a deletion that a crash cut short, and a directory of the name whose topic was another one
	cp -r data/one-0 data/one-0.0123456789abcdef0123456789abcdef-delete
	mv data/one-0 right
	cp -r data/two-0 data/one-0
	sed -i 's/^topic_id: .*/topic_id: AAAAAAAAAAAAAAAAAAAABg/' data/one-0/partition.metadata
	fails 1 'one-0.*--accept-missing' kbroker -d data -l 127.0.0.1:0
	rm -rf data/one-0
	mv right data/one-0
	start_broker
	[ "$(kcat -C -b "$BROKER" -t one -o beginning -e -q)" = one ]
	! ls -d data/*-delete
}

@test "connections leave descriptors for the files" {
	ulimit -Sn 100
	ulimit -Hn 100
	start_broker
	python3 - "$BROKER" <<-'E'
		import socket, subprocess, sys
		host, port = sys.argv[1].split(':')
		held = [socket.create_connection((host, int(port))) for _ in range(45)]
		closed = 0
		for s in held[36:]:  # one beyond the limit is closed at once
		    closed += s.recv(1) == b''
		assert closed == len(held) - 36, closed
		for s in held[30:]:
		    s.close()
		subprocess.run(['kcat', '-P', '-b', sys.argv[1], '-t', 't'], input=b'x', check=True)
	E
	[ "$(ktopic list -q | awk '{print $1, $3}')" = 't 1' ]
	stop_broker
	[ "$(grep -c 'over 36 connections' broker.err)" = 1 ]
}

@test "--temp passes a signal on, dies as the command does, and leaves nothing" {
	mkdir tmp
	export TMPDIR=$PWD/tmp
	mkfifo up
	env --default-signal=INT kbroker --temp -- sh -c 'echo up >up; exec sleep 1000' &
	pid=$!
	read -r <up
	kill -TERM $pid
	status=0
	wait $pid || status=$?
	[ "$status" = 143 ]
	[ -z "$(ls -A tmp)" ]
}

@test "a first line that is no request closes the connection, and the broker says so a few times, not each time" {
	start_broker
	python3 - "$BROKER" <<-'E'
		import socket, sys
		host, port = sys.argv[1].split(':')
		for what in (b'GET / HTTP/1.1\r\n\r\n', b'\x16\x03\x01\x02\x00\x01\x00', b'\0\0\0\0', b'\xff\xff\xff\xff') * 60:
		    s = socket.create_connection((host, int(port)))
		    s.settimeout(30)
		    try:
		        s.sendall(what)
		        assert s.recv(100) == b''
		    except ConnectionError:
		        pass
		    s.close()
	E
	echo alive | kcat -P -b "$BROKER" -t t
	stop_broker
	n=$(grep -c 'connection closed' broker.err)
	[ "$n" -ge 1 ] && [ "$n" -le $((20 * $(nproc))) ]
}
