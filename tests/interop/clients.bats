#!/usr/bin/env bats
# Real clients against kbroker. What each is asked to do stands in clients/table, how in clients/README: each
# writes, administers and asks, then each reads all that has been written. The records are seeded, so that what
# must come is known without any client.
load ../clients/support

CLIENTS=$ROOT/tests/interop/clients

setup_file() {
	export LC_ALL=C.UTF-8
	mkdir "$BATS_FILE_TMPDIR/expected"
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR start_broker
	export BROKER DATA PATH
	echo "$BROKER_PID" >"$BATS_FILE_TMPDIR/pid"
	cd "$BATS_FILE_TMPDIR"
	date +%s000 >now
	for kind in whole most text; do "$CLIENTS/records.py" make $kind "$(($(cat now) - 3600000))" >$kind; done
	# timestamps that go up and down, and what a search through all of them finds
	ktopic create times -p 2
	for t in 5000 1000 3000 9000 2000 7000; do
		for p in 0 1; do echo "$t" | kprod -q -p $p --timestamp "1600000$((t * (p + 1) + 100000))" times; done
	done
	kcons -q -e -f '%p %o %T\n' times >stored
	TIMES='0 1600000101000 1600000105000 1600000105001 1600000109001 1600000118000 1600000118001'
	export TIMES
	for t in $TIMES; do
		for p in 0 1; do
			awk -v p=$p -v t="$t" '$1 == p && $3 >= t && (found == "" || $2 < found) { found = $2 }
				END { print p, t, found == "" ? -1 : found }' stored
		done
	done >times.expected
	cat >admin.expected <<-E
		create create again: error 36
		describe 0 leader 1 replicas [1] isr [1]
		describe 1 leader 1 replicas [1] isr [1]
		partitions 0 leader 1 replicas [1] isr [1]
		partitions 1 leader 1 replicas [1] isr [1]
		partitions 2 leader 1 replicas [1] isr [1]
		configs retention.ms=12345678
		configs segment.bytes=1048576
		configs max.message.bytes=1048588
		configs retention.ms=23456789
		configs segment.bytes=1048576
		configs max.message.bytes=1048588
		cluster controller 1
		cluster node 1 $BROKER
		delete gone
	E
}

teardown_file() {
	kill "$(cat "$BATS_FILE_TMPDIR/pid")"
}

setup() {
	cd "$BATS_FILE_TMPDIR"
}

# asked CLIENT COLUMN...: those of the columns that the table has a yes for; with `writes` the kind
asked() {
	awk -v client="$1" -v columns="${*:2}" '
		/^# client / { for (i = 2; i <= NF; i++) at[$i] = i - 1 }
		$1 == client { n = split(columns, c, " "); for (i = 1; i <= n; i++) { v = $at[c[i]]; if (v != "-") print v == "yes" ? c[i] : v } }
	' "$CLIENTS/table" | paste -sd' '
}

# client NAME: the program
client() {
	local classes=${KCORE_JAVA#*-cp }
	case $1 in
	java-*) echo "java -cp ${classes%%:*}:$(cat "$KCORE_INTEROP/classpath.${1#java-}") kcore.Client" ;;
	tools) echo "$KCORE_TOOLS kcore.Tools" ;;
	franz | sarama) echo "$KCORE_INTEROP/go-client $1" ;;
	kafkajs) echo "node $KCORE_INTEROP/kafkajs/client.js" ;;
	*) echo "$CLIENTS/$1" ;;
	esac
}

# tell CLIENT: the tasks on stdin; all of them must be done
tell() {
	local command
	read -ra command <<<"$(client "$1")"
	cat >"$1.tasks"
	timeout 120 "${command[@]}" "$BROKER" <"$1.tasks" >"$1.told"
	cat "$1.told"
	diff <(sed 's/^/ok /' "$1.tasks") "$1.told"
}

in_partitions() { sort -s -k1,1 -k2,2n; }

# ---- what one has written, by one of ours, and on the disk ----

