#!/usr/bin/env bats
# The same questions, the same answers: kbroker against what a broker of Apache Kafka has said
# (*.kafka, made by tests/interop/asked).
load ../clients/support

setup() {
	PATH=$KCORE_BIN:$PATH
	cd "$BATS_TEST_TMPDIR"
}

@test "administration, configurations and fetch sessions answer as Apache Kafka does" {
	start_broker -X log.retention.ms=-1
	$KCORE_JAVA kcore.Ask "$BROKER" <"$ROOT/tests/interop/admin.ask" >ours
	diff "$ROOT/tests/interop/admin.kafka" ours
}

@test "a topic's life, and what its clients are told, are Apache Kafka's" {
	start_broker -X log.retention.ms=-1
	$KCORE_JAVA kcore.Ask "$BROKER" <"$ROOT/tests/interop/life.ask" >ours
	diff "$ROOT/tests/interop/life.kafka" ours
}
