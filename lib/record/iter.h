/*
 * iter - what lib/record keeps to itself of walking records (record/batch.h has the contract).
 */
#ifndef KCORE_RECORD_ITER_H
#define KCORE_RECORD_ITER_H

#include "record/batch.h"

/* batch_check_records for a compressed batch: decodes the stream, keeps nothing. */
int record_check_stream(const struct batch *b, size_t cap, struct kerr *e);

#endif
