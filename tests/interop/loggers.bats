#!/usr/bin/env bats
# The loggers as Kafka's own kafka-configs sees and changes them.
bats_require_minimum_version 1.5.0
load ../clients/support

setup() { cd "$BATS_TEST_TMPDIR"; }

configs() {
	$KCORE_TOOLS kafka.admin.ConfigCommand --bootstrap-server "$BROKER" --entity-type broker-loggers --entity-name 1 "$@" 2>&1
}

levels() { configs --describe | sed -nE 's/^ +([a-z.]+=[A-Z]+) .*/\1/p' | sort | tr '\n' ' '; }

@test "kafka-configs describes the loggers, sets and removes levels, and is refused what cannot be" {
	start_broker
	[ "$(levels)" = "kcore.broker=INFO kcore.catalog=INFO kcore.log=INFO kcore.net=INFO kcore=INFO root=INFO " ]
	configs --alter --add-config kcore.log=DEBUG,root=WARN | grep -q Completed
	[ "$(levels)" = "kcore.broker=WARN kcore.catalog=WARN kcore.log=DEBUG kcore.net=WARN kcore=WARN root=WARN " ]
	configs --alter --add-config kcore=LOUD | grep -q InvalidConfigurationException
	configs --alter --delete-config root | grep -q InvalidRequestException
	configs --alter --delete-config kcore.log | grep -q Completed
	[ "$(levels)" = "kcore.broker=WARN kcore.catalog=WARN kcore.log=WARN kcore.net=WARN kcore=WARN root=WARN " ]
}
