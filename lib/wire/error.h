/*
 * error - Kafka's error codes: what a server answers, and what a client does about it.
 *
 * Names, codes and which of them may be tried again are Apache Kafka 4.3.1's (Errors.java; a
 * subclass of RetriableException); the texts are ours. KE_ codes (base/err.h) are for inside.
 */
#ifndef KCORE_WIRE_ERROR_H
#define KCORE_WIRE_ERROR_H

#include <stdbool.h>
#include <stdint.h>

/* name, code, worth a retry, text */
#define WIRE_ERROR_LIST(X)                                                                         \
    X(UNKNOWN_SERVER_ERROR, -1, false, "unexpected error in the server")                           \
    X(NONE, 0, false, "no error")                                                                  \
    X(OFFSET_OUT_OF_RANGE, 1, false, "offset out of range")                                        \
    X(CORRUPT_MESSAGE, 2, true, "record batch is corrupt")                                         \
    X(UNKNOWN_TOPIC_OR_PARTITION, 3, true, "unknown topic or partition")                           \
    X(INVALID_FETCH_SIZE, 4, false, "invalid fetch size")                                          \
    X(LEADER_NOT_AVAILABLE, 5, true, "no leader for the partition")                                \
    X(NOT_LEADER_OR_FOLLOWER, 6, true, "broker is not leader or follower of the partition")        \
    X(REQUEST_TIMED_OUT, 7, true, "request timed out in the server")                               \
    X(BROKER_NOT_AVAILABLE, 8, false, "broker not available")                                      \
    X(REPLICA_NOT_AVAILABLE, 9, true, "replica not available")                                     \
    X(MESSAGE_TOO_LARGE, 10, false, "record batch too large")                                      \
    X(STALE_CONTROLLER_EPOCH, 11, false, "stale controller epoch")                                 \
    X(OFFSET_METADATA_TOO_LARGE, 12, false, "offset metadata too large")                           \
    X(NETWORK_EXCEPTION, 13, true, "connection lost before the answer")                            \
    X(COORDINATOR_LOAD_IN_PROGRESS, 14, true, "coordinator is still loading")                      \
    X(COORDINATOR_NOT_AVAILABLE, 15, true, "coordinator not available")                            \
    X(NOT_COORDINATOR, 16, true, "not the coordinator")                                            \
    X(INVALID_TOPIC_EXCEPTION, 17, false, "invalid topic name or forbidden topic")                 \
    X(RECORD_LIST_TOO_LARGE, 18, false, "record batch larger than a segment")                      \
    X(NOT_ENOUGH_REPLICAS, 19, true, "too few in-sync replicas")                                   \
    X(NOT_ENOUGH_REPLICAS_AFTER_APPEND, 20, true, "appended, but to too few in-sync replicas")     \
    X(INVALID_REQUIRED_ACKS, 21, false, "acks must be -1, 0 or 1")                                 \
    X(ILLEGAL_GENERATION, 22, false, "illegal group generation")                                   \
    X(INCONSISTENT_GROUP_PROTOCOL, 23, false, "no group protocol in common")                       \
    X(INVALID_GROUP_ID, 24, false, "invalid group id")                                             \
    X(UNKNOWN_MEMBER_ID, 25, false, "unknown group member")                                        \
    X(INVALID_SESSION_TIMEOUT, 26, false, "session timeout out of range")                          \
    X(REBALANCE_IN_PROGRESS, 27, false, "group is rebalancing")                                    \
    X(INVALID_COMMIT_OFFSET_SIZE, 28, false, "committed offset data too large")                    \
    X(TOPIC_AUTHORIZATION_FAILED, 29, false, "not authorized for the topic")                       \
    X(GROUP_AUTHORIZATION_FAILED, 30, false, "not authorized for the group")                       \
    X(CLUSTER_AUTHORIZATION_FAILED, 31, false, "not authorized for the cluster")                   \
    X(INVALID_TIMESTAMP, 32, false, "record timestamp out of range")                               \
    X(UNSUPPORTED_SASL_MECHANISM, 33, false, "SASL mechanism not supported")                       \
    X(ILLEGAL_SASL_STATE, 34, false, "request does not fit the SASL state")                        \
    X(UNSUPPORTED_VERSION, 35, false, "API version not supported")                                 \
    X(TOPIC_ALREADY_EXISTS, 36, false, "topic already exists")                                     \
    X(INVALID_PARTITIONS, 37, false, "number of partitions below 1")                               \
    X(INVALID_REPLICATION_FACTOR, 38, false, "replication factor impossible here")                 \
    X(INVALID_REPLICA_ASSIGNMENT, 39, false, "invalid replica assignment")                         \
    X(INVALID_CONFIG, 40, false, "invalid configuration")                                          \
    X(NOT_CONTROLLER, 41, true, "not the controller")                                              \
    X(INVALID_REQUEST, 42, false, "invalid request")                                               \
    X(UNSUPPORTED_FOR_MESSAGE_FORMAT, 43, false, "message format does not support the request")    \
    X(POLICY_VIOLATION, 44, false, "against the policy")                                           \
    X(OUT_OF_ORDER_SEQUENCE_NUMBER, 45, false, "sequence number out of order")                     \
    X(DUPLICATE_SEQUENCE_NUMBER, 46, false, "duplicate sequence number")                           \
    X(INVALID_PRODUCER_EPOCH, 47, false, "old producer epoch")                                     \
    X(INVALID_TXN_STATE, 48, false, "operation does not fit the transaction's state")              \
    X(INVALID_PRODUCER_ID_MAPPING, 49, false, "producer id is not that of the transactional id")   \
    X(INVALID_TRANSACTION_TIMEOUT, 50, false, "transaction timeout too large")                     \
    X(CONCURRENT_TRANSACTIONS, 51, true, "another operation on the transaction is running")        \
    X(TRANSACTION_COORDINATOR_FENCED, 52, false, "transaction coordinator fenced")                 \
    X(TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 53, false, "not authorized for the transactional id") \
    X(SECURITY_DISABLED, 54, false, "security features are disabled")                              \
    X(OPERATION_NOT_ATTEMPTED, 55, false, "not attempted")                                         \
    X(KAFKA_STORAGE_ERROR, 56, true, "storage error")                                              \
    X(LOG_DIR_NOT_FOUND, 57, false, "log directory not found")                                     \
    X(SASL_AUTHENTICATION_FAILED, 58, false, "authentication failed")                              \
    X(UNKNOWN_PRODUCER_ID, 59, false, "unknown producer id")                                       \
    X(REASSIGNMENT_IN_PROGRESS, 60, false, "a reassignment is in progress")                        \
    X(DELEGATION_TOKEN_AUTH_DISABLED, 61, false, "delegation tokens are disabled")                 \
    X(DELEGATION_TOKEN_NOT_FOUND, 62, false, "delegation token not found")                         \
    X(DELEGATION_TOKEN_OWNER_MISMATCH, 63, false, "not owner or renewer of the delegation token")  \
    X(DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, 64, false,                                             \
      "delegation token request not allowed on this connection")                                   \
    X(DELEGATION_TOKEN_AUTHORIZATION_FAILED, 65, false, "not authorized for the delegation token") \
    X(DELEGATION_TOKEN_EXPIRED, 66, false, "delegation token expired")                             \
    X(INVALID_PRINCIPAL_TYPE, 67, false, "principal type not supported")                           \
    X(NON_EMPTY_GROUP, 68, false, "group is not empty")                                            \
    X(GROUP_ID_NOT_FOUND, 69, false, "group not found")                                            \
    X(FETCH_SESSION_ID_NOT_FOUND, 70, true, "fetch session not found")                             \
    X(INVALID_FETCH_SESSION_EPOCH, 71, true, "invalid fetch session epoch")                        \
    X(LISTENER_NOT_FOUND, 72, true, "leader has no such listener")                                 \
    X(TOPIC_DELETION_DISABLED, 73, false, "topic deletion is disabled")                            \
    X(FENCED_LEADER_EPOCH, 74, true, "old leader epoch")                                           \
    X(UNKNOWN_LEADER_EPOCH, 75, true, "leader epoch newer than the broker's")                      \
    X(UNSUPPORTED_COMPRESSION_TYPE, 76, false, "compression type not supported")                   \
    X(STALE_BROKER_EPOCH, 77, false, "stale broker epoch")                                         \
    X(OFFSET_NOT_AVAILABLE, 78, true, "offset not available yet")                                  \
    X(MEMBER_ID_REQUIRED, 79, false, "member id required")                                         \
    X(PREFERRED_LEADER_NOT_AVAILABLE, 80, true, "preferred leader not available")                  \
    X(GROUP_MAX_SIZE_REACHED, 81, false, "group is full")                                          \
    X(FENCED_INSTANCE_ID, 82, false, "group instance id taken over by another member")             \
    X(ELIGIBLE_LEADERS_NOT_AVAILABLE, 83, true, "no eligible leader available")                    \
    X(ELECTION_NOT_NEEDED, 84, true, "election not needed")                                        \
    X(NO_REASSIGNMENT_IN_PROGRESS, 85, false, "no reassignment in progress")                       \
    X(GROUP_SUBSCRIBED_TO_TOPIC, 86, false, "group is subscribed to the topic")                    \
    X(INVALID_RECORD, 87, false, "record failed validation")                                       \
    X(UNSTABLE_OFFSET_COMMIT, 88, true, "offsets of open transactions in the way")                 \
    X(THROTTLING_QUOTA_EXCEEDED, 89, true, "quota exceeded")                                       \
    X(PRODUCER_FENCED, 90, false, "fenced by a newer producer")                                    \
    X(RESOURCE_NOT_FOUND, 91, false, "resource not found")                                         \
    X(DUPLICATE_RESOURCE, 92, false, "resource named twice")                                       \
    X(UNACCEPTABLE_CREDENTIAL, 93, false, "unacceptable credential")                               \
    X(INCONSISTENT_VOTER_SET, 94, false, "inconsistent voter set")                                 \
    X(INVALID_UPDATE_VERSION, 95, false, "invalid update version")                                 \
    X(FEATURE_UPDATE_FAILED, 96, false, "feature update failed")                                   \
    X(PRINCIPAL_DESERIALIZATION_FAILURE, 97, false, "forwarded principal not readable")            \
    X(SNAPSHOT_NOT_FOUND, 98, false, "snapshot not found")                                         \
    X(POSITION_OUT_OF_RANGE, 99, false, "position outside of the snapshot")                        \
    X(UNKNOWN_TOPIC_ID, 100, true, "unknown topic id")                                             \
    X(DUPLICATE_BROKER_REGISTRATION, 101, false, "broker id already in use")                       \
    X(BROKER_ID_NOT_REGISTERED, 102, false, "broker id not registered")                            \
    X(INCONSISTENT_TOPIC_ID, 103, true, "topic id does not match")                                 \
    X(INCONSISTENT_CLUSTER_ID, 104, false, "cluster id does not match")                            \
    X(TRANSACTIONAL_ID_NOT_FOUND, 105, false, "transactional id not found")                        \
    X(FETCH_SESSION_TOPIC_ID_ERROR, 106, true, "topic id does not fit the fetch session")          \
    X(INELIGIBLE_REPLICA, 107, false, "ineligible replica")                                        \
    X(NEW_LEADER_ELECTED, 108, false, "another leader was elected")                                \
    X(OFFSET_MOVED_TO_TIERED_STORAGE, 109, false, "offset lies in tiered storage")                 \
    X(FENCED_MEMBER_EPOCH, 110, false, "member epoch fenced")                                      \
    X(UNRELEASED_INSTANCE_ID, 111, false, "instance id not released yet")                          \
    X(UNSUPPORTED_ASSIGNOR, 112, false, "assignor not supported")                                  \
    X(STALE_MEMBER_EPOCH, 113, false, "stale member epoch")                                        \
    X(MISMATCHED_ENDPOINT_TYPE, 114, false, "endpoint is of another type")                         \
    X(UNSUPPORTED_ENDPOINT_TYPE, 115, false, "endpoint type not supported")                        \
    X(UNKNOWN_CONTROLLER_ID, 116, false, "unknown controller id")                                  \
    X(UNKNOWN_SUBSCRIPTION_ID, 117, false, "unknown telemetry subscription")                       \
    X(TELEMETRY_TOO_LARGE, 118, false, "telemetry too large")                                      \
    X(INVALID_REGISTRATION, 119, false, "invalid broker registration")                             \
    X(TRANSACTION_ABORTABLE, 120, false, "transaction must be aborted")                            \
    X(INVALID_RECORD_STATE, 121, false, "invalid record state")                                    \
    X(SHARE_SESSION_NOT_FOUND, 122, true, "share session not found")                               \
    X(INVALID_SHARE_SESSION_EPOCH, 123, true, "invalid share session epoch")                       \
    X(FENCED_STATE_EPOCH, 124, false, "share state epoch fenced")                                  \
    X(INVALID_VOTER_KEY, 125, false, "voter key does not match")                                   \
    X(DUPLICATE_VOTER, 126, false, "already a voter")                                              \
    X(VOTER_NOT_FOUND, 127, false, "voter not found")                                              \
    X(INVALID_REGULAR_EXPRESSION, 128, false, "invalid regular expression")                        \
    X(REBOOTSTRAP_REQUIRED, 129, false, "client must bootstrap again")                             \
    X(STREAMS_INVALID_TOPOLOGY, 130, false, "invalid streams topology")                            \
    X(STREAMS_INVALID_TOPOLOGY_EPOCH, 131, false, "invalid streams topology epoch")                \
    X(STREAMS_TOPOLOGY_FENCED, 132, false, "streams topology outdated")                            \
    X(SHARE_SESSION_LIMIT_REACHED, 133, true, "too many share sessions")

enum wire_error {
#define WIRE_ERROR_ENUM(name, code, retriable, text) KAFKA_##name = code,
    WIRE_ERROR_LIST(WIRE_ERROR_ENUM)
#undef WIRE_ERROR_ENUM
};

/* Kafka's name, such as "NOT_LEADER_OR_FOLLOWER"; "?" for a code that is not in the list. */
const char *wire_error_name(int16_t code);

/* What it means, for people. */
const char *wire_error_text(int16_t code);

/* May the same request succeed later? False for unknown codes. */
bool wire_error_retriable(int16_t code);

#endif
