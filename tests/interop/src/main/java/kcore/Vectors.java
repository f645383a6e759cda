package kcore;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.PrintStream;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Collection;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.Random;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.types.RawTaggedField;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.group.GroupCoordinatorRecordSerde;
import org.apache.kafka.coordinator.group.generated.CoordinatorRecordType;
import org.apache.kafka.server.common.ApiMessageAndVersion;

/**
 * Writes what Kafka's own classes make of messages full of seeded random values: for each message and
 * version of a schema directory some lines
 *
 *     NAME VERSION KIND BYTES WITH-UNKNOWN-TAGS PREFIX JSON
 *
 * separated by tabs; bytes in hex, "-" for none. KIND is default (a new message, untouched) or random. The fifth
 * column is the same message with tagged fields that nobody knows in every struct (four of an array), or "-";
 * the sixth what the group coordinator writes before the key or the value of a record. A message's values
 * hang on the seed and its name alone.
 */
public final class Vectors {
    private static final int RANDOM_PER_VERSION = 2;
    private static final int RANDOM = 6; // at least, of all versions
    private static final int TAGGED_OF_AN_ARRAY = 4; // more tell no more, and the file is kept
    private static final GroupCoordinatorRecordSerde SERDE = new GroupCoordinatorRecordSerde();

    private final Random random;
    private int each = RANDOM_PER_VERSION;
    private final Fill fill;

    private Vectors(long seed, String name) {
        random = new Random(seed * 1_000_003 + name.hashCode());
        fill = new Fill(random);
    }

    public static void main(String[] args) throws Exception {
        long seed = Long.parseLong(args[0]);
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (Schema ours : Schema.ours(Path.of(args[1]))) {
            Schema theirs = Schema.kafka(ours.name);
            if (theirs == null)
                continue;
            Vectors one = new Vectors(seed, ours.name);
            one.each = Math.max(one.each, RANDOM / (ours.versions.last() - ours.versions.first() + 1));
            for (int v = ours.versions.first(); v <= ours.versions.last(); v++)
                one.print(out, theirs, (short) v);
        }
        out.flush();
    }

    private void print(PrintStream out, Schema s, short version) throws Exception {
        Class<?> data = Class.forName(s.javaClass);
        Class<?> json = Class.forName(data.getName() + "JsonConverter");
        Method read = json.getMethod("read", JsonNode.class, short.class);
        Method write = json.getMethod("write", data, short.class, boolean.class);

        line(out, s, version, "default", (Message) data.getConstructor().newInstance(), write);
        for (int i = 0; i < each; i++) {
            fill.large = i == 0 && (version == s.flexible.first() || version == s.versions.last());
            Message m = (Message) read.invoke(null, fill.struct(s.fields, version), version);
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
        out.print(String.join("\t", s.name, Short.toString(version), kind, plain.isEmpty() ? "-" : plain, tagged,
            prefix(s, m, version), shown.toString()) + "\n");
    }

    private static String prefix(Schema s, Message m, short version) {
        if (s.record < 0)
            return "-";
        boolean key = s.name.endsWith("Key");
        CoordinatorRecord r = key ? CoordinatorRecord.tombstone((ApiMessage) m)
            : CoordinatorRecord.record(CoordinatorRecordType.fromId((short) s.record).newRecordKey(),
                new ApiMessageAndVersion((ApiMessage) m, version));
        byte[] k = SERDE.serializeKey(r);
        byte[] v = SERDE.serializeValue(r);
        if (!SERDE.deserialize(ByteBuffer.wrap(k), v == null ? null : ByteBuffer.wrap(v)).equals(r))
            throw new IllegalStateException(s.name + " v" + version + " does not survive Kafka's own coordinator");
        String whole = HexFormat.of().formatHex(key ? k : v);
        String body = bytes(m, version);
        if (!whole.endsWith(body))
            throw new IllegalStateException(s.name + " v" + version + " is another one for Kafka's coordinator");
        return whole.substring(0, whole.length() - body.length());
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
            Object inside = m.getClass().getMethod(Fill.camel(f)).invoke(m);
            // A tagged field that has its default is not written; with a tag inside it would be.
            if (f.tagged.contains(version) && !f.array && inside != null
                    && inside.equals(inside.getClass().getConstructor().newInstance()))
                continue;
            if (inside instanceof Collection<?> many) {
                Iterator<?> some = many.iterator();
                for (int i = 0; some.hasNext() && i < TAGGED_OF_AN_ARRAY; i++)
                    addUnknownTags((Message) some.next(), f.fields, version);
            } else if (inside != null)
                addUnknownTags((Message) inside, f.fields, version);
        }
    }
}
