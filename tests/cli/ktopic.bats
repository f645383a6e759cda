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
	ktopic describe access --json | grep -q '"partition":1,"leader":1,"start":0,"end":1000}'
	ktopic delete other -n 2>err
	grep -qx 'ktopic: would delete topic other' err
	ktopic delete other
	[ "$(ktopic list -q | awk '{print $1}')" = access ]
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
	refused 1 'TOPIC_ALREADY_EXISTS' ktopic create access
	refused 1 'INVALID_CONFIG' ktopic create x -C nope=1
	refused 1 'INVALID_REPLICATION_FACTOR' ktopic create x -r 3
	refused 2 'NAME=VALUE' ktopic create x -C nope
	refused 2 '.' ktopic create
	refused 2 '.' ktopic nonsense
	refused 1 'refused' ktopic -b 127.0.0.1:1 list
	refused 3 '.' ktopic -b 127.0.0.1:1 --timeout 0.2 list
	[ "$(ktopic list -q | awk '{print $1}')" = access ]
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
