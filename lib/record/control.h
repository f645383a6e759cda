/*
 * control - the one record of a control batch, which ends a transaction
 * (org.apache.kafka.common.record: ControlRecordType, EndTransactionMarker). Key: version 2, type
 * 2; value: version 2, coordinator epoch 4. Later versions may be longer.
 */
#ifndef KCORE_RECORD_CONTROL_H
#define KCORE_RECORD_CONTROL_H

#include "record/batch.h"

enum { CONTROL_ABORT = 0, CONTROL_COMMIT = 1 }; /* others are not about transactions */

/* False where the key is no control record's. *coordinator_epoch is -1 where the value has none. */
bool control_parse(const struct record *r, int16_t *type, int32_t *coordinator_epoch);

#endif
