/*
 * api - the protocol's APIs: key, name, versions, the first flexible version.
 *
 * Facts of the protocol, not of this broker: the versions are those of Apache Kafka 4.3.1
 * (ApiKeys.java and the messages' schemas); Produce 0-2, which are only listed to please old
 * clients, are not among them. Keys 4 to 7 are gone since 4.0. What is served is lib/broker's
 * table.
 */
#ifndef KCORE_WIRE_API_H
#define KCORE_WIRE_API_H

#include <stdbool.h>
#include <stdint.h>

#define WIRE_NEVER_FLEXIBLE INT16_MAX

/* constant, key, name, first version, last version, first flexible version */
#define WIRE_API_LIST(X)                                                                           \
    X(API_PRODUCE, 0, "Produce", 3, 13, 9)                                                         \
    X(API_FETCH, 1, "Fetch", 4, 18, 12)                                                            \
    X(API_LIST_OFFSETS, 2, "ListOffsets", 1, 11, 6)                                                \
    X(API_METADATA, 3, "Metadata", 0, 13, 9)                                                       \
    X(API_OFFSET_COMMIT, 8, "OffsetCommit", 2, 10, 8)                                              \
    X(API_OFFSET_FETCH, 9, "OffsetFetch", 1, 10, 6)                                                \
    X(API_FIND_COORDINATOR, 10, "FindCoordinator", 0, 6, 3)                                        \
    X(API_JOIN_GROUP, 11, "JoinGroup", 0, 9, 6)                                                    \
    X(API_HEARTBEAT, 12, "Heartbeat", 0, 4, 4)                                                     \
    X(API_LEAVE_GROUP, 13, "LeaveGroup", 0, 5, 4)                                                  \
    X(API_SYNC_GROUP, 14, "SyncGroup", 0, 5, 4)                                                    \
    X(API_DESCRIBE_GROUPS, 15, "DescribeGroups", 0, 6, 5)                                          \
    X(API_LIST_GROUPS, 16, "ListGroups", 0, 5, 3)                                                  \
    X(API_SASL_HANDSHAKE, 17, "SaslHandshake", 0, 1, WIRE_NEVER_FLEXIBLE)                          \
    X(API_API_VERSIONS, 18, "ApiVersions", 0, 4, 3)                                                \
    X(API_CREATE_TOPICS, 19, "CreateTopics", 2, 7, 5)                                              \
    X(API_DELETE_TOPICS, 20, "DeleteTopics", 1, 6, 4)                                              \
    X(API_DELETE_RECORDS, 21, "DeleteRecords", 0, 2, 2)                                            \
    X(API_INIT_PRODUCER_ID, 22, "InitProducerId", 0, 5, 2)                                         \
    X(API_OFFSET_FOR_LEADER_EPOCH, 23, "OffsetForLeaderEpoch", 2, 4, 4)                            \
    X(API_ADD_PARTITIONS_TO_TXN, 24, "AddPartitionsToTxn", 0, 5, 3)                                \
    X(API_ADD_OFFSETS_TO_TXN, 25, "AddOffsetsToTxn", 0, 4, 3)                                      \
    X(API_END_TXN, 26, "EndTxn", 0, 5, 3)                                                          \
    X(API_WRITE_TXN_MARKERS, 27, "WriteTxnMarkers", 1, 2, 0)                                       \
    X(API_TXN_OFFSET_COMMIT, 28, "TxnOffsetCommit", 0, 5, 3)                                       \
    X(API_DESCRIBE_ACLS, 29, "DescribeAcls", 1, 3, 2)                                              \
    X(API_CREATE_ACLS, 30, "CreateAcls", 1, 3, 2)                                                  \
    X(API_DELETE_ACLS, 31, "DeleteAcls", 1, 3, 2)                                                  \
    X(API_DESCRIBE_CONFIGS, 32, "DescribeConfigs", 1, 4, 4)                                        \
    X(API_ALTER_CONFIGS, 33, "AlterConfigs", 0, 2, 2)                                              \
    X(API_ALTER_REPLICA_LOG_DIRS, 34, "AlterReplicaLogDirs", 1, 2, 2)                              \
    X(API_DESCRIBE_LOG_DIRS, 35, "DescribeLogDirs", 1, 5, 2)                                       \
    X(API_SASL_AUTHENTICATE, 36, "SaslAuthenticate", 0, 2, 2)                                      \
    X(API_CREATE_PARTITIONS, 37, "CreatePartitions", 0, 3, 2)                                      \
    X(API_CREATE_DELEGATION_TOKEN, 38, "CreateDelegationToken", 1, 3, 2)                           \
    X(API_RENEW_DELEGATION_TOKEN, 39, "RenewDelegationToken", 1, 2, 2)                             \
    X(API_EXPIRE_DELEGATION_TOKEN, 40, "ExpireDelegationToken", 1, 2, 2)                           \
    X(API_DESCRIBE_DELEGATION_TOKEN, 41, "DescribeDelegationToken", 1, 3, 2)                       \
    X(API_DELETE_GROUPS, 42, "DeleteGroups", 0, 2, 2)                                              \
    X(API_ELECT_LEADERS, 43, "ElectLeaders", 0, 2, 2)                                              \
    X(API_INCREMENTAL_ALTER_CONFIGS, 44, "IncrementalAlterConfigs", 0, 1, 1)                       \
    X(API_ALTER_PARTITION_REASSIGNMENTS, 45, "AlterPartitionReassignments", 0, 1, 0)               \
    X(API_LIST_PARTITION_REASSIGNMENTS, 46, "ListPartitionReassignments", 0, 0, 0)                 \
    X(API_OFFSET_DELETE, 47, "OffsetDelete", 0, 0, WIRE_NEVER_FLEXIBLE)                            \
    X(API_DESCRIBE_CLIENT_QUOTAS, 48, "DescribeClientQuotas", 0, 1, 1)                             \
    X(API_ALTER_CLIENT_QUOTAS, 49, "AlterClientQuotas", 0, 1, 1)                                   \
    X(API_DESCRIBE_USER_SCRAM_CREDENTIALS, 50, "DescribeUserScramCredentials", 0, 0, 0)            \
    X(API_ALTER_USER_SCRAM_CREDENTIALS, 51, "AlterUserScramCredentials", 0, 0, 0)                  \
    X(API_VOTE, 52, "Vote", 0, 2, 0)                                                               \
    X(API_BEGIN_QUORUM_EPOCH, 53, "BeginQuorumEpoch", 0, 1, 1)                                     \
    X(API_END_QUORUM_EPOCH, 54, "EndQuorumEpoch", 0, 1, 1)                                         \
    X(API_DESCRIBE_QUORUM, 55, "DescribeQuorum", 0, 2, 0)                                          \
    X(API_ALTER_PARTITION, 56, "AlterPartition", 2, 3, 0)                                          \
    X(API_UPDATE_FEATURES, 57, "UpdateFeatures", 0, 2, 0)                                          \
    X(API_ENVELOPE, 58, "Envelope", 0, 0, 0)                                                       \
    X(API_FETCH_SNAPSHOT, 59, "FetchSnapshot", 0, 1, 0)                                            \
    X(API_DESCRIBE_CLUSTER, 60, "DescribeCluster", 0, 2, 0)                                        \
    X(API_DESCRIBE_PRODUCERS, 61, "DescribeProducers", 0, 0, 0)                                    \
    X(API_BROKER_REGISTRATION, 62, "BrokerRegistration", 0, 4, 0)                                  \
    X(API_BROKER_HEARTBEAT, 63, "BrokerHeartbeat", 0, 2, 0)                                        \
    X(API_UNREGISTER_BROKER, 64, "UnregisterBroker", 0, 0, 0)                                      \
    X(API_DESCRIBE_TRANSACTIONS, 65, "DescribeTransactions", 0, 0, 0)                              \
    X(API_LIST_TRANSACTIONS, 66, "ListTransactions", 0, 2, 0)                                      \
    X(API_ALLOCATE_PRODUCER_IDS, 67, "AllocateProducerIds", 0, 0, 0)                               \
    X(API_CONSUMER_GROUP_HEARTBEAT, 68, "ConsumerGroupHeartbeat", 0, 1, 0)                         \
    X(API_CONSUMER_GROUP_DESCRIBE, 69, "ConsumerGroupDescribe", 0, 1, 0)                           \
    X(API_CONTROLLER_REGISTRATION, 70, "ControllerRegistration", 0, 0, 0)                          \
    X(API_GET_TELEMETRY_SUBSCRIPTIONS, 71, "GetTelemetrySubscriptions", 0, 0, 0)                   \
    X(API_PUSH_TELEMETRY, 72, "PushTelemetry", 0, 0, 0)                                            \
    X(API_ASSIGN_REPLICAS_TO_DIRS, 73, "AssignReplicasToDirs", 0, 0, 0)                            \
    X(API_LIST_CONFIG_RESOURCES, 74, "ListConfigResources", 0, 1, 0)                               \
    X(API_DESCRIBE_TOPIC_PARTITIONS, 75, "DescribeTopicPartitions", 0, 0, 0)                       \
    X(API_SHARE_GROUP_HEARTBEAT, 76, "ShareGroupHeartbeat", 1, 1, 0)                               \
    X(API_SHARE_GROUP_DESCRIBE, 77, "ShareGroupDescribe", 1, 1, 0)                                 \
    X(API_SHARE_FETCH, 78, "ShareFetch", 1, 2, 0)                                                  \
    X(API_SHARE_ACKNOWLEDGE, 79, "ShareAcknowledge", 1, 2, 0)                                      \
    X(API_ADD_RAFT_VOTER, 80, "AddRaftVoter", 0, 1, 0)                                             \
    X(API_REMOVE_RAFT_VOTER, 81, "RemoveRaftVoter", 0, 0, 0)                                       \
    X(API_UPDATE_RAFT_VOTER, 82, "UpdateRaftVoter", 0, 0, 0)                                       \
    X(API_INITIALIZE_SHARE_GROUP_STATE, 83, "InitializeShareGroupState", 0, 0, 0)                  \
    X(API_READ_SHARE_GROUP_STATE, 84, "ReadShareGroupState", 0, 0, 0)                              \
    X(API_WRITE_SHARE_GROUP_STATE, 85, "WriteShareGroupState", 0, 1, 0)                            \
    X(API_DELETE_SHARE_GROUP_STATE, 86, "DeleteShareGroupState", 0, 0, 0)                          \
    X(API_READ_SHARE_GROUP_STATE_SUMMARY, 87, "ReadShareGroupStateSummary", 0, 1, 0)               \
    X(API_STREAMS_GROUP_HEARTBEAT, 88, "StreamsGroupHeartbeat", 0, 0, 0)                           \
    X(API_STREAMS_GROUP_DESCRIBE, 89, "StreamsGroupDescribe", 0, 0, 0)                             \
    X(API_DESCRIBE_SHARE_GROUP_OFFSETS, 90, "DescribeShareGroupOffsets", 0, 1, 0)                  \
    X(API_ALTER_SHARE_GROUP_OFFSETS, 91, "AlterShareGroupOffsets", 0, 0, 0)                        \
    X(API_DELETE_SHARE_GROUP_OFFSETS, 92, "DeleteShareGroupOffsets", 0, 0, 0)

enum wire_api_key {
#define WIRE_API_ENUM(constant, key, name, min, max, flexible) constant = key,
    WIRE_API_LIST(WIRE_API_ENUM)
#undef WIRE_API_ENUM
};

struct wire_api {
    int16_t key;
    int16_t min, max; /* versions */
    int16_t flexible; /* from this version on, or WIRE_NEVER_FLEXIBLE */
    const char *name;
};

/* NULL for a key that the protocol does not have. */
const struct wire_api *wire_api_find(int16_t key);

/* The name, or "unknown". */
const char *wire_api_name(int16_t key);

/* How the documentation of a configuration ends, in a kbroker's answer to DescribeConfigs, that is
 * kept but not obeyed: the protocol has no field for that, and nobody shall believe that what was
 * accepted acts. No text of Kafka's ends so. */
#define WIRE_CONFIG_IDLE "without effect here."

static inline bool wire_api_flexible(const struct wire_api *a, int16_t version)
{
    return version >= a->flexible;
}

#endif
