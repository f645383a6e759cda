#!/usr/bin/env bats
# kprod as a shell sees it: what becomes a record, what is said, and with which status it ends.
bats_require_minimum_version 1.5.0
load support

setup() {
	PATH=$KCORE_BIN:$PATH
	cd "$BATS_TEST_TMPDIR"
}

# fails STATUS MESSAGE CMD...: that status, stderr is that one line (for 2: and where to look)
fails() {
	local want=$1 message=$2 status=0
	shift 2
	"$@" >out 2>err </dev/null || status=$?
	echo "status $status, stderr: $(cat err)"
	[ "$status" = "$want" ]
	[ ! -s out ]
	[ "$(head -1 err)" = "kprod: $message" ]
	[ "$(grep -c . err)" = $((want == 2 ? 2 : 1)) ]
}

# stored TOPIC [kcat option...]: what is in it
stored() {
	kcat -C -b "$BROKER" -t "$1" -o beginning -e -q "${@:2}"
}

@test "wrong usage is 2 and says what was expected" {
	fails 2 'needs an operand: [OPTION]... TOPIC [FILE]...' kprod
	fails 2 "-X batch.sise: unknown setting 'batch.sise' (did you mean 'batch.size'?)" kprod -X batch.sise=1 t
	fails 2 "-X linger.ms: 'soon' is not a number" kprod -X linger.ms=soon t
	fails 2 "-z: 'zip', expected none, gzip, snappy, lz4 or zstd[:LEVEL]" kprod -z zip t
	fails 2 "-a: '2', expected 0, 1 or all" kprod -a 2 t
	fails 2 "-H 'name': expected NAME=VALUE" kprod -H name t
	fails 2 '-0 and -B exclude each other' kprod -0 -B t
	fails 2 'an empty delimiter' kprod -D '' t
	fails 2 '-k and -K exclude each other' kprod -k k -K : t
}

@test "what fails is 1 and says why: no broker, no file, no partition, a bad name" {
	fails 1 '127.0.0.1:1: Connection refused' kprod -b 127.0.0.1:1 t
	start_broker
	fails 1 'nowhere: No such file or directory' kprod t nowhere
	fails 1 "$PWD: is a directory" kprod t "$PWD"
	ktopic create t
	fails 1 'topic t has no partition 1: it has 1' kprod -p 1 t
	fails 1 'topic a b: invalid topic name or forbidden topic (INVALID_TOPIC_EXCEPTION)' kprod 'a b'
}

@test "--timeout is 3: nobody answers, or the input does not end" {
	fails 3 'topic t: 127.0.0.1:1: Connection refused' kprod -b 127.0.0.1:1 --timeout 0.3 t
	start_broker
	mkfifo pipe
	exec {hold}<>pipe
	echo first >&"$hold"
	run --separate-stderr kprod -q --timeout 1 t <pipe
	exec {hold}>&-
	[ "$status" = 3 ]
	[ "$stderr" = 'kprod: timed out; 1 records acknowledged; go on with --from-byte 6' ]
	[ "$(stored t)" = first ]
}

@test "a missing topic is made and said; where that is forbidden the nearest name is told" {
	start_broker
	kprod access <<<x 2>err
	[ "$(cat err)" = 'kprod: created topic access, 1 partition (auto.create.topics.enable)' ]
	kprod access <<<y 2>err
	[ ! -s err ]
	stop_broker
	start_broker -X auto.create.topics.enable=false
	fails 1 "topic acess does not exist (did you mean access?); create it with 'ktopic create acess'" kprod acess
	[ "$(ktopic list -q | wc -l)" = 1 ]
}

@test "lines: empty ones, CR LF, a last one without an end, every byte; an empty file is no record" {
	start_broker
	ktopic create t
	printf 'one\n\n\r\ntwo\r\nlast' >f
	kprod t f
	{ cat f; echo; } | cmp - <(stored t)
	[ "$(stored t -f '%S\n' | tr '\n' ' ')" = '3 0 1 4 4 ' ]
	ktopic create bytes
	printf "$(printf '\\x%02x' {0..255})" >all
	kprod bytes all
	{ cat all; echo; } | cmp - <(stored bytes)
	ktopic create none
	: >empty
	kprod none empty
	kprod none empty empty </dev/null
	[ -z "$(stored none)" ]
	ktopic offsets none -q | awk '{exit $4 != 0}'
}

