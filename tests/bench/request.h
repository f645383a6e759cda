/*
 * request - the requests that the bench programs send, and what they believe of the answers. A
 * topic has one partition.
 */
#ifndef KCORE_TESTS_BENCH_REQUEST_H
#define KCORE_TESTS_BENCH_REQUEST_H

#include "record/batch.h"

/* Returns when the topic has a leader; it is made where it is not there. */
void await_topic(int fd, const char *topic);
/* A connection to such a topic. */
int open_topic(int port, const char *topic);

/* Writes a request up to its batch, which follows it; its size. */
size_t produce_request(uint8_t *out, const char *topic, int acks, size_t batch);
/* Of an answer, its length included. */
size_t produce_answer_size(const char *topic);
/* The base offset; an error ends the program. */
int64_t produce_answer(const uint8_t *p, const char *topic);

size_t fetch_request(uint8_t *out, const char *topic, int64_t offset, int64_t max);
/* The records of an answer, whose length has been read already. */
struct slice fetch_answer(const uint8_t *p, size_t n, const char *topic);

/* A batch of so many copies of value as fit in size bytes, but one at least. In b's memory. */
struct slice make_batch(struct batch_builder *b, struct slice value, size_t size);

/* Of "name=number" words; otherwise < 0: it must be there. */
int64_t option(char **argv, const char *name, int64_t otherwise);

#endif
