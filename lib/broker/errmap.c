#include "broker/errmap.h"

#include "wire/error.h"

int16_t errmap(int code)
{
    switch (code) {
    case 0:
        return KAFKA_NONE;
    case KE_CORRUPT:
        return KAFKA_CORRUPT_MESSAGE;
    case KE_INVALID:
        return KAFKA_INVALID_RECORD;
    case KE_RANGE:
        return KAFKA_OFFSET_OUT_OF_RANGE;
    case KE_TOOBIG:
        return KAFKA_MESSAGE_TOO_LARGE;
    case KE_SEQUENCE:
        return KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER;
    case KE_EPOCH:
        return KAFKA_INVALID_PRODUCER_EPOCH;
    case KE_TIMESTAMP:
        return KAFKA_INVALID_TIMESTAMP;
    case KE_CODEC:
        return KAFKA_UNSUPPORTED_COMPRESSION_TYPE;
    case KE_NOTFOUND:
        return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    case KE_IO:
    case KE_NOSPACE:
    case KE_NOMEM:
        return KAFKA_KAFKA_STORAGE_ERROR;
    case KE_TIMEOUT:
        return KAFKA_REQUEST_TIMED_OUT;
    default:
        return KAFKA_UNKNOWN_SERVER_ERROR;
    }
}
