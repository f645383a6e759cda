package kcore;

import java.io.BufferedOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Fixtures OUT: partitions that Apache Kafka wrote, with what its own tools read out of them.
 * OUT/TOPIC-0/ are the files; OUT/records.jsonl.gz what KafkaConsumer gave, bytes in base64;
 * OUT/dump.txt.gz what DumpLogSegments says of every file.
 */
public final class Fixtures {
    private static final long EPOCH = 1_700_000_000_000L;
    private static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    private final Random random = new Random(1);
    private final Broker broker;
    private final Path out;
    private final PrintStream records;

    private Fixtures(Path base, Path out) throws Exception {
        this.out = out;
        broker = new Broker(base);
        records = zipped("records.jsonl.gz");
    }

    public static void main(String[] args) throws Exception {
        Path base = Files.createTempDirectory("kcore-fixtures");
        new Fixtures(base, Path.of(args[0])).make();
        System.exit(0); // a transaction is left open on purpose
    }

    private PrintStream zipped(String name) throws Exception {
        OutputStream file = Files.newOutputStream(out.resolve(name));
        return new PrintStream(new BufferedOutputStream(new GZIPOutputStream(file)), false, StandardCharsets.UTF_8);
    }

    private void make() throws Exception {
        List<String> topics = new ArrayList<>(CODECS.stream().map(c -> "codec." + c).toList());
        topics.addAll(List.of("append-time", "txn", "rolls", "compacted"));
        broker.start();
        for (String codec : CODECS)
            codec("codec." + codec, codec);
        appendTime();
        transactions();
        rolls();
        compacted();
        create("large", Map.of());
        for (String topic : topics)
            read(topic, 0);
        broker.stop();
        keep(topics);

        largeOffsets();
        crashed();
        records.close();
        dump();
    }

    // ---- topics ----

