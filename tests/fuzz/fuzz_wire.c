/*
 * Every message in every version: the first two bytes choose, the rest is the body. What is decoded
 * can be encoded, and from then on bytes and contents stay the same. At the end it says how many of
 * them it came to decode.
 */
#include "wire/messages.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* Decodes in and encodes the result to out; false when in is malformed. */
static bool round_trip(const struct message *t, int16_t version, struct slice in, struct buf *out)
{
    struct arena arena = {0};
    struct wire_reader r;
    void *m = malloc(t->size);
    int rc;

    must(m != NULL);
    wire_reader_init(&r, in, &arena);
    rc = t->decode(m, &r, version);
    must(r.p <= r.end && r.bad == (rc != 0));
    if (rc == 0)
        must(t->encode(m, out, version) == 0);
    arena_free(&arena);
    free(m);
    return rc == 0;
}

enum { MESSAGES = 256, VERSIONS = 32 };
static bool decoded[MESSAGES][VERSIONS];

static void report(void)
{
    int all = 0, seen = 0;

    for (size_t i = 0; i < message_count; i++)
        for (int v = 0; v <= messages[i]->max - messages[i]->min; v++) {
            all++;
            seen += decoded[i][v];
        }
    fprintf(stderr, "decoded: %d of %d versions of messages\n", seen, all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool begun;
    struct buf first = {0}, second = {0};
    const struct message *t;
    int16_t version;

    if (!begun)
        begun = atexit(report) == 0;
    if (size < 2)
        return 0;
    t = messages[data[0] % message_count];
    version = (int16_t)(t->min + data[1] % (t->max - t->min + 1));
    if (round_trip(t, version, slice_of(data + 2, size - 2), &first)) {
        decoded[data[0] % message_count][version - t->min] = true;
        must(round_trip(t, version, buf_slice(&first), &second));
        must(slice_eq(buf_slice(&first), buf_slice(&second)));
    }
    buf_free(&first);
    buf_free(&second);
    return 0;
}
