#!/usr/bin/env bats
# Debian's kcat 1.7.1 and our own tools, both ways, by assignment; compared byte by byte.
load support

setup() {
	PATH=$KCORE_BIN:$PATH
	cd "$BATS_TEST_TMPDIR"
}

PYTHON=/usr/bin/python3

# A topic that is not there is asked for again after 50 ms, and given up after half a second.
QUICK=(-X topic.metadata.refresh.fast.interval.ms=50 -X topic.metadata.propagation.max.ms=500)

give() { kcat -P -b "$BROKER" "${QUICK[@]}" "$@"; }

# take TOPIC [option...]: partition 0 from its beginning to its end
take() { kcat -C -q -b "$BROKER" -t "$1" -p 0 -o beginning -e -X fetch.wait.max.ms=10 "${@:2}"; }

# whole TOPIC: all that a record has, lengths with it, so that null and empty differ
whole() { take "$1" -f '%o %T %K %S %h|%k|%s\n' "${@:2}"; }

@test "kprod's lines out of kcat, in every codec" {
	start_broker
	text 2000 >lines
	for c in none gzip snappy lz4 zstd; do
		kprod -q -z "$c" "from.$c" lines
		take "from.$c" -X check.crcs=true | cmp - lines
		[ "$(stored_codecs "from.$c")" = "$c " ]
	done
	head -c 1000000 /dev/urandom >noise # any byte, no newline at the end
	kprod -q -0 noise.0 noise
	take noise.0 -f '%R%s' | "$PYTHON" -c '
import struct, sys
data, at = sys.stdin.buffer.read(), 0
while at < len(data):
    n = struct.unpack_from(">i", data, at)[0]
    sys.stdout.buffer.write(data[at + 4:at + 4 + n] + b"\0")
    at += 4 + n' | cmp - <(cat noise; printf '\0')
	kprod -q -B noise.whole noise
	take noise.whole -D '' | cmp - noise
}

@test "kcat's lines, in every codec, as they were" {
	start_broker
	text 2000 | grep . >lines # kcat leaves empty lines out
	for c in none gzip snappy lz4 zstd; do
		ktopic create "by.$c"
		give -t "by.$c" -z "$c" -X linger.ms=200 <lines
		take "by.$c" | cmp - lines
		# it sends small batches, too, and stores those plain that compressing makes no smaller
		[ "$("$ROOT/tests/tools/batches" "$DATA/by.$c"-0/*.log | awk '$2 > 20 { print $3 }' | sort -u)" = "$c" ]
		ktopic verify "$DATA/by.$c-0"
	done
}

@test "keys, headers, timestamps, null and empty: kprod to kcat" {
	start_broker
	printf 'a\tone\nb\t\n\tno key\n\t\nx\ty\tz\n' | kprod -q -K '\t' --timestamp 160000000123 -H name=value -H name= \
		-H 'ü=ä=ö' empty
	cat >expected <<-'E'
		0 160000000123 1 3 name=value,name=,ü=ä=ö|a|one
		1 160000000123 1 0 name=value,name=,ü=ä=ö|b|
		2 160000000123 0 6 name=value,name=,ü=ä=ö||no key
		3 160000000123 0 0 name=value,name=,ü=ä=ö||
		4 160000000123 1 3 name=value,name=,ü=ä=ö|x|y	z
	E
	whole empty | diff expected -
	printf 'a\tone\nb\t\n\tno key\n\t\n' | kprod -q -Z -K '\t' --timestamp 160000000123 null
	cat >expected <<-'E'
		0 160000000123 1 3 |a|one
		1 160000000123 1 -1 |b|
		2 160000000123 -1 6 ||no key
		3 160000000123 -1 -1 ||
	E
	whole null | diff expected -
	printf 'v\n' | kprod -q -k 'the key' --timestamp 5 key
	[ "$(whole key)" = '0 5 7 1 |the key|v' ]
}

