package kcore;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.reflect.Method;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.message.AlterConfigsRequestData;
import org.apache.kafka.common.message.ApiVersionsRequestData;
import org.apache.kafka.common.message.ApiVersionsResponseData;
import org.apache.kafka.common.message.CreatePartitionsRequestData;
import org.apache.kafka.common.message.CreatePartitionsRequestData.CreatePartitionsTopic;
import org.apache.kafka.common.message.CreatePartitionsRequestData.CreatePartitionsTopicCollection;
import org.apache.kafka.common.message.CreateTopicsRequestData;
import org.apache.kafka.common.message.CreateTopicsRequestData.CreatableTopic;
import org.apache.kafka.common.message.CreateTopicsRequestData.CreatableTopicCollection;
import org.apache.kafka.common.message.CreateTopicsRequestData.CreatableTopicConfig;
import org.apache.kafka.common.message.CreateTopicsRequestData.CreatableTopicConfigCollection;
import org.apache.kafka.common.message.CreateTopicsResponseData;
import org.apache.kafka.common.message.DeleteRecordsRequestData;
import org.apache.kafka.common.message.DeleteRecordsRequestData.DeleteRecordsPartition;
import org.apache.kafka.common.message.DeleteRecordsRequestData.DeleteRecordsTopic;
import org.apache.kafka.common.message.DeleteRecordsResponseData;
import org.apache.kafka.common.message.DeleteTopicsRequestData;
import org.apache.kafka.common.message.DeleteTopicsRequestData.DeleteTopicState;
import org.apache.kafka.common.message.DescribeClusterRequestData;
import org.apache.kafka.common.message.DescribeClusterResponseData;
import org.apache.kafka.common.message.DescribeConfigsRequestData;
import org.apache.kafka.common.message.DescribeConfigsResponseData;
import org.apache.kafka.common.message.DescribeLogDirsRequestData;
import org.apache.kafka.common.message.DescribeLogDirsRequestData.DescribableLogDirTopic;
import org.apache.kafka.common.message.DescribeLogDirsRequestData.DescribableLogDirTopicCollection;
import org.apache.kafka.common.message.DescribeLogDirsResponseData;
import org.apache.kafka.common.message.DescribeTopicPartitionsRequestData;
import org.apache.kafka.common.message.DescribeTopicPartitionsRequestData.TopicRequest;
import org.apache.kafka.common.message.DescribeTopicPartitionsResponseData;
import org.apache.kafka.common.message.FetchRequestData;
import org.apache.kafka.common.message.FetchRequestData.FetchPartition;
import org.apache.kafka.common.message.FetchRequestData.FetchTopic;
import org.apache.kafka.common.message.FetchResponseData;
import org.apache.kafka.common.message.FindCoordinatorRequestData;
import org.apache.kafka.common.message.FindCoordinatorResponseData;
import org.apache.kafka.common.message.IncrementalAlterConfigsRequestData;
import org.apache.kafka.common.message.InitProducerIdRequestData;
import org.apache.kafka.common.message.InitProducerIdResponseData;
import org.apache.kafka.common.message.ListConfigResourcesRequestData;
import org.apache.kafka.common.message.ListConfigResourcesResponseData;
import org.apache.kafka.common.message.ListOffsetsRequestData;
import org.apache.kafka.common.message.ListOffsetsRequestData.ListOffsetsPartition;
import org.apache.kafka.common.message.ListOffsetsRequestData.ListOffsetsTopic;
import org.apache.kafka.common.message.ListOffsetsResponseData;
import org.apache.kafka.common.message.MetadataRequestData;
import org.apache.kafka.common.message.MetadataRequestData.MetadataRequestTopic;
import org.apache.kafka.common.message.MetadataResponseData;
import org.apache.kafka.common.message.OffsetForLeaderEpochRequestData;
import org.apache.kafka.common.message.OffsetForLeaderEpochRequestData.OffsetForLeaderPartition;
import org.apache.kafka.common.message.OffsetForLeaderEpochRequestData.OffsetForLeaderTopic;
import org.apache.kafka.common.message.OffsetForLeaderEpochRequestData.OffsetForLeaderTopicCollection;
import org.apache.kafka.common.message.OffsetForLeaderEpochResponseData;
import org.apache.kafka.common.message.ProduceRequestData;
import org.apache.kafka.common.message.ProduceRequestData.PartitionProduceData;
import org.apache.kafka.common.message.ProduceRequestData.TopicProduceData;
import org.apache.kafka.common.message.ProduceRequestData.TopicProduceDataCollection;
import org.apache.kafka.common.message.ProduceResponseData;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.requests.AbstractResponse;
import org.apache.kafka.common.requests.RequestHeader;
import org.apache.kafka.common.requests.ResponseHeader;

/**
 * Answers BOOTSTRAP SEEDS: every API in every version that the broker lists. Requests are made by Kafka's
 * classes and go over a plain socket; each answer is read by Kafka's parser to its last byte, and written
 * again by Kafka's writer must be the same bytes. Then as many rounds of requests full of random values.
 * TAP on stdout.
 */
public final class Answers {
    private static final String TOPIC = "answers", MISSING = "missing";
    private static final Uuid NOBODY = new Uuid(1, 2);

    private interface Check {
        void run(short version) throws Exception;
    }

    private final String host;
    private final int port;
    private Socket socket;
    private DataInputStream in;
    private DataOutputStream out;
    private int correlation;
    private int answers;

