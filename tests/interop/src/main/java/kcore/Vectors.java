package kcore;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintStream;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Collection;
import java.util.HexFormat;
import java.util.Random;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.types.RawTaggedField;

/**
 * Writes what Kafka's own classes make of messages full of seeded random values: for each message and
 * version of a schema directory some lines
 *
 *     NAME VERSION KIND BYTES WITH-UNKNOWN-TAGS JSON
 *
 * separated by tabs; bytes in hex, "-" for none. KIND is default (a new message, untouched) or random. The fifth
 * column is the same message with tagged fields that nobody knows in every struct, or "-".
 */
public final class Vectors {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final int RANDOM_PER_VERSION = 2;

    private final Random random;
    private boolean large; // this message is to have one long array

    private Vectors(long seed) {
        random = new Random(seed);
    }

    public static void main(String[] args) throws Exception {
        Vectors all = new Vectors(Long.parseLong(args[0]));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (Schema ours : Schema.ours(Path.of(args[1]))) {
            Schema theirs = Schema.kafka(ours.name);
            if (theirs != null)
                for (int v = ours.versions.first(); v <= ours.versions.last(); v++)
                    all.print(out, theirs, (short) v);
        }
        out.flush();
    }

    private void print(PrintStream out, Schema s, short version) throws Exception {
        Class<?> data = Class.forName("org.apache.kafka.common.message." + s.name + "Data");
        Class<?> json = Class.forName(data.getName() + "JsonConverter");
        Method read = json.getMethod("read", JsonNode.class, short.class);
        Method write = json.getMethod("write", data, short.class, boolean.class);

        line(out, s, version, "default", (Message) data.getConstructor().newInstance(), write);
        for (int i = 0; i < RANDOM_PER_VERSION; i++) {
            large = i == 0 && (version == s.flexible.first() || version == s.versions.last());
            Message m = (Message) read.invoke(null, struct(s.fields, version), version);
            line(out, s, version, "random", m, write);
        }
    }

    private void line(PrintStream out, Schema s, short version, String kind, Message m, Method write)
            throws Exception {
        JsonNode shown = (JsonNode) write.invoke(null, m, version, false);
        String plain = bytes(m, version);
        String tagged = "-";

        Message again = (Message) m.getClass().getConstructor().newInstance();
        again.read(new ByteBufferAccessor(ByteBuffer.wrap(HexFormat.of().parseHex(plain))), version);
        if (!write.invoke(null, again, version, false).toString().equals(shown.toString()))
            throw new IllegalStateException(s.name + " v" + version + " does not survive Kafka's own reading");
        if (s.flexible.contains(version)) {
            addUnknownTags(m, s.fields, version);
            tagged = bytes(m, version);
        }
        out.print(String.join("\t", s.name, Short.toString(version), kind, plain.isEmpty() ? "-" : plain, tagged, shown.toString()) + "\n");
    }

    private static String bytes(Message m, short version) {
        ByteBuffer b = MessageUtil.toByteBufferAccessor(m, version).buffer();
        byte[] a = new byte[b.remaining()];
        b.get(a);
        return HexFormat.of().formatHex(a);
    }

    /** To m and to every struct inside of it that the version has. */
    private void addUnknownTags(Message m, Iterable<Schema.Field> fields, short version) throws Exception {
        int tag = 100 + random.nextInt(100);
        for (int n = 1 + random.nextInt(2); n > 0; n--) {
            byte[] value = new byte[random.nextInt(40) == 0 ? 130 : random.nextInt(6)];
            random.nextBytes(value);
            m.unknownTaggedFields().add(new RawTaggedField(tag, value));
            tag += 1 + random.nextInt(100_000);
        }
        for (Schema.Field f : fields) {
            if (!f.isStruct() || !f.versions.contains(version))
                continue;
            Object inside = m.getClass().getMethod(camel(f)).invoke(m);
            // A tagged field that has its default is not written; with a tag inside it would be.
            if (f.tagged.contains(version) && !f.array
                    && inside.equals(inside.getClass().getConstructor().newInstance()))
                continue;
            if (inside instanceof Collection<?> many)
                for (Object o : many)
                    addUnknownTags((Message) o, f.fields, version);
            else if (inside != null)
                addUnknownTags((Message) inside, f.fields, version);
        }
    }

    private static String camel(Schema.Field f) {
        return Character.toLowerCase(f.name.charAt(0)) + f.name.substring(1);
    }

    // ---- random values, as the converter reads them ---------------------------------------------

    private ObjectNode struct(Iterable<Schema.Field> fields, short version) {
        ObjectNode o = JSON.objectNode();
        for (Schema.Field f : fields) {
            if (!f.versions.contains(version) || (f.tagged.contains(version) && random.nextInt(3) == 0))
                continue;
            o.set(camel(f), value(f, version));
        }
        return o;
    }

    private JsonNode value(Schema.Field f, short version) {
        if (f.nullable.contains(version) && random.nextInt(4) == 0)
            return NullNode.getInstance();
        if (!f.array)
            return single(f, version);
        int n = random.nextInt(10) == 0 ? 4 : random.nextInt(3);
        if (large && f.fields.stream().noneMatch(e -> e.array || e.isStruct())) {
            n = 130 + random.nextInt(20); // past the first byte of a compact length
            large = false;
        }
        ArrayNode a = JSON.arrayNode();
        for (int i = 0; i < n; i++)
            a.add(single(f, version));
        return a;
    }

    private JsonNode single(Schema.Field f, short version) {
        if (f.isStruct())
            return struct(f.fields, version);
        return switch (f.type) {
            case "bool" -> JSON.booleanNode(random.nextBoolean());
            case "int8" -> JSON.numberNode((byte) integer(8));
            case "int16" -> JSON.numberNode((short) integer(16));
            case "int32" -> JSON.numberNode((int) integer(32));
            case "int64" -> JSON.numberNode(integer(64));
            case "uuid" -> JSON.textNode(new Uuid(random.nextLong(), random.nextLong()).toString());
            case "string" -> JSON.textNode(string());
            case "bytes", "records" -> JSON.binaryNode(run());
            default -> throw new IllegalStateException(f.type);
        };
    }

    private long integer(int bits) {
        long most = -1L >>> (65 - bits);
        return switch (random.nextInt(6)) {
            case 0 -> most;
            case 1 -> -most - 1;
            case 2 -> -1;
            case 3 -> random.nextInt(100);
            default -> random.nextLong() >> (64 - bits);
        };
    }

    private String string() {
        String[] piece = {"a", "B", "0", ".", "-", "_", " ", "\"", "\u00e9", "\u4e2d", "\ud83d\ude00", "\n"};
        int n = random.nextInt(16) == 0 ? 126 + random.nextInt(4) : random.nextInt(8);
        StringBuilder s = new StringBuilder();
        for (int i = 0; i < n; i++)
            s.append(n > 8 ? "x" : piece[random.nextInt(piece.length)]);
        return s.toString();
    }

    private byte[] run() {
        byte[] b = new byte[random.nextInt(8) == 0 ? 150 : random.nextInt(20)];
        random.nextBytes(b);
        return b;
    }
}
