/*
 * Every message in every version against bytes and JSON made by Kafka's own classes
 * (tests/vectors/README). One line of that file is one vector; WIRE_VECTORS names another file.
 */
#include "wire/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/err.h"

enum { COLUMNS = 7, LONGEST_LINE = 1 << 20 };

struct vector {
    const struct message *t;
    int16_t version;
    bool fresh; /* an untouched message */
    struct buf plain, tagged;
    struct buf prefix; /* what stands before it in a record */
    json_t *json;
};

/* Appends what hex says; "-" is nothing. */
static void unhex(struct buf *b, const char *hex)
{
    for (; hex[0] && hex[1]; hex += 2) {
        unsigned v;
        assert_int_equal(sscanf(hex, "%2x", &v), 1);
        buf_put_u8(b, (uint8_t)v);
    }
}

static bool next_vector(gzFile f, struct vector *v)
{
    static char line[LONGEST_LINE];
    char *column[COLUMNS], *at = line;
    json_error_t bad;

    if (!gzgets(f, line, sizeof line))
        return false;
    for (int i = 0; i < COLUMNS; i++) {
        column[i] = strsep(&at, "\t");
        assert_non_null(column[i]);
    }
    *v = (struct vector){.t = message_find(column[0]),
                         .version = (int16_t)atoi(column[1]),
                         .fresh = strcmp(column[2], "default") == 0};
    assert_non_null(v->t);
    unhex(&v->plain, column[3]);
    unhex(&v->tagged, column[4]);
    unhex(&v->prefix, column[5]);
    v->json = json_loads(column[6], 0, &bad);
    assert_non_null(v->json);
    return true;
}

static void vector_free(struct vector *v)
{
    buf_free(&v->plain);
    buf_free(&v->tagged);
    buf_free(&v->prefix);
    json_decref(v->json);
}

static void for_each(void (*check)(const struct vector *v))
{
    const char *other = getenv("WIRE_VECTORS");
    gzFile f = gzopen(other ? other : "tests/vectors/wire.txt.gz", "rb");
    struct vector v;
    int n = 0;

    assert_non_null(f);
    for (; next_vector(f, &v); n++) {
        check(&v);
        vector_free(&v);
    }
    gzclose(f);
    assert_true(n > 300);
}

static void fail_json(const struct vector *v, const json_t *ours)
{
    char *a = json_dumps(v->json, JSON_SORT_KEYS), *b = json_dumps(ours, JSON_SORT_KEYS);

    print_error("%s v%d\n  Kafka: %.2000s\n  ours:  %.2000s\n", v->t->name, v->version, a, b);
    free(a);
    free(b);
    fail();
}

/* Decodes bytes whole, compares the contents, and encodes them to the plain vector. */
static void check_bytes(const struct vector *v, struct slice bytes)
{
    struct arena arena = {0};
    struct buf out = {0};
    struct wire_reader r;
    void *m = test_malloc(v->t->size);
    json_t *ours;

    wire_reader_init(&r, bytes, &arena);
    if (v->t->decode(m, &r, v->version) != 0 || wire_left(&r) != 0)
        fail_msg("%s v%d: not decoded, %zu left", v->t->name, v->version, wire_left(&r));
    ours = v->t->json(m, v->version);
    if (!json_equal(ours, v->json))
        fail_json(v, ours);
    json_decref(ours);
    if (v->t->encode(m, &out, v->version) != 0 || !slice_eq(buf_slice(&out), buf_slice(&v->plain)))
        fail_msg("%s v%d: other bytes", v->t->name, v->version);
    buf_free(&out);
    arena_free(&arena);
    test_free(m);
}

static void check_vector(const struct vector *v)
{
    check_bytes(v, buf_slice(&v->plain));
    if (v->tagged.n > 0)
        check_bytes(v, buf_slice(&v->tagged));
}

static void kafkas_bytes_and_json(void **state)
{
    (void)state;
    for_each(check_vector);
}

