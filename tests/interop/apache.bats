#!/usr/bin/env bats
# Our tools against a broker of Apache Kafka, through no code of ours on its side.

@test "kprod, kcons and ktopic at work on Apache Kafka" {
	seq 100000 >"$BATS_TEST_TMPDIR/in"
	PATH=$KCORE_BIN:$PATH $KCORE_TOOLS kcore.Asked "$BATS_TEST_TMPDIR/kafka" "$PWD/tests/interop/tools" "$BATS_TEST_TMPDIR/in"
}