# stored CLIENT KIND CODEC
stored() {
	local topic=$1.$3
	kcons -q -e -J "$topic" | "$CLIENTS/records.py" kcons | in_partitions >got
	"$CLIENTS/records.py" expect "$topic" <"$2" | in_partitions >want
	if [ "$2" = text ]; then # the times are the client's
		diff <("$CLIENTS/records.py" untimed <want) <("$CLIENTS/records.py" untimed <got)
		awk -v from="$(cat now)" -v to="$(date +%s999)" -v ours="$(($(cat now) - 3600000))" \
			'$4 != ours && ($4 < from || $4 > to) { print; bad = 1 } END { exit bad }' got
	else
		diff want got
		diff <(cut -d' ' -f2,3 want | sort) <(sort "$topic.sent")
	fi
	cp got "expected/$topic"
	# small batches may stay plain where compressing makes no smaller
	"$ROOT/tests/tools/batches" "$DATA/$topic"-*/*.log >batches
	[ "$(awk '$2 > 5 { print $3 }' batches | sort -u)" = "$3" ]
}

writes() { # CLIENT
	local kind codecs things codec
	kind=$(asked "$1" writes) codecs=$(asked "$1" none gzip snappy lz4 zstd)
	things=$(asked "$1" create describe partitions configs cluster delete)
	[ -n "$kind" ] && [ -n "$codecs" ]
	[ -z "$(asked "$1" trim)" ] || { ktopic create "trim.$1" && seq 10 | kprod -q "trim.$1"; }
	# who cannot make a topic is shown one
	[ -z "$things" ] || [[ $things == create* ]] || ktopic create "admin.$1" -p 2
	for codec in $codecs; do ktopic create "$1.$codec" -p "$([ "$kind" = text ] && echo 1 || echo 2)"; done
	{
		for codec in $codecs; do echo "send $1.$codec $codec $kind $1.$codec.sent"; done
		[ -z "$(asked "$1" times)" ] || echo "times $1.times times $TIMES"
		[ -z "$things" ] || echo "admin $1.admin admin.$1 $things"
		[ -z "$(asked "$1" trim)" ] || echo "trim $1.trim trim.$1 4"
		[ -z "$(asked "$1" anew)" ] || echo "anew $1.anew anew.$1"
	} | tell "$1"
	for codec in $codecs; do stored "$1" "$kind" "$codec"; done
	[ -z "$(asked "$1" times)" ] || diff times.expected "$1.times"
	[ -z "$things" ] || for t in $things; do sed -n "s/^$t //p" admin.expected; done | diff - "$1.admin"
	[ -z "$(asked "$1" anew)" ] || printf '%s\n' '0 first' '1 second' '0 third' '1 fourth' | diff - "$1.anew"
	if [ -n "$(asked "$1" trim)" ]; then
		printf '%s\n' 'low 4' 'start 4' 'end 10' | diff - "$1.trim"
		[ "$(kcons -q -e "trim.$1" | paste -sd' ')" = '5 6 7 8 9 10' ]
	fi
}

@test "ours" { writes ours; }
@test "kcat" { writes kcat; }
@test "python3-confluent-kafka" { writes confluent; }
@test "python3-kafka" { writes kafka-python; }
@test "kafkajs 2.2.4" { writes kafkajs; }
@test "kafka-clients 4.4.0" { writes java-4.4.0; }
@test "kafka-clients 3.9.1" { writes java-3.9.1; }
@test "kafka-clients 2.8.2" { writes java-2.8.2; }
@test "Kafka's command-line tools 4.3.1" { writes tools; }
@test "franz-go 1.22.3" { writes franz; }
@test "Sarama 1.61.1" { writes sarama; }

# ---- what all have written, by each ----

reads() { # CLIENT
	local topics
	topics=$(cd expected && ls | paste -sd' ')
	[ "$(wc -w <<<"$topics")" = $((11 * 5 - 1)) ]
	echo "read $1.read $topics" | tell "$1"
	cat expected/* | in_partitions >all
	if [ "$1" = kcat ]; then "$CLIENTS/records.py" kcat <all >all.kcat && mv all.kcat all; fi
	in_partitions <"$1.read" >got
	cmp all got || diff all got | cut -c1-200 | head -20
	cmp all got
}

@test "the table's readers are those that are asked here" {
	for c in $(grep -v '^#' "$CLIENTS/table" | cut -d' ' -f1); do [ -z "$(asked "$c" reads)" ] || echo "{ reads $c; }"; done >readers
	sed -n 's/^@test "read by.* \({ reads .*\)/\1/p' "$BATS_TEST_FILENAME" | diff readers -
	sed -n 's/^@test .* { writes \(.*\); }$/\1/p' "$BATS_TEST_FILENAME" |
		diff <(grep -v '^#' "$CLIENTS/table" | cut -d' ' -f1) -
}

@test "read by ours" { reads ours; }
@test "read by kcat" { reads kcat; }
@test "read by python3-confluent-kafka" { reads confluent; }
@test "read by python3-kafka" { reads kafka-python; }
@test "read by kafka-clients 4.4.0" { reads java-4.4.0; }
@test "read by kafka-clients 3.9.1" { reads java-3.9.1; }
@test "read by kafka-clients 2.8.2" { reads java-2.8.2; }
@test "read by Kafka's console consumer" { reads tools; }
@test "read by franz-go" { reads franz; }
@test "read by Sarama" { reads sarama; }

# ---- the other tools of Kafka ----

# EndToEndLatency and the consumer's tools commit offsets: they need groups.
@test "ProducerPerformance, LogDirs, BrokerApiVersions, features, cluster id" {
	local tools=org.apache.kafka.tools
	ktopic create perf
	tell tools <<-E
		run perf.out $tools.ProducerPerformance --bootstrap-server $BROKER --topic perf --num-records 5000 --payload-monotonic --throughput -1
		run dirs.out $tools.LogDirsCommand --bootstrap-server $BROKER --describe --topic-list perf
		run api.out $tools.BrokerApiVersionsCommand --bootstrap-server $BROKER
		run features.out $tools.FeatureCommand --bootstrap-server $BROKER describe
		run id.out $tools.ClusterTool cluster-id --bootstrap-server $BROKER
	E
	cat perf.out dirs.out features.out id.out
	grep -q '^5000 records sent' perf.out
	kcons -q -e perf | cmp - <(seq 0 4999)
	[[ $(sed -n 's/.*"partition":"perf-0","size":\([0-9]*\),"offsetLag":0,.*/\1/p' dirs.out) = $(stat -c %s "$DATA"/perf-0/*.log) ]]
	grep -q "^$BROKER (id: 1 rack: null isFenced: false) -> ($" api.out
	grep -q 'Produce(0): 0 to 13' api.out
	[ "$(sed -n 's/^Cluster ID: //p' id.out)" = "$(sed -n 's/^cluster.id=//p' "$DATA/meta.properties")" ]
}