    private final Map<ApiKeys, short[]> listed = new EnumMap<>(ApiKeys.class);
    private final Map<ApiKeys, Set<Short>> given = new EnumMap<>(ApiKeys.class), refused = new EnumMap<>(ApiKeys.class);
    private Uuid id;
    private long end; // of TOPIC
    private long producers;

    private Answers(String bootstrap) {
        int colon = bootstrap.lastIndexOf(':');
        host = bootstrap.substring(0, colon);
        port = Integer.parseInt(bootstrap.substring(colon + 1));
    }

    public static void main(String[] args) throws Exception {
        Answers a = new Answers(args[0]);
        a.connect();
        a.list();
        a.id = ((CreateTopicsResponseData) a.ask(ApiKeys.CREATE_TOPICS, 7, newTopic(TOPIC, 1)).data()).topics().find(TOPIC).topicId();
        Map<ApiKeys, Check> checks = new EnumMap<>(ApiKeys.class);
        checks.put(ApiKeys.API_VERSIONS, a::apiVersions);
        checks.put(ApiKeys.PRODUCE, a::produce);
        checks.put(ApiKeys.FETCH, a::fetch);
        checks.put(ApiKeys.LIST_OFFSETS, a::listOffsets);
        checks.put(ApiKeys.METADATA, a::metadata);
        checks.put(ApiKeys.FIND_COORDINATOR, a::findCoordinator);
        checks.put(ApiKeys.INIT_PRODUCER_ID, a::initProducerId);
        checks.put(ApiKeys.CREATE_TOPICS, a::createTopics);
        checks.put(ApiKeys.DELETE_TOPICS, a::deleteTopics);
        checks.put(ApiKeys.DELETE_RECORDS, a::deleteRecords);
        checks.put(ApiKeys.OFFSET_FOR_LEADER_EPOCH, a::offsetForLeaderEpoch);
        checks.put(ApiKeys.DESCRIBE_LOG_DIRS, a::describeLogDirs);
        checks.put(ApiKeys.CREATE_PARTITIONS, a::createPartitions);
        checks.put(ApiKeys.DESCRIBE_CLUSTER, a::describeCluster);
        checks.put(ApiKeys.DESCRIBE_TOPIC_PARTITIONS, a::describeTopicPartitions);
        checks.put(ApiKeys.DESCRIBE_CONFIGS, a::describeConfigs);
        checks.put(ApiKeys.ALTER_CONFIGS, a::alterConfigs);
        checks.put(ApiKeys.INCREMENTAL_ALTER_CONFIGS, a::incrementalAlterConfigs);
        checks.put(ApiKeys.LIST_CONFIG_RESOURCES, a::listConfigResources);
        System.out.println("1.." + (a.listed.size() + 3));
        int n = 0;
        for (ApiKeys key : a.listed.keySet())
            a.every(++n, key, checks.getOrDefault(key, v -> a.emptyOf(key, v)));
        a.all(++n, checks.keySet());
        a.closed(++n);
        a.random(++n, Integer.parseInt(args[1]));
        a.socket.close();
    }

    // ---- the wire ----

    private void connect() throws IOException {
        if (socket != null)
            socket.close();
        socket = new Socket(host, port);
        socket.setSoTimeout(20_000);
        socket.setTcpNoDelay(true);
        in = new DataInputStream(socket.getInputStream());
        out = new DataOutputStream(new BufferedOutputStream(socket.getOutputStream()));
    }

    private static byte[] bytes(Message m, short version) {
        ByteBuffer b = MessageUtil.toByteBufferAccessor(m, version).buffer();
        byte[] a = new byte[b.remaining()];
        b.get(a);
        return a;
    }

    private RequestHeader send(ApiKeys key, short version, byte[] body) throws IOException {
        RequestHeader h = new RequestHeader(new RequestHeaderData().setRequestApiKey(key.id).setRequestApiVersion(version)
            .setClientId("kcore").setCorrelationId(++correlation), key.requestHeaderVersion(version));
        byte[] header = bytes(h.data(), h.headerVersion());
        out.writeInt(header.length + body.length);
        out.write(header);
        out.write(body);
        out.flush();
        return h;
    }

    private AbstractResponse receive(RequestHeader h) throws IOException {
        byte[] frame = new byte[in.readInt()];
        in.readFully(frame);
        ByteBuffer all = ByteBuffer.wrap(frame), body = all.duplicate();
        ResponseHeader header = ResponseHeader.parse(body, h.apiKey().responseHeaderVersion(h.apiVersion()));
        equal(header.correlationId(), h.correlationId());
        equal(header.data().unknownTaggedFields().size(), 0);
        AbstractResponse r = AbstractResponse.parseResponse(all, h);
        equal(all.remaining(), 0);
        equal(ByteBuffer.wrap(bytes(r.data(), h.apiVersion())), body);
        answers++;
        return r;
    }

    private AbstractResponse ask(ApiKeys key, int version, ApiMessage q) throws IOException {
        AbstractResponse r = receive(send(key, (short) version, bytes(q, (short) version)));
        Set<Errors> errors = r.errorCounts().keySet(); // which it cannot count where a resource is named twice: not of random ones
        if (errors.isEmpty() || errors.contains(Errors.NONE))
            given.computeIfAbsent(key, k -> new TreeSet<>()).add((short) version);
        if (errors.stream().anyMatch(e -> e != Errors.NONE))
            refused.computeIfAbsent(key, k -> new TreeSet<>()).add((short) version);
        return r;
    }

