/* writer and json; what is JSON is read back by jansson, what is UTF-8 is asked of iconv. */
#include "cli/json.h"
#include "cli/writer.h"

#include <errno.h>
#include <iconv.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <jansson.h>

#include <cmocka.h>

static const struct column columns[] = {
    {"topic", COL_TEXT}, {"partition", COL_NUMBER}, {"isr", COL_LIST},       {"records", COL_COUNT},
    {"size", COL_SIZE},  {"time", COL_TIME},        {"retention", COL_TEXT}, {0}};

static char *print(enum writer_form form, bool header, int rows)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    struct writer *w = writer_new(form, columns, header, f);

    if (rows > 0) {
        writer_text(w, slice_str("access"));
        writer_number(w, 10);
        writer_list(w, (const int32_t[]){1, 2}, 2);
        writer_number(w, 41290117);
        writer_number(w, 1046478848);
        writer_number(w, 1795532645678);
        writer_text(w, slice_str("7d"));
        writer_row(w);
    }
    if (rows > 1) {
        writer_text(w, slice_of("a\n\xff", 3));
        writer_number(w, 0);
        writer_list(w, NULL, 0);
        writer_none(w);
        writer_number(w, 7);
        writer_number(w, -1);
        writer_text(w, slice_str(NULL));
        writer_row(w);
    }
    assert_int_equal(writer_end(w, NULL), 0);
    fclose(f);
    return text;
}

static void a_table(void **state)
{
    char *text = print(WRITER_TABLE, true, 2);

    (void)state;
    assert_string_equal(
        text,
        "TOPIC      PARTITION  ISR     RECORDS     SIZE  TIME                      RETENTION\n"
        "access            10  1,2  41,290,117  998 MiB  2026-11-24T15:04:05.678Z  7d\n"
        "a\\x0a\\xff          0  -             -      7 B  -                         -\n");
    free(text);
    text = print(WRITER_TABLE, false, 1);
    assert_string_equal(text,
                        "access  10  1,2  41,290,117  998 MiB  2026-11-24T15:04:05.678Z  7d\n");
    free(text);
    text = print(WRITER_TABLE, true, 0);
    assert_string_equal(text, "TOPIC  PARTITION  ISR  RECORDS  SIZE  TIME  RETENTION\n");
    free(text);
}

static void json_lines(void **state)
{
    char *text = print(WRITER_JSON, true, 2);

    (void)state;
    assert_string_equal(text, "{\"v\":1,\"topic\":\"access\",\"partition\":10,\"isr\":[1,2],"
                              "\"records\":41290117,\"size\":1046478848,\"time\":1795532645678,"
                              "\"retention\":\"7d\"}\n"
                              "{\"v\":1,\"topic\":{\"base64\":\"YQr/\"},\"partition\":0,\"isr\":[],"
                              "\"records\":null,\"size\":7,\"time\":-1,\"retention\":null}\n");
    free(text);
}

static void many_rows(void **state)
{
    static const struct column one[] = {{"n", COL_NUMBER}, {0}};
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    struct writer *w = writer_new(WRITER_TABLE, one, false, f);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        writer_number(w, i);
        writer_row(w);
    }
    assert_int_equal(writer_end(w, NULL), 0);
    fclose(f);
    assert_int_equal(n, 4000);
    assert_memory_equal(text, "  0\n  1\n", 8);
    assert_memory_equal(text + 3996, "999\n", 4);
    free(text);
}

/* What a terminal of so many columns shows, without the carriage returns that it adds. */
static char *on_terminal(unsigned short width, bool header)
{
    static const struct column some[] = {
        {"topic", COL_TEXT}, {"records", COL_COUNT}, {"documentation", COL_TEXT}, {0}};
    struct winsize size = {.ws_row = 24, .ws_col = width};
    static char shown[4096];
    struct writer *w;
    int master, slave;
    size_t n = 0;
    ssize_t k;
    FILE *f;

    assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
    f = fdopen(slave, "w");
    w = writer_new(WRITER_TABLE, some, header, f);
    writer_text(w, slice_str("a-topic-with-a-long-name"));
    writer_number(w, 41290117);
    writer_text(w, slice_str("what there is to be said of it"));
    writer_row(w);
    writer_text(w, slice_str("short"));
    writer_number(w, 1);
    writer_text(w, slice_str("little"));
    writer_row(w);
    assert_int_equal(writer_end(w, NULL), 0);
    fclose(f); /* what was written before can still be read */
    while ((k = read(master, shown + n, sizeof shown - 1 - n)) > 0)
        n += (size_t)k;
    close(master);
    shown[n] = 0;
    for (char *cr; (cr = strchr(shown, '\r')) != NULL;)
        memmove(cr, cr + 1, strlen(cr));
    return shown;
}

