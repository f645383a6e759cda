#!/usr/bin/env bats
# kcons --dir on what Apache Kafka wrote, against what its own consumer read out of it.
bats_require_minimum_version 1.5.0

setup() {
	KAFKA=$(cd "$BATS_TEST_DIRNAME/.." && pwd)/fixtures/kafka-4.3.1
	PATH=$KCORE_BIN:$PATH
	cd "$BATS_TEST_TMPDIR"
}

# records COMMITTED: KafkaConsumer's, and ours in the same form; kcons's JSON lines come on stdin
compare() {
	/usr/bin/python3 /dev/fd/9 "$KAFKA/records.jsonl.gz" "$1" 9<<-'END'
		import base64, gzip, json, sys
		def b64(v):
		    if v is None: return None
		    if isinstance(v, dict): return v['base64']
		    return base64.b64encode(v.encode()).decode()
		ours = [json.loads(l) for l in sys.stdin]
		theirs = [r for r in map(json.loads, gzip.open(sys.argv[1], 'rt')) if r['committed'] == (sys.argv[2] == 'true')]
		topics = {r['topic'] for r in ours}
		theirs = [r for r in theirs if r['topic'] in topics]
		key = lambda r: (r['topic'], r['offset'])
		assert ours and len(ours) == len(theirs), (len(ours), len(theirs))
		for o, t in zip(sorted(ours, key=key), sorted(theirs, key=key)):
		    assert o['partition'] == 0 and o['topic'] == t['topic']
		    for k in 'offset', 'timestamp': assert o[k] == t[k], (o, t)
		    for k in 'key', 'value': assert b64(o[k]) == t[k], (o, t)
		    assert [[b64(n), b64(v)] for n, v in o['headers']] == t['headers'], (o, t)
	END
}

topics() { ls -d "$KAFKA"/*-0 | sed 's|.*/||; s|-0$||'; }

@test "every topic: the records that Kafka's consumer read, committed and not" {
	for t in $(topics); do
		echo "topic $t"
		kcons --dir "$KAFKA" -e -J "$t" >out
		[ ! -s out ] || compare true <out
		kcons --dir "$KAFKA" -e -J --read-uncommitted "$t" >out
		[ ! -s out ] || compare false <out
	done
	kcons --dir "$KAFKA" -e -J $(topics) | compare true
}

@test "aborted and open transactions are not there unless asked for" {
	kcons --dir "$KAFKA" -e txn -f '%o\n' >committed
	kcons --dir "$KAFKA" -e txn -f '%o\n' --read-uncommitted >all
	[ "$(wc -l <all)" -gt "$(wc -l <committed)" ]
	[ -z "$(comm -13 <(sort all) <(sort committed))" ]
}

@test "the options are those of the other way" {
	kcons --dir "$KAFKA" -e codec.zstd -f '%o\n' >all
	n=$(wc -l <all)
	[ "$n" -gt 10 ]
	kcons --dir "$KAFKA" -e codec.zstd -f '%o\n' -o -3 | cmp - <(tail -3 all)
	kcons --dir "$KAFKA" codec.zstd -f '%o\n' -c 4 | cmp - <(head -4 all)
	kcons --dir "$KAFKA" -e codec.zstd -f '%o\n' -o 5 | cmp - <(awk '$1 >= 5' all)
	kcons --dir "$KAFKA" codec.zstd -f '%o\n' --until 5 | cmp - <(awk '$1 < 5' all)
	kcons --dir "$KAFKA" -e codec.zstd -f '%o %T\n' >times
	t=$(sed -n 7p times | cut -d' ' -f2)
	kcons --dir "$KAFKA" -e codec.zstd -f '%o %T\n' --from "@$t" | cmp - <(awk -v t="$t" '$2 >= t' times)
	kcons --dir "$KAFKA" codec.zstd -f '%o %T\n' --until "@$t" | cmp - <(awk -v t="$t" '$2 < t' times)
}

@test "what is not there" {
	run --separate-stderr -1 kcons --dir "$KAFKA" -e codec.ztsd
	[[ $stderr == *'did you mean codec.zstd?'* ]]
	run --separate-stderr -1 kcons --dir "$KAFKA" -e txn -p 1
	[[ $stderr == *'no partition 1'* ]]
	run --separate-stderr -1 kcons --dir ./nowhere -e t
	[[ $stderr == *nowhere* ]]
	run --separate-stderr -3 kcons --dir "$KAFKA" codec.none -o end --timeout 0.2
}

@test "damage in the middle is told, with what was before it written" {
	cp -r "$KAFKA/rolls-0" t-0
	f=$(ls t-0/*.log | head -1)
	kcons --dir . -e t -f '%o\n' >all
	printf '\xff\xff' | dd of="$f" bs=1 seek=$(($(stat -c %s "$f") / 2)) conv=notrunc status=none
	run --separate-stderr -1 kcons --dir . -e t -f '%o\n'
	[[ $stderr == *t-0* ]]
	[ -n "$output" ]
	head -$(wc -l <<<"$output") all | cmp - <(echo "$output")
}

@test "it follows a directory that grows" {
	mkdir d
	kbroker -d d -l 127.0.0.1:0 --port-file port 2>err 3>&- &
	broker=$!
	until [ -s port ]; do kill -0 $broker; done
	export KCORE_BOOTSTRAP=127.0.0.1:$(cat port)
	echo one | kprod -q t
	mkfifo pipe
	kcons --dir d t >pipe 3>&- &
	exec 8<pipe
	read -r -u 8 -t 30 line
	[ "$line" = one ]
	echo two | kprod t
	read -r -u 8 -t 30 line
	[ "$line" = two ]
	exec 8<&-
	status=0
	wait $! || status=$?
	[ "$status" = 141 ]
	kill $broker
	wait $broker
}
