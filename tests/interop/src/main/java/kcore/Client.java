package kcore;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.protocol.Errors;

/**
 * Client BOOTSTRAP: Java's clients of whatever version is on the class path, from 2.8 on; tasks on stdin: see
 * tests/interop/clients/README.
 */
public final class Client {
    private final String bootstrap;

    private Client(String bootstrap) {
        this.bootstrap = bootstrap;
    }

    public static void main(String[] args) throws Exception {
        Client c = new Client(args[0]);
        var tasks = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = tasks.readLine()) != null;) {
            String[] w = line.split(" ");
            try {
                switch (w[0]) {
                    case "send" -> write(w[4], c.send(w[1], w[2], Path.of(w[3])));
                    case "read" -> write(w[1], c.read(Arrays.asList(w).subList(2, w.length)));
                    case "times" -> write(w[1], c.times(w[2], Arrays.asList(w).subList(3, w.length)));
                    case "admin" -> write(w[1], c.admin(w[2], Arrays.asList(w).subList(3, w.length)));
                    case "anew" -> write(w[1], c.anew(w[2]));
                    case "trim" -> write(w[1], c.trim(w[2], Long.parseLong(w[3])));
                    default -> throw new IllegalArgumentException(w[0]);
                }
                System.out.println("ok " + line);
            } catch (Exception e) {
                e.printStackTrace();
                System.out.println("not ok " + line + ": " + e);
            }
        }
        System.exit(0);
    }

    private static void write(String file, List<String> lines) throws Exception {
        Files.write(Path.of(file), lines);
    }

    private static String text(byte[] b) {
        return b == null ? "-" : b.length == 0 ? "." : Base64.getEncoder().encodeToString(b);
    }

    private static byte[] data(String field) {
        return field.equals("-") ? null : field.equals(".") ? new byte[0] : Base64.getDecoder().decode(field);
    }

    private static List<Header> headers(String field) {
        List<Header> out = new ArrayList<>();
        for (String h : field.equals(".") ? new String[0] : field.split(";")) {
            String[] part = h.split(":");
            out.add(new RecordHeader(new String(data(part[0]), StandardCharsets.UTF_8), data(part[1])));
        }
        return out;
    }

    private List<String> send(String topic, String codec, Path records) throws Exception {
        List<Future<RecordMetadata>> told = new ArrayList<>();
        try (var p = Records.producer(bootstrap, Map.of("compression.type", codec, "linger.ms", 200, "batch.size", 300_000))) {
            for (String line : Files.readAllLines(records)) {
                String[] f = line.split(" ");
                told.add(p.send(new ProducerRecord<>(topic, Integer.parseInt(f[0]), Long.parseLong(f[1]), data(f[2]), data(f[3]),
                    headers(f[4]))));
            }
        }
        List<String> out = new ArrayList<>();
        for (Future<RecordMetadata> f : told)
            out.add(f.get().partition() + " " + f.get().offset());
        return out;
    }

    private static String line(ConsumerRecord<byte[], byte[]> r) {
        String h = Arrays.stream(r.headers().toArray()).map(x -> text(Records.utf8(x.key())) + ":" + text(x.value()))
            .collect(Collectors.joining(";"));
        return r.topic() + " " + r.partition() + " " + r.offset() + " " + r.timestamp() + " " + text(r.key()) + " " + text(r.value())
            + " " + (h.isEmpty() ? "." : h);
    }

    private List<String> read(List<String> topics) {
        List<String> out = new ArrayList<>();
        try (var c = Records.consumer(bootstrap, Map.of())) {
            List<TopicPartition> all = new ArrayList<>();
            for (String t : topics)
                all.addAll(Records.partitions(c, t));
            c.assign(all);
            c.seekToBeginning(all);
            Map<TopicPartition, Long> ends = c.endOffsets(all);
            Set<TopicPartition> open = new HashSet<>(all);
            long deadline = System.nanoTime() + 60_000_000_000L;
            while (!open.isEmpty()) {
                if (System.nanoTime() > deadline)
                    throw new IllegalStateException("still open: " + open);
                c.poll(Duration.ofMillis(100)).forEach(r -> out.add(line(r)));
                open.removeIf(tp -> c.position(tp) >= ends.get(tp));
            }
        }
        return out;
    }

    private List<String> times(String topic, List<String> timestamps) {
        List<String> out = new ArrayList<>();
        try (var c = Records.consumer(bootstrap, Map.of())) {
            List<TopicPartition> all = Records.partitions(c, topic);
            for (String t : timestamps) {
                var got = c.offsetsForTimes(all.stream().collect(Collectors.toMap(tp -> tp, tp -> Long.parseLong(t))));
                for (TopicPartition tp : all)
                    out.add(tp.partition() + " " + t + " " + (got.get(tp) == null ? -1 : got.get(tp).offset()));
            }
        }
        return out;
    }

    private static List<Integer> ids(Node[] nodes) {
        return Arrays.stream(nodes).map(Node::id).toList();
    }

    private List<String> described(String topic) {
        try (var c = Records.consumer(bootstrap, Map.of())) {
            return c.partitionsFor(topic).stream().sorted((a, b) -> a.partition() - b.partition()).map((PartitionInfo p) -> p.partition()
                + " leader " + p.leader().id() + " replicas " + ids(p.replicas()) + " isr " + ids(p.inSyncReplicas())).toList();
        }
    }

    private static List<String> configs(Admin a, ConfigResource r) throws Exception {
        Config c = a.describeConfigs(List.of(r)).all().get().get(r);
        return List.of("retention.ms", "segment.bytes", "max.message.bytes").stream().map(n -> n + "=" + c.get(n).value()).toList();
    }

    private List<String> admin(String topic, List<String> things) throws Exception {
        List<String> out = new ArrayList<>();
        try (Admin a = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            for (String thing : things)
                switch (thing) {
                    case "create" -> {
                        var topics = List.of(new NewTopic(topic, 2, (short) 1)
                            .configs(Map.of("retention.ms", "12345678", "segment.bytes", "1048576")));
                        a.createTopics(topics).all().get();
                        try {
                            a.createTopics(topics).all().get();
                        } catch (ExecutionException e) {
                            out.add("create again: error " + Errors.forException((TopicExistsException) e.getCause()).code());
                        }
                    }
                    case "describe" -> out.addAll(described(topic));
                    case "partitions" -> {
                        a.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get();
                        out.addAll(described(topic));
                    }
                    case "configs" -> {
                        ConfigResource r = new ConfigResource(ConfigResource.Type.TOPIC, topic);
                        out.addAll(configs(a, r));
                        a.incrementalAlterConfigs(Map.of(r, List.of(new AlterConfigOp(new ConfigEntry("retention.ms", "23456789"),
                            AlterConfigOp.OpType.SET)))).all().get();
                        out.addAll(configs(a, r));
                    }
                    case "cluster" -> {
                        var d = a.describeCluster();
                        out.add("controller " + d.controller().get().id());
                        d.nodes().get().forEach(n -> out.add("node " + n.id() + " " + n.host() + ":" + n.port()));
                    }
                    case "delete" -> {
                        a.deleteTopics(List.of(topic)).all().get();
                        out.add(new TreeSet<>(a.listTopics().names().get()).contains(topic) ? "listed" : "gone");
                    }
                    default -> throw new IllegalArgumentException(thing);
                }
        }
        return out;
    }

    /** A topic is deleted and made again while a producer and a consumer are open. */
    private List<String> anew(String topic) throws Exception {
        List<String> out = new ArrayList<>();
        TopicPartition tp = new TopicPartition(topic, 0);
        var topics = List.of(new NewTopic(topic, 1, (short) 1));
        try (Admin a = Admin.create(Map.of("bootstrap.servers", bootstrap));
                var p = Records.producer(bootstrap, Map.of());
                var c = Records.consumer(bootstrap, Map.of("auto.offset.reset", "earliest", "max.poll.records", 1))) {
            a.createTopics(topics).all().get();
            c.assign(List.of(tp));
            c.seekToBeginning(List.of(tp));
            for (String value : List.of("first", "second", "third", "fourth")) {
                if (value.equals("third")) {
                    a.deleteTopics(List.of(topic)).all().get();
                    a.createTopics(topics).all().get();
                }
                p.send(new ProducerRecord<>(topic, 0, null, Records.utf8(value))).get();
                int before = out.size();
                for (long end = System.nanoTime() + 30_000_000_000L; out.size() == before && System.nanoTime() < end;)
                    c.poll(Duration.ofMillis(200)).forEach(r -> out.add(r.offset() + " " + new String(r.value(), StandardCharsets.UTF_8)));
            }
        }
        return out;
    }

    private List<String> trim(String topic, long to) throws Exception {
        TopicPartition tp = new TopicPartition(topic, 0);
        try (Admin a = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            long low = a.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(to))).lowWatermarks().get(tp).get().lowWatermark();
            long start = a.listOffsets(Map.of(tp, OffsetSpec.earliest())).partitionResult(tp).get().offset();
            long end = a.listOffsets(Map.of(tp, OffsetSpec.latest())).partitionResult(tp).get().offset();
            return List.of("low " + low, "start " + start, "end " + end);
        }
    }
}
