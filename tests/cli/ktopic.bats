#!/usr/bin/env bats
# ktopic against a broker of the test's own, and on files that Apache Kafka wrote.
bats_require_minimum_version 1.5.0
load ../clients/support

setup() {
	PATH=$KCORE_BIN:$PATH
	cd "$BATS_TEST_TMPDIR"
}

@test "create, list, describe, delete" {
	start_broker
	ktopic create access -p 3
	ktopic create other
	[ "$(ktopic list -q | awk '{print $1, $2}')" = $'access 3\nother 1' ]
	[ "$(ktopic list | head -1)" = 'TOPIC   PARTITIONS  RECORDS' ]
	seq 1000 | kcat -P -b "$BROKER" -t access -p 1
	ktopic list --json | grep -qx '{"v":1,"topic":"access","partitions":3,"records":1000}'
	ktopic describe access | grep -Eq '^access  id [A-Za-z0-9_-]{22}  3 partitions$'
	ktopic describe access --json | grep -q '"partition":1,"leader":1,"replicas":\[1],"isr":\[1],"start":0,"end":1000,"size":[1-9][0-9]*}'
	ktopic delete other -n 2>err
	grep -qx 'ktopic: would delete topic other' err
	ktopic delete other
	[ "$(ktopic list -q | awk '{print $1}')" = access ]
}

@test "delete by pattern: whole names only, and nobody is surprised" {
	start_broker
	ktopic create audit.events audit-events audit.events.old other
	names() { ktopic list -q | awk '{print $1}' | tr '\n' ' '; }
	refused 1 "no topic is named 'audit.*' .names are literal; a pattern needs --regex and --yes.$" ktopic delete 'audit.*'
	refused 2 'matches 2 topics; without a terminal to ask on it needs -y' ktopic delete --regex 'audit.events' </dev/null
	refused 2 'either TOPICs or --regex' ktopic delete other --regex 'audit.*' -y
	refused 2 'either TOPICs or --regex' ktopic delete -y
	refused 2 '[(]' ktopic delete --regex '(' -y
	refused 2 'a.|.b' ktopic delete --regex 'a)|(b' -y
	refused 1 "no topic's whole name matches 'audit'" ktopic delete --regex audit -y
	refused 0 $'^ktopic: would delete topic audit-events\nktopic: would delete topic audit.events$' ktopic delete --regex 'audit.events' -n
	[ "$(names)" = 'audit-events audit.events audit.events.old other ' ]
	# on a terminal it asks, and takes nothing but yes for an answer
	asked() { script -qec "ktopic delete --regex 'audit.events'" /dev/null <<<"$1" >out; }
	run -1 asked n
	grep -q 'nothing was deleted' out
	run -1 asked ''
	[ "$(names)" = 'audit-events audit.events audit.events.old other ' ]
	asked y
	grep -q '^  audit-events' out
	[ "$(names)" = 'audit.events.old other ' ]
	ktopic delete --regex '.*e.*' -y --json >out
	json '.done' out
	[ "$(jq -r .topic out | tr '\n' ' ')" = 'audit.events.old other ' ]
	[ -z "$(names)" ]
}

@test "offsets, by partition and by time" {
	start_broker
	ktopic create t -p 2
	seq 10 | kcat -P -b "$BROKER" -t t -p 1
	[ "$(ktopic offsets -q t)" = "$(printf 't          0      0    0\nt          1      0   10')" ] ||
		ktopic offsets t --json | grep -qx '{"v":1,"topic":"t","partition":1,"start":0,"end":10}'
	[ "$(ktopic offsets -q t:1 --at -3 | awk '{print $3}')" = 7 ]
	[ "$(ktopic offsets -q t:1 --at -1h | awk '{print $3}')" = 0 ]
	[ "$(ktopic offsets -q t:1 --at now | awk '{print $3}')" = 10 ]
}

# json FILTER FILE: every line is an object with "v":1, and the filter is true of each
json() { [ -s "$2" ] && jq -e -s "all(.[]; .v == 1 and ($1))" "$2" >/dev/null; }