    private void create(String topic, Map<String, String> config) throws Exception {
        Map<String, String> all = new HashMap<>(Map.of("retention.ms", "-1", "segment.index.bytes", "1200",
            "index.interval.bytes", "200", "message.timestamp.before.max.ms", String.valueOf(Long.MAX_VALUE)));
        all.putAll(config);
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", broker.address()))) {
            admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1).configs(all))).all().get();
        }
    }

    private KafkaProducer<byte[], byte[]> producer(String codec, Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", broker.address(),
            "compression.type", codec, "linger.ms", 2000, "batch.size", 1 << 20, "max.request.size", 1 << 20));
        config.putAll(more);
        return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private static byte[] utf8(String s) {
        return s.getBytes(StandardCharsets.UTF_8);
    }

    /** Null, empty, short, not UTF-8, and now and then longer than the codecs' blocks. */
    private byte[] bytes(int i, boolean big) {
        if (i % 7 == 3)
            return null;
        if (i % 7 == 5)
            return new byte[0];
        byte[] b = i == 11 && big ? new byte[200_000] : new byte[random.nextInt(200)];
        for (int k = 0; k < b.length; k++)
            b[k] = (byte) (i % 3 == 0 ? random.nextInt(256) : "kcore ".charAt(k % 6));
        for (int k = 0; b.length > 1000 && k < 100; k++)
            b[random.nextInt(b.length)] = (byte) random.nextInt(256);
        return b;
    }

    private ProducerRecord<byte[], byte[]> record(String topic, int i, boolean big) {
        ProducerRecord<byte[], byte[]> r = new ProducerRecord<>(topic, 0, EPOCH + (i * 7919L) % 100_000,
            i % 2 == 0 ? utf8("key " + i) : bytes(i, false), bytes(i, big));
        for (int h = 0; h < i % 4; h++)
            r.headers().add(h == 2 ? "" : "name " + h, bytes(i + h, false));
        return r;
    }

    private void codec(String topic, String codec) throws Exception {
        create(topic, Map.of());
        try (var p = producer(codec, Map.of())) {
            for (int i = 0; i < 90; i++) {
                p.send(record(topic, i, !codec.equals("none")));
                if (i % 30 == 29 || i == 0)
                    p.flush();
            }
        }
    }

    private void appendTime() throws Exception {
        create("append-time", Map.of("message.timestamp.type", "LogAppendTime"));
        for (String codec : CODECS)
            try (var p = producer(codec, Map.of())) {
                for (int i = 0; i < 5; i++)
                    p.send(record("append-time", i, false));
            }
    }

    private void transactions() throws Exception {
        create("txn", Map.of("segment.ms", "1000"));
        try (var p = producer("none", Map.of()); var t = producer("lz4", Map.of("transactional.id", "one"));
                var u = producer("none", Map.of("transactional.id", "two"))) {
            t.initTransactions();
            u.initTransactions();
            for (int round = 0; round < 4; round++) {
                t.beginTransaction();
                u.beginTransaction();
                for (int i = 0; i < 3; i++) {
                    t.send(at("txn", round, "t" + round + i));
                    u.send(at("txn", round, "u" + round + i));
                    p.send(at("txn", round, "p" + round + i));
                    t.flush();
                    u.flush();
                    p.flush();
                }
                if (round % 2 == 0)
                    t.commitTransaction();
                else
                    t.abortTransaction();
                if (round < 2)
                    u.abortTransaction();
                else
                    u.commitTransaction();
            }
        }
        var open = producer("none", Map.of("transactional.id", "three"));
        open.initTransactions();
        open.beginTransaction();
        open.send(at("txn", 9, "open"));
        open.flush();
    }

    private ProducerRecord<byte[], byte[]> at(String topic, int second, String value) {
        return new ProducerRecord<>(topic, 0, EPOCH + second * 10_000L, utf8(value.substring(0, 1)), utf8(value));
    }

    private void rolls() throws Exception {
        create("rolls", Map.of("segment.ms", "1000"));
        for (int segment = 0; segment < 4; segment++)
            try (var p = producer("none", Map.of())) {
                for (int i = 0; i < 12; i++) {
                    p.send(at("rolls", segment, "segment " + segment + " record " + i));
                    p.flush();
                }
            }
    }

    /** Ends when the cleaner has gone over all but the newest segment. */
    private void compacted() throws Exception {
        create("compacted", Map.of("cleanup.policy", "compact", "segment.ms", "1000",
            "min.cleanable.dirty.ratio", "0.01", "min.compaction.lag.ms", "0"));
        for (int segment = 0; segment < 4; segment++)
            try (var p = producer(CODECS.get(segment), Map.of())) {
                for (int i = 0; i < 20; i++) {
                    byte[] key = utf8("key " + random.nextInt(12));
                    p.send(new ProducerRecord<>("compacted", 0, EPOCH + segment * 10_000L + i, key,
                        i % 5 == 4 ? null : utf8("value " + segment + " " + i)));
                    if (i % 4 == 3)
                        p.flush();
                }
            }
        Path checkpoint = broker.dir.resolve("cleaner-offset-checkpoint");
        for (int i = 0; i < 600; i++) {
            if (Files.exists(checkpoint) && Files.readString(checkpoint).contains("compacted 0 60"))
                return;
            Thread.sleep(100);
        }
        throw new IllegalStateException("the cleaner did not come by");
    }

    /** The empty partition gets a segment that begins beyond 2^32; the broker goes on from there. */
    private void largeOffsets() throws Exception {
        Path partition = broker.dir.resolve("large-0");
        for (String suffix : List.of(".log", ".index", ".timeindex"))
            if (Files.exists(partition.resolve("0".repeat(20) + suffix)))
                Files.move(partition.resolve("0".repeat(20) + suffix),
                    partition.resolve(String.format("%020d%s", 5_000_000_000L, suffix)));
        broker.start();
        try (var p = producer("zstd", Map.of())) {
            for (int i = 0; i < 20; i++) {
                p.send(record("large", i, false));
                if (i % 5 == 0)
                    p.flush();
            }
        }
        read("large", 5_000_000_000L);
        broker.stop();
        keep(List.of("large"));
    }

    /** Killed while it writes: indexes with tails of zeros. */
    private void crashed() throws Exception {
        broker.start();
        create("crashed", Map.of("segment.ms", "1000"));
        try (var p = producer("none", Map.of())) {
            for (int i = 0; i < 40; i++) {
                p.send(at("crashed", i / 20, "record " + i));
                p.flush();
            }
        }
        read("crashed", 0);
        broker.kill();
        keep(List.of("crashed"));
    }

    // ---- what is kept ----

    private static String base64(byte[] b) {
        return b == null ? "null" : '"' + Base64.getEncoder().encodeToString(b) + '"';
    }

    private void read(String topic, long from) {
        for (String isolation : List.of("read_uncommitted", "read_committed")) {
            TopicPartition tp = new TopicPartition(topic, 0);
            try (var c = new KafkaConsumer<>(Map.of("bootstrap.servers", broker.address(), "isolation.level", isolation),
                    new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
                c.assign(List.of(tp));
                c.seek(tp, from);
                long end = c.endOffsets(List.of(tp)).get(tp);
                while (c.position(tp) < end)
                    for (ConsumerRecord<byte[], byte[]> r : c.poll(Duration.ofMillis(100)))
                        print(r, isolation.equals("read_committed"));
            }
        }
    }

    private void print(ConsumerRecord<byte[], byte[]> r, boolean committed) {
        List<String> headers = new ArrayList<>();
        for (Header h : r.headers())
            headers.add("[" + base64(utf8(h.key())) + "," + base64(h.value()) + "]");
        records.print("{\"topic\":\"" + r.topic() + "\",\"committed\":" + committed + ",\"offset\":" + r.offset()
            + ",\"timestamp\":" + r.timestamp() + ",\"headers\":[" + String.join(",", headers) + "],\"key\":"
            + base64(r.key()) + ",\"value\":" + base64(r.value()) + "}\n");
    }

    private void keep(List<String> topics) throws Exception {
        for (String topic : topics) {
            Path from = broker.dir.resolve(topic + "-0"), to = out.resolve(topic + "-0");
            Files.createDirectories(to);
            try (Stream<Path> files = Files.list(from)) {
                for (Path f : files.toList())
                    if (!f.toString().endsWith(".deleted") && (Files.size(f) > 0 || f.toString().endsWith(".log")))
                        Files.copy(f, to.resolve(f.getFileName()));
            }
        }
    }

    /** DumpLogSegments prints absolute names; what is kept has them relative. */
    private void dump() throws Exception {
        try (PrintStream p = zipped("dump.txt.gz"); Stream<Path> all = Files.walk(out)) {
            String files = all.map(Path::toString).filter(f -> f.matches(".*\\.(log|index|timeindex|txnindex|snapshot)"))
                .sorted().collect(Collectors.joining(","));
            p.print(Broker.run("org.apache.kafka.tools.DumpLogSegments", "--files", files)
                .replace(out + "/", ""));
        }
    }
}
