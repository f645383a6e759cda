package kcore;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.InputStreamReader;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.SimpleRecord;

/**
 * Asks a broker what stands on its input and prints what it answers, so that two brokers can be held
 * against each other. A line is
 *
 *     API VERSIONS JSON [| FIELD...]
 *
 * with the request as Kafka's own converter reads it, sent once in each version ("1-4", or one). The
 * answer is printed as that converter writes it, read to its last byte, with arrays of objects in the
 * order of their text; the fields named behind the bar are masked, wherever they are, and the members
 * of "configs" arrays with names given as config:NAME are left out. A session id of -1 stands for that
 * of the last answer that had one. A line "# text" is printed as it is; "# wait" gives the broker a
 * moment, for what it acknowledges before it is so. "$NAME" in a request stands for what a line
 *
 *     id NAME TOPIC
 *
 * before it has found as the topic's id, "$records" with a count, or with ID:EPOCH:SEQUENCE, for a batch of one
 * producer or of none. A request behind "hold " goes over a connection of its own; its answer, which is meant to
 * wait, is printed by "held".
 */
public final class Ask {
    private final String host;
    private final int port;
    private Link link;
    private Held held;
    private int correlation;
    private int lastSession; // of the last Fetch answer that named one: a request's session -1 is that
    private final Map<String, String> ids = new HashMap<>();

    private final class Link {
        final Socket socket = new Socket(host, port);
        final DataOutputStream out = new DataOutputStream(socket.getOutputStream());
        final DataInputStream in = new DataInputStream(socket.getInputStream());

        Link() throws Exception {
            socket.setSoTimeout(10_000);
        }
    }

    private record Request(Link link, String api, ApiKeys key, short version, int correlation) {}

    private record Held(Request request, Set<String> mask) {}

    private Ask(String address) throws Exception {
        int colon = address.lastIndexOf(':');
        host = address.substring(0, colon);
        port = Integer.parseInt(address.substring(colon + 1));
        link = new Link();
    }