refused() { # STATUS PATTERN CMD...
	local want=$1 pattern=$2
	shift 2
	run --separate-stderr "$@"
	echo "status $status: $stderr"
	[ "$status" = "$want" ]
	[[ $stderr =~ $pattern ]]
}

@test "what is wrong is said once, with the status" {

	start_broker
	ktopic create access
	refused 1 'did you mean access' ktopic describe acess
	refused 1 'names are literal' ktopic delete 'acc.*'
	refused 1 '^ktopic: there is no configuration segment.byte .did you mean segment.bytes.?' ktopic create x -C segment.byte=1
	refused 1 'TOPIC_ALREADY_EXISTS' ktopic create access
	refused 1 'there is no configuration nope$' ktopic create x -C nope=1
	refused 1 'INVALID_CONFIG.*not within' ktopic create x -C segment.bytes=1
	refused 1 'INVALID_REPLICATION_FACTOR' ktopic create x -r 3
	refused 2 'NAME=VALUE' ktopic create x -C nope
	refused 2 '.' ktopic create
	refused 2 '.' ktopic nonsense
	refused 1 'refused' ktopic -b 127.0.0.1:1 list
	refused 3 '.' ktopic -b 127.0.0.1:1 --timeout 0.2 list
	[ "$(ktopic list -q | awk '{print $1}')" = access ]
}

@test "alter adds partitions, takes none away, and changes nothing with -n" {
	start_broker
	ktopic create access -p 3
	refused 1 '^ktopic: topic access has 3 partitions; partitions can only be added$' ktopic alter access -p 2
	refused 1 '^ktopic: topic access has 3 partitions already;' ktopic alter access -p 3
	refused 1 'did you mean access' ktopic alter acess -p 4
	refused 1 'more than 10,000 partitions' ktopic alter access -p 10004
	refused 2 'needs -p' ktopic alter access
	refused 0 '^ktopic: would add 2 to the 3 partitions of topic access$' ktopic alter access -p 5 -n
	[ "$(ktopic list -q | awk '{print $2}')" = 3 ]
	[ -z "$(ktopic alter access -p 5 2>&1)" ]
	[ "$(ktopic list -q | awk '{print $2}')" = 5 ]
	[ "$(ktopic alter access -p 6 --json)" = '{"v":1,"topic":"access","partitions":6,"done":true}' ]
	[ "$(ktopic alter access -p 7 --json -n 2>/dev/null)" = '{"v":1,"topic":"access","partitions":7,"done":false}' ]
	seq 6 | kprod -q access -p 5
	[ "$(kcons access -p 5 -e | wc -l)" = 6 ]
}

value() { ktopic config get -q "$@" | awk '{print $2, $3}'; }

@test "config: what is set is there, acts, and is gone after unset" {
	start_broker -X log.index.interval.bytes=8192
	ktopic create t
	[ "$(value t max.message.bytes)" = '1048588 default' ]
	[ "$(value t index.interval.bytes)" = '8192 start' ]
	refused 0 '^ktopic: would set max.message.bytes of t to 1000$' ktopic config set t max.message.bytes=1000 -n
	[ "$(value t max.message.bytes)" = '1048588 default' ]
	[ -z "$(ktopic config set t max.message.bytes=1000 2>&1)" ]
	[ "$(value t max.message.bytes)" = '1000 topic' ]
	head -c 2000 /dev/zero | tr '\0' x >large
	refused 1 'max.message.bytes' kprod -q t large
	ktopic config unset t max.message.bytes segment.ms
	[ "$(value t max.message.bytes)" = '1048588 default' ]
	kprod -q t large
	# for all brokers, for one; values before values
	refused 0 'nothing is set for all brokers' ktopic config get broker
	ktopic config set broker message.max.bytes=3000
	ktopic config set broker:1 message.max.bytes=4000
	[ "$(value broker)" = '3000 brokers' ]
	[ "$(value broker:1 message.max.bytes)" = '4000 broker' ]
	ktopic config get -v t max.message.bytes |
		grep -q 'message.max.bytes=4000 (broker), message.max.bytes=3000 (brokers), message.max.bytes=1048588 (default)  The largest batch'
	ktopic config set t max.message.bytes=5000
	[ "$(ktopic describe t | sed -n '2,3p')" = $'  index.interval.bytes=8192 (start)\n  max.message.bytes=5000 (topic)' ]
	# all or nothing, in the order that was asked for
	refused 1 "'x' is not a whole number" ktopic config set t segment.ms=5 retention.ms=x
	[ "$(ktopic config get -q t segment.ms max.message.bytes | awk '{print $1, $2}')" = $'segment.ms 604800000\nmax.message.bytes 5000' ]
}

