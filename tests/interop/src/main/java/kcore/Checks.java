package kcore;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicaAssignmentException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.TransactionalIdAuthorizationException;
import org.apache.kafka.common.errors.UnknownTopicIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.record.TimestampType;

/** Checks BOOTSTRAP: how a broker treats the Java clients; TAP on stdout. Node 1 is all of the cluster. */
public final class Checks {
    private interface Check {
        void run() throws Exception;
    }

    private final String bootstrap;
    private final Admin admin;

    private Checks(String bootstrap) {
        this.bootstrap = bootstrap;
        admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
    }

    public static void main(String[] args) {
        Checks c = new Checks(args[0]);
        Map<String, Check> all = new LinkedHashMap<>();
        all.put("the cluster", c::cluster);
        all.put("topics: create, list, describe, delete", c::topics);
        all.put("topics: what is refused, and how", c::refusals);
        all.put("a topic deleted and made anew under a producer and a consumer", c::madeAnew);
        all.put("acks 0 and 1", c::acks);
        all.put("an idempotent producer: small batches, several threads", c::idempotent);
        all.put("large records", c::large);
        all.put("LogAppendTime", c::appendTime);
        all.put("positions", c::positions);
        all.put("beyond the end", c::outOfRange);
        all.put("offsets by time", c::times);
        all.put("a consumer that waits", c::waits);
        all.put("many partitions in one fetch", c::manyPartitions);
        all.put("transactions are refused", c::transactions);
        System.out.println("1.." + all.size());
        int n = 0;
        for (var e : all.entrySet()) {
            long began = System.nanoTime();
            String result = "ok ";
            try {
                e.getValue().run();
            } catch (Exception | AssertionError x) {
                result = "not ok ";
                StackTraceElement at = Arrays.stream(x.getStackTrace())
                    .filter(s -> s.getClassName().equals(Checks.class.getName()) && !s.getMethodName().equals("equal"))
                    .findFirst().orElse(null);
                System.out.println("# " + x + " at " + at);
            }
            System.out.println(result + ++n + " - " + e.getKey() + " # " + (System.nanoTime() - began) / 1_000_000 + " ms");
        }
        System.exit(0);
    }

    private static void equal(Object got, Object want) {
        if (!Objects.equals(got, want))
            throw new AssertionError("got " + got + ", expected " + want);
    }

