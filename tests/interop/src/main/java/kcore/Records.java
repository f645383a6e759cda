package kcore;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Records send BOOTSTRAP DIR TOPIC=CODEC...    records of every kind; DIR/TOPIC.sent is what was acknowledged
 * Records keys BOOTSTRAP FILE TOPIC            FILE's lines, a key, a tab and a value each
 * Records read BOOTSTRAP DIR TOPIC...          DIR/TOPIC.read is what is in the topic
 *
 * Records are lines as those of tests/clients/records.py. The client's settings are its defaults.
 */
public final class Records {
    record Line(int partition, long offset, long timestamp, byte[] key, byte[] value, Iterable<Header> headers) {
        static final Comparator<Line> ORDER = Comparator.comparingInt(Line::partition).thenComparingLong(Line::offset);

        private static String text(byte[] b) {
            return b == null ? "-" : b.length == 0 ? "." : Base64.getEncoder().encodeToString(b);
        }

        @Override
        public String toString() {
            List<String> h = new ArrayList<>();
            for (Header x : headers)
                h.add(text(utf8(x.key())) + ":" + text(x.value()));
            return partition + " " + offset + " " + timestamp + " " + text(key) + " " + text(value) + " "
                + (h.isEmpty() ? "." : String.join(";", h));
        }
    }

    private static final Random RANDOM = new Random(1);

    public static void main(String[] args) throws Exception {
        List<String> topics = Arrays.asList(args).subList(3, args.length);
        switch (args[0]) {
            case "send" -> {
                for (String t : topics) {
                    String[] part = t.split("=");
                    write(args[2], part[0] + ".sent", send(args[1], part[0], Map.of("compression.type", part[1])));
                }
            }
            case "keys" -> keys(args[1], Path.of(args[2]), args[3]);
            case "read" -> {
                for (String t : topics)
                    write(args[2], t + ".read", read(args[1], t, Map.of()));
            }
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    static byte[] utf8(String s) {
        return s.getBytes(StandardCharsets.UTF_8);
    }

    private static void write(String dir, String name, List<Line> lines) throws Exception {
        Files.write(Path.of(dir, name), lines.stream().sorted(Line.ORDER).map(Line::toString).toList());
    }

    // ---- producing ----

    static KafkaProducer<byte[], byte[]> producer(String bootstrap, Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(more);
        config.put("bootstrap.servers", bootstrap);
        return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private static byte[] field(int n) {
        switch ((n * 5 + n / 7) % 7) {
            case 0:
                return null;
            case 1:
                return new byte[0];
            case 2: {
                byte[] all = new byte[256];
                for (int i = 0; i < 256; i++)
                    all[i] = (byte) i;
                return all;
            }
            case 3:
                return utf8("zeile " + n + " äöü €");
            default:
                return utf8("field " + n + " " + "abcdefgh ".repeat(RANDOM.nextInt(30)));
        }
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, int i, long base) {
        byte[] value = field(i);
        if (i % 100 == 50) {
            value = new byte[500_000];
            for (int k = 0; k < 100_000; k++)
                value[k] = (byte) RANDOM.nextInt(256);
        }
        ProducerRecord<byte[], byte[]> r =
            new ProducerRecord<>(topic, null, base + i * 7919L % 100_000, field(i / 3 + i), value);
        for (int h = 0; h < i % 4; h++)
            r.headers().add(h == 2 ? "näme" : "name " + h, field(i + h + 1));
        return r;
    }

    private static Line line(ProducerRecord<byte[], byte[]> r, RecordMetadata m) {
        return new Line(m.partition(), m.offset(), m.timestamp(), r.key(), r.value(), r.headers());
    }

    static List<Line> send(String bootstrap, String topic, Map<String, Object> config) throws Exception {
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        List<Future<RecordMetadata>> told = new ArrayList<>();
        long base = System.currentTimeMillis() - 3_600_000;
        try (var p = producer(bootstrap, config)) {
            for (int i = 0; i < 300; i++) {
                records.add(record(topic, i, base));
                told.add(p.send(records.get(i)));
            }
        }
        List<Line> lines = new ArrayList<>();
        for (int i = 0; i < records.size(); i++)
            lines.add(line(records.get(i), told.get(i).get()));
        return lines;
    }

    private static void keys(String bootstrap, Path file, String topic) throws Exception {
        try (var p = producer(bootstrap, Map.of())) {
            for (String l : Files.readAllLines(file)) {
                String[] part = l.split("\t", 2);
                p.send(new ProducerRecord<>(topic, utf8(part[0]), utf8(part[1])));
            }
        }
    }

    // ---- consuming ----

    static KafkaConsumer<byte[], byte[]> consumer(String bootstrap, Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(more);
        config.put("bootstrap.servers", bootstrap);
        return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    static List<TopicPartition> partitions(KafkaConsumer<?, ?> c, String topic) {
        return c.partitionsFor(topic).stream().map(i -> new TopicPartition(topic, i.partition())).toList();
    }

    /** Of each partition all that is there now; an offset that does not follow its predecessor is an error. */
    static List<Line> read(String bootstrap, String topic, Map<String, Object> config) throws ExecutionException {
        List<Line> lines = new ArrayList<>();
        try (var c = consumer(bootstrap, config)) {
            List<TopicPartition> all = partitions(c, topic);
            c.assign(all);
            c.seekToBeginning(all);
            Map<TopicPartition, Long> ends = c.endOffsets(all), next = new HashMap<>(c.beginningOffsets(all));
            while (all.stream().anyMatch(p -> c.position(p) < ends.get(p))) {
                ConsumerRecords<byte[], byte[]> some = c.poll(Duration.ofSeconds(10));
                if (some.isEmpty())
                    throw new IllegalStateException(topic + ": nothing came for 10 s");
                for (ConsumerRecord<byte[], byte[]> r : some) {
                    TopicPartition p = new TopicPartition(topic, r.partition());
                    if (r.offset() != next.put(p, r.offset() + 1))
                        throw new IllegalStateException(p + ": unexpected offset " + r.offset());
                    lines.add(new Line(r.partition(), r.offset(), r.timestamp(), r.key(), r.value(), r.headers()));
                }
            }
        }
        return lines;
    }
}