@test "config: what the broker keeps without obeying it is said" {
	start_broker
	refused 0 '^ktopic: leader.replication.throttled.replicas: the broker keeps this, but it has no effect there$' \
		ktopic create t -C segment.bytes=1048576 -C 'leader.replication.throttled.replicas=*'
	[ "$(ktopic config get -q t | grep -c 'topic$')" = 1 ]
	[ "$(ktopic config get -q t leader.replication.throttled.replicas)" = 'leader.replication.throttled.replicas  *      topic, no effect' ] ||
		ktopic config get -q t leader.replication.throttled.replicas | grep -q 'topic, no effect$'
	ktopic describe t | grep -qxF '  leader.replication.throttled.replicas=* (topic, no effect)'
	refused 0 'it has no effect there$' ktopic config set t 'leader.replication.throttled.replicas=0:1'
	[ -z "$(ktopic config set t -q 'leader.replication.throttled.replicas=0:1' 2>&1)" ]
	[ -z "$(ktopic config set t segment.bytes=2097152 2>&1)" ]
	# where that hangs on the value
	refused 0 '^ktopic: cleanup.policy: the broker keeps this, but it has no effect there$' ktopic config set t cleanup.policy=delete,compact
	ktopic describe t | grep -qxF '  cleanup.policy=delete,compact (topic, no effect)'
	[ -z "$(ktopic config set t cleanup.policy=delete 2>&1)" ]
	[ -z "$(ktopic config unset t leader.replication.throttled.replicas 2>&1)" ]
}

@test "config: typing errors, passwords, JSON" {
	start_broker
	ktopic create t
	ktopic create access
	refused 1 'did you mean access[?]' ktopic config get acces
	refused 1 'did you mean access[?]' ktopic config set acces segment.ms=5
	refused 1 '^ktopic: there is no configuration retention.m .did you mean retention.ms.?' ktopic config get t retention.m
	refused 1 '^ktopic: there is no configuration retention.m .did you mean retention.ms.?' ktopic config set t retention.m=5
	refused 1 '^ktopic: there is no configuration retention.m .did you mean retention.ms.?' ktopic config unset t retention.m
	refused 1 '^ktopic: there is no configuration mesage.max.bytes .did you mean message.max.bytes.?' ktopic config set broker mesage.max.bytes=5
	refused 1 'num.partitions is not set for all brokers; what one has: broker:ID' ktopic config get broker num.partitions
	refused 1 'can only be changed in the file' ktopic config set broker num.partitions=5
	refused 1 'does not exist$' ktopic config get nothing
	refused 1 'no broker has the id 7' ktopic config get broker:7
	refused 2 'did you mean set' ktopic config sett t a=b
	refused 2 'expected NAME=VALUE' ktopic config set t a
	refused 2 'NAME alone' ktopic config unset t a=b
	refused 2 'needs a NAME' ktopic config unset t
	refused 2 "'x' is not a number" ktopic config get broker:x
	refused 2 'neither TOPIC nor' ktopic config get brocker:1
	ktopic create broker
	[ "$(value topic:broker segment.ms)" = '604800000 default' ]
	[ "$(value broker:1 ssl.key.password)" = '(hidden) default' ]
	ktopic config get --json broker:1 ssl.key.password >out
	json '.value == null and .sensitive and .read_only and (.acts | not) and .of == "broker:1"' out
	ktopic config get --json t max.message.bytes >out
	json '.value == "1048588" and .source == "default" and .acts and .values == "message.max.bytes=1048588 (default)"' out
	ktopic config set --json t segment.ms=5 segment.bytes=1048576 >out
	json '.done and .of == "t"' out
	[ "$(jq -r '.name + .value' out)" = $'segment.ms5\nsegment.bytes1048576' ]
	ktopic config unset --json -n t segment.ms >out
	json '(.done | not) and .value == null' out
	[ "$(value t segment.ms)" = '5 topic' ]
}

