/*
 * The reader of directories against a model that is a flat list of what was written: segments with
 * gaps, all codecs, times that go back and forth, and tails of every kind.
 */
#include "log/committed.h"
#include "log/dump.h"
#include "log/offline.h"
#include "log/segdir.h"
#include "log/verify.h"
#include "os/file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    SEGMENTS = 4,
    BATCHES = 12,
    RECORDS_MAX = 5,
    MODEL = (SEGMENTS + 1) * BATCHES * RECORDS_MAX
};

struct model {
    char dir[64];
    int dirfd; /* of t-0 */
    size_t n;
    int64_t offset[MODEL], timestamp[MODEL];
    int64_t end;
    int64_t base;            /* of the last segment */
    int64_t size;            /* of its file */
    int64_t at[BATCHES + 1]; /* where its batches begin, and its end */
    int64_t last_batch;      /* the last of these */
};

static struct slice make_batch(struct batch_builder *w, struct model *m, int64_t base, int count,
                               enum codec c)
{
    struct batch_fields f = {.codec = c,
                             .level = CODEC_LEVEL_DEFAULT,
                             .base_offset = base,
                             .producer_id = -1,
                             .producer_epoch = -1,
                             .base_sequence = -1};
    struct slice out;

    batch_start(w);
    for (int i = 0; i < count; i++) {
        int64_t ts = 1000 + base / 2 + rand() % 40;
        char value[64];
        int n = snprintf(value, sizeof value, "value %lld", (long long)base + i);
        assert_true(batch_add(w, ts, slice_str("k"), slice_of(value, (size_t)n), NULL, 0));
        m->offset[m->n] = base + i;
        m->timestamp[m->n++] = ts;
    }
    m->end = base + count;
    assert_int_equal(batch_finish(w, &f, &out, NULL), 0);
    return out;
}

static void append(struct model *m, enum log_file kind, const void *p, size_t n)
{
    char name[LOG_FILE_NAME];
    int fd =
        openat(m->dirfd, log_file_name(name, m->base, kind), O_WRONLY | O_CREAT | O_APPEND, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, n), (ssize_t)n);
    close(fd);
}

/* The index entries of a batch at position at: every third one, and the time index at each. */
static void index_batch(struct model *m, const struct batch *b, int64_t at, int64_t *largest)
{
    int32_t relative = (int32_t)(batch_last_offset(b) - m->base);
    uint8_t p[TIME_ENTRY];

    if (at > 0 && rand() % 3 == 0) {
        index_entry_put(p, (struct index_entry){relative, (int32_t)at});
        append(m, LOG_FILE_INDEX, p, INDEX_ENTRY);
    }
    if (b->max_timestamp > *largest) {
        time_entry_put(p, (struct time_entry){b->max_timestamp, relative});
        append(m, LOG_FILE_TIMEINDEX, p, TIME_ENTRY);
        *largest = b->max_timestamp;
    }
}

static void add_segment(struct model *m, int64_t base, bool indexed)
{
    struct batch_builder w = {0};
    int64_t largest = -1;

    m->base = base;
    m->size = 0;
    for (int i = 0; i < BATCHES; i++) {
        struct slice s =
            make_batch(&w, m, base, 1 + rand() % RECORDS_MAX, (enum codec)(i % CODEC_COUNT));
        struct batch b;
        assert_int_equal(batch_parse(s, &b, NULL, NULL), 0);
        append(m, LOG_FILE_LOG, s.p, s.n);
        if (indexed)
            index_batch(m, &b, m->size, &largest);
        m->last_batch = m->at[i] = m->size;
        m->at[i + 1] = m->size += (int64_t)s.n;
        base = m->end + (rand() % 3 == 0 ? rand() % 7 : 0);
    }
    if (indexed) { /* as a crash leaves Kafka's */
        static const uint8_t zeros[100];
        append(m, LOG_FILE_INDEX, zeros, 96);
        append(m, LOG_FILE_TIMEINDEX, zeros, 100);
    }
    batch_builder_free(&w);
}

