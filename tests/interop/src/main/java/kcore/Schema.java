package kcore;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** A message's schema, from either side: Kafka's published JSON, or a file of lib/wire/schema. */
final class Schema {
    /** A range of versions; none is first > last. */
    record Versions(int first, int last) {
        static final int OPEN = Short.MAX_VALUE;
        static final Versions NONE = new Versions(1, 0);

        static Versions parse(String s) {
            if (s.equals("none"))
                return NONE;
            if (s.endsWith("+"))
                return new Versions(Integer.parseInt(s.substring(0, s.length() - 1)), OPEN);
            String[] part = s.split("-");
            return new Versions(Integer.parseInt(part[0]), Integer.parseInt(part[part.length - 1]));
        }

        boolean contains(int v) {
            return v >= first && v <= last;
        }
    }

    static final class Field {
        String name;
        String type; // without []
        boolean array;
        Versions versions;
        Versions nullable = Versions.NONE;
        Versions tagged = Versions.NONE;
        int tag = -1;
        String def = ""; // "", "null", or the value with integers in decimal
        boolean ignorable;
        boolean inflexible;
        List<Field> fields = new ArrayList<>();

        boolean isStruct() {
            return Character.isUpperCase(type.charAt(0));
        }
    }

    String name;
    int api = -1;
    int record = -1; // the type of the record of __consumer_offsets whose key or value this is
    String javaClass; // of Kafka's
    Versions versions;
    Versions flexible = Versions.NONE;
    List<Field> fields = new ArrayList<>();

    /** Integers in decimal; what says nothing (0, false) becomes "". */
    private static String plainDefault(String s) {
        if (s.startsWith("0x"))
            s = Long.toString(Long.parseUnsignedLong(s.substring(2), 16));
        return s.equals("0") || s.equals("false") ? "" : s;
    }

    // ---- Kafka's --------------------------------------------------------------------------------

    static final ObjectMapper MAPPER = new ObjectMapper().enable(JsonParser.Feature.ALLOW_COMMENTS);

    /** Null where the jar has no such message. */
    static Schema kafka(String name) throws IOException {
        try (InputStream in = Schema.class.getResourceAsStream("/common/message/" + name + ".json")) {
            if (in == null)
                return null;
            JsonNode j = MAPPER.readTree(in);
            Schema s = new Schema();
            s.name = j.get("name").asText();
            String type = j.get("type").asText();
            boolean coordinators = type.startsWith("coordinator-");
            if (coordinators)
                s.record = j.get("apiKey").asInt();
            else if (j.has("apiKey"))
                s.api = j.get("apiKey").asInt();
            s.javaClass = "org.apache.kafka." + (coordinators ? "coordinator.group.generated." : "common.message.")
                + s.name + (List.of("request", "response", "header").contains(type) ? "Data" : "");
            s.versions = Versions.parse(j.get("validVersions").asText());
            s.flexible = Versions.parse(j.get("flexibleVersions").asText());
            s.fields = kafkaFields(j, j.get("fields"));
            return s;
        }
    }

    private static List<Field> kafkaFields(JsonNode root, JsonNode list) {
        List<Field> out = new ArrayList<>();
        for (JsonNode j : list) {
            Field f = new Field();
            f.name = j.get("name").asText();
            f.type = j.get("type").asText();
            f.array = f.type.startsWith("[]");
            if (f.array)
                f.type = f.type.substring(2);
            f.versions = Versions.parse(j.get("versions").asText());
            if (j.has("nullableVersions"))
                f.nullable = Versions.parse(j.get("nullableVersions").asText());
            if (j.has("tag")) {
                f.tag = j.get("tag").asInt();
                f.tagged = Versions.parse(j.get("taggedVersions").asText());
            }
            if (j.hasNonNull("default")) // a null that is not quoted is none to Kafka's generator
                f.def = plainDefault(j.get("default").asText());
            f.ignorable = j.has("ignorable") && j.get("ignorable").asBoolean();
            f.inflexible = j.has("flexibleVersions") && j.get("flexibleVersions").asText().equals("none");
            if (j.has("fields"))
                f.fields = kafkaFields(root, j.get("fields"));
            else if (f.isStruct())
                for (JsonNode common : root.path("commonStructs"))
                    if (common.get("name").asText().equals(f.type))
                        f.fields = kafkaFields(root, common.get("fields"));
            out.add(f);
        }
        return out;
    }

    // ---- ours -----------------------------------------------------------------------------------

    static List<Schema> ours(Path dir) throws IOException {
        List<Schema> out = new ArrayList<>();
        try (Stream<Path> files = Files.list(dir)) {
            for (Path p : files.filter(f -> f.toString().endsWith(".schema")).sorted().toList())
                out.add(parse(p));
        }
        return out;
    }

    private static Schema parse(Path file) throws IOException {
        Schema s = new Schema();
        Map<String, List<Field>> structs = new HashMap<>();
        List<List<Field>> open = new ArrayList<>();
        open.add(s.fields);
        for (String raw : Files.readAllLines(file)) {
            String line = raw.replaceFirst("#.*", "").stripTrailing();
            if (line.isEmpty())
                continue;
            String[] w = line.strip().split(" +");
            if (w.length == 2) {
                switch (w[0]) {
                    case "message" -> s.name = w[1];
                    case "api" -> s.api = Integer.parseInt(w[1]);
                    case "record" -> s.record = Integer.parseInt(w[1]);
                    case "versions" -> s.versions = Versions.parse(w[1]);
                    case "flexible" -> s.flexible = Versions.parse(w[1]);
                    default -> throw new IOException(file + ": " + line);
                }
                continue;
            }
            int depth = (line.length() - line.stripLeading().length()) / 2;
            Field f = field(file, w);
            if (f.isStruct())
                f.fields = structs.computeIfAbsent(f.type, t -> new ArrayList<>());
            while (open.size() > depth + 1)
                open.remove(open.size() - 1);
            open.get(depth).add(f);
            open.add(f.fields);
        }
        return s;
    }

    private static Field field(Path file, String[] w) throws IOException {
        Field f = new Field();
        f.name = w[0];
        f.array = w[1].startsWith("[]");
        f.type = f.array ? w[1].substring(2) : w[1];
        f.versions = Versions.parse(w[2]);
        for (int i = 3; i < w.length; i++) {
            switch (w[i]) {
                case "ignorable" -> f.ignorable = true;
                case "nullable" -> f.nullable = Versions.parse(w[++i]);
                case "default" -> f.def = plainDefault(w[++i]);
                case "flexible" -> f.inflexible = w[++i].equals("none");
                case "tag" -> {
                    f.tag = Integer.parseInt(w[++i]);
                    f.tagged = Versions.parse(w[++i]);
                }
                default -> throw new IOException(file + ": " + w[i]);
            }
        }
        return f;
    }
}