@test "trim shows what goes, deletes it, and looks before it does" {
	start_broker
	ktopic create t -p 2
	ktopic create u
	seq 1000 | kprod -q t -p 1
	seq 10 | kprod -q u
	[ "$(ktopic trim t:1=100 -n 2>err)" = $'TOPIC  PARTITION  START   TO  RECORDS\nt              1      0  100      100' ]
	grep -qx 'ktopic: nothing was deleted (-n)' err
	[ "$(ktopic offsets -q t:1 | awk '{print $3}')" = 0 ]
	# nothing of it is done when one of them cannot be
	refused 1 't-1 ends at 1000' ktopic trim u=5 t:1=1001
	refused 1 'no partition 2' ktopic trim u=5 t:2=1
	refused 1 'topic nothing does not exist' ktopic trim u=5 nothing=1
	refused 1 't-1 is there twice' ktopic trim t:1=7 t=-3
	refused 2 'needs a group' ktopic trim t=stored
	refused 2 'TOPIC.:PARTITION.=OFFSET' ktopic trim t:1
	refused 2 'neither an offset' ktopic trim t=soon
	[ "$(ktopic offsets -q u | awk '{print $3}')" = 0 ]
	ktopic trim --json t=-400 u=3 >out
	json '.done' out
	[ "$(jq -r '"\(.topic) \(.partition) \(.start) \(.to) \(.records)"' out)" = $'t 0 0 0 0\nt 1 0 600 600\nu 0 0 3 3' ]
	[ "$(kcons t -p 1 -e | head -1)" = 601 ]
	[ "$(ktopic trim -q t:1=50 | awk '{print $3, $4, $5}')" = '600 600 0' ]
	ktopic trim -q t:1=now u=2026-01-01T00:00Z >out
	[ "$(awk '{print $4}' out)" = $'1000\n3' ]
	[ -z "$(kcons t -e)" ]
	ktopic create c -C cleanup.policy=compact
	printf 'k=v\n' | kprod -q -K = c
	refused 1 'c-0: .*POLICY_VIOLATION' ktopic trim c=end
}

