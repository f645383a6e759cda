package kcore;

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.kafka.common.utils.Exit;

/**
 * Tools BOOTSTRAP: Kafka's command-line tools as one client; tasks on stdin: see tests/interop/clients/README, and
 *
 *     run OUT CLASS ARGUMENT...    a tool's own output
 *
 * All run in this one JVM; an end of one is an exception here.
 */
public final class Tools {
    private static final String TOOLS = "org.apache.kafka.tools.";
    private static final String MARK = "~#kcore#~", END = "~#end#~", NULL = "~#null#~", AND = "~#and#~";

    private static final class Ended extends Error {
        Ended() {
            super("the tool has ended", null, false, false);
        }
    }

    private final String bootstrap;
    private Integer status; // of the first exit

    private Tools(String bootstrap) {
        this.bootstrap = bootstrap;
        Exit.Procedure end = (code, message) -> {
            if (status == null)
                status = code;
            throw new Ended();
        };
        Exit.setExitProcedure(end);
        Exit.setHaltProcedure(end);
    }

    public static void main(String[] args) throws Exception {
        PrintStream out = System.out;
        Tools t = new Tools(args[0]);
        var tasks = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = tasks.readLine()) != null;) {
            List<String> w = List.of(line.split(" "));
            try {
                switch (w.get(0)) {
                    case "send" -> t.send(w.get(1), w.get(2), Path.of(w.get(3)));
                    case "read" -> Files.write(Path.of(w.get(1)), t.read(w.subList(2, w.size())));
                    case "times" -> Files.write(Path.of(w.get(1)), t.times(w.get(2), w.subList(3, w.size())));
                    case "admin" -> Files.write(Path.of(w.get(1)), t.admin(w.get(2), w.subList(3, w.size())));
                    case "trim" -> Files.write(Path.of(w.get(1)), t.trim(w.get(2), w.get(3)));
                    case "run" -> Files.write(Path.of(w.get(1)), t.run(w.get(2), new byte[0], w.subList(3, w.size())));
                    default -> throw new IllegalArgumentException(w.get(0));
                }
                out.println("ok " + line);
            } catch (Exception e) {
                e.printStackTrace();
                out.println("not ok " + line + ": " + e);
            }
        }
        Runtime.getRuntime().halt(0); // the tools have left hooks
    }

    // ---- one tool ----

    private byte[] run(String name, byte[] stdin, List<String> args) throws Exception {
        PrintStream stdout = System.out;
        InputStream in = System.in;
        var out = new ByteArrayOutputStream();
        status = null;
        System.setIn(new ByteArrayInputStream(stdin));
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        try {
            Class.forName(name).getMethod("main", String[].class).invoke(null, (Object) args.toArray(new String[0]));
        } catch (InvocationTargetException e) {
            if (!(e.getCause() instanceof Ended))
                throw new IllegalStateException(name, e.getCause());
        } finally {
            System.setOut(stdout);
            System.setIn(in);
        }
        if (status != null && status != 0)
            throw new IllegalStateException(name + " ended with " + status + ": " + out);
        return out.toByteArray();
    }

    private String tool(String name, String... args) throws Exception {
        List<String> all = new ArrayList<>(List.of("--bootstrap-server", bootstrap));
        all.addAll(List.of(args));
        return new String(run(name, new byte[0], all), StandardCharsets.UTF_8);
    }

    private static List<MatchResult> find(String pattern, String in) {
        return Pattern.compile(pattern, Pattern.MULTILINE).matcher(in).results().toList();
    }

    private static MatchResult one(String pattern, String in) {
        List<MatchResult> found = find(pattern, in);
        if (found.size() != 1)
            throw new IllegalStateException(found.size() + " times " + pattern + " in: " + in);
        return found.get(0);
    }

    // ---- records ----

    private static byte[] data(String field) {
        return field.equals("-") ? null : field.equals(".") ? new byte[0] : Base64.getDecoder().decode(field);
    }

    private static String text(byte[] b) {
        return b == null ? "-" : b.length == 0 ? "." : Base64.getEncoder().encodeToString(b);
    }

    private static String plain(String field) {
        byte[] b = data(field);
        return b == null ? NULL : new String(b, StandardCharsets.UTF_8);
    }

    private void send(String topic, String codec, Path records) throws Exception {
        var in = new StringBuilder();
        for (String line : Files.readAllLines(records)) {
            String[] f = line.split(" ");
            in.append(Arrays.stream(f[4].split(";")).map(h -> plain(h.split(":")[0]) + MARK + plain(h.split(":")[1]))
                .collect(Collectors.joining(AND)));
            in.append('\t').append(plain(f[2])).append('\t').append(plain(f[3])).append('\n');
        }
        List<String> args = new ArrayList<>(List.of("--bootstrap-server", bootstrap, "--topic", topic, "--compression-codec", codec,
            "--timeout", "200", "--batch-size", "100000"));
        for (String p : List.of("parse.key=true", "parse.headers=true", "headers.separator=" + AND, "headers.key.separator=" + MARK,
                "null.marker=" + NULL))
            args.addAll(List.of("--reader-property", p));
        run(TOOLS + "ConsoleProducer", in.toString().getBytes(StandardCharsets.UTF_8), args);
    }

    /** TOPIC:PARTITION:OFFSET lines; there is none for a partition without such an offset. */
    private List<MatchResult> offsets(String topic, String time) throws Exception {
        return find("^(.*):(\\d+):(\\d+)$", tool(TOOLS + "GetOffsetShell", "--topic", topic, "--time", time));
    }

    private List<String> read(List<String> topics) throws Exception {
        List<String> out = new ArrayList<>();
        for (String topic : topics)
            for (MatchResult end : offsets(topic, "latest"))
                if (Long.parseLong(end.group(3)) > 0)
                    out.addAll(consume(topic, end.group(2), end.group(3)));
        return out;
    }

    private List<String> consume(String topic, String partition, String count) throws Exception {
        Field counted = Class.forName(TOOLS + "consumer.ConsoleConsumer").getDeclaredField("messageCount");
        counted.setAccessible(true);
        counted.setInt(null, 0); // is meant to run once
        List<String> args = new ArrayList<>(List.of("--bootstrap-server", bootstrap, "--topic", topic, "--partition", partition,
            "--offset", "earliest", "--max-messages", count, "--timeout-ms", "20000", "--command-property", "fetch.max.wait.ms=10"));
        for (String p : List.of("print.timestamp=true", "print.partition=true", "print.offset=true", "print.headers=true",
                "print.key=true", "key.separator=" + MARK, "line.separator=" + END, "headers.separator=" + AND, "null.literal=" + NULL))
            args.addAll(List.of("--formatter-property", p));
        // every byte as it is: Latin-1 has one for each
        String all = new String(run(TOOLS + "consumer.ConsoleConsumer", new byte[0], args), StandardCharsets.ISO_8859_1);
        List<String> out = new ArrayList<>();
        for (String r : all.split(Pattern.quote(END))) {
            if (r.startsWith("Processed a total of"))
                continue;
            String[] f = r.split(Pattern.quote(MARK), -1);
            out.add(topic + " " + f[1].replace("Partition:", "") + " " + f[2].replace("Offset:", "") + " "
                + f[0].replace("CreateTime:", "") + " " + field(f[4]) + " " + field(f[5]) + " " + headers(f[3]));
        }
        return out;
    }

    private static String field(String latin) {
        return latin.equals(NULL) ? "-" : text(latin.getBytes(StandardCharsets.ISO_8859_1));
    }

    private static String headers(String printed) {
        if (printed.equals("NO_HEADERS"))
            return ".";
        List<String> out = new ArrayList<>();
        for (String h : printed.split(Pattern.quote(AND), -1)) {
            int colon = h.indexOf(':');
            out.add(field(h.substring(0, colon)) + ":" + field(h.substring(colon + 1)));
        }
        return String.join(";", out);
    }

    private List<String> times(String topic, List<String> timestamps) throws Exception {
        List<String> out = new ArrayList<>();
        List<MatchResult> all = offsets(topic, "latest");
        for (String t : timestamps) {
            List<MatchResult> found = offsets(topic, t);
            for (MatchResult p : all)
                out.add(p.group(2) + " " + t + " " + found.stream().filter(m -> m.group(2).equals(p.group(2))).map(m -> m.group(3))
                    .findFirst().orElse("-1"));
        }
        return out;
    }

    // ---- administration ----

    private List<String> described(String topic) throws Exception {
        return find("Partition: (\\d+)\\s+Leader: (\\d+)\\s+Replicas: (\\S+)\\s+Isr: (\\S+)",
            tool(TOOLS + "TopicCommand", "--describe", "--topic", topic)).stream()
            .map(m -> m.group(1) + " leader " + m.group(2) + " replicas [" + m.group(3) + "] isr [" + m.group(4) + "]").toList();
    }

    private List<String> configs(String topic) throws Exception {
        String all = tool("kafka.admin.ConfigCommand", "--describe", "--all", "--entity-type", "topics", "--entity-name", topic);
        List<String> out = new ArrayList<>();
        for (String name : List.of("retention.ms", "segment.bytes", "max.message.bytes"))
            out.add(one("^\\s+(" + Pattern.quote(name) + "=\\S+)", all).group(1));
        return out;
    }

    private List<String> admin(String topic, List<String> things) throws Exception {
        List<String> out = new ArrayList<>();
        for (String thing : things)
            switch (thing) {
                case "create" -> {
                    String[] args = {"--create", "--topic", topic, "--partitions", "2", "--replication-factor", "1",
                        "--config", "retention.ms=12345678", "--config", "segment.bytes=1048576"};
                    tool(TOOLS + "TopicCommand", args);
                    try {
                        tool(TOOLS + "TopicCommand", args);
                    } catch (IllegalStateException e) {
                        one("already exists", e.getMessage());
                        out.add("create again: error 36");
                    }
                }
                case "describe" -> out.addAll(described(topic));
                case "partitions" -> {
                    tool(TOOLS + "TopicCommand", "--alter", "--topic", topic, "--partitions", "3");
                    out.addAll(described(topic));
                }
                case "configs" -> {
                    out.addAll(configs(topic));
                    tool("kafka.admin.ConfigCommand", "--alter", "--entity-type", "topics", "--entity-name", topic,
                        "--add-config", "retention.ms=23456789");
                    out.addAll(configs(topic));
                }
                case "cluster" -> {
                    MatchResult node = one("^(\\d+)\\s+(\\S+)\\s+(\\d+)\\s+.*broker\\s*$", new String(run(TOOLS + "ClusterTool", new byte[0],
                        List.of("list-endpoints", "--bootstrap-server", bootstrap)), StandardCharsets.UTF_8));
                    out.add("controller 1"); // which none of them shows
                    out.add("node " + node.group(1) + " " + node.group(2) + ":" + node.group(3));
                }
                case "delete" -> {
                    tool(TOOLS + "TopicCommand", "--delete", "--topic", topic);
                    out.add(find("^" + Pattern.quote(topic) + "$", tool(TOOLS + "TopicCommand", "--list")).isEmpty() ? "gone" : "listed");
                }
                default -> throw new IllegalArgumentException(thing);
            }
        return out;
    }

    private List<String> trim(String topic, String to) throws Exception {
        Path json = Files.createTempFile("kcore", ".json");
        Files.writeString(json, "{\"version\":1,\"partitions\":[{\"topic\":\"" + topic + "\",\"partition\":0,\"offset\":" + to + "}]}");
        String told = tool(TOOLS + "DeleteRecordsCommand", "--offset-json-file", json.toString());
        Files.delete(json);
        return List.of("low " + one("^partition: " + topic + "-0\\s+low_watermark: (\\d+)$", told).group(1),
            "start " + offsets(topic, "earliest").get(0).group(3), "end " + offsets(topic, "latest").get(0).group(3));
    }
}