@test "-0, -D, -B: how records end" {
	start_broker
	for t in nul delim whole; do ktopic create $t; done
	printf 'a\nb\0\0c' >f
	kprod -0 nul f
	[ "$(stored nul -f '%S ')" = '3 0 1 ' ]
	printf 'a--b-c----d' | kprod -D -- delim
	[ "$(stored delim -f '[%s]')" = '[a][b-c][][d]' ]
	kprod -B whole f - <<<stdin
	[ "$(stored whole -f '%S ')" = '6 6 ' ]
	printf 'x\tz' | kprod -D '\t' delim
	[ "$(stored delim -f '[%s]')" = '[a][b-c][][d][x][z]' ]
}

@test "-K, -k, -Z, -H, --timestamp: what a record has besides its value" {
	start_broker
	for t in keyed fixed nulls plain; do ktopic create $t; done
	printf 'k1=v1\n=v2\nk3=\nk4=a=b\n' | kprod -K = keyed
	[ "$(stored keyed -f '%k:%K:%s:%S ')" = 'k1:2:v1:2 :0:v2:2 k3:2::0 k4:2:a=b:3 ' ]
	seq 2 | kprod -k key -H a=1 -H b= -H a=2 --timestamp 1700000000123 fixed
	[ "$(stored fixed -f '%k %s %h %T\n')" = $'key 1 a=1,b=,a=2 1700000000123\nkey 2 a=1,b=,a=2 1700000000123' ]
	printf '=v\nk=\n' | kprod -K = -Z nulls
	[ "$(stored nulls -f '%K %S ')" = '-1 1 1 -1 ' ]
	printf '\nx\n' | kprod -Z plain
	[ "$(stored plain -f '%K %S ')" = '-1 -1 -1 1 ' ]
	printf 'a=1\nb=2\nnone\nc=3\n' >f
	fails 1 "f line 3: no key delimiter '='; 2 records acknowledged; go on with --from-byte 8" kprod -K = keyed f
}

@test "-p and keys choose the partition as Java does" {
	start_broker
	ktopic create t -p 4
	seq 5 | kprod -p 2 t
	[ "$(stored t -f '%p ')" = '2 2 2 2 2 ' ]
	ktopic create keys -p 4
	# murmur2 of Kafka's own tests (UtilsTest.testMurmur2), without the sign, modulo 4
	printf 'abc:\n21:\nfoobar:\na-little-bit-long-string:\na-little-bit-longer-string:\nlkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8:\n' |
		kprod -K : keys
	for pair in 'abc 3' '21 0' 'foobar 2' 'a-little-bit-long-string 0' 'a-little-bit-longer-string 3' 'lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8 1'; do
		stored keys -f '%k %p\n' | grep -qx "$pair"
	done
}

@test "-z: the codec is that of the stored batch" {
	start_broker
	for z in none gzip snappy lz4 zstd zstd:9; do
		ktopic create "t-${z/:/-}"
		text 1000 | kprod -z "$z" "t-${z/:/-}"
		text 1000 | cmp - <(stored "t-${z/:/-}")
		[ "$(stored_codecs "t-${z/:/-}")" = "${z%:9} " ]
	done
}

@test "-a 0, 1 and all" {
	start_broker
	for a in 0 1 all; do
		ktopic create "t$a"
		seq 1000 | kprod -a $a "t$a"
		until [ "$(ktopic offsets -q --json "t$a" | grep -c '"end":1000')" = 1 ]; do :; done
		seq 1000 | cmp - <(stored "t$a")
	done
}

@test "-T copies what was acknowledged; a closed stdout ends it by SIGPIPE" {
	start_broker
	text 2000 >f
	kprod -T t f 2>/dev/null | cmp - f
	printf 'k=v\n' | kprod -T -K = t | cmp - <(printf 'k=v\n')
	printf 'a\0b\0' | kprod -T -0 t | cmp - <(printf 'a\0b\0')
	set +e
	yes | kprod -T t | head -1 >/dev/null
	[ "${PIPESTATUS[1]}" = 141 ]
}