    public static void main(String[] args) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Ask ask = new Ask(args[0]);
        for (String line; (line = lines.readLine()) != null;) {
            if (line.equals("# wait"))
                Thread.sleep(1000);
            else if (line.startsWith("#"))
                System.out.println(line);
            else if (line.startsWith("id "))
                ask.find(line.split(" +"));
            else if (line.startsWith("hold "))
                ask.hold(line.substring(5));
            else if (line.equals("held"))
                ask.held();
            else if (!line.isBlank())
                ask.line(line.strip());
        }
        ask.link.socket.close();
    }

    private void find(String[] word) throws Exception {
        JsonNode q = Schema.MAPPER.readTree("{\"topics\":[{\"topicId\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"name\":\"" + word[2]
            + "\"}],\"allowAutoTopicCreation\":false,\"includeTopicAuthorizedOperations\":false}");
        ids.put(word[1], receive(send(link, "Metadata", (short) 12, q)).get("topics").get(0).get("topicId").asText());
    }

    private void hold(String line) throws Exception {
        String[] bar = line.split(" \\| ");
        String[] word = bar[0].split(" +", 3);
        Request q = send(new Link(), word[0], Short.parseShort(word[1]), Schema.MAPPER.readTree(filled(word[2])));
        held = new Held(q, bar.length > 1 ? Set.of(bar[1].strip().split(" +")) : Set.of());
    }

    private void held() throws Exception {
        System.out.println("held " + held.request.api + " " + held.request.version + " " + tidy(receive(held.request), held.mask));
        held.request.link.socket.close();
    }

    private String filled(String json) {
        for (var id : ids.entrySet())
            json = json.replace("$" + id.getKey() + "\"", id.getValue() + "\"");
        return Pattern.compile("\\$records (\\S+?)\"").matcher(json).replaceAll(m -> batch(m.group(1)) + "\"");
    }

    /** Its times are in the past, so that it is the same whenever it is sent. */
    private static String batch(String what) {
        String[] p = what.split(":");
        var b = p.length == 1 ? MemoryRecords.withRecords(Compression.NONE, IntStream.range(0, Integer.parseInt(what))
                .mapToObj(i -> new SimpleRecord(1_700_000_000_000L + i, null, new byte[10])).toArray(SimpleRecord[]::new))
            : MemoryRecords.withIdempotentRecords(Compression.NONE, Long.parseLong(p[0]), Short.parseShort(p[1]), Integer.parseInt(p[2]),
                new SimpleRecord(1_700_000_000_000L, null, new byte[10]));
        byte[] bytes = new byte[b.sizeInBytes()];
        b.buffer().get(bytes);
        return Base64.getEncoder().encodeToString(bytes);
    }

    private void line(String line) throws Exception {
        String[] bar = line.split(" \\| ");
        String[] word = bar[0].split(" +", 3);
        Set<String> mask = bar.length > 1 ? Set.of(bar[1].strip().split(" +")) : Set.of();
        Schema.Versions v = Schema.Versions.parse(word[1]);
        JsonNode json = Schema.MAPPER.readTree(filled(word[2]));
        for (int n = v.first(); n <= v.last(); n++) {
            JsonNode answer;
            try {
                answer = receive(send(link, word[0], (short) n, json));
            } catch (EOFException x) {
                System.out.println(word[0] + " " + n + " closed");
                link = new Link();
                continue;
            } catch (SocketTimeoutException x) {
                System.out.println(word[0] + " " + n + " not answered");
                link = new Link();
                continue;
            }
            System.out.println(word[0] + " " + n + " " + tidy(answer, mask));
        }
    }

    private Request send(Link to, String api, short version, JsonNode json) throws Exception {
        if (json.path("sessionId").asInt() == -1)
            ((ObjectNode) json).put("sessionId", lastSession);
        Class<?> converter = Class.forName("org.apache.kafka.common.message." + api + "RequestDataJsonConverter");
        ApiMessage request = (ApiMessage) converter.getMethod("read", JsonNode.class, short.class).invoke(null, json, version);
        ApiKeys key = ApiKeys.forId(request.apiKey());
        RequestHeaderData header = new RequestHeaderData().setRequestApiKey(key.id)
            .setRequestApiVersion(version).setCorrelationId(++correlation).setClientId("ask");
        byte[] head = bytes(header, key.requestHeaderVersion(version));
        byte[] body = bytes(request, version);
        to.out.writeInt(head.length + body.length);
        to.out.write(head);
        to.out.write(body);
        to.out.flush();
        return new Request(to, api, key, version, correlation);
    }

    private JsonNode receive(Request q) throws Exception {
        byte[] frame = new byte[q.link.in.readInt()];
        q.link.in.readFully(frame);
        ByteBuffer b = ByteBuffer.wrap(frame);
        if (b.getInt() != q.correlation)
            throw new IllegalStateException("not the answer to this request");
        if (q.key.responseHeaderVersion(q.version) > 0 && b.get() != 0)
            throw new IllegalStateException("tags in the header");
        Class<?> type = Class.forName("org.apache.kafka.common.message." + q.api + "ResponseData");
        Message response = (Message) type.getConstructor().newInstance();
        response.read(new ByteBufferAccessor(b), q.version);
        if (b.hasRemaining())
            throw new IllegalStateException(q.api + " v" + q.version + ": " + b.remaining() + " bytes too many");
        JsonNode answer = (JsonNode) Class.forName(type.getName() + "JsonConverter")
            .getMethod("write", type, short.class, boolean.class).invoke(null, response, q.version, false);
        if (answer.path("sessionId").asInt() != 0)
            lastSession = answer.get("sessionId").asInt();
        return answer;
    }

    private static byte[] bytes(Message m, short version) {
        ByteBuffer b = MessageUtil.toByteBufferAccessor(m, version).buffer();
        byte[] a = new byte[b.remaining()];
        b.get(a);
        return a;
    }

    private static JsonNode tidy(JsonNode n, Set<String> mask) {
        if (n.isArray() && n.size() > 0 && n.get(0).isObject()) {
            List<JsonNode> all = new ArrayList<>();
            for (JsonNode e : n)
                if (!e.has("name") || !mask.contains("config:" + e.get("name").asText()))
                    all.add(tidy(e, mask));
            Collections.sort(all, (a, b) -> a.toString().compareTo(b.toString()));
            return Schema.MAPPER.createArrayNode().addAll(all);
        }
        if (!n.isObject())
            return n;
        ObjectNode o = Schema.MAPPER.createObjectNode();
        n.fields().forEachRemaining(f -> {
            if (mask.contains(f.getKey()))
                o.put(f.getKey(), "*");
            else if (f.getKey().equals("sessionId") && f.getValue().asInt() != 0)
                o.put(f.getKey(), "kept");
            else
                o.set(f.getKey(), tidy(f.getValue(), mask));
        });
        return o;
    }
}
