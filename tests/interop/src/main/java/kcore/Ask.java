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
import java.util.Collections;
import java.util.List;
import java.util.Set;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;

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
 * moment, for what it acknowledges before it is so.
 */
public final class Ask {
    private final String host;
    private final int port;
    private Socket socket;
    private DataOutputStream out;
    private DataInputStream in;
    private int correlation;
    private int lastSession; // of the last Fetch answer that named one: a request's session -1 is that

    private Ask(String address) throws Exception {
        int colon = address.lastIndexOf(':');
        host = address.substring(0, colon);
        port = Integer.parseInt(address.substring(colon + 1));
        connect();
    }

    private void connect() throws Exception {
        if (socket != null)
            socket.close();
        socket = new Socket(host, port);
        socket.setSoTimeout(10_000);
        out = new DataOutputStream(socket.getOutputStream());
        in = new DataInputStream(socket.getInputStream());
    }

    public static void main(String[] args) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Ask ask = new Ask(args[0]);
        for (String line; (line = lines.readLine()) != null;) {
            if (line.equals("# wait"))
                Thread.sleep(1000);
            else if (line.startsWith("#"))
                System.out.println(line);
            else if (!line.isBlank())
                ask.line(line.strip());
        }
        ask.socket.close();
    }

    private void line(String line) throws Exception {
        String[] bar = line.split(" \\| ");
        String[] word = bar[0].split(" +", 3);
        Set<String> mask = bar.length > 1 ? Set.of(bar[1].strip().split(" +")) : Set.of();
        Schema.Versions v = Schema.Versions.parse(word[1]);
        JsonNode json = Schema.MAPPER.readTree(word[2]);
        for (int n = v.first(); n <= v.last(); n++) {
            JsonNode answer;
            try {
                answer = ask(word[0], (short) n, json);
            } catch (EOFException x) {
                System.out.println(word[0] + " " + n + " closed");
                connect();
                continue;
            } catch (SocketTimeoutException x) {
                System.out.println(word[0] + " " + n + " not answered");
                connect();
                continue;
            }
            System.out.println(word[0] + " " + n + " " + tidy(answer, mask));
        }
    }

    private JsonNode ask(String api, short version, JsonNode json) throws Exception {
        if (json.path("sessionId").asInt() == -1)
            ((ObjectNode) json).put("sessionId", lastSession);
        Class<?> converter = Class.forName("org.apache.kafka.common.message." + api + "RequestDataJsonConverter");
        ApiMessage request = (ApiMessage) converter.getMethod("read", JsonNode.class, short.class).invoke(null, json, version);
        ApiKeys key = ApiKeys.forId(request.apiKey());
        RequestHeaderData header = new RequestHeaderData().setRequestApiKey(key.id)
            .setRequestApiVersion(version).setCorrelationId(++correlation).setClientId("ask");
        byte[] head = bytes(header, key.requestHeaderVersion(version));
        byte[] body = bytes(request, version);
        out.writeInt(head.length + body.length);
        out.write(head);
        out.write(body);
        out.flush();

        byte[] frame = new byte[in.readInt()];
        in.readFully(frame);
        ByteBuffer b = ByteBuffer.wrap(frame);
        if (b.getInt() != correlation)
            throw new IllegalStateException("not the answer to this request");
        if (key.responseHeaderVersion(version) > 0 && b.get() != 0)
            throw new IllegalStateException("tags in the header");
        Class<?> type = Class.forName("org.apache.kafka.common.message." + api + "ResponseData");
        Message response = (Message) type.getConstructor().newInstance();
        response.read(new ByteBufferAccessor(b), version);
        if (b.hasRemaining())
            throw new IllegalStateException(api + " v" + version + ": " + b.remaining() + " bytes too many");
        JsonNode answer = (JsonNode) Class.forName(type.getName() + "JsonConverter")
            .getMethod("write", type, short.class, boolean.class).invoke(null, response, version, false);
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