@test "keys, headers, null and empty: kcat to ktopic dump" {
	start_broker
	printf 'a\tone\nb\t\n\t\nc\n' | give -t t -K '\t' -Z -H name=value -H name= -H null
	ktopic dump -r "$DATA"/t-0/*.log | grep '^ *{' | sed 's/.*"headers"/"headers"/' >got
	cat >expected <<-'E'
		"headers":[["name","value"],["name",""],["null",null]],"key":"a","value":"one"}
		"headers":[["name","value"],["name",""],["null",null]],"key":"b","value":null}
		"headers":[["name","value"],["name",""],["null",null]],"key":null,"value":null}
		"headers":[["name","value"],["name",""],["null",null]],"key":null,"value":"c"}
	E
	diff expected got
}

@test "acks 0, 1 and all, and an idempotent kcat" {
	start_broker
	seq 2000 >lines
	ktopic create acks.0 acks.1 acks.all once
	for a in 0 1 all; do
		give -t "acks.$a" -X acks="$a" -X linger.ms=0 <lines
		# acks=0 has nothing to wait for
		kcat -C -q -b "$BROKER" -t "acks.$a" -p 0 -o beginning -c 2000 | cmp - lines
		kprod -q -a "$a" "kprod.$a" lines
		kcat -C -q -b "$BROKER" -t "kprod.$a" -p 0 -o beginning -c 2000 | cmp - lines
	done
	give -t once -X enable.idempotence=true -X batch.num.messages=7 <lines
	take once | cmp - lines
	[[ $("$ROOT/tests/tools/batches" "$DATA"/once-0/*.log | tail -1) == *pid=[0-9]* ]]
}

@test "from an offset, from the end, so many" {
	start_broker
	seq 0 999 | kprod -q -z gzip t
	seq 0 999 | sed 's/$/ again/' | kprod -q t
	from() { kcat -C -q -b "$BROKER" -X fetch.wait.max.ms=10 -t t -p 0 -e -o "$@"; }
	[ "$(from 500 -c 2 | paste -sd' ')" = '500 501' ]
	[ "$(from -3 | paste -sd,)" = '997 again,998 again,999 again' ]
	from 0 >all
	{ seq 0 999; seq 0 999 | sed 's/$/ again/'; } | cmp - all
	[ "$(from 1999)" = '999 again' ]
	[ -z "$(from 2000)" ]
	[ -z "$(from end)" ]
	from 1000 | cmp - <(tail -1000 all)
}

@test "offsets by time, from a time" {
	start_broker
	for t in 1000 2000 2000 5000 3000; do echo "at $t" | kprod -q --timestamp "160000000$t" t; done
	ask() { kcat -Q -b "$BROKER" -t "t:0:$1" | sed 's/.*offset //'; }
	[ "$(ask -2)" = 0 ]
	[ "$(ask -1)" = 5 ]
	[ "$(ask 0)" = 0 ]
	[ "$(ask 1600000001000)" = 0 ]
	[ "$(ask 1600000001001)" = 1 ]
	[ "$(ask 1600000002000)" = 1 ]
	[ "$(ask 1600000002001)" = 3 ]
	[ "$(ask 1600000005000)" = 3 ]
	[ "$(ask 1600000005001)" = -1 ]
	[ "$(kcat -C -q -b "$BROKER" -t t -p 0 -e -o s@1600000002001 | paste -sd,)" = 'at 5000,at 3000' ]
}

@test "keys go to the same partitions as librdkafka's murmur2 sends them" {
	start_broker
	ktopic create ours -p 7
	ktopic create theirs -p 7
	# an empty key is a key
	awk 'BEGIN { for (i = 0; i < 3000; i++) { k = sprintf("%*s", i % 40, i * 7919 ""); print (i == 9 ? "" : k "\303\274") "\tv" i } }' >in
	kprod -q -K '\t' ours in
	give -t theirs -K '\t' -X topic.partitioner=murmur2_random <in
	for t in ours theirs; do
		kcat -C -q -b "$BROKER" -t "$t" -o beginning -e -f '%p %k %s\n' | sort >"$t.got"
	done
	[ "$(wc -l <ours.got)" = 3000 ]
	[ "$(cut -d' ' -f1 ours.got | sort -u | wc -l)" = 7 ]
	diff ours.got theirs.got
}

@test "a consumer that waits is given what comes" {
	start_broker
	ktopic create t
	kcat -C -q -u -b "$BROKER" -t t -p 0 -o beginning -c 300 -X fetch.wait.max.ms=20000 >got 3>&- &
	seq 100 | kprod -q t
	seq 101 200 | give -t t
	seq 201 300 | kprod -q t
	wait $!
	seq 300 | cmp - got
}

@test "topics are made by who writes to them, where that is allowed" {
	start_broker -X num.partitions=2
	seq 10 | give -t fresh
	[ "$(ktopic list -q | awk '{ print $1, $2 }')" = 'fresh 2' ]
	run kcat -C -b "$BROKER" "${QUICK[@]}" -t unheard.of -p 0 -e
	[ "$status" = 1 ]
	[ "$(ktopic list -q | awk '{ print $1 }')" = fresh ]
	stop_broker
	start_broker -X auto.create.topics.enable=false
	run give -t other <<<x
	[ "$status" = 1 ]
	[[ $output == *'nknown topic'* ]]
	[ "$(ktopic list -q | awk '{ print $1 }')" = fresh ]
	kcat -C -q -b "$BROKER" -t fresh -o beginning -e | sort -n | diff - <(seq 10) # also after the restart
}

@test "metadata: brokers, topics, partitions, one topic" {
	start_broker
	ktopic create a -p 3
	ktopic create b
	kcat -L -J -b "$BROKER" | "$PYTHON" -c '
import json, sys
m = json.load(sys.stdin)
assert m["brokers"] == [{"id": 1, "name": sys.argv[1]}], m
assert m["controllerid"] == 1, m
assert [(t["topic"], [(p["partition"], p["leader"], p["replicas"], p["isrs"]) for p in t["partitions"]])
        for t in m["topics"]] == [("a", [(n, 1, [{"id": 1}], [{"id": 1}]) for n in range(3)]),
                                  ("b", [(0, 1, [{"id": 1}], [{"id": 1}])])], m' "$BROKER"
	[[ $(kcat -L -b "$BROKER" -t b) == *'topic "b" with 1 partitions'* ]]
}

@test "IPv6" {
	start_broker -l '[::1]:0'
	seq 100 | kprod -q t
	port=$(sed -n 's/.*\[::1\]:\([0-9]*\).*/\1/p' broker.err)
	kcat -C -q -b "[::1]:$port" -t t -p 0 -o beginning -e | diff - <(seq 100)
}