static int setup(void **state)
{
    struct model *m = calloc(1, sizeof *m);
    const char *tmp = getenv("TMPDIR");
    char path[96];

    srand(7);
    snprintf(m->dir, sizeof m->dir, "%s/kcore-offline.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(m->dir))
        return -1;
    snprintf(path, sizeof path, "%s/t-0", m->dir);
    if (mkdir(path, 0700) < 0)
        return -1;
    m->dirfd = open(path, O_RDONLY | O_DIRECTORY);
    m->end = 100;
    for (int i = 0; i < SEGMENTS; i++)
        add_segment(m, m->end + i % 2, i != 1);
    *state = m;
    return 0;
}

static int teardown(void **state)
{
    struct model *m = *state;
    char command[160];
    int rc;

    snprintf(command, sizeof command, "rm -rf '%s'", m->dir);
    rc = system(command);
    close(m->dirfd);
    free(m);
    return rc;
}

static struct offline *reader(const struct model *m)
{
    struct offline *o;
    struct kerr e = {0};

    if (offline_open(&o, m->dir, "t", 0, &e) < 0)
        fail_msg("%s", kerr_msg(&e));
    return o;
}

/* What the reader gives from here on is the model's from the first offset that is >= from. */
static void assert_rest(const struct model *m, struct offline *o, int64_t from, int64_t end)
{
    struct record_iter *it;
    struct batch b;
    struct record r;
    size_t i = 0;
    int rc;

    while (i < m->n && m->offset[i] < from)
        i++;
    assert_int_equal(record_iter_new(&it, NULL), 0);
    while ((rc = offline_next(o, &b, NULL)) == 1) {
        assert_true(batch_last_offset(&b) >= from);
        assert_int_equal(record_iter_begin(it, &b, 0, NULL), 0);
        while ((rc = record_next(it, &r, NULL)) == 1) {
            if (r.offset < from)
                continue;
            assert_true(i < m->n && m->offset[i] < end);
            assert_int_equal(r.offset, m->offset[i]);
            assert_int_equal(r.timestamp, m->timestamp[i]);
            i++;
        }
        assert_int_equal(rc, 0);
    }
    assert_int_equal(rc, 0);
    assert_true(i == m->n || m->offset[i] >= end);
    record_iter_free(it);
}

static void every_offset_can_be_sought(void **state)
{
    const struct model *m = *state;
    struct offline *o = reader(m);
    int64_t end;

    assert_int_equal(offline_start(o), 100);
    assert_int_equal(offline_end(o, &end, NULL), 0);
    assert_int_equal(end, m->end);
    assert_rest(m, o, 0, end);
    assert_false(offline_torn(o));
    for (int64_t at = 100; at <= m->end; at++) {
        assert_int_equal(offline_seek(o, at, NULL), 0);
        assert_rest(m, o, at, end);
    }
    assert_int_equal(offline_seek(o, 99, NULL), KE_RANGE);
    assert_int_equal(offline_seek(o, m->end + 1, NULL), KE_RANGE);
    offline_close(o);
}

static void every_time_can_be_found(void **state)
{
    const struct model *m = *state;
    struct offline *o = reader(m);

    assert_int_equal(offline_seek(o, 130, NULL), 0);
    for (int64_t ts = 1000; ts < 1300; ts++) {
        int64_t offset, expected = -1;
        for (size_t i = m->n; i-- > 0;)
            if (m->timestamp[i] >= ts)
                expected = m->offset[i];
        assert_int_equal(offline_find_time(o, ts, 0, &offset, NULL), 0);
        assert_int_equal(offset, expected);
    }
    assert_rest(m, o, 130, m->end);
    offline_close(o);
}

/* The last batch cut at every byte, then made whole again under the reader. */
static void a_batch_that_is_not_whole_is_waited_for(void **state)
{
    struct model *m = *state;
    int64_t whole = m->size, n = m->size - m->last_batch, before = 0;
    char name[LOG_FILE_NAME];
    uint8_t *bytes = malloc((size_t)n);
    int fd = openat(m->dirfd, log_file_name(name, m->base, LOG_FILE_LOG), O_RDWR);
    struct offline *o;
    struct batch b;

    assert_int_equal(os_pread(fd, bytes, (size_t)n, m->last_batch), n);
    assert_int_equal(batch_parse(slice_of(bytes, (size_t)n), &b, NULL, NULL), 0);
    for (size_t i = 0; i < m->n && m->offset[i] < b.base_offset; i++)
        before = m->offset[i] + 1;
    for (int64_t cut = 0; cut < n; cut++) {
        int64_t end;
        assert_int_equal(ftruncate(fd, m->last_batch + cut), 0);
        o = reader(m);
        assert_int_equal(offline_end(o, &end, NULL), 0);
        assert_int_equal(end, before);
        assert_rest(m, o, 0, before);
        assert_int_equal(offline_torn(o), cut > 0);
        assert_int_equal(pwrite(fd, bytes + cut, (size_t)(n - cut), m->last_batch + cut), n - cut);
        assert_rest(m, o, b.base_offset, m->end);
        assert_false(offline_torn(o));
        offline_close(o);
    }
    assert_int_equal(ftruncate(fd, whole + 5000), 0); /* a file with room for more */
    o = reader(m);
    assert_rest(m, o, 0, m->end);
    offline_close(o);
    assert_int_equal(ftruncate(fd, whole), 0);
    close(fd);
    free(bytes);
}

/* Base offset and leader epoch are not under the CRC. */
static bool under_crc(const struct model *m, int64_t at)
{
    int i = 0;

    while (m->at[i + 1] <= at)
        i++;
    at -= m->at[i];
    return (at >= 8 && at < 12) || at >= 16;
}

/* One bit of one batch: the reader gives what is in front of it, and says where it is. */
static void damage_in_the_middle_is_said(void **state)
{
    const struct model *m = *state;
    char name[LOG_FILE_NAME];
    int fd = openat(m->dirfd, log_file_name(name, m->base, LOG_FILE_LOG), O_RDWR);

    for (int64_t at = 0; at < m->last_batch; at++) {
        struct offline *o;
        struct kerr e = {0};
        struct batch b;
        uint8_t c;
        int rc;
        if (at > 300 && at % 7)
            continue;
        assert_int_equal(pread(fd, &c, 1, at), 1);
        c ^= 0x10;
        assert_int_equal(pwrite(fd, &c, 1, at), 1);
        o = reader(m);
        while ((rc = offline_next(o, &b, &e)) == 1)
            ;
        if (under_crc(m, at))
            assert_int_equal(rc, KE_CORRUPT);
        if (rc < 0) {
            assert_int_equal(rc, KE_CORRUPT);
            assert_non_null(strstr(e.msg, name));
            assert_non_null(strstr(e.msg, "position"));
            assert_int_equal(offline_next(o, &b, &e), KE_CORRUPT);
        }
        offline_close(o);
        c ^= 0x10;
        assert_int_equal(pwrite(fd, &c, 1, at), 1);
    }
    close(fd);
}

/* Whole batches whose offsets do not fit are no torn tail, also where nothing is behind them. */
static void offset_is_damage(struct model *m, int64_t base, const char *what)
{
    struct batch_builder w = {0};
    struct offline *o = reader(m);
    struct kerr e = {0};
    struct batch b;
    struct slice s;
    int rc;

    while ((rc = offline_next(o, &b, NULL)) == 1)
        ;
    assert_int_equal(rc, 0);
    s = make_batch(&w, m, base, 1, CODEC_NONE);
    append(m, LOG_FILE_LOG, s.p, s.n);
    assert_int_equal(offline_next(o, &b, &e), KE_CORRUPT);
    assert_non_null(strstr(kerr_msg(&e), what));
    assert_false(offline_torn(o));
    offline_close(o);
    batch_builder_free(&w);
}

static void offsets_that_go_back_are_damage(void **state)
{
    struct model *m = *state;

    offset_is_damage(m, m->end - 1, "follows offset");
}

static void verified_damage(const struct model *m, const char *what);

static void offsets_far_from_the_first_are_damage(void **state)
{
    struct model *m = *state;

    offset_is_damage(m, m->base + INT64_C(0x80000000), "too far from the segment's first");
    verified_damage(m, "too far from the segment's first");
}

static void offsets_of_the_next_segment_are_damage(void **state)
{
    struct model *m = *state;
    struct batch_builder w = {0};
    struct kerr e = {0};
    struct offline *o;
    struct batch b;
    struct slice s = make_batch(&w, m, m->end + 10, 1, CODEC_NONE);
    int rc;

    append(m, LOG_FILE_LOG, s.p, s.n);
    m->base = m->end - 5;
    append(m, LOG_FILE_LOG, "", 0);
    o = reader(m);
    while ((rc = offline_next(o, &b, &e)) == 1)
        ;
    assert_int_equal(rc, KE_CORRUPT);
    assert_non_null(strstr(kerr_msg(&e), "belongs to the next segment"));
    offline_close(o);
    batch_builder_free(&w);
}

static void a_new_segment_is_followed(void **state)
{
    struct model *m = *state;
    struct offline *o = reader(m);
    int64_t end = m->end;
    struct batch b;

    assert_rest(m, o, 0, end);
    add_segment(m, end, false);
    assert_rest(m, o, end, m->end);
    /* a cut in a segment that is not the newest is damage */
    assert_int_equal(offline_seek(o, 100, NULL), 0);
    {
        char name[LOG_FILE_NAME];
        int fd = openat(m->dirfd, log_file_name(name, 100, LOG_FILE_LOG), O_RDWR);
        struct stat st;
        int rc;
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(ftruncate(fd, st.st_size - 1), 0);
        close(fd);
        while ((rc = offline_next(o, &b, NULL)) == 1)
            ;
        assert_int_equal(rc, KE_CORRUPT);
    }
    offline_close(o);
}

static void what_was_trimmed_is_not_there(void **state)
{
    const struct model *m = *state;
    char path[128];
    struct offline *o;
    FILE *f;

    snprintf(path, sizeof path, "%s/log-start-offset-checkpoint", m->dir);
    f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "0\n2\nother 0 500\nt 0 131\n");
    fclose(f);
    o = reader(m);
    assert_int_equal(offline_start(o), 131);
    assert_rest(m, o, 131, m->end);
    assert_int_equal(offline_seek(o, 130, NULL), KE_RANGE);
    offline_close(o);
}

