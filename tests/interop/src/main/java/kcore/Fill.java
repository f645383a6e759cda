package kcore;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Random;
import org.apache.kafka.common.Uuid;

/** Random values for a message, in the JSON that Kafka's converters read. */
final class Fill {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final int DIFFERENT = 4; // elements of an array, which then repeats: the vectors are kept

    private final Random random;
    boolean large; // the next message is to have one long array

    Fill(Random random) {
        this.random = random;
    }

    static String camel(Schema.Field f) {
        return Character.toLowerCase(f.name.charAt(0)) + f.name.substring(1);
    }

    ObjectNode struct(Iterable<Schema.Field> fields, short version) {
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
            a.add(i < DIFFERENT ? single(f, version) : a.get(i % DIFFERENT));
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
