/*
 * metrics - the broker's numbers in Prometheus' text form, exposition format 0.0.4.
 *
 * Every metric's name, type and help is a row of a table in metrics.c; kbroker.8 has a list of
 * them, and a test holds the two together.
 */
#ifndef KCORE_BROKER_METRICS_H
#define KCORE_BROKER_METRICS_H

#include "base/buf.h"
#include "broker/stats.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Appends to b; without memory b->failed is set. */
void metrics_write(const struct stats *s, struct buf *b);

#endif
