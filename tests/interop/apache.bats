#!/usr/bin/env bats
# Our tools against a broker of Apache Kafka, through no code of ours on its side.

setup_file() {
	mkdir -p "$B/interop-server"
	local build
	build=$(cd "$B/interop-server" && pwd)
	mvn -q -B -Dstyle.color=never -f tests/interop/server/pom.xml -Dinterop.build="$build" compile \
		dependency:build-classpath -Dmdep.outputFile="$build/classpath"
	ASKED="java -cp $build/classes:$(cat "$build/classpath") kcore.Asked"
	export ASKED
}

@test "kprod, kcons and ktopic at work on Apache Kafka" {
	seq 100000 >"$BATS_TEST_TMPDIR/in"
	PATH=$KCORE_BIN:$PATH $ASKED "$BATS_TEST_TMPDIR/kafka" "$PWD/tests/interop/tools" "$BATS_TEST_TMPDIR/in"
}