    /** The answer, and that its errors are these and no others. */
    private AbstractResponse ask(ApiKeys key, short version, ApiMessage q, Errors... errors) throws IOException {
        AbstractResponse r = ask(key, version, q);
        Set<Errors> got = EnumSet.noneOf(Errors.class), want = EnumSet.noneOf(Errors.class);
        got.addAll(r.errorCounts().keySet());
        got.remove(Errors.NONE);
        want.addAll(List.of(errors));
        if (!got.equals(want))
            throw new AssertionError("errors " + got + ", expected " + want + ": " + r.data());
        return r;
    }

    private static void equal(Object got, Object want) {
        if (!got.equals(want))
            throw new AssertionError("got " + got + ", expected " + want);
    }

    private void list() throws IOException {
        var data = (ApiVersionsResponseData) ask(ApiKeys.API_VERSIONS, 0, new ApiVersionsRequestData()).data();
        for (ApiVersionsResponseData.ApiVersion v : data.apiKeys())
            listed.put(ApiKeys.forId(v.apiKey()), new short[] {v.minVersion(), v.maxVersion()});
    }

    private void every(int n, ApiKeys key, Check check) throws IOException {
        short first = key == ApiKeys.PRODUCE ? 3 : listed.get(key)[0], last = listed.get(key)[1];
        boolean ok = true;
        answers = 0;
        for (short v = first; v <= last; v++) {
            try {
                check.run(v);
            } catch (Exception | AssertionError e) {
                ok = false;
                System.out.println("# version " + v + ": " + e);
                for (StackTraceElement s : e.getStackTrace())
                    if (s.getClassName().equals(Answers.class.getName()))
                        System.out.println("#    " + s);
                connect();
            }
        }
        System.out.println((ok ? "ok " : "not ok ") + n + " - " + key.name + " " + first + " to " + last + " # " + answers
            + " answers");
    }

    // ---- the requests ----

    private void apiVersions(short v) throws IOException {
        var q = new ApiVersionsRequestData();
        if (v >= 3) {
            q.setClientSoftwareName("kcore").setClientSoftwareVersion("1.0-test");
            ask(ApiKeys.API_VERSIONS, v, new ApiVersionsRequestData().setClientSoftwareName("-").setClientSoftwareVersion("1"),
                Errors.INVALID_REQUEST);
        }
        var data = (ApiVersionsResponseData) ask(ApiKeys.API_VERSIONS, v, q, new Errors[0]).data();
        equal(data.apiKeys().size(), listed.size());
    }

    private MemoryRecords batch(Compression codec, String... values) {
        List<SimpleRecord> records = new ArrayList<>();
        for (String s : values)
            records.add(new SimpleRecord(1_600_000_000_000L + end, null, Records.utf8(s)));
        return MemoryRecords.withRecords(codec, records.toArray(new SimpleRecord[0]));
    }

    private ProduceRequestData produceTo(short v, String topic, Uuid topicId, int acks, MemoryRecords records) {
        var t = new TopicProduceData().setPartitionData(List.of(new PartitionProduceData().setIndex(0).setRecords(records)));
        if (v >= 13)
            t.setTopicId(topicId);
        else
            t.setName(topic);
        return new ProduceRequestData().setAcks((short) acks).setTimeoutMs(10_000)
            .setTopicData(new TopicProduceDataCollection(List.of(t).iterator()));
    }

    private void produce(short v) throws IOException {
        Errors unknown = v >= 13 ? Errors.UNKNOWN_TOPIC_ID : Errors.UNKNOWN_TOPIC_OR_PARTITION;
        MemoryRecords broken = batch(Compression.NONE, "broken");
        broken.buffer().put(broken.buffer().limit() - 3, (byte) 'x');
        ask(ApiKeys.PRODUCE, v, produceTo(v, TOPIC, id, -1, broken), Errors.CORRUPT_MESSAGE);
        ask(ApiKeys.PRODUCE, v, produceTo(v, MISSING, NOBODY, -1, batch(Compression.NONE, "lost")), unknown);
        ask(ApiKeys.PRODUCE, v, produceTo(v, TOPIC, id, 7, batch(Compression.NONE, "lost")), Errors.INVALID_REQUIRED_ACKS);
        if (v < 7)
            ask(ApiKeys.PRODUCE, v, produceTo(v, TOPIC, id, 1, batch(Compression.zstd().build(), "lost")),
                Errors.UNSUPPORTED_COMPRESSION_TYPE);
        for (Compression codec : List.of(Compression.NONE, Compression.gzip().build(), Compression.snappy().build(),
                Compression.lz4().build())) {
            for (int acks : new int[] {1, -1}) { // after -1 all of it may be read
                var data = (ProduceResponseData) ask(ApiKeys.PRODUCE, v,
                    produceTo(v, TOPIC, id, acks, batch(codec, value(end), value(end + 1))), new Errors[0]).data();
                var p = data.responses().iterator().next().partitionResponses().get(0);
                equal(p.baseOffset(), end);
                equal(p.logAppendTimeMs(), -1L);
                equal(p.logStartOffset(), v >= 5 ? 0L : -1L);
                end += 2;
            }
        }
    }

    private static String value(long offset) {
        return "value " + offset;
    }

    private FetchRequestData fetchFrom(short v, String topic, Uuid topicId, long offset, int isolation) {
        var t = new FetchTopic().setPartitions(List.of(new FetchPartition().setPartition(0).setFetchOffset(offset)
            .setPartitionMaxBytes(1 << 20)));
        if (v >= 13)
            t.setTopicId(topicId);
        else
            t.setTopic(topic);
        return new FetchRequestData().setMaxWaitMs(10).setMinBytes(1).setMaxBytes(1 << 20).setIsolationLevel((byte) isolation)
            .setSessionEpoch(-1).setTopics(List.of(t));
    }