@test "a record that is too large fails alone, and going on behind it completes the file" {
	start_broker
	ktopic create t -p 3
	ktopic create small -C max.message.bytes=2000
	{ seq 100000; head -c 3000000 /dev/zero | tr '\0' x; echo; seq 100001 200000; } >f
	at=$(seq 100000 | wc -c)
	fails 1 "f line 100001: record of 3,000,000 bytes exceeds max.message.bytes of t; 100,000 records acknowledged; go on with --from-byte $at" kprod t f
	fails 1 "f line 100001: record of 3,000,000 bytes exceeds max.message.bytes of t; 0 records acknowledged; go on with --from-byte $at" kprod --from-byte "$at" t f
	kprod --from-byte $((at + 3000001)) t f
	seq 200000 | cmp - <(stored t | sort -n)
	# far more in a batch than may be in one here
	{ seq 3000; head -c 2500 /dev/zero | tr '\0' x; echo; seq 3001 6000; } >g
	at=$(seq 3000 | wc -c)
	fails 1 "g line 3001: record of 2,500 bytes exceeds max.message.bytes of small; 3,000 records acknowledged; go on with --from-byte $at" kprod small g
	kprod --from-byte $((at + 2501)) small g
	seq 6000 | cmp - <(stored small)
}

@test "several files: the message names the file and its own line" {
	start_broker
	printf 'a=1\nb=2' >one
	printf 'c=3\nbad\n' >two
	ktopic create t
	fails 1 "two line 2: no key delimiter '='; 3 records acknowledged; go on with --from-byte 11" kprod -K = t one two
	printf 'd=4\nbad' | { kprod -K = t - 2>err || [ $? = 1 ]; }
	[ "$(cat err)" = "kprod: line 2: no key delimiter '='; 1 records acknowledged; go on with --from-byte 4" ]
	fails 1 '--from-byte lies 993 bytes behind the end of the input; 0 records acknowledged; go on with --from-byte 7' kprod --from-byte 1000 t one
}

@test "a pipe that stays open: each line arrives when it is written" {
	start_broker
	ktopic create t
	mkfifo in out
	kprod -T t <in >out &
	exec {w}>in {r}<out
	for i in 1 2 3; do
		echo "line $i" >&"$w"
		IFS= read -r -t 20 back <&"$r"
		[ "$back" = "line $i" ]
	done
	[ "$(stored t | tail -1)" = 'line 3' ]
	exec {w}>&-
	wait $!
}

@test "SIGINT and SIGTERM: what is there is said, and it dies by the signal" {
	start_broker
	ktopic create t
	for sig in INT TERM; do
		mkfifo in$sig out$sig
		# a background job of a script ignores SIGINT: env gives it back
		env --default-signal=INT kprod -T t <in$sig >out$sig 2>err &
		pid=$!
		exec {w}>in$sig {r}<out$sig
		printf 'one\ntwo\nthr' >&"$w"
		read -r -t 20 <&"$r"
		read -r -t 20 <&"$r"
		kill -$sig $pid
		status=0
		wait $pid || status=$?
		exec {w}>&- {r}<&-
		[ "$status" = $((128 + $(kill -l $sig))) ]
		[ "$(cat err)" = 'kprod: interrupted; 2 records acknowledged, the last at input line 2; go on with --from-byte 8' ]
	done
}

@test "closed stdin and stdout are told, not taken for something else" {
	start_broker
	ktopic create t
	status=0
	kprod t <&- 2>err || status=$?
	[ "$status" = 1 ]
	[ "$(cat err)" = 'kprod: read from stdin: Bad file descriptor; 0 records acknowledged; go on with --from-byte 0' ]
	echo x | kprod t >&-
	status=0
	echo y | kprod -T t >&- 2>err || status=$?
	[ "$status" = 1 ]
	[ "$(cat err)" = 'kprod: write to stdout: Bad file descriptor' ]
	[ "$(stored t | tr '\n' ' ')" = 'x y ' ]
	kprod t </dev/null 2>err
	[ ! -s err ]
}

@test "through a Unix socket alone" {
	start_broker -l "unix:$PWD/sock" -X advertised.listeners=PLAINTEXT://nowhere.example:1
	seq 1000 | kprod -q -b "unix:$PWD/sock" t
	ktopic -b "unix:$PWD/sock" list --json | grep -qx '{"v":1,"topic":"t","partitions":1,"records":1000}'
}