static void the_directory_is_listed(void **state)
{
    const struct model *m = *state;
    static const char *const names[] = {"b-10", "b-9", "a-0", "a-0.1f-delete", "x"};
    struct partition_name *list;
    struct offline *o;
    char path[128];
    size_t n;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", m->dir, names[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    assert_int_equal(segdir_partitions(m->dir, &list, &n, NULL), 0);
    assert_int_equal(n, 4);
    assert_string_equal(list[0].topic, "a");
    assert_int_equal(list[1].partition, 9);
    assert_int_equal(list[2].partition, 10);
    assert_string_equal(list[3].topic, "t");
    free(list);
    assert_int_equal(offline_open(&o, m->dir, "a", 0, NULL), KE_NOTFOUND);
    assert_int_equal(offline_open(&o, m->dir, "c", 0, NULL), KE_NOTFOUND);
    assert_int_equal(offline_open(&o, "/nonexistent", "c", 0, NULL), KE_NOTFOUND);
}

/* ---- verify ---- */

struct found {
    int64_t position;
    char file[LOG_FILE_NAME], what[200];
};

static void keep_one(void *arg, const struct verify_problem *p)
{
    struct found *f = arg;

    /* damage makes the indexes wrong, too */
    if (p->kind == VERIFY_INDEX && strstr(f->file, ".log"))
        return;
    f->position = p->position;
    snprintf(f->file, sizeof f->file, "%s", p->file);
    snprintf(f->what, sizeof f->what, "%s", p->what);
}

