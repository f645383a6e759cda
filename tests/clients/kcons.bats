#!/usr/bin/env bats
# kcons against a broker of the test's own; what it should print is known from what went in.
bats_require_minimum_version 1.5.0
load support

setup() {
	PATH=$KCORE_BIN:$PATH
	cd "$BATS_TEST_TMPDIR"
}

refused() { # STATUS PATTERN CMD...: nothing on stdout
	local want=$1 pattern=$2
	shift 2
	run --separate-stderr "$@"
	echo "status $status: $stderr"
	[ "$status" = "$want" ]
	[ -z "$output" ]
	[[ $stderr =~ $pattern ]]
}

# wait_until CMD...: the event that is waited for, with a limit.
wait_until() {
	local end=$((SECONDS + 30))
	until "$@"; do [ $SECONDS -lt $end ] || return 1; done
}

ends() { # STATUS PID
	local status=0
	wait "$2" || status=$?
	[ "$status" = "$1" ]
}

grows() { # FROM: topic t has more records than that
	[ "$(ktopic offsets -q t:0 --at end | awk '{print $3}')" -gt "$1" ]
}

round_trip() { # FILE [kprod options...]
	local file=$1
	shift
	ktopic create t
	kprod "$@" t <"$file"
	kcons t -o beginning -e | cmp - "$file"
	kcons --dir "$DATA" t -e | cmp - "$file"
	ktopic delete t
}

# ---- what went in comes out ----

@test "100 MB of text come out as they went in" {
	start_broker
	ktopic create t
	yes "$(text 2000)" | head -c 104857599 >file
	echo >>file
	kprod t <file
	kcons t -o beginning -e | cmp - file
}

@test "an empty file, empty lines, CR LF, and a last line without its newline" {
	start_broker
	: >empty
	round_trip empty
	printf '\n\n\na\n\n' >lines
	round_trip lines
	printf 'a\r\n\r\nb\r\r\n' >dos
	round_trip dos
	printf 'a\nb' >open
	ktopic create t
	kprod t <open
	kcons t -e | cmp - <(printf 'a\nb\n')
}

@test "-0 keeps all 256 byte values" {
	start_broker
	ktopic create t
	python3 -c 'import sys; w = sys.stdout.buffer.write
for i in range(1, 256): w(bytes([i]) * (i % 7) + bytes([0]))
w(bytes(range(1, 256)) + b"\n\0")' >file
	kprod -0 t <file
	kcons -0 t -e | cmp - file
}

@test "each codec, and it is the one in the segment" {
	start_broker
	text 20000 >file
	for z in none gzip snappy lz4 zstd; do
		ktopic create "$z"
		kprod -z "$z" "$z" <file
		[ "$(stored_codecs "$z")" = "$z " ]
		kcons "$z" -e | cmp - file
	done
}

@test "what kcat wrote" {
	start_broker
	text 20000 | grep -v '^$' >file
	for z in none gzip snappy lz4 zstd; do
		ktopic create "$z"
		kcat -P -b "$BROKER" -t "$z" -z "$z" <file
		kcons "$z" -e | cmp - file
	done
}

@test "several partitions: each in its order, all of them" {
	start_broker
	ktopic create t -p 3
	for p in 0 1 2; do seq -f "$p %.0f" 5000 | kprod -p $p t; done
	kcons t -e >all
	[ "$(wc -l <all)" = 15000 ]
	for p in 0 1 2; do grep "^$p " all | cmp - <(seq -f "$p %.0f" 5000); done
	kcons t -e -p 1 | cmp - <(seq -f "1 %.0f" 5000)
	kcons t -e -p 0,2 | sort | cmp - <({ seq -f "0 %.0f" 5000; seq -f "2 %.0f" 5000; } | sort)
}

@test "several topics" {
	start_broker
	for t in a b; do seq -f "$t%.0f" 100 | kprod -q $t; done
	kcons a b a -e | sort | cmp - <({ seq -f "a%.0f" 100; seq -f "b%.0f" 100; } | sort)
}

# ---- where it begins and ends ----

@test "-o: beginning, end, N, -N" {
	start_broker
	seq 0 99 | kprod -q t
	kcons t -e | cmp - <(seq 0 99)
	kcons t -e -o beginning | cmp - <(seq 0 99)
	kcons t -e -o 0 | cmp - <(seq 0 99)
	kcons t -e -o 42 | cmp - <(seq 42 99)
	kcons t -e -o -7 | cmp - <(seq 93 99)
	kcons t -e -o -1000 | cmp - <(seq 0 99)
	kcons t -e -o 100 | cmp - /dev/null
	kcons t -e -o end | cmp - /dev/null
	refused 1 'has no offset 101: it has those from 0 to 100' kcons t -e -o 101
}