@test "cluster: who is there, where the records lie, and how many bytes" {
	start_broker
	ktopic create t -p 2
	seq 1000 | kprod -q t
	ktopic cluster >out
	id=$(sed -n 's/^cluster.id=//p' "$DATA/meta.properties")
	[ "$(head -1 out)" = "cluster $id  controller 1  1 broker" ]
	[[ $(tail -1 out) =~ ^\ +1\ +$BROKER\ +-\ +$DATA\ +2\ .*iB$ ]]
	ktopic cluster --json >out
	json ".cluster == \"$id\" and .controller == 1 and .broker == 1 and .address == \"$BROKER\" and .rack == null and .partitions == 2" out
	size=$(cat "$DATA"/t-*/*.log | wc -c)
	json ".dir == \"$DATA\" and .size == $size" out
	# what the kernel says of the room, give or take what others write meanwhile
	total=$(($(stat -f -c '%b * %S' "$DATA")))
	json ".total == $total and .free > 0 and .free < .total" out
	ktopic describe --json t >out
	[ "$(jq -s 'map(.size) | add' out)" = "$size" ]
}

@test "on a terminal a table is as wide as that; elsewhere nothing is cut" {
	start_broker
	ktopic create t "$(printf 'x%.0s' {1..200})"
	narrow() { script -qec "stty cols $1; ktopic $2" /dev/null </dev/null | tr -d '\r'; }
	for c in 'config get -v t' 'config get -v broker:1' list cluster; do
		narrow 79 "$c" >out
		[ "$(awk 'length > 79' out | wc -l)" = 0 ]
		grep -q '~' out
		# shellcheck disable=SC2086
		ktopic $c >whole
		[ "$(wc -l <out)" = "$(wc -l <whole)" ]
		run -1 grep '~' whole
		[ "$(awk 'length > 79' whole | wc -l)" -gt 0 ]
	done
	narrow 40 list >out
	[ "$(awk '/^xxx/ {print $2, $3}' out)" = '1 0' ]
}

# far: between ktopic and the broker each answer takes 150 ms; sets FAR, where that begins
far() {
	exec {FAR_OUT}< <(exec python3 -c '
import socket, sys, threading, time
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
port = int(open(sys.argv[1]).read())  # a pipe: there is something in it when the broker is ready
def copy(a, b, delay):
    while data := a.recv(65536):
        time.sleep(delay)
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)
while True:
    here = s.accept()[0]
    there = socket.create_connection(("127.0.0.1", port))
    threading.Thread(target=copy, args=(here, there, 0), daemon=True).start()
    threading.Thread(target=copy, args=(there, here, 0.15), daemon=True).start()
' "$1" 3>&- 2>/dev/null)
	FAR_PID=$!
	read -r FAR <&"$FAR_OUT"
}

@test "--timeout is for the command, not for each thing that it asks" {
	mkfifo ready
	far ready
	start_broker -X advertised.listeners="PLAINTEXT://127.0.0.1:$FAR"
	echo "${BROKER##*:}" >ready
	ktopic create t -p 2
	export KCORE_BOOTSTRAP=127.0.0.1:$FAR
	refused 0 '^$' ktopic --timeout 30 describe t
	# no single answer takes that long
	for c in 'describe t' 'config set t segment.ms=5' 'trim t=-1' 'cluster'; do
		# shellcheck disable=SC2086
		refused 3 '.' ktopic --timeout 0.4 $c
	done
	kill "$FAR_PID"
}

@test "a broker that stands still: status 3, and in time" {
	start_broker
	ktopic create t
	kill -STOP "$BROKER_PID"
	for c in 'list' 'describe t' 'config get t' 'config set t segment.ms=5' 'alter t -p 3' 'trim t=end' 'cluster' 'delete t' 'create u'; do
		start=${EPOCHREALTIME/./}
		# shellcheck disable=SC2086
		refused 3 '.' ktopic --timeout 0.3 $c
		[ $((${EPOCHREALTIME/./} - start)) -lt 2000000 ]
	done
	kill -CONT "$BROKER_PID"
}

@test "the man page has an example for each command, and each of them works" {
	start_broker
	mandoc -T ascii -O width=1000 "$ROOT/man/ktopic.1" | sed 's/.\x08//g' |
		sed -n '/^EXAMPLES/,/^SEE/s/^ *\(ktopic .*\)/\1/p' >examples
	ktopic --list-options | awk -F'\t' 'NF == 1' | sort >commands
	diff commands <(awk '{print $2}' examples | sort -u)
	while IFS= read -r line <&9; do
		echo "\$ $line"
		[[ $line != *delete* ]] || seq 10 | kprod -q access
		bash -euo pipefail -c "${line//\/var\/lib\/kcore/$DATA}" >out
	done 9<examples
	[ -z "$(ktopic list -q)" ]
}

@test "dump and verify read what Apache Kafka wrote" {
	for dir in "$ROOT"/tests/fixtures/kafka-4.3.1/*-[0-9]; do ktopic verify "$dir"; done
	[[ $(ktopic dump "$ROOT"/tests/fixtures/kafka-4.3.1/codec.zstd-0/*.log) == *"codec zstd"* ]]
	cp -r "$ROOT/tests/fixtures/kafka-4.3.1/codec.none-0" 'a "quoted" one-0'
	ktopic verify --json 'a "quoted" one-0' | python3 -c 'import json, sys; v = json.load(sys.stdin); assert v["v"] == 1 and v["file"] == "a \"quoted\" one-0" and v["damage"] == 0 and v["records"] > 0'
	cp -r "$ROOT/tests/fixtures/kafka-4.3.1/codec.none-0" damaged
	printf X | dd of="$(ls damaged/*.log | head -1)" bs=1 seek=90 conv=notrunc status=none
	refused 1 'byte 0' ktopic verify damaged
	refused 1 '.' ktopic dump /etc/passwd
}
