#!/usr/bin/env bats
# Debian's python3-confluent-kafka (librdkafka 2.0.2), by assignment; the tests are in librdkafka.py.
load support

librdkafka() { # TEST [broker option...]
	start_broker "${@:2}"
	/usr/bin/python3 "$ROOT/tests/clients/librdkafka.py" "$1" "$BROKER"
}

@test "records of every kind in every codec come back as they were" {
	librdkafka kinds
	for c in none gzip snappy lz4 zstd; do
		echo "$c: $(stored_codecs "kinds.$c")"; [ "$(stored_codecs "kinds.$c")" = "$c " ]
	done
}

@test "acks=0" { librdkafka acks_0; }

@test "an idempotent producer's batches are numbered, dense, in order" {
	librdkafka idempotent
	"$ROOT/tests/tools/batches" "$DATA"/t-0/*.log >"$BATS_TEST_TMPDIR/stored"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/stored")" -ge 400 ]
	# one producer, and each batch's first sequence number is its first offset
	awk '{ split($7, p, /[=:]/); if (p[2] < 0 || (NR > 1 && p[2] != id) || p[4] != $1) exit 1; id = p[2] }' \
		"$BATS_TEST_TMPDIR/stored"
}

@test "large records up to the limit, and above it" { librdkafka large; }
@test "LogAppendTime" { librdkafka append_time; }
@test "any position, across segments and within batches" { librdkafka positions; }
@test "beyond the end" { librdkafka out_of_range; }
@test "offsets by time" { librdkafka times; }
@test "a waiting consumer" { librdkafka tail; }
@test "topics by the admin client" { librdkafka admin; }
@test "auto-create" { librdkafka auto_create -X num.partitions=3; }
@test "transactions are refused" { librdkafka transactions; }