    private void fetch(short v) throws IOException {
        Errors unknown = v >= 13 ? Errors.UNKNOWN_TOPIC_ID : Errors.UNKNOWN_TOPIC_OR_PARTITION;
        ask(ApiKeys.FETCH, v, fetchFrom(v, MISSING, NOBODY, 0, 0), unknown);
        ask(ApiKeys.FETCH, v, fetchFrom(v, TOPIC, id, end + 1, 0), Errors.OFFSET_OUT_OF_RANGE);
        for (int isolation = 0; isolation < 2; isolation++)
            for (long from = 0; from <= end; from += from < end && end - from < 2 ? 1 : Math.max(1, end / 3)) {
                var data = (FetchResponseData) ask(ApiKeys.FETCH, v, fetchFrom(v, TOPIC, id, from, isolation), new Errors[0]).data();
                var p = data.responses().get(0).partitions().get(0);
                equal(data.sessionId(), 0);
                equal(p.highWatermark(), end);
                equal(p.lastStableOffset(), end);
                equal(p.preferredReadReplica(), -1);
                equal(p.logStartOffset(), v >= 5 ? 0L : -1L);
                // the batch of two that it lies in, and all that follow
                readable((MemoryRecords) p.records(), from / 2 * 2);
            }
        // nothing at all, and a session that there is not
        ask(ApiKeys.FETCH, v, new FetchRequestData().setMaxWaitMs(60_000).setMinBytes(1), new Errors[0]);
        if (v >= 7)
            ask(ApiKeys.FETCH, v, fetchFrom(v, TOPIC, id, 0, 0).setSessionId(77).setSessionEpoch(3),
                Errors.FETCH_SESSION_ID_NOT_FOUND);
    }

    /** A session, kept or not; of one that is kept, what has not changed is not told again. */
    private void session(short v) throws IOException {
        var first = (FetchResponseData) ask(ApiKeys.FETCH, v, fetchFrom(v, TOPIC, id, end, 0).setSessionEpoch(0), new Errors[0]).data();
        equal(first.responses().size(), 1);
        if (first.sessionId() == 0)
            return;
        var next = (FetchResponseData) ask(ApiKeys.FETCH, v, fetchFrom(v, TOPIC, id, end, 0).setTopics(List.of())
            .setSessionId(first.sessionId()).setSessionEpoch(1), new Errors[0]).data();
        equal(next.sessionId(), first.sessionId());
        equal(next.responses().size(), 0);
    }

    private void readable(MemoryRecords records, long from) {
        long next = from;
        for (RecordBatch b : records.batches()) {
            b.ensureValid();
            equal(b.partitionLeaderEpoch(), 0);
            for (Record r : b) {
                equal(r.offset(), next);
                byte[] got = new byte[r.valueSize()];
                r.value().get(got);
                equal(new String(got), value(next));
                next++;
            }
        }
        equal(next, end);
    }

    private void listOffsets(short v) throws IOException {
        Map<Long, String> want = new java.util.LinkedHashMap<>(Map.of(-1L, end + " -1", -2L, "0 -1", 0L, "0 1600000000000",
            1_600_000_000_003L, "4 1600000000004", 1_700_000_000_000L, "-1 -1"));
        if (v >= 7)
            want.put(-3L, (end - 2) + " " + (1_600_000_000_000L + end - 2));
        if (v >= 8)
            want.put(-4L, "0 -1");
        if (v >= 9)
            want.put(-5L, "-1 -1");
        if (v >= 11)
            want.put(-6L, "-1 -1");
        for (var e : want.entrySet())
            for (int isolation = 0; isolation < (v >= 2 ? 2 : 1); isolation++) {
                var q = offsetsOf(v, TOPIC, e.getKey()).setIsolationLevel((byte) isolation);
                var data = (ListOffsetsResponseData) ask(ApiKeys.LIST_OFFSETS, v, q, new Errors[0]).data();
                var p = data.topics().get(0).partitions().get(0);
                equal("at " + e.getKey() + ": " + p.offset() + " " + p.timestamp(), "at " + e.getKey() + ": " + e.getValue());
                equal(p.leaderEpoch(), v < 4 || p.offset() < 0 ? -1 : 0);
            }
        ask(ApiKeys.LIST_OFFSETS, v, offsetsOf(v, MISSING, -1), Errors.UNKNOWN_TOPIC_OR_PARTITION);
        ask(ApiKeys.LIST_OFFSETS, v, offsetsOf(v, TOPIC, -99), Errors.UNSUPPORTED_VERSION);
        if (v >= 4) {
            var q = offsetsOf(v, TOPIC, -1);
            q.topics().get(0).partitions().get(0).setCurrentLeaderEpoch(5);
            ask(ApiKeys.LIST_OFFSETS, v, q, Errors.UNKNOWN_LEADER_EPOCH);
        }
    }

    private static ListOffsetsRequestData offsetsOf(short v, String topic, long timestamp) {
        return new ListOffsetsRequestData().setReplicaId(-1).setTopics(List.of(new ListOffsetsTopic().setName(topic)
            .setPartitions(List.of(new ListOffsetsPartition().setPartitionIndex(0).setTimestamp(timestamp)))));
    }

