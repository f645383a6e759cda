#!/usr/bin/env bats
# tests/tools/batches, by which the others see what is stored, against Kafka's DumpLogSegments.
load support

FIXTURES=$ROOT/tests/fixtures/kafka-4.3.1

@test "batches reads what DumpLogSegments read" {
	cd "$FIXTURES"
	gzip -dc dump.txt.gz | awk '
		/^Dumping/ { file = $2 }
		/^baseOffset/ && file ~ /log$/ {
			for (i = 1; i < NF; i += 2) f[$i] = $(i + 1)
			time = "LogAppendTime:" in f ? "append " f["LogAppendTime:"] : "create " f["CreateTime:"]
			print file, f["baseOffset:"], f["count:"], f["compresscodec:"], "last=" f["lastOffset:"],
				"bytes=" f["size:"], "epoch=" f["partitionLeaderEpoch:"],
				"pid=" f["producerId:"] ":" f["producerEpoch:"] ":" f["baseSequence:"], "time=" time \
				(f["isTransactional:"] == "true" ? " transactional" : "") \
				(f["isControl:"] == "true" ? " control" : "")
			delete f }' >"$BATS_TEST_TMPDIR/theirs"
	for f in */*.log; do # without the first timestamp, which DumpLogSegments does not show
		"$ROOT/tests/tools/batches" "$f" | awk -v file="$f" '{ $9 = ""; $0 = file " " $0; $1 = $1; print }'
	done | sort >"$BATS_TEST_TMPDIR/ours"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/ours")" -gt 100 ]
	sort "$BATS_TEST_TMPDIR/theirs" | diff - "$BATS_TEST_TMPDIR/ours"
}

@test "batches says where a file is not whole" {
	head -c 1000 "$FIXTURES"/codec.none-0/*.log >"$BATS_TEST_TMPDIR/torn"
	run "$ROOT/tests/tools/batches" "$BATS_TEST_TMPDIR/torn"
	[ "$status" = 1 ]
	[[ ${lines[0]} == '0 1 none '* && ${lines[1]} == *'byte 260: the file ends within the batch' ]]
	run "$ROOT/tests/tools/batches" "$FIXTURES"/codec.none-0/*.index
	[ "$status" = 1 ]
}