static void on_a_terminal_text_is_cut_and_numbers_are_not(void **state)
{
    static const char whole[] =
        "TOPIC                        RECORDS  DOCUMENTATION\n"
        "a-topic-with-a-long-name  41,290,117  what there is to be said of it\n"
        "short                              1  little\n";

    (void)state;
    assert_string_equal(on_terminal(0, true), whole); /* it does not say */
    assert_string_equal(on_terminal(200, true), whole);
    assert_string_equal(on_terminal(68, true), whole);
    assert_string_equal(on_terminal(67, true),
                        "TOPIC                        RECORDS  DOCUMENTATION\n"
                        "a-topic-with-a-long-name  41,290,117  what there is to be said of ~\n"
                        "short                              1  little\n");
    assert_string_equal(on_terminal(50, true),
                        "TOPIC                  RECORDS  DOCUMENTATION\n"
                        "a-topic-with-a-lo~  41,290,117  what there is to ~\n"
                        "short                        1  little\n");
    /* as narrow as it gets */
    assert_string_equal(on_terminal(10, true), "TOPIC        RECORDS  DOCUMENTATION\n"
                                               "a-topic~  41,290,117  what there i~\n"
                                               "short              1  little\n");
    assert_string_equal(on_terminal(1, false), "a-topic~  41,290,117  what th~\n"
                                               "short              1  little\n");
}

/* A file is for programs: nothing is cut there, however long it is. */
static void elsewhere_nothing_is_cut(void **state)
{
    static const struct column one[] = {{"doc", COL_TEXT}, {0}};
    struct writer *w;
    char *text = NULL, doc[3000];
    size_t n;
    FILE *f = open_memstream(&text, &n);

    (void)state;
    for (size_t i = 0; i < sizeof doc; i++)
        doc[i] = (char)('a' + i % 26);
    w = writer_new(WRITER_TABLE, one, false, f);
    writer_text(w, slice_of(doc, sizeof doc));
    writer_row(w);
    assert_int_equal(writer_end(w, NULL), 0);
    fclose(f);
    assert_int_equal(n, sizeof doc + 1);
    assert_memory_equal(text, doc, sizeof doc);
    free(text);
}

/* Random strings, thick with the bytes that matter. */
static size_t random_bytes(uint8_t *out)
{
    static const uint8_t special[] = {0,    0x1f, 0x22, 0x5c, 0x7f, 0x80, 0x8f, 0x90,
                                      0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0,
                                      0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff};
    size_t n = (size_t)(rand() % 6);

    for (size_t i = 0; i < n; i++)
        out[i] = rand() % 4 ? special[(size_t)rand() % sizeof special] : (uint8_t)rand();
    return n;
}

static void utf8_as_iconv_sees_it(void **state)
{
    iconv_t cd = iconv_open("UTF-32LE", "UTF-8");
    int valid = 0;

    (void)state;
    assert_true(cd != (iconv_t)-1);
    srand(1);
    for (int i = 0; i < 300000; i++) {
        uint8_t bytes[8];
        char wide[64], *in = (char *)bytes, *out = wide;
        size_t n = random_bytes(bytes), left = n, room = sizeof wide;
        bool good = iconv(cd, &in, &left, &out, &room) != (size_t)-1;
        iconv(cd, NULL, NULL, NULL, NULL);
        if (utf8_valid(slice_of(bytes, n)) != good)
            fail_msg("%zu bytes %02x %02x %02x %02x", n, bytes[0], bytes[1], bytes[2], bytes[3]);
        valid += n > 1 && good;
    }
    assert_true(valid > 1000);
    iconv_close(cd);
}

static void strings_as_jansson_reads_them(void **state)
{
    struct buf b = {0};

    (void)state;
    srand(2);
    for (int i = 0; i < 100000; i++) {
        uint8_t bytes[8];
        size_t n = random_bytes(bytes);
        json_t *j;
        buf_clear(&b);
        json_put(&b, slice_of(bytes, n));
        j = json_loadb((const char *)b.p, b.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(j);
        if (utf8_valid(slice_of(bytes, n))) {
            assert_int_equal(json_string_length(j), n);
            assert_memory_equal(json_string_value(j), bytes, n);
        } else {
            assert_true(json_is_string(json_object_get(j, "base64")));
        }
        json_decref(j);
    }
    buf_clear(&b);
    json_put(&b, slice_str(NULL));
    assert_string_equal(buf_cstr(&b), "null");
    buf_free(&b);
}

/* RFC 4648, section 10 */
static void base64_vectors(void **state)
{
    static const char *const rows[][2] = {{"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"},
                                          {"\xff\xef\xbe", "/+++"}};
    struct buf b = {0};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf_clear(&b);
        base64_put(&b, slice_str(rows[i][0]));
        assert_string_equal(buf_cstr(&b), rows[i][1]);
    }
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table),
        cmocka_unit_test(json_lines),
        cmocka_unit_test(many_rows),
        cmocka_unit_test(on_a_terminal_text_is_cut_and_numbers_are_not),
        cmocka_unit_test(elsewhere_nothing_is_cut),
        cmocka_unit_test(utf8_as_iconv_sees_it),
        cmocka_unit_test(strings_as_jansson_reads_them),
        cmocka_unit_test(base64_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