static void check_default(const struct vector *v)
{
    struct buf out = {0};
    void *m;

    if (!v->fresh)
        return;
    m = test_malloc(v->t->size);
    v->t->init(m);
    assert_int_equal(v->t->encode(m, &out, v->version), 0);
    if (!slice_eq(buf_slice(&out), buf_slice(&v->plain)))
        fail_msg("%s v%d: other defaults", v->t->name, v->version);
    buf_free(&out);
    test_free(m);
}

static void kafkas_defaults(void **state)
{
    (void)state;
    for_each(check_default);
}

/* A key says which record it is, in its only version; a value its own version. */
static void check_prefix(const struct vector *v)
{
    const char *name = v->t->name;
    bool key = strcmp(name + strlen(name) - 3, "Key") == 0;
    uint8_t want[2];

    put_be16(want, (uint16_t)(key ? v->t->record : v->version));
    if (!slice_eq(buf_slice(&v->prefix), slice_of(want, v->t->record < 0 ? 0 : sizeof want)))
        fail_msg("%s v%d: Kafka's records begin otherwise", name, v->version);
    assert_true(!key || (v->t->min == 0 && v->t->max == 0));
}

static void what_stands_before_it_in_a_record(void **state)
{
    (void)state;
    for_each(check_prefix);
}

/* Each beginning, in memory of exactly its size, so that ASan sees a byte read past the end. */
static void check_cuts(const struct vector *v)
{
    const struct buf *whole = v->tagged.n > 0 ? &v->tagged : &v->plain;
    void *m = test_malloc(v->t->size);

    for (size_t n = 0; n < whole->n; n += n < 2000 ? 1 : 97) {
        struct arena arena = {0};
        struct wire_reader r;
        uint8_t *cut = malloc(n ? n : 1);
        assert_non_null(cut);
        memcpy(cut, whole->p, n);
        wire_reader_init(&r, slice_of(cut, n), &arena);
        if (v->t->decode(m, &r, v->version) != KE_CORRUPT)
            fail_msg("%s v%d: %zu of %zu bytes are enough", v->t->name, v->version, n, whole->n);
        arena_free(&arena);
        free(cut);
    }
    test_free(m);
}

static void cut_anywhere_is_malformed(void **state)
{
    (void)state;
    for_each(check_cuts);
}

/* The commands of the catalog are nobody else's. */
static bool is_kafkas(const struct message *t)
{
    return strncmp(t->name, "Catalog", strlen("Catalog")) != 0;
}

static bool seen[512][32]; /* by place in the table, version - min */

static void note(const struct vector *v)
{
    size_t i = 0;

    while (messages[i] != v->t)
        i++;
    seen[i][v->version - v->t->min] = true;
}

static void every_message_and_version_is_there(void **state)
{
    (void)state;
    for_each(note);
    for (size_t i = 0; i < message_count; i++)
        for (int v = 0; is_kafkas(messages[i]) && v <= messages[i]->max - messages[i]->min; v++)
            if (!seen[i][v])
                fail_msg("no vector for %s v%d", messages[i]->name, messages[i]->min + v);
}

static void versions_outside_are_unsupported(void **state)
{
    (void)state;
    for (size_t i = 0; i < message_count; i++) {
        const struct message *t = messages[i];
        struct arena arena = {0};
        struct buf b = {0};
        struct wire_reader r;
        void *m = test_malloc(t->size);

        t->init(m);
        wire_reader_init(&r, slice_str("0123456789"), &arena);
        assert_int_equal(t->decode(m, &r, (int16_t)(t->max + 1)), KE_UNSUPPORTED);
        assert_int_equal(t->decode(m, &r, (int16_t)(t->min - 1)), KE_UNSUPPORTED);
        assert_int_equal(t->encode(m, &b, (int16_t)(t->max + 1)), KE_UNSUPPORTED);
        assert_int_equal(t->encode(m, &b, -1), KE_UNSUPPORTED);
        assert_int_equal(b.n, 0);
        test_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kafkas_bytes_and_json),
        cmocka_unit_test(kafkas_defaults),
        cmocka_unit_test(what_stands_before_it_in_a_record),
        cmocka_unit_test(cut_anywhere_is_malformed),
        cmocka_unit_test(every_message_and_version_is_there),
        cmocka_unit_test(versions_outside_are_unsupported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
