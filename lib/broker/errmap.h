/*
 * errmap - the one place where our errors become Kafka's.
 */
#ifndef KCORE_BROKER_ERRMAP_H
#define KCORE_BROKER_ERRMAP_H

#include "base/err.h"

#include <stdint.h>

/* 0 stays 0. */
int16_t errmap(int code);

#endif
