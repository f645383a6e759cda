#!/usr/bin/env bats
# Java's clients (kafka-clients, the version that pom.xml pins) against kbroker, by assignment, both ways
# with kcat, librdkafka and our own tools. Other versions of them: clients.bats.
load ../clients/support

CODECS='none gzip snappy lz4 zstd'

setup() {
	PATH=$KCORE_BIN:$PATH
	cd "$BATS_TEST_TMPDIR"
}

records() { /usr/bin/python3 "$ROOT/tests/clients/records.py" "$@"; }

@test "acks=all, retries=0, batch.size=16384, linger.ms=1, buffer.memory=33554432: a hundred records" {
	start_broker
	$KCORE_JAVA kcore.HundredRecords "$BROKER" hundred
	seq 0 99 | awk '{ print $1, $1, $1 }' >expected
	kcat -C -q -b "$BROKER" -t hundred -p 0 -o beginning -e -f '%o %k %s\n' | diff expected -
	kcons -e -f '%o %k %s\n' hundred | diff expected -
	stop_broker
	start_broker # it is in the files
	kcat -C -q -b "$BROKER" -t hundred -p 0 -o beginning -e -f '%o %k %s\n' | diff expected -
}

@test "the same with 4.4.0, 3.9.1 and 2.8.2" {
	start_broker
	local classes=${KCORE_JAVA#*-cp }
	for v in 4.4.0 3.9.1 2.8.2; do
		java -cp "${classes%%:*}:$(cat "$KCORE_INTEROP/classpath.$v")" kcore.HundredRecords "$BROKER" "hundred.$v"
		kcons -e "hundred.$v" | diff <(seq 0 99) -
	done
}

@test "Java's records of every kind, in every codec, as others read them" {
	start_broker -X num.partitions=3
	$KCORE_JAVA kcore.Records send "$BROKER" . $(for c in $CODECS; do echo "java.$c=$c"; done)
	for c in $CODECS; do
		[ "$(wc -l <"java.$c.sent")" = 300 ]
		records read "$BROKER" "java.$c" | diff "java.$c.sent" -
		kcons -e -J "java.$c" | records json | diff "java.$c.sent" -
		[ "$(stored_codecs "java.$c")" = "$c " ]
		for p in 0 1 2; do ktopic verify "$DATA/java.$c-$p"; done
	done
	# Java's producer is idempotent unless told otherwise
	"$ROOT/tests/tools/batches" "$DATA"/java.*/*.log | awk '$7 !~ /^pid=[0-9]+:0:[0-9]+$/ { print; bad = 1 } END { exit bad }'
}

@test "what kprod, kcat and librdkafka sent, in every codec, as Java reads it" {
	start_broker -X num.partitions=1
	text 2000 >lines
	grep . lines >full
	for c in $CODECS; do
		ktopic create "kcat.$c" "rd.$c"
		kprod -q -z "$c" --timestamp 1600000000123 "kprod.$c" lines
		records lines 1600000000123 <lines >"kprod.$c.sent"
		kcat -P -b "$BROKER" -t "kcat.$c" -z "$c" <full
		records read "$BROKER" "kcat.$c" >"kcat.$c.sent"
		records send "$BROKER" "rd.$c" 300 compression.type="$c" >"rd.$c.sent"
	done
	printf 'a\tone\nb\t\n\tno key\n\t\n' | kprod -q -Z -K '\t' --timestamp 1600000000123 -H name=value -H ü=ä kprod.null
	cat >kprod.null.sent <<-'E'
		0 0 1600000000123 YQ== b25l bmFtZQ==:dmFsdWU=;w7w=:w6Q=
		0 1 1600000000123 Yg== - bmFtZQ==:dmFsdWU=;w7w=:w6Q=
		0 2 1600000000123 - bm8ga2V5 bmFtZQ==:dmFsdWU=;w7w=:w6Q=
		0 3 1600000000123 - - bmFtZQ==:dmFsdWU=;w7w=:w6Q=
	E
	$KCORE_JAVA kcore.Records read "$BROKER" . $(basename -s .sent ./*.sent)
	for sent in *.sent; do
		[ -s "$sent" ]
		diff "$sent" "${sent%.sent}.read"
	done
	cut -d' ' -f5 kcat.zstd.read | base64 -di | cmp - <(tr -d '\n' <full)
}

@test "Java, kprod and librdkafka send a key to the same partition" {
	start_broker
	for t in java kprod rd; do ktopic create "$t" -p 7; done
	awk 'BEGIN { for (i = 0; i < 3000; i++) { k = sprintf("%*s", i % 40, i * 7919 ""); print (i == 9 ? "" : k "\303\274") "\tv" i } }' >in
	$KCORE_JAVA kcore.Records keys "$BROKER" in java
	kprod -q -K '\t' kprod in
	kcat -P -b "$BROKER" -t rd -K '\t' -X topic.partitioner=murmur2_random <in
	for t in java kprod rd; do
		kcat -C -q -b "$BROKER" -t "$t" -o beginning -e -f '%p %k %s\n' | sort >"$t.got"
	done
	[ "$(wc -l <java.got)" = 3000 ]
	[ "$(cut -d' ' -f1 java.got | sort -u | wc -l)" = 7 ]
	diff java.got kprod.got
	diff java.got rd.got
}

@test "Java's producer, consumer and admin client are treated as Kafka treats them" {
	start_broker
	$KCORE_JAVA kcore.Checks "$BROKER" >checks
	cat checks
	[ "$(grep -c '^ok' checks)" = "$(sed -n 's/^1\.\.//p' checks)" ]
}

@test "each API in each listed version: Kafka's parser reads the answers to their last byte" {
	start_broker
	$KCORE_JAVA kcore.Answers "$BROKER" 100 >answers
	cat answers
	[ "$(grep -c '^ok' answers)" = "$(sed -n 's/^1\.\.//p' answers)" ]
}
