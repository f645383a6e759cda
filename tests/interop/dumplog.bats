#!/usr/bin/env bats
# What we write, read by Kafka's own DumpLogSegments.

setup_file() {
	mkdir -p "$B/interop-server"
	local build
	build=$(cd "$B/interop-server" && pwd)
	mvn -q -B -Dstyle.color=never -f tests/interop/server/pom.xml -Dinterop.build="$build" \
		dependency:build-classpath -Dmdep.outputFile="$build/classpath"
	KAFKA_SERVER="java -cp $(cat "$build/classpath")"
	export KAFKA_SERVER
	mkdir "$BATS_FILE_TMPDIR/data"
	"$B/tests/interop/segments" "$BATS_FILE_TMPDIR/data" >"$BATS_FILE_TMPDIR/records"
}

# dump SUFFIX [OPTION...]: DumpLogSegments of all files with that suffix, in the order of our codecs
dump() {
	local suffix=$1 files
	shift
	files=$(for c in none gzip snappy lz4 zstd; do
		printf ',%s' "$BATS_FILE_TMPDIR/data/$c-0/"*"$suffix"
	done)
	$KAFKA_SERVER org.apache.kafka.tools.DumpLogSegments "$@" --files "${files#,}"
}

@test "records in every codec are what was added" {
	dump .log --deep-iteration --print-data-log >"$BATS_TEST_TMPDIR/out"
	[ "$(grep -c 'isvalid: true' "$BATS_TEST_TMPDIR/out")" = 20 ]
	for c in none gzip snappy lz4 zstd; do
		[ "$(grep -c "compresscodec: $c " "$BATS_TEST_TMPDIR/out")" = 4 ]
	done
	grep '^|' "$BATS_TEST_TMPDIR/out" | diff - "$BATS_FILE_TMPDIR/records"
}

@test "indexes agree with the log" {
	dump .index --index-sanity-check >"$BATS_TEST_TMPDIR/out"
	cat "$BATS_TEST_TMPDIR/out"
	[ "$(grep -c 'passed sanity check' "$BATS_TEST_TMPDIR/out")" = 5 ]
	dump .index >"$BATS_TEST_TMPDIR/out"
	[ "$(grep -c '^offset:' "$BATS_TEST_TMPDIR/out")" = 15 ]
	dump .timeindex >>"$BATS_TEST_TMPDIR/out"
	[ "$(grep -c '^timestamp:' "$BATS_TEST_TMPDIR/out")" -ge 5 ]
	run grep -i 'mismatch\|not found\|out of order\|Found' "$BATS_TEST_TMPDIR/out"
	echo "$output"
	[ "$status" = 1 ]
}

@test "a producer snapshot is understood" {
	run dump .snapshot
	echo "$output"
	[ "$(grep -c 'producerId: 4000000000 producerEpoch: 3 coordinatorEpoch: -1 .*lastSequence: 199 lastOffset: 1199 offsetDelta: 49' <<<"$output")" = 5 ]
}
