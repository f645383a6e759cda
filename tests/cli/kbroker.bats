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
	fails 1 'num.partitions.*-3' kbroker -d d -X num.partitions=-3
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