    private static void refused(Class<?> as, Future<?> f) throws Exception {
        try {
            f.get(20, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            equal(e.getCause().getClass(), as);
            return;
        }
        throw new AssertionError("accepted, expected " + as);
    }

    private void create(String topic, int partitions, Map<String, String> config) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(config))).all().get();
    }

    private List<RecordMetadata> send(String topic, Map<String, Object> config, List<byte[]> values) throws Exception {
        List<Future<RecordMetadata>> told = new ArrayList<>();
        try (var p = Records.producer(bootstrap, config)) {
            for (byte[] v : values)
                told.add(p.send(new ProducerRecord<>(topic, 0, null, null, v)));
        }
        List<RecordMetadata> out = new ArrayList<>();
        for (Future<RecordMetadata> f : told)
            out.add(f.get());
        return out;
    }

    private static List<byte[]> numbers(int from, int to) {
        return IntStream.range(from, to).mapToObj(i -> Records.utf8(Integer.toString(i))).toList();
    }

    private static String text(ConsumerRecord<byte[], byte[]> r) {
        return new String(r.value());
    }

    /** That many records, no more. */
    private static List<ConsumerRecord<byte[], byte[]>> poll(KafkaConsumer<byte[], byte[]> c, int count) {
        List<ConsumerRecord<byte[], byte[]>> out = new ArrayList<>();
        long deadline = System.nanoTime() + 20_000_000_000L;
        while (out.size() < count) {
            if (System.nanoTime() > deadline)
                throw new AssertionError(out.size() + " of " + count + " records came");
            c.poll(Duration.ofMillis(200)).forEach(out::add);
        }
        equal(out.size(), count);
        return out;
    }

    private KafkaConsumer<byte[], byte[]> at(String topic, long offset, Map<String, Object> config) {
        var c = Records.consumer(bootstrap, config);
        c.assign(List.of(new TopicPartition(topic, 0)));
        c.seek(new TopicPartition(topic, 0), offset);
        return c;
    }

    // ---- topics ----

    private void cluster() throws Exception {
        var d = admin.describeCluster();
        equal(d.nodes().get().stream().map(n -> n.id() + " " + n.host() + ":" + n.port()).toList(), List.of("1 " + bootstrap));
        equal(d.controller().get().id(), 1);
        equal(d.clusterId().get().length(), 22);
    }

    private void topics() throws Exception {
        var made = admin.createTopics(List.of(new NewTopic("one", Optional.empty(), Optional.empty()),
            new NewTopic("three", 3, (short) 1).configs(Map.of("segment.bytes", "1048576")),
            new NewTopic("assigned", Map.of(0, List.of(1), 1, List.of(1)))));
        made.all().get();
        equal(made.numPartitions("three").get(), 3);
        equal(made.numPartitions("one").get(), 1);
        equal(made.replicationFactor("one").get(), 1);
        equal(made.config("three").get().get("segment.bytes").value(), "1048576");
        equal(made.config("three").get().get("segment.bytes").isDefault(), false);
        equal(made.config("three").get().get("retention.ms").value(), "604800000");
        equal(made.config("three").get().get("retention.ms").isDefault(), true);
        Uuid id = made.topicId("three").get();
        equal(admin.listTopics().names().get(), Set.of("one", "three", "assigned"));
        equal(admin.listTopics().listings().get().stream().filter(t -> t.name().equals("three")).findFirst().get().topicId(), id);
        for (TopicCollection by : List.of(TopicCollection.ofTopicNames(List.of("three")), TopicCollection.ofTopicIds(List.of(id)))) {
            var answer = admin.describeTopics(by);
            TopicDescription t = (by instanceof TopicCollection.TopicIdCollection ? answer.topicIdValues().get(id)
                : answer.topicNameValues().get("three")).get();
            equal(t.name() + " " + t.topicId() + " " + t.isInternal(), "three " + id + " false");
            equal(t.partitions().stream().map(p -> p.partition() + " " + p.leader().id() + " " + p.replicas().size() + " "
                + p.isr().size()).toList(), List.of("0 1 1 1", "1 1 1 1", "2 1 1 1"));
        }
        admin.createTopics(List.of(new NewTopic("checked", 1, (short) 1)), new CreateTopicsOptions().validateOnly(true)).all().get();
        admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get();
        admin.deleteTopics(TopicCollection.ofTopicNames(List.of("one"))).all().get();
        equal(admin.listTopics().names().get(), Set.of("assigned"));
    }

    private void refusals() throws Exception {
        create("there", 1, Map.of());
        Map<NewTopic, Class<?>> why = new LinkedHashMap<>();
        why.put(new NewTopic("there", 1, (short) 1), TopicExistsException.class);
        why.put(new NewTopic("a b", 1, (short) 1), InvalidTopicException.class);
        why.put(new NewTopic("x".repeat(250), 1, (short) 1), InvalidTopicException.class);
        why.put(new NewTopic("none", 0, (short) 1), InvalidPartitionsException.class);
        why.put(new NewTopic("wide", 1, (short) 2), InvalidReplicationFactorException.class);
        why.put(new NewTopic("far", Map.of(0, List.of(7))), InvalidReplicaAssignmentException.class);
        why.put(new NewTopic("bad", 1, (short) 1).configs(Map.of("retention.ms", "soon")), InvalidConfigurationException.class);
        why.put(new NewTopic("odd", 1, (short) 1).configs(Map.of("no.such", "1")), InvalidConfigurationException.class);
        for (var e : why.entrySet())
            refused(e.getValue(), admin.createTopics(List.of(e.getKey())).all());
        refused(UnknownTopicOrPartitionException.class, admin.deleteTopics(List.of("missing")).all());
        refused(UnknownTopicIdException.class, admin.deleteTopics(TopicCollection.ofTopicIds(List.of(Uuid.randomUuid()))).all());
        refused(UnknownTopicOrPartitionException.class, admin.describeTopics(List.of("missing")).allTopicNames());
        refused(UnknownTopicIdException.class,
            admin.describeTopics(TopicCollection.ofTopicIds(List.of(Uuid.randomUuid()))).allTopicIds());
    }

    private void madeAnew() throws Exception {
        create("anew", 1, Map.of());
        try (var p = Records.producer(bootstrap, Map.of()); var c = at("anew", 0, Map.of("auto.offset.reset", "earliest"))) {
            for (int i = 0; i < 3; i++)
                equal(p.send(new ProducerRecord<>("anew", Records.utf8("old " + i))).get().offset(), (long) i);
            equal(poll(c, 3).stream().map(Checks::text).toList(), List.of("old 0", "old 1", "old 2"));
            admin.deleteTopics(List.of("anew")).all().get();
            create("anew", 1, Map.of());
            equal(p.send(new ProducerRecord<>("anew", Records.utf8("new"))).get().offset(), 0L);
            equal(text(poll(c, 1).get(0)), "new");
        }
    }

    // ---- producing ----

    private void acks() throws Exception {
        for (String acks : List.of("0", "1")) {
            String topic = "acks." + acks;
            create(topic, 1, Map.of());
            send(topic, Map.of("acks", acks, "linger.ms", 0), numbers(0, 5000));
            try (var c = at(topic, 0, Map.of())) {
                var got = poll(c, 5000);
                equal(got.stream().map(Checks::text).toList(), IntStream.range(0, 5000).mapToObj(Integer::toString).toList());
            }
        }
    }

    private void idempotent() throws Exception {
        create("idempotent", 1, Map.of());
        Map<Long, String> told = new ConcurrentSkipListMap<>();
        try (var p = Records.producer(bootstrap, Map.of("batch.size", 200, "linger.ms", 0))) {
            List<Thread> threads = new ArrayList<>();
            for (int t = 0; t < 4; t++) {
                int name = t;
                threads.add(new Thread(() -> {
                    for (int i = 0; i < 1000; i++) {
                        String v = name + " " + i;
                        p.send(new ProducerRecord<>("idempotent", Records.utf8(v)), (m, e) -> told.put(m.offset(), v));
                    }
                }));
            }
            threads.forEach(Thread::start);
            for (Thread t : threads)
                t.join();
        }
        equal(List.copyOf(told.keySet()), IntStream.range(0, 4000).mapToObj(i -> (long) i).toList());
        try (var c = at("idempotent", 0, Map.of())) {
            List<String> got = poll(c, 4000).stream().map(Checks::text).toList();
            equal(got, List.copyOf(told.values()));
            for (int t = 0; t < 4; t++) {
                String name = t + " ";
                equal(got.stream().filter(v -> v.startsWith(name)).toList(),
                    IntStream.range(0, 1000).mapToObj(i -> name + i).toList());
            }
        }
    }

    private void large() throws Exception {
        create("large", 1, Map.of());
        // 72 bytes around one value; 1048588 are allowed
        List<byte[]> values = IntStream.range(0, 10).mapToObj(i -> {
            byte[] b = new byte[1_048_516 - i * 1000];
            Arrays.fill(b, (byte) i);
            return b;
        }).toList();
        send("large", Map.of("max.request.size", 3_000_000), values);
        try (var c = at("large", 0, Map.of("max.partition.fetch.bytes", 10_000, "fetch.max.bytes", 10_000));
                var p = Records.producer(bootstrap, Map.of("max.request.size", 3_000_000, "linger.ms", 0))) {
            var got = poll(c, 10);
            for (int i = 0; i < 10; i++)
                equal(Arrays.equals(got.get(i).value(), values.get(i)), true);
            p.send(new ProducerRecord<>("large", Records.utf8("before"))).get();
            refused(RecordTooLargeException.class, p.send(new ProducerRecord<>("large", new byte[1_048_517])));
            p.send(new ProducerRecord<>("large", Records.utf8("after"))).get();
            equal(poll(c, 2).stream().map(Checks::text).toList(), List.of("before", "after"));
        }
    }

    private void appendTime() throws Exception {
        create("append", 1, Map.of("message.timestamp.type", "LogAppendTime"));
        for (String codec : List.of("none", "zstd")) {
            long before = System.currentTimeMillis();
            var told = send("append", Map.of("compression.type", codec), numbers(0, 100));
            long after = System.currentTimeMillis();
            try (var c = at("append", told.get(0).offset(), Map.of())) {
                var got = poll(c, 100);
                for (int i = 0; i < 100; i++) {
                    equal(got.get(i).timestampType(), TimestampType.LOG_APPEND_TIME);
                    equal(got.get(i).timestamp(), told.get(i).timestamp());
                    equal(before <= got.get(i).timestamp() && got.get(i).timestamp() <= after, true);
                }
            }
        }
    }

    private void transactions() {
        try (var p = Records.producer(bootstrap, Map.of("transactional.id", "one"))) {
            p.initTransactions();
        } catch (TransactionalIdAuthorizationException e) {
            return;
        }
        throw new AssertionError("accepted");
    }

    // ---- positions ----

    private void positions() throws Exception {
        for (String codec : List.of("none", "lz4")) {
            String topic = "positions." + codec;
            create(topic, 1, Map.of("segment.bytes", "20000"));
            for (int n = 0; n < 10; n++)
                send(topic, Map.of("compression.type", codec, "linger.ms", 100, "batch.size", 18_000),
                    numbers(n * 1000, n * 1000 + 1000));
            TopicPartition tp = new TopicPartition(topic, 0);
            for (String isolation : List.of("read_uncommitted", "read_committed"))
                try (var c = Records.consumer(bootstrap, Map.of("max.poll.records", 1, "isolation.level", isolation))) {
                    c.assign(List.of(tp));
                    equal(c.endOffsets(List.of(tp)), Map.of(tp, 10_000L));
                    equal(c.beginningOffsets(List.of(tp)), Map.of(tp, 0L));
                    for (int at : new int[] {0, 1, 999, 1000, 1500, 5555, 9998, 9999}) {
                        c.seek(tp, at);
                        var r = poll(c, 1).get(0);
                        equal(r.offset() + " " + text(r), at + " " + at);
                    }
                    c.seekToEnd(List.of(tp));
                    equal(c.position(tp), 10_000L);
                    equal(c.poll(Duration.ofMillis(100)).count(), 0);
                }
        }
    }

    private void outOfRange() throws Exception {
        create("range", 1, Map.of());
        send("range", Map.of(), numbers(0, 1));
        try (var c = at("range", 2, Map.of("auto.offset.reset", "none"))) {
            poll(c, 1);
            throw new AssertionError("accepted");
        } catch (OffsetOutOfRangeException e) {
            equal(e.offsetOutOfRangePartitions(), Map.of(new TopicPartition("range", 0), 2L));
        }
        try (var c = at("range", 2, Map.of("auto.offset.reset", "earliest"))) {
            equal(text(poll(c, 1).get(0)), "0");
        }
    }

    /** Timestamps out of order, over several segments, held to a search through all records. */
    private void times() throws Exception {
        create("times", 1, Map.of("segment.bytes", "3000", "index.interval.bytes", "100"));
        TopicPartition tp = new TopicPartition("times", 0);
        long base = 1_600_000_000_000L;
        for (int n = 0; n < 20; n++)
            try (var p = Records.producer(bootstrap, Map.of("compression.type", n % 2 == 0 ? "none" : "gzip", "linger.ms", 100))) {
                for (int i = 0; i < 25; i++)
                    p.send(new ProducerRecord<>("times", 0, base + (n * 1000 + i * 37) % 7001, null, new byte[20]));
            }
        List<Records.Line> have = Records.read(bootstrap, "times", Map.of());
        try (var c = Records.consumer(bootstrap, Map.of())) {
            for (long t = base - 100; t < base + 7300; t += 61) {
                long want = t;
                var line = have.stream().filter(l -> l.timestamp() >= want).findFirst();
                var got = c.offsetsForTimes(Map.of(tp, t)).get(tp);
                equal(got == null ? null : got.offset() + " " + got.timestamp(),
                    line.map(l -> l.offset() + " " + l.timestamp()).orElse(null));
            }
        }
        var max = admin.listOffsets(Map.of(tp, OffsetSpec.maxTimestamp())).partitionResult(tp).get();
        long newest = have.stream().mapToLong(Records.Line::timestamp).max().getAsLong();
        equal(max.timestamp(), newest);
        equal(have.get((int) max.offset()).timestamp(), newest);
        equal(admin.listOffsets(Map.of(tp, OffsetSpec.latest())).partitionResult(tp).get().offset(), 500L);
        equal(admin.listOffsets(Map.of(tp, OffsetSpec.earliest())).partitionResult(tp).get().offset(), 0L);
        equal(admin.listOffsets(Map.of(tp, OffsetSpec.earliestLocal())).partitionResult(tp).get().offset(), 0L);
    }

    /** Each record is there when it comes, not when the wait is over. */
    private void waits() throws Exception {
        create("waits", 1, Map.of());
        var c = at("waits", 0, Map.of("fetch.max.wait.ms", 20_000));
        try (var p = Records.producer(bootstrap, Map.of("linger.ms", 0))) {
            for (int i = 0; i < 50; i++) {
                long began = System.nanoTime();
                p.send(new ProducerRecord<>("waits", Records.utf8("" + i)));
                equal(text(poll(c, 1).get(0)), "" + i);
                equal(System.nanoTime() - began < 15_000_000_000L, true);
            }
            // A consumer closes when its fetch has been answered, which waits for one more record.
            Thread closing = new Thread(c::close);
            closing.start();
            p.send(new ProducerRecord<>("waits", Records.utf8("last"))).get();
            closing.join(15_000);
            equal(closing.isAlive(), false);
        }
    }

    private void manyPartitions() throws Exception {
        create("many", 100, Map.of());
        try (var p = Records.producer(bootstrap, Map.of()); var c = Records.consumer(bootstrap, Map.of())) {
            List<TopicPartition> all = Records.partitions(c, "many");
            equal(all.size(), 100);
            c.assign(all);
            c.seekToBeginning(all);
            for (int round = 0; round < 3; round++) {
                for (int i = 0; i < 1000; i++)
                    p.send(new ProducerRecord<>("many", i % 100, null, Records.utf8(round + " " + i)));
                p.flush();
                var got = poll(c, 1000).stream().collect(Collectors.groupingBy(ConsumerRecord::partition));
                for (int k = 0; k < 100; k++) {
                    int part = k, r = round;
                    equal(got.getOrDefault(k, Collections.emptyList()).stream().map(Checks::text).toList(),
                        IntStream.range(0, 10).mapToObj(i -> r + " " + (i * 100 + part)).toList());
                }
            }
        }
    }
}
