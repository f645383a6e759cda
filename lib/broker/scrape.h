/*
 * scrape - the page of metrics, over HTTP (metrics.listener).
 *
 * A page is made on the pool, one at a time: ten thousand partitions are megabytes of text, and no
 * reactor waits for that.
 */
#ifndef KCORE_BROKER_SCRAPE_H
#define KCORE_BROKER_SCRAPE_H

#include "broker/core.h"

/* On the first reactor's loop, before it runs or on its thread. */
int scrape_open(struct scrape **out, struct broker *b, struct kerr *e);
const struct net_addr *scrape_addr(const struct scrape *s);
/* Takes no more; who waits for a page is refused. On the loop's thread. */
void scrape_stop(struct scrape *s);
/* A page is being made. */
bool scrape_busy(const struct scrape *s);
/* Stopped, and not busy. s may be NULL. */
void scrape_free(struct scrape *s);

#endif
