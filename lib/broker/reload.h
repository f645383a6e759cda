/*
 * reload - what of the configuration can change while the broker runs: broker_reload(), and the
 * same at the start.
 *
 * Defaults of topics' settings change for every log at once, limits on each reactor when it comes
 * by; what lies in struct live is read anew each time. What was set while running (the catalog has
 * it) still comes first.
 */
#ifndef KCORE_BROKER_RELOAD_H
#define KCORE_BROKER_RELOAD_H

#include "broker/core.h"

/* From b->conf, before anything else of b. */
int live_init(struct broker *b, struct kerr *e);
void live_free(struct broker *b);

#endif
