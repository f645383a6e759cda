#!/usr/bin/env bats
# What Kafka's broker writes today, not only the partitions that are kept.

@test "a fresh broker's partitions read like those that are kept" {
	tests/interop/fixtures "$BATS_TEST_TMPDIR/kafka"
	run env KAFKA_FIXTURES="$BATS_TEST_TMPDIR/kafka" CMOCKA_MESSAGE_OUTPUT=TAP "$B/tests/unit/log_kafka_test"
	echo "$output"
	[ "$status" = 0 ]
}