static struct verify_result verified(const struct model *m, struct found *f)
{
    struct verify_options o = {keep_one, f, 0};
    struct verify_result r = {0};
    struct kerr e = {0};
    char path[96];

    snprintf(path, sizeof path, "%s/t-0", m->dir);
    *f = (struct found){0};
    if (verify_dir(path, &o, &r, &e) < 0)
        fail_msg("%s", kerr_msg(&e));
    return r;
}

static void verified_damage(const struct model *m, const char *what)
{
    struct found f;

    assert_int_equal(verified(m, &f).damage, 1);
    assert_non_null(strstr(f.what, what));
}

static void a_sound_partition_is_found_sound(void **state)
{
    const struct model *m = *state;
    struct found f;
    struct verify_result r = verified(m, &f);

    assert_string_equal(f.what, "");
    assert_int_equal(r.segments, SEGMENTS);
    assert_int_equal(r.batches, SEGMENTS * BATCHES);
    assert_int_equal(r.records, m->n);
    assert_int_equal(r.start, 100);
    assert_int_equal(r.end, m->end);
    assert_int_equal(r.torn + r.damage + r.index, 0);
}

/* Any byte of the log that is changed, but for leader epochs, is found, and where it is. */
static void every_flipped_bit_of_the_log_is_found(void **state)
{
    const struct model *m = *state;
    char name[LOG_FILE_NAME];
    int fd = openat(m->dirfd, log_file_name(name, m->base, LOG_FILE_LOG), O_RDWR);

    for (int64_t at = 0; at < m->size; at += at < 200 || at >= m->last_batch ? 1 : 11) {
        struct verify_result r;
        struct found f;
        uint8_t c;
        assert_int_equal(pread(fd, &c, 1, at), 1);
        c ^= 0x80;
        assert_int_equal(pwrite(fd, &c, 1, at), 1);
        r = verified(m, &f);
        if (at < m->last_batch && r.torn)
            fail_msg("a flip at %lld was taken for a torn tail", (long long)at);
        if (under_crc(m, at))
            assert_int_equal(r.torn + r.damage, 1);
        if (r.damage) {
            assert_string_equal(f.file, name);
            /* a base offset that is too large is seen at the next batch */
            assert_true(f.position <= at || strstr(f.what, "lies in front"));
        }
        c ^= 0x80;
        assert_int_equal(pwrite(fd, &c, 1, at), 1);
    }
    close(fd);
}