@test "-o within a batch, in each codec" {
	start_broker
	for z in none gzip snappy lz4 zstd; do
		seq 0 999 | kprod -q -z $z $z
		kcons $z -e -o 777 | cmp - <(seq 777 999)
		kcons $z -o 777 -c 2 | cmp - <(seq 777 778)
	done
}

@test "-c ends it, also when there is more" {
	start_broker
	seq 10000 | kprod -q t
	kcons t -c 3 | cmp - <(seq 3)
	kcons t -c 10000 | cmp - <(seq 10000)
	kcons t -c 0 | cmp - /dev/null
	kcons t -e -c 20000 | cmp - <(seq 10000)
}

@test "-e ends at the end as of the start, though more is written" {
	start_broker
	ktopic create t
	seq 200000 | kprod t
	yes more 3>&- | kprod t 3>&- &
	wait_until grows 200000
	kcons t -e >out
	kill $!
	head -200000 out | cmp - <(seq 200000)
	[ "$(wc -l <out)" -gt 200000 ]
}

@test "it follows: what is written later comes at once" {
	start_broker
	ktopic create t
	mkfifo pipe
	kcons t >pipe 3>&- &
	exec 9<pipe
	for i in 1 2 3; do
		echo "line $i" | kprod t
		read -r -u 9 -t 30 line
		[ "$line" = "line $i" ]
	done
	kill -INT $!
	ends 130 $!
}

@test "--from and --until: by each record's time, whatever the order" {
	start_broker
	ktopic create t
	for s in 1000 5000 2000 6000 3000 500 7000; do echo $s | kprod --timestamp ${s}000 t; done
	kcons t -e --from @3000 | tr '\n' ' ' | grep -qx '5000 6000 3000 7000 '
	kcons t --until @3000 | tr '\n' ' ' | grep -qx '1000 2000 500 '
	kcons t --from @2000 --until @6000 | tr '\n' ' ' | grep -qx '5000 2000 3000 '
	kcons t --from 1970-01-01T00:50:00Z --until 1970-01-01T01:40:00Z | tr '\n' ' ' |
		grep -qx '5000 3000 '
	kcons t --from @9999 -e | cmp - /dev/null
	kcons t --until @100 | cmp - /dev/null
	kcons t --until 3 | tr '\n' ' ' | grep -qx '1000 5000 2000 '
	kcons t --from 5 --until end | tr '\n' ' ' | grep -qx '500 7000 '
	kcons t --until -6 | tr '\n' ' ' | grep -qx '1000 '
	kcons t --from -1h -e | cmp - /dev/null
	# all in one batch, with the times in no order
	/usr/bin/python3 - "$BROKER" <<-'END'
		import sys, confluent_kafka as ck
		p = ck.Producer({'bootstrap.servers': sys.argv[1], 'linger.ms': 500})
		for s in 1000, 5000, 2000, 6000, 3000, 500, 7000:
		    p.produce('batch', str(s), timestamp=s * 1000, partition=0)
		p.flush()
	END
	kcons batch --from @2000 --until @6000 | tr '\n' ' ' | grep -qx '5000 2000 3000 '
}

# ---- how it prints ----

@test "-K, -D, -f" {
	start_broker
	ktopic create t
	printf 'k1:v1\n:v2\nk3:\n' | kprod -K : --timestamp 1234567890123 -H a=b -H c=d t
	printf 'nokey\n' | kprod --timestamp 1 t
	kcons t -e -K = | cmp - <(printf 'k1=v1\n=v2\nk3=\n=nokey\n')
	kcons t -e -D '\x00|' | cmp - <(printf 'v1\0|v2\0|\0|nokey\0|')
	kcons t -e -f '%t %p %o %T %K %k %S %s %h %%\n' | cmp - <(printf '%s\n' \
		't 0 0 1234567890123 2 k1 2 v1 a=b,c=d %' 't 0 1 1234567890123 0  2 v2 a=b,c=d %' \
		't 0 2 1234567890123 2 k3 0  a=b,c=d %' 't 0 3 1 -1  5 nokey  %')
	kcons t -c 1 -f '%R%s\0\t\x41' | cmp - <(printf '\0\0\0\2v1\0\tA')
	refused 2 "'%x'" kcons t -f '%x'
	refused 2 "'%'" kcons t -f 'a%'
}

@test "null values, -f tells them from empty ones" {
	start_broker
	ktopic create t
	printf 'a:\nb:x\n' | kprod -Z -K : t
	printf 'c:\n' | kprod -K : t
	kcons t -e -f '%k %S|%s|\n' | cmp - <(printf 'a -1||\nb 1|x|\nc 0||\n')
	kcons t -e -K : | cmp - <(printf 'a:\nb:x\nc:\n')
}