    private void metadata(short v) throws IOException {
        List<MetadataRequestData> asks = new ArrayList<>();
        asks.add(new MetadataRequestData().setTopics(v == 0 ? List.of() : null));
        asks.add(new MetadataRequestData().setTopics(List.of(new MetadataRequestTopic().setName(TOPIC))));
        if (v >= 12)
            asks.add(new MetadataRequestData().setTopics(List.of(new MetadataRequestTopic().setName(null).setTopicId(id))));
        for (MetadataRequestData q : asks) {
            if (v >= 8)
                q.setIncludeTopicAuthorizedOperations(true);
            if (v >= 8 && v <= 10)
                q.setIncludeClusterAuthorizedOperations(true);
            var data = (MetadataResponseData) ask(ApiKeys.METADATA, v, q, new Errors[0]).data();
            equal(data.brokers().stream().map(b -> b.nodeId() + " " + b.host() + " " + b.port() + " " + b.rack()).toList(),
                List.of("1 " + host + " " + port + " null"));
            equal(data.controllerId(), v >= 1 ? 1 : -1);
            var t = data.topics().find(TOPIC);
            equal(t.topicId(), v >= 10 ? id : Uuid.ZERO_UUID);
            equal(t.isInternal(), false);
            equal(t.topicAuthorizedOperations() > 0, v >= 8);
            equal(data.clusterAuthorizedOperations() > 0, v >= 8 && v <= 10);
            var p = t.partitions().get(0);
            equal(List.of(t.partitions().size(), p.leaderId(), p.leaderEpoch(), p.replicaNodes(), p.isrNodes(), p.offlineReplicas()),
                List.of(1, 1, v >= 7 ? 0 : -1, List.of(1), List.of(1), List.of()));
        }
        var none = new MetadataRequestData().setTopics(List.of(new MetadataRequestTopic().setName("not a name")));
        ask(ApiKeys.METADATA, v, none, Errors.INVALID_TOPIC_EXCEPTION);
        if (v >= 4)
            ask(ApiKeys.METADATA, v, new MetadataRequestData().setAllowAutoTopicCreation(false)
                .setTopics(List.of(new MetadataRequestTopic().setName(MISSING))), Errors.UNKNOWN_TOPIC_OR_PARTITION);
        if (v >= 1)
            equal(((MetadataResponseData) ask(ApiKeys.METADATA, v, new MetadataRequestData().setTopics(List.of()), new Errors[0])
                .data()).topics().size(), 0);
        if (v >= 12)
            ask(ApiKeys.METADATA, v, new MetadataRequestData()
                .setTopics(List.of(new MetadataRequestTopic().setName(null).setTopicId(NOBODY))), Errors.UNKNOWN_TOPIC_ID);
    }

    private void findCoordinator(short v) throws IOException {
        for (int type = 0; type <= (v >= 1 ? 1 : 0); type++) {
            var q = new FindCoordinatorRequestData();
            if (v >= 1)
                q.setKeyType((byte) type);
            if (v >= 4)
                q.setCoordinatorKeys(List.of("one", "two"));
            else
                q.setKey("one");
            var data = (FindCoordinatorResponseData) ask(ApiKeys.FIND_COORDINATOR, v, q,
                type == 0 ? new Errors[0] : new Errors[] {Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED}).data();
            String where = type == 0 ? "1 " + host + " " + port : "-1  -1";
            if (v >= 4)
                equal(data.coordinators().stream().map(c -> c.key() + " " + c.nodeId() + " " + c.host() + " " + c.port()).toList(),
                    List.of("one " + where, "two " + where));
            else
                equal(data.nodeId() + " " + data.host() + " " + data.port(), where);
        }
    }

