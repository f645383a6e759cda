#!/usr/bin/env bats
# What lib/log writes, read by Kafka's own DumpLogSegments.

setup_file() {
	"$B/tests/interop/segments" "$BATS_FILE_TMPDIR/data" >"$BATS_FILE_TMPDIR/records"
}

# files SUFFIX: all with that suffix, in the order of our codecs
files() {
	for c in none gzip snappy lz4 zstd; do
		printf '%s\n' "$BATS_FILE_TMPDIR/data/$c-0/"*"$1"
	done
}

# dump SUFFIX [OPTION...]: DumpLogSegments of all these
dump() {
	local list
	list=$(files "$1" | paste -sd,)
	$KCORE_TOOLS org.apache.kafka.tools.DumpLogSegments "${@:2}" --files "$list"
}

# entries SUFFIX SIZE: how many of that size the files have
entries() {
	files "$1" | xargs cat | wc -c | awk -v size="$2" '{ print $1 / size }'
}

@test "records in every codec are what was appended" {
	dump .log --deep-iteration --print-data-log >"$BATS_TEST_TMPDIR/out"
	[ "$(grep -c 'isvalid: true' "$BATS_TEST_TMPDIR/out")" = 60 ]
	for c in none gzip snappy lz4 zstd; do
		[ "$(grep -c "compresscodec: $c " "$BATS_TEST_TMPDIR/out")" = 12 ]
	done
	grep '^|' "$BATS_TEST_TMPDIR/out" | diff - "$BATS_FILE_TMPDIR/records"
}

@test "indexes agree with the log" {
	dump .index --index-sanity-check >"$BATS_TEST_TMPDIR/out"
	cat "$BATS_TEST_TMPDIR/out"
	[ "$(grep -c 'passed sanity check\|is empty' "$BATS_TEST_TMPDIR/out")" = "$(files .index | wc -l)" ]
	dump .index >"$BATS_TEST_TMPDIR/out"
	[ "$(grep -c '^offset:' "$BATS_TEST_TMPDIR/out")" = "$(entries .index 8)" ]
	dump .timeindex >>"$BATS_TEST_TMPDIR/out"
	[ "$(grep -c '^timestamp:' "$BATS_TEST_TMPDIR/out")" = "$(entries .timeindex 12)" ]
	[ "$(entries .index 8)" -gt 15 ] && [ "$(entries .timeindex 12)" -gt 15 ]
	run grep -i 'mismatch\|not found\|out of order\|Found' "$BATS_TEST_TMPDIR/out"
	echo "$output"
	[ "$status" = 1 ]
}

@test "producer snapshots are understood" {
	run dump 600.snapshot
	echo "$output"
	[ "$(grep -c 'producerId: 4000000000 producerEpoch: 3 .*lastSequence: 599 lastOffset: 599 offsetDelta: 49' <<<"$output")" = 5 ]
}