static void a_torn_tail_is_no_damage_in_the_newest_segment(void **state)
{
    const struct model *m = *state;
    char name[LOG_FILE_NAME];
    struct verify_result r;
    struct found f;
    int fd = openat(m->dirfd, log_file_name(name, m->base, LOG_FILE_LOG), O_RDWR);

    assert_int_equal(ftruncate(fd, m->size - 1), 0);
    r = verified(m, &f);
    assert_int_equal(r.torn, 1);
    assert_int_equal(r.damage + r.index, 0);
    assert_int_equal(f.position, m->last_batch);
    assert_string_equal(f.file, name);
    close(fd);
    fd = openat(m->dirfd, log_file_name(name, 100, LOG_FILE_LOG), O_RDWR);
    assert_int_equal(ftruncate(fd, lseek(fd, 0, SEEK_END) - 1), 0);
    r = verified(m, &f);
    assert_int_equal(r.torn, 1);
    assert_int_equal(r.damage, 1);
    close(fd);
}

/* Each entry of each index bent in each of its fields. */
static void an_index_that_misleads_is_found(void **state)
{
    const struct model *m = *state;

    for (int kind = LOG_FILE_INDEX; kind <= LOG_FILE_TIMEINDEX; kind++) {
        size_t size = kind == LOG_FILE_INDEX ? INDEX_ENTRY : TIME_ENTRY, n;
        char name[LOG_FILE_NAME];
        uint8_t bytes[4096];
        int fd = openat(m->dirfd, log_file_name(name, m->base, (enum log_file)kind), O_RDWR);
        ssize_t length = pread(fd, bytes, sizeof bytes, 0);
        n = index_used(slice_of(bytes, (size_t)length), (enum log_file)kind);
        assert_true(n > 1);
        for (size_t i = 0; i < n; i++)
            for (size_t field = 0; field < 2; field++) {
                int64_t at = (int64_t)(i * size + field * (size - 4));
                size_t width = kind == LOG_FILE_TIMEINDEX && field == 0 ? 8 : 4;
                uint8_t bent[8];
                struct found f;
                memcpy(bent, bytes + at, sizeof bent);
                /* an offset far away; a position within a batch; a time that is too early */
                if (kind == LOG_FILE_INDEX && field == 1)
                    put_be32(bent, get_be32(bent) + 1);
                else if (kind == LOG_FILE_TIMEINDEX && field == 0)
                    put_be64(bent, get_be64(bent) - 1000);
                else
                    put_be32(bent, kind == LOG_FILE_INDEX ? 0 : 5000);
                assert_int_equal(pwrite(fd, bent, width, at), (ssize_t)width);
                assert_int_not_equal(verified(m, &f).index, 0);
                assert_string_equal(f.file, name);
                assert_int_equal(pwrite(fd, bytes, (size_t)length, 0), length);
            }
        close(fd);
    }
}

