package kcore;

import java.io.File;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.Uuid;

/** One node of Apache Kafka, broker and controller, as a process of its own on loopback. */
final class Broker {
    final Path dir;
    private final Path properties;
    private final int port;
    private Process process;

    Broker(Path base) throws Exception {
        port = freePort();
        int controller = freePort();
        dir = base.resolve("data");
        properties = base.resolve("server.properties");
        Files.writeString(properties, String.join("\n",
            "process.roles=broker,controller",
            "node.id=1",
            "controller.quorum.voters=1@127.0.0.1:" + controller,
            "listeners=PLAINTEXT://127.0.0.1:" + port + ",CONTROLLER://127.0.0.1:" + controller,
            "controller.listener.names=CONTROLLER",
            "log.dirs=" + dir,
            "offsets.topic.num.partitions=1",
            "offsets.topic.replication.factor=1",
            "transaction.state.log.num.partitions=1",
            "transaction.state.log.replication.factor=1",
            "transaction.state.log.min.isr=1",
            "log.initial.task.delay.ms=100",
            "log.cleaner.backoff.ms=100",
            "log.cleaner.dedupe.buffer.size=4000000",
            "log.retention.ms=-1",
            ""));
        run("kafka.tools.StorageTool", "format", "-t", Uuid.randomUuid().toString(), "-c",
            properties.toString());
    }

    /** Below the range that the kernel takes from: nobody's connection gets it before the broker does. */
    private static int freePort() throws IOException {
        while (true) {
            int port = ThreadLocalRandom.current().nextInt(20_000, 32_000);
            try (ServerSocket s = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
                return s.getLocalPort();
            } catch (BindException taken) {
                continue;
            }
        }
    }

    private static List<String> java(String... command) {
        List<String> all = new ArrayList<>(List.of(ProcessHandle.current().info().command().orElse("java"),
            "-Xmx512m", "-cp", System.getProperty("java.class.path")));
        all.addAll(List.of(command));
        return all;
    }

    /** Runs a Java program; gives its output, fails when it fails. */
    static String run(String... command) throws Exception {
        Process p = new ProcessBuilder(java(command)).redirectErrorStream(true).start();
        String out = new String(p.getInputStream().readAllBytes());
        if (p.waitFor() != 0)
            throw new IOException(String.join(" ", command) + ": " + out);
        return out;
    }

    String address() {
        return "127.0.0.1:" + port;
    }

    void start() throws Exception {
        File log = dir.resolveSibling("broker.log").toFile();
        process = new ProcessBuilder(java("kafka.Kafka", properties.toString())).redirectErrorStream(true)
            .redirectOutput(log).start();
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", address(),
                "default.api.timeout.ms", "60000"))) {
            while (admin.describeCluster().nodes().get(60, TimeUnit.SECONDS).isEmpty())
                if (!process.isAlive())
                    throw new IOException("the broker ended:\n" + Files.readString(log.toPath()));
        } catch (ExecutionException x) {
            throw new IOException("the broker does not answer:\n" + Files.readString(log.toPath()), x);
        }
    }

    void stop() throws Exception {
        process.destroy();
        process.waitFor();
    }

    void kill() throws Exception {
        process.destroyForcibly().waitFor();
    }
}