@test "-J: every field, base64 where it is no UTF-8" {
	start_broker
	ktopic create t
	printf 'k:\xffv\n' | kprod -K : --timestamp 5 -H n=w t
	printf ':"\\\t\xc3\xa4\x01\n' | kprod -Z -K : --timestamp 6 t
	kcons t -e -J | cmp - <(printf '%s\n' \
		'{"topic":"t","partition":0,"offset":0,"timestamp":5,"headers":[["n","w"]],"key":"k","value":{"base64":"/3Y="}}' \
		'{"topic":"t","partition":0,"offset":1,"timestamp":6,"headers":[],"key":null,"value":"\"\\\t\u00e4\u0001"}' |
		sed 's/\\u00e4/\xc3\xa4/')
	kcons t -e -J | python3 -c 'import json, sys
for l in sys.stdin: assert list(json.loads(l)) == ["topic", "partition", "offset", "timestamp", "headers", "key", "value"]'
}

# ---- how it ends ----

@test "exit 1: topics and partitions that are not there, and nothing is made" {
	start_broker
	ktopic create access
	refused 1 'topic acess does not exist \(did you mean access\?\)' kcons acess
	refused 1 'topic access has no partition 3: it has 1' kcons access -p 0,3 -e
	refused 1 'refused' kcons -b 127.0.0.1:1 access
	[ "$(ktopic list -q | awk '{print $1}')" = access ]
}

@test "exit 2: wrong usage" {
	refused 2 'TOPIC|operand' kcons
	refused 2 'stored' kcons -o stored t
	refused 2 'needs --from' kcons -o -2h t
	refused 2 'neither an offset' kcons --from nonsense t
	refused 2 'exclude|together|with' kcons -o 3 --from 4 t
	refused 2 '.' kcons -0 -J t
	refused 2 'goes with lines' kcons -J -K : t
	refused 2 'empty delimiter' kcons -D '' t
	refused 2 '.' kcons -p 1, t
	refused 2 '.' kcons -p x t
	refused 2 '.' kcons -g group t
	refused 2 'one of them' kcons --dir . -b x t
	refused 2 'isolation' kcons -X isolation.level=sometimes t
	run kcons -h
	[ "$status" = 0 ]
	[[ $output == *--read-uncommitted* ]]
}

@test "exit 3: --timeout, and what was read is out" {
	start_broker
	seq 5 | kprod -q t
	run --separate-stderr -3 kcons t --timeout 0.5
	[ "$output" = "$(seq 5)" ]
	refused 3 '.' kcons -b 127.0.0.1:1 --timeout 0.2 t
}

@test "a closed stdout ends it as SIGPIPE does, while idle too" {
	start_broker
	ktopic create idle
	{ kcons idle 3>&- || echo "status $?" >status; } | :
	grep -qx 'status 141' status
	seq 100000 | kprod -q t
	{ kcons t 3>&- || echo "status $?" >status; } | head -1 | grep -qx 1
	grep -qx 'status 141' status
	refused 1 'write to stdout: No space' bash -c 'kcons t -e >/dev/full'
}

@test "a signal ends it by that signal, with what it had written out; also before a stalled reader" {
	start_broker
	seq 100 | kprod -q t
	mkfifo pipe
	for sig in INT TERM HUP; do
		kcons t >pipe 3>&- &
		exec 9<pipe
		head -100 <&9 | cmp - <(seq 100)
		kill -$sig $!
		ends $((128 + $(kill -l $sig))) $!
		exec 9<&-
	done
	yes | head -1000000 | kprod -q big
	kcons big >pipe 3>&- &
	exec 9<pipe
	wait_until grep -q pipe_write /proc/$!/wchan
	kill -TERM $!
	ends 143 $!
}

@test "a broker that comes back is read on; kcons says what it waits for" {
	start_broker
	ktopic create t
	echo one | kprod t
	mkfifo pipe
	kcons t >pipe 2>err 3>&- &
	exec 9<pipe
	read -r -u 9 line
	[ "$line" = one ]
	port=${BROKER##*:}
	stop_broker
	wait_until grep -q 'trying again' err
	start_broker -l "127.0.0.1:$port"
	echo two | kprod -b "127.0.0.1:$port" t
	read -r -u 9 -t 30 line
	[ "$line" = two ]
	grep -q 'it goes on' err
}

@test "a topic deleted under its reader is said" {
	start_broker
	echo one | kprod -q t
	mkfifo pipe
	kcons t >pipe 2>err 3>&- &
	exec 9<pipe
	read -r -u 9 line
	ktopic delete t
	ends 1 $!
	grep -q 'topic t has been deleted' err
}