static void checkpoints_and_snapshots_are_checked(void **state)
{
    const struct model *m = *state;
    struct producer_entry p = {.producer_id = 1, .last_offset = 119};
    struct buf b = {0};
    struct found f;

    assert_int_equal(os_replace(m->dirfd, EPOCH_CHECKPOINT, "0\n1\n0 0\n", 8), 0);
    assert_true(snapshot_write(&b, &p, 1));
    assert_int_equal(os_replace(m->dirfd, "00000000000000000120.snapshot", b.p, b.n), 0);
    assert_int_equal(verified(m, &f).index, 0);
    assert_int_equal(os_replace(m->dirfd, "00000000000000000119.snapshot", b.p, b.n), 0);
    assert_int_equal(verified(m, &f).index, 1);
    assert_string_equal(f.file, "00000000000000000119.snapshot");
    b.p[20] ^= 1;
    assert_int_equal(os_replace(m->dirfd, "00000000000000000119.snapshot", b.p, b.n), 0);
    assert_int_equal(verified(m, &f).index, 1);
    assert_int_equal(os_unlinkat(m->dirfd, "00000000000000000119.snapshot", 0), 0);
    assert_int_equal(os_replace(m->dirfd, EPOCH_CHECKPOINT, "0\n2\n0 0\n1 140\n", 14), 0);
    assert_true(verified(m, &f).index > 0);
    assert_string_equal(f.file, EPOCH_CHECKPOINT);
    assert_int_equal(os_replace(m->dirfd, EPOCH_CHECKPOINT, "0\n2\n0 0\n", 8), 0);
    assert_int_equal(verified(m, &f).index, 1);
    buf_free(&b);
}

/* ---- dump ---- */

struct seen {
    int64_t batches, records, entries, last;
};

static int see_batch(void *arg, const struct batch *b, int64_t position, uint32_t crc)
{
    struct seen *s = arg;

    assert_true(position > s->last || s->batches == 0);
    s->last = position;
    s->batches += crc == b->crc;
    return 0;
}

static int see_record(void *arg, const struct batch *b, const struct record *r)
{
    (void)b;
    (void)r;
    return ++((struct seen *)arg)->records > 1000;
}

static int see_pair(void *arg, int64_t a, int64_t b)
{
    assert_true(a > 0 && b > 0);
    ((struct seen *)arg)->entries++;
    return 0;
}

static void files_are_dumped(void **state)
{
    struct model *m = *state;
    struct seen seen = {0};
    struct dump_sink sink = {.batch = see_batch,
                             .record = see_record,
                             .index = see_pair,
                             .time = see_pair,
                             .arg = &seen};
    char path[160], name[LOG_FILE_NAME];

    snprintf(path, sizeof path, "%s/t-0/%s", m->dir, log_file_name(name, m->base, LOG_FILE_LOG));
    assert_int_equal(dump_file(path, &sink, NULL), 0);
    assert_int_equal(seen.batches, BATCHES);
    assert_true(seen.records >= BATCHES);
    append(m, LOG_FILE_LOG, "torn", 4);
    seen = (struct seen){0};
    assert_int_equal(dump_file(path, &sink, NULL), KE_AGAIN);
    assert_int_equal(seen.batches, BATCHES);
    snprintf(path, sizeof path, "%s/t-0/%s", m->dir, log_file_name(name, m->base, LOG_FILE_INDEX));
    assert_int_equal(dump_file(path, &sink, NULL), 0);
    assert_true(seen.entries > 0);
    seen.entries = 0;
    snprintf(path, sizeof path, "%s/t-0/%s", m->dir,
             log_file_name(name, m->base, LOG_FILE_TIMEINDEX));
    assert_int_equal(dump_file(path, &sink, NULL), 0);
    assert_true(seen.entries > 0);
    assert_int_equal(dump_file("x", &sink, NULL), KE_INVALID);
    assert_int_equal(dump_file("00000000000000000000.log", &sink, NULL), KE_NOTFOUND);
    assert_int_equal(dump_file("00000000000000000000.index", &sink, NULL), KE_NOTFOUND);
}