    private void initProducerId(short v) throws IOException {
        var q = new InitProducerIdRequestData().setTransactionalId(null).setTransactionTimeoutMs(1000);
        var data = (InitProducerIdResponseData) ask(ApiKeys.INIT_PRODUCER_ID, v, q, new Errors[0]).data();
        equal(data.producerId() >= producers, true);
        equal(data.producerEpoch(), (short) 0);
        producers = data.producerId() + 1;
        ask(ApiKeys.INIT_PRODUCER_ID, v, q.setTransactionalId("one"), Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    }

    private static CreateTopicsRequestData newTopic(String name, int partitions) {
        return newTopic(new CreatableTopic().setName(name).setNumPartitions(partitions).setReplicationFactor((short) 1));
    }

    private static CreateTopicsRequestData newTopic(CreatableTopic t) {
        return new CreateTopicsRequestData().setTimeoutMs(10_000).setTopics(new CreatableTopicCollection(List.of(t).iterator()));
    }

    private void createTopics(short v) throws IOException {
        String name = "made." + v;
        ask(ApiKeys.CREATE_TOPICS, v, newTopic(name, 3).setValidateOnly(true), new Errors[0]);
        var t = ((CreateTopicsResponseData) ask(ApiKeys.CREATE_TOPICS, v, newTopic(name, 3), new Errors[0]).data()).topics().find(name);
        equal(t.topicId().equals(Uuid.ZERO_UUID), v < 7);
        equal(t.numPartitions() + " " + t.replicationFactor(), v >= 5 ? "3 1" : "-1 -1");
        equal(t.configs() != null && t.configs().size() > 20, v >= 5);
        ask(ApiKeys.CREATE_TOPICS, v, newTopic(name, 3), Errors.TOPIC_ALREADY_EXISTS);
        ask(ApiKeys.CREATE_TOPICS, v, newTopic("a b", 3), Errors.INVALID_TOPIC_EXCEPTION);
        ask(ApiKeys.CREATE_TOPICS, v, newTopic("none", 0), Errors.INVALID_PARTITIONS);
        var odd = new CreatableTopic().setName("odd").setNumPartitions(1).setReplicationFactor((short) 1).setConfigs(
            new CreatableTopicConfigCollection(List.of(new CreatableTopicConfig().setName("no.such").setValue("1")).iterator()));
        ask(ApiKeys.CREATE_TOPICS, v, newTopic(odd), Errors.INVALID_CONFIG);
    }

    private void deleteTopics(short v) throws IOException {
        String name = "made." + (v + 1), both = "gone." + v;
        Uuid unnamed = ((CreateTopicsResponseData) ask(ApiKeys.CREATE_TOPICS, 7, newTopic(both, 1)).data()).topics().find(both).topicId();
        var q = new DeleteTopicsRequestData().setTimeoutMs(10_000);
        if (v >= 6)
            ask(ApiKeys.DELETE_TOPICS, v, q.setTopics(List.of(new DeleteTopicState().setName(name),
                new DeleteTopicState().setName(null).setTopicId(unnamed), new DeleteTopicState().setName(MISSING),
                new DeleteTopicState().setName(null).setTopicId(NOBODY))), Errors.UNKNOWN_TOPIC_OR_PARTITION, Errors.UNKNOWN_TOPIC_ID);
        else
            ask(ApiKeys.DELETE_TOPICS, v, q.setTopicNames(List.of(name, both, MISSING)), Errors.UNKNOWN_TOPIC_OR_PARTITION);
        var left = (MetadataResponseData) ask(ApiKeys.METADATA, 13, new MetadataRequestData().setTopics(null)).data();
        equal(left.topics().find(name) == null && left.topics().find(both) == null, true);
    }

    private void deleteRecords(short v) throws IOException {
        for (long to : new long[] {v, 0, -1, end + 1}) {
            var q = new DeleteRecordsRequestData().setTimeoutMs(10_000).setTopics(List.of(new DeleteRecordsTopic().setName(TOPIC)
                .setPartitions(List.of(new DeleteRecordsPartition().setPartitionIndex(0).setOffset(to)))));
            if (to == -1 && v < 2)
                continue;
            var data = (DeleteRecordsResponseData) ask(ApiKeys.DELETE_RECORDS, v, q,
                to > end ? new Errors[] {Errors.OFFSET_OUT_OF_RANGE} : new Errors[0]).data();
            equal(data.topics().find(TOPIC).partitions().find(0).lowWatermark(), to > end ? -1L : to < 0 ? end : (long) v);
        }
        ask(ApiKeys.DELETE_RECORDS, v, new DeleteRecordsRequestData().setTopics(List.of(new DeleteRecordsTopic().setName(MISSING)
            .setPartitions(List.of(new DeleteRecordsPartition().setPartitionIndex(0))))), Errors.UNKNOWN_TOPIC_OR_PARTITION);
    }

    private void offsetForLeaderEpoch(short v) throws IOException {
        for (String topic : List.of(TOPIC, MISSING)) {
            var t = new OffsetForLeaderTopic().setTopic(topic).setPartitions(List.of(
                new OffsetForLeaderPartition().setPartition(0).setLeaderEpoch(0)));
            var q = new OffsetForLeaderEpochRequestData().setReplicaId(v >= 3 ? -1 : -2)
                .setTopics(new OffsetForLeaderTopicCollection(List.of(t).iterator()));
            boolean there = topic.equals(TOPIC);
            var data = (OffsetForLeaderEpochResponseData) ask(ApiKeys.OFFSET_FOR_LEADER_EPOCH, v, q,
                there ? new Errors[0] : new Errors[] {Errors.UNKNOWN_TOPIC_OR_PARTITION}).data();
            var p = data.topics().find(topic).partitions().get(0);
            equal(p.leaderEpoch() + " " + p.endOffset(), there ? "0 " + end : "-1 -1");
        }
    }

    private void describeLogDirs(short v) throws IOException {
        var asked = new DescribableLogDirTopic().setTopic(TOPIC).setPartitions(List.of(0));
        for (var topics : List.of(List.of(asked), List.<DescribableLogDirTopic>of())) {
            var q = new DescribeLogDirsRequestData()
                .setTopics(topics.isEmpty() ? null : new DescribableLogDirTopicCollection(topics.iterator()));
            var data = (DescribeLogDirsResponseData) ask(ApiKeys.DESCRIBE_LOG_DIRS, v, q, new Errors[0]).data();
            var dir = data.results().get(0);
            equal(dir.totalBytes() > 0, v >= 4);
            var t = dir.topics().stream().filter(x -> x.name().equals(TOPIC)).findFirst().get();
            equal(t.partitions().size() + " " + t.partitions().get(0).offsetLag() + " " + t.partitions().get(0).isFutureKey(),
                "1 0 false");
        }
    }

    private void createPartitions(short v) throws IOException {
        String name = "grows." + v;
        ask(ApiKeys.CREATE_TOPICS, 7, newTopic(name, 1));
        for (int count : new int[] {3, 1})
            ask(ApiKeys.CREATE_PARTITIONS, v, new CreatePartitionsRequestData().setTimeoutMs(10_000).setTopics(
                new CreatePartitionsTopicCollection(List.of(new CreatePartitionsTopic().setName(name).setCount(count)
                    .setAssignments(null)).iterator())), count == 3 ? new Errors[0] : new Errors[] {Errors.INVALID_PARTITIONS});
        var m = (MetadataResponseData) ask(ApiKeys.METADATA, 13, new MetadataRequestData().setTopics(null)).data();
        equal(m.topics().find(name).partitions().size(), 3);
    }

    private void describeCluster(short v) throws IOException {
        var data = (DescribeClusterResponseData) ask(ApiKeys.DESCRIBE_CLUSTER, v, new DescribeClusterRequestData(), new Errors[0]).data();
        equal(data.brokers().stream().map(b -> b.brokerId() + " " + b.host() + " " + b.port()).toList(),
            List.of("1 " + host + " " + port));
        equal(data.controllerId() + " " + data.clusterId().length(), "1 22");
        if (v >= 1)
            ask(ApiKeys.DESCRIBE_CLUSTER, v, new DescribeClusterRequestData().setEndpointType((byte) 2), Errors.MISMATCHED_ENDPOINT_TYPE);
    }

    private void describeTopicPartitions(short v) throws IOException {
        ask(ApiKeys.CREATE_TOPICS, 7, newTopic("pages", 5));
        var q = new DescribeTopicPartitionsRequestData().setResponsePartitionLimit(2)
            .setTopics(List.of(new TopicRequest().setName("pages"), new TopicRequest().setName(TOPIC)));
        List<String> seen = new ArrayList<>();
        for (int page = 0; page < 9; page++) {
            var data = (DescribeTopicPartitionsResponseData) ask(ApiKeys.DESCRIBE_TOPIC_PARTITIONS, v, q, new Errors[0]).data();
            for (var t : data.topics())
                for (var p : t.partitions())
                    seen.add(t.name() + " " + p.partitionIndex() + " " + p.leaderId());
            if (data.nextCursor() == null)
                break;
            q.setCursor(new DescribeTopicPartitionsRequestData.Cursor().setTopicName(data.nextCursor().topicName())
                .setPartitionIndex(data.nextCursor().partitionIndex()));
        }
        equal(seen, List.of(TOPIC + " 0 1", "pages 0 1", "pages 1 1", "pages 2 1", "pages 3 1", "pages 4 1"));
        ask(ApiKeys.DESCRIBE_TOPIC_PARTITIONS, v, new DescribeTopicPartitionsRequestData()
            .setTopics(List.of(new TopicRequest().setName(MISSING))), Errors.UNKNOWN_TOPIC_OR_PARTITION);
    }

    private void describeConfigs(short v) throws IOException {
        var r = new DescribeConfigsRequestData.DescribeConfigsResource().setResourceType((byte) 2).setResourceName(TOPIC)
            .setConfigurationKeys(List.of("max.message.bytes"));
        var q = new DescribeConfigsRequestData().setResources(List.of(r)).setIncludeSynonyms(true).setIncludeDocumentation(v >= 3);
        var data = (DescribeConfigsResponseData) ask(ApiKeys.DESCRIBE_CONFIGS, v, q, new Errors[0]).data();
        var c = data.results().get(0).configs();
        equal(c.size(), 1);
        equal(c.get(0).name() + " " + c.get(0).value() + " " + c.get(0).configSource() + " " + c.get(0).synonyms().size(),
            "max.message.bytes 1048588 5 1");
        equal(c.get(0).documentation() != null && !c.get(0).documentation().isEmpty(), v >= 3);
        ask(ApiKeys.DESCRIBE_CONFIGS, v, q.setResources(List.of(r.duplicate().setResourceName(MISSING))), Errors.UNKNOWN_TOPIC_OR_PARTITION);
    }

    private String setting(String name) throws IOException {
        var q = new DescribeConfigsRequestData().setResources(List.of(new DescribeConfigsRequestData.DescribeConfigsResource()
            .setResourceType((byte) 2).setResourceName("configured").setConfigurationKeys(List.of(name))));
        return ((DescribeConfigsResponseData) ask(ApiKeys.DESCRIBE_CONFIGS, 4, q).data()).results().get(0).configs().get(0).value();
    }

    private void alterConfigs(short v) throws IOException {
        ask(ApiKeys.CREATE_TOPICS, 7, newTopic("configured", 1));
        for (String value : List.of("" + (7000 + v), "soon")) {
            var r = new AlterConfigsRequestData.AlterConfigsResource().setResourceType((byte) 2).setResourceName("configured").setConfigs(
                new AlterConfigsRequestData.AlterableConfigCollection(List.of(new AlterConfigsRequestData.AlterableConfig()
                    .setName("retention.ms").setValue(value)).iterator()));
            ask(ApiKeys.ALTER_CONFIGS, v, new AlterConfigsRequestData().setResources(
                new AlterConfigsRequestData.AlterConfigsResourceCollection(List.of(r).iterator())),
                value.equals("soon") ? new Errors[] {Errors.INVALID_CONFIG} : new Errors[0]);
        }
        equal(setting("retention.ms"), "" + (7000 + v));
    }

    private void incrementalAlterConfigs(short v) throws IOException {
        ask(ApiKeys.CREATE_TOPICS, 7, newTopic("configured", 1));
        for (String value : List.of("" + (2_000_000 + v), "large")) {
            var r = new IncrementalAlterConfigsRequestData.AlterConfigsResource().setResourceType((byte) 2).setResourceName("configured")
                .setConfigs(new IncrementalAlterConfigsRequestData.AlterableConfigCollection(List.of(
                    new IncrementalAlterConfigsRequestData.AlterableConfig().setName("segment.bytes").setValue(value)).iterator()));
            ask(ApiKeys.INCREMENTAL_ALTER_CONFIGS, v, new IncrementalAlterConfigsRequestData().setResources(
                new IncrementalAlterConfigsRequestData.AlterConfigsResourceCollection(List.of(r).iterator())),
                value.equals("large") ? new Errors[] {Errors.INVALID_CONFIG} : new Errors[0]);
        }
        equal(setting("segment.bytes"), "" + (2_000_000 + v));
    }

    private void listConfigResources(short v) throws IOException {
        var q = new ListConfigResourcesRequestData();
        if (v >= 1)
            q.setResourceTypes(List.of((byte) 2));
        var data = (ListConfigResourcesResponseData) ask(ApiKeys.LIST_CONFIG_RESOURCES, v, q, new Errors[0]).data();
        equal(data.configResources().stream().anyMatch(r -> r.resourceName().equals(TOPIC) && r.resourceType() == 2), v >= 1);
        if (v >= 1)
            ask(ApiKeys.LIST_CONFIG_RESOURCES, v, q.setResourceTypes(List.of((byte) 99)), Errors.UNSUPPORTED_VERSION);
    }

    // ---- all of them ----

    /** Nothing is known of the API here: a request as the class makes it. */
    private void emptyOf(ApiKeys key, short v) throws IOException {
        ask(key, v, key.messageType.newRequest());
    }

    /**
     * Each listed version of each API has answered; where there is a check of it here with something that is no error,
     * and in one version at least with one that is.
     */
    private void all(int n, Set<ApiKeys> checked) {
        boolean ok = true;
        int pairs = 0;
        for (ApiKeys key : listed.keySet()) {
            Set<Short> want = new TreeSet<>(), yes = given.getOrDefault(key, Set.of()), no = refused.getOrDefault(key, Set.of());
            for (short v = key == ApiKeys.PRODUCE ? 3 : listed.get(key)[0]; v <= listed.get(key)[1]; v++)
                want.add(v);
            pairs += want.size();
            Set<Short> got = new TreeSet<>(yes);
            if (!checked.contains(key))
                got.addAll(no);
            // which log directories there are can only be forbidden to ask
            else if (no.isEmpty() && key != ApiKeys.DESCRIBE_LOG_DIRS)
                got.clear();
            if (!got.equals(want)) {
                System.out.println("# " + key.name + " " + want + ": answered " + yes + ", refused " + no);
                ok = false;
            }
        }
        System.out.println((ok ? "ok " : "not ok ") + n + " - each version that is listed has been asked # " + pairs + " of "
            + listed.size() + " APIs");
    }

    /** Produce is listed from 0, and closes the connection below 3. */
    private void closed(int n) throws IOException {
        boolean ok = listed.get(ApiKeys.PRODUCE)[0] == 0;
        for (short v = 0; v < 3; v++) {
            connect();
            byte[] body = bytes(produceTo((short) 3, TOPIC, id, 1, batch(Compression.NONE, "lost")), (short) 3);
            out.writeInt(10 + 5 + body.length - 2);
            out.writeShort(0);
            out.writeShort(v);
            out.writeInt(1);
            out.writeShort(5);
            out.writeBytes("kcore");
            out.write(body, 2, body.length - 2); // without the transactional id
            out.flush();
            ok &= in.read() == -1;
        }
        connect();
        System.out.println((ok ? "ok " : "not ok ") + n + " - Produce 0 to 2 are listed, and end the connection");
    }

    /** Whatever a well-formed request asks for, it is answered, and the answer is well-formed. */
    private void random(int n, int seeds) throws Exception {
        boolean ok = true;
        answers = 0;
        for (int seed = 1; seed <= seeds; seed++) {
            Random r = new Random(seed);
            Fill fill = new Fill(r);
            for (ApiKeys key : listed.keySet())
                for (short v = key == ApiKeys.PRODUCE ? 3 : listed.get(key)[0]; v <= listed.get(key)[1]; v++) {
                    Message q = random(fill, r, key, v);
                    try {
                        receive(send(key, v, bytes(q, v)));
                    } catch (Exception | AssertionError e) {
                        ok = false;
                        System.out.println("# seed " + seed + ", " + key.name + " " + v + ": " + e + ": " + q);
                        connect();
                    }
                }
        }
        System.out.println((ok ? "ok " : "not ok ") + n + " - random requests # " + answers + " answers");
    }

    private Message random(Fill fill, Random r, ApiKeys key, short v) throws Exception {
        Schema s = Schema.kafka(key.name + "Request");
        ObjectNode o = fill.struct(s.fields, v);
        if (o.has("maxWaitMs"))
            o.put("maxWaitMs", 5);
        if (o.has("acks") && o.get("acks").asInt() == 0)
            o.put("acks", 1); // which has no answer
        if (key != ApiKeys.DELETE_TOPICS)
            aim(r, o);
        Method read = Class.forName("org.apache.kafka.common.message." + s.name + "DataJsonConverter")
            .getMethod("read", JsonNode.class, short.class);
        return (Message) read.invoke(null, o, v);
    }

    /** At a partition that is there, now and then. */
    private void aim(Random r, JsonNode at) {
        if (at instanceof ObjectNode o)
            for (String f : List.of("topic", "name", "topicId", "index", "partition", "partitionIndex", "fetchOffset",
                    "currentLeaderEpoch")) {
                if (!o.has(f) || r.nextBoolean())
                    continue;
                if (f.equals("topicId"))
                    o.put(f, id.toString());
                else if (o.get(f).isNumber())
                    o.put(f, f.equals("fetchOffset") ? r.nextInt(100) : 0);
                else
                    o.put(f, TOPIC);
            }
        for (JsonNode inside : at)
            aim(r, inside);
    }
}
