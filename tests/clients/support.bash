# A kbroker of the test's own, and what the client tests share. Needs $KCORE_BIN (tests/run sets it).
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# start_broker [option...]: sets BROKER (host:port), BROKER_PID, DATA. Returns when the broker says it is ready.
start_broker() {
	local line
	DATA=$BATS_TEST_TMPDIR/data
	exec {BROKER_ERR}< <(exec "$KCORE_BIN/kbroker" -d "$DATA" -l 127.0.0.1:0 \
		--port-file "$BATS_TEST_TMPDIR/port" "$@" 2>&1 3>&- >/dev/null)
	BROKER_PID=$!
	while IFS= read -r line <&"$BROKER_ERR"; do
		echo "$line" >>"$BATS_TEST_TMPDIR/broker.err"
		case $line in *'ready in'*) break ;; esac
	done
	cat <&"$BROKER_ERR" >>"$BATS_TEST_TMPDIR/broker.err" 3>&- &
	BROKER=127.0.0.1:$(cat "$BATS_TEST_TMPDIR/port")
	export KCORE_BOOTSTRAP=$BROKER
	PATH=$KCORE_BIN:$PATH
}

# stop_broker: asks, and expects a clean end.
stop_broker() {
	[ -n "${BROKER_PID:-}" ] || return 0
	kill "$BROKER_PID" && wait "$BROKER_PID"
	BROKER_PID=
}

teardown() {
	if [ -n "${BROKER_PID:-}" ]; then
		kill "$BROKER_PID" 2>/dev/null
		wait "$BROKER_PID" 2>/dev/null
	fi
	[ ! -e "$BATS_TEST_TMPDIR/broker.err" ] || sed 's/^/# broker: /' "$BATS_TEST_TMPDIR/broker.err"
}

# stored_codecs TOPIC: the codecs of the batches on disk, each once, from the attribute bits.
stored_codecs() {
	"$ROOT/tests/tools/batches" "$DATA/$1"-*/*.log | cut -d' ' -f3 | sort -u | tr '\n' ' '
}

# text N: N numbered lines, with empty ones, CR LF, UTF-8 and a long one among them.
text() {
	awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) {
		if (i % 50 == 7) print ""; else if (i % 50 == 9) printf "line %d\r\n", i
		else if (i % 50 == 11) printf "zeile %d \xc3\xa4\xc3\xb6\xc3\xbc\n", i
		else if (i == 500) { for (k = 0; k < 5000; k++) printf "x"; print "" } else print "line", i } }'
}