/* ---- transactions on a live directory ---- */

/* One record of a transaction, or its end: 'c'ommit, 'a'bort. */
static void transact(struct model *m, int64_t producer_id, char what)
{
    struct batch_fields f = {.level = CODEC_LEVEL_DEFAULT,
                             .attributes = BATCH_TRANSACTIONAL | (what == 'r' ? 0 : BATCH_CONTROL),
                             .base_offset = m->end++,
                             .producer_id = producer_id};
    uint8_t key[4] = {0, 0, 0, what == 'c'}, value[6] = {0};
    struct batch_builder w = {0};
    struct slice out;

    batch_start(&w);
    assert_true(batch_add(&w, 0, slice_of(key, 4), slice_of(value, 6), NULL, 0));
    assert_int_equal(batch_finish(&w, &f, &out, NULL), 0);
    append(m, LOG_FILE_LOG, out.p, out.n);
    batch_builder_free(&w);
}

static void expect_committed(struct committed *c, struct offline *o, int64_t offset)
{
    struct batch b;

    assert_int_equal(committed_next(c, o, &b, NULL), 1);
    assert_int_equal(b.base_offset, offset);
}

static void open_transactions_are_waited_for(void **state)
{
    struct model *m = *state;
    struct offline *o = reader(m);
    int64_t at = m->end;
    struct committed *c;
    struct batch b;

    assert_int_equal(committed_open(&c, m->dir, "t", 0, NULL), 0);
    assert_int_equal(committed_end(c), at);
    assert_int_equal(offline_seek(o, at, NULL), 0);
    assert_int_equal(committed_next(c, o, &b, NULL), 0);
    transact(m, 7, 'r'); /* at */
    transact(m, 8, 'r'); /* at + 1 */
    transact(m, 7, 'r'); /* at + 2 */
    transact(m, 8, 'c'); /* at + 3 */
    assert_int_equal(committed_next(c, o, &b, NULL), 0);
    assert_int_equal(committed_end(c), at);
    transact(m, 7, 'a'); /* at + 4 */
    transact(m, 7, 'r'); /* at + 5 */
    expect_committed(c, o, at + 1);
    assert_int_equal(committed_next(c, o, &b, NULL), 0);
    assert_int_equal(committed_end(c), at + 5);
    transact(m, 7, 'c'); /* at + 6 */
    expect_committed(c, o, at + 5);
    assert_int_equal(committed_next(c, o, &b, NULL), 0);
    committed_free(c);
    /* another one that comes later sees the same */
    assert_int_equal(committed_open(&c, m->dir, "t", 0, NULL), 0);
    assert_int_equal(offline_seek(o, at, NULL), 0);
    expect_committed(c, o, at + 1);
    expect_committed(c, o, at + 5);
    assert_int_equal(committed_next(c, o, &b, NULL), 0);
    committed_free(c);
    offline_close(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_offset_can_be_sought, setup, teardown),
        cmocka_unit_test_setup_teardown(every_time_can_be_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_batch_that_is_not_whole_is_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_in_the_middle_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(offsets_that_go_back_are_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(offsets_far_from_the_first_are_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(offsets_of_the_next_segment_are_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_segment_is_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_trimmed_is_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(the_directory_is_listed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_sound_partition_is_found_sound, setup, teardown),
        cmocka_unit_test_setup_teardown(every_flipped_bit_of_the_log_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_torn_tail_is_no_damage_in_the_newest_segment, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_index_that_misleads_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(checkpoints_and_snapshots_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_dumped, setup, teardown),
        cmocka_unit_test_setup_teardown(open_transactions_are_waited_for, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
