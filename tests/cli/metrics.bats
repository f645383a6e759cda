#!/usr/bin/env bats
# The page of metrics as a monitoring system sees it: by Prometheus' own parser, over HTTP.
bats_require_minimum_version 1.5.0
load ../clients/support

setup() {
	PATH=$KCORE_BIN:$PATH
	cd "$BATS_TEST_TMPDIR"
}

# scraped PYTHON: runs it with the parsed families in `page`, from what was scraped last
scraped() {
	/usr/bin/python3 -c '
import sys
from prometheus_client.parser import text_string_to_metric_families
page = {}
for family in text_string_to_metric_families(open("page").read()):
    assert family.name not in page, family.name + " twice"
    page[family.name] = family
def value(name, **labels):
    found = [s.value for f in page.values() for s in f.samples if s.name == name and s.labels == labels]
    assert len(found) == 1, (name, labels, found)
    return found[0]
'"$1"
}

scrape() { curl -sfS -o page "http://$METRICS/metrics"; }

start_metered_broker() {
	start_broker -X metrics.listener=127.0.0.1:0 "$@"
	METRICS=$(sed -n 's/.*metrics at //p' broker.err)
	[ -n "$METRICS" ]
}

@test "Prometheus' parser reads the page, and finds in it what was done" {
	start_metered_broker
	seq 1000 | kprod -q t
	[ "$(kcons -e t | wc -l)" = 1000 ]
	scrape
	scraped '
assert value("kcore_partition_in_records_total", topic="t", partition="0") == 1000
assert value("kcore_partition_high_watermark", topic="t", partition="0") == 1000
assert value("kcore_partition_out_bytes_total", topic="t", partition="0") == value("kcore_partition_in_bytes_total", topic="t", partition="0") > 5000
assert value("kcore_requests_total", api="Produce") >= 1
assert value("kcore_topics") == 1
for f in page.values():
    assert f.name.startswith("kcore_") and f.documentation and f.type in ("counter", "gauge", "histogram"), f.name
    assert f.samples, f.name
'
}

@test "histograms are whole: they rise to +Inf, which is the count" {
	start_metered_broker
	seq 10 | kprod -q t
	scrape
	scraped '
apis = {}
for s in page["kcore_request_seconds"].samples:
    if s.name.endswith("_bucket"):
        apis.setdefault(s.labels["api"], []).append((float(s.labels["le"]), s.value))
assert len(apis) > 15
for api, buckets in apis.items():
    assert buckets == sorted(buckets) and len(buckets) == 18, api
    assert [n for _, n in buckets] == sorted(n for _, n in buckets), api
    assert buckets[-1][0] == float("inf")
    assert buckets[-1][1] == value("kcore_request_seconds_count", api=api) == value("kcore_requests_total", api=api)
assert apis["Produce"][-1][1] > 0
'
}

@test "the manual describes the metrics of the page, and no others" {
	start_metered_broker
	seq 10 | kprod -q t
	scrape
	sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' page | sort >there
	mandoc -T ascii -O width=1000 "$ROOT/man/kbroker.8" | sed 's/.\x08//g' |
		awk '/^[A-Z]/ { on = $1 == "METRICS" } on' | grep -o 'kcore_[a-z_]*' | sort >manual
	diff -u manual there
}

@test "without the setting nobody listens; with it, on this machine unless it says otherwise" {
	start_broker
	listening() { ss -Hltnp | grep "pid=$BROKER_PID," | awk '{ print $4 }' | grep -v ":$(cat port)$"; }
	run ! grep metrics broker.err
	[ -z "$(listening)" ]
	run ! grep libevent_extra "/proc/$BROKER_PID/maps"
	stop_broker
	: >broker.err
	start_broker -X metrics.listener=:0
	[[ $(listening) == 127.0.0.1:* ]]
	stop_broker
	: >broker.err
	start_broker -X metrics.listener=unix:m.sock
	[ "$(stat -c %a m.sock)" = 600 ]
	curl -sfS --unix-socket m.sock http://localhost/metrics | grep -q '^kcore_topics 0$'
	stop_broker
	[ ! -e m.sock ]
}

@test "an address that cannot be is refused before anything is touched" {
	for bad in 9404 localhost x://h:1 '[::1]' h:70000; do
		run -1 kbroker -d d -l 127.0.0.1:0 -X "metrics.listener=$bad"
		[[ $output == *"metrics.listener: "* ]]
	done
	start_metered_broker
	run -1 kbroker -d d -l 127.0.0.1:0 -X "metrics.listener=$METRICS"
	[[ $output == *"metrics.listener: listener $METRICS"*"in use"* ]]
	[ ! -e d ]
}

@test "many scrapes do no harm to others, nor to a broker that is stopped under them" {
	start_metered_broker
	for i in 1 2 3 4 5 6 7 8; do
		while curl -s -o /dev/null "http://$METRICS/metrics"; do :; done &
		curls+=($!)
	done
	for i in 1 2 3 4 5 6 7 8; do seq 100 | kprod -q t; done # on both reactors, on descriptors used before
	[ "$(kcons -e t | wc -l)" = 800 ]
	stop_broker
	wait "${curls[@]}" || true
}
