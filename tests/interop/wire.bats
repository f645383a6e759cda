#!/usr/bin/env bats
# lib/wire against the schemas and classes in the kafka-clients jar.

@test "our schemas say what Kafka's say, field by field and version by version" {
	run $KCORE_JAVA kcore.Schemas lib/wire/schema
	echo "$output"
	[ "$status" = 0 ]
}

@test "keys, versions and error codes are Kafka's" {
	$KCORE_JAVA kcore.Facts >"$BATS_TEST_TMPDIR/theirs"
	"$B/tests/interop/facts" >"$BATS_TEST_TMPDIR/ours"
	diff "$BATS_TEST_TMPDIR/theirs" "$BATS_TEST_TMPDIR/ours"
}

@test "the vectors that are kept are what Kafka's classes make of seed 1" {
	$KCORE_JAVA kcore.Vectors 1 lib/wire/schema >"$BATS_TEST_TMPDIR/new"
	gzip -dc tests/vectors/wire.txt.gz | cmp - "$BATS_TEST_TMPDIR/new"
}

@test "bytes and JSON of twenty more seeds" {
	for seed in $(seq 2 21); do
		$KCORE_JAVA kcore.Vectors "$seed" lib/wire/schema | gzip -1 >"$BATS_TEST_TMPDIR/wire.txt.gz"
		run env WIRE_VECTORS="$BATS_TEST_TMPDIR/wire.txt.gz" CMOCKA_MESSAGE_OUTPUT=TAP \
			"$B/tests/unit/wire_vectors_test"
		echo "seed $seed: $output"
		[ "$status" = 0 ]
	done
}
