/*
 * A partition's directory as a crash, a stranger or a bad disk may leave it: it must open, or be
 * refused with an error; what is served afterwards must be whole batches in order; and the two ways
 * to read it without a broker must agree with recovery on where the good data ends.
 *
 * An input is a byte of flags (1: a clean stop is marked) and then files, each: a byte for its
 * kind, one for the base offset in its name, one of flags (1: the CRCs in it are put right, which a
 * fuzzer could not), two for its length, big-endian, its bytes.
 */
#include "log/logdir.h"
#include "log/offline.h"
#include "log/verify.h"
#include "os/crc32c.h"
#include "os/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FILE_EPOCHS = LOG_FILE_COUNT, FILE_METADATA, FILE_RECOVERY, FILE_START, FILE_KINDS };
enum { CLEAN_STOP = 1, GOOD_CRC = 1, CAP = 1 << 20 };

static const char *const fixed_names[] = {EPOCH_CHECKPOINT, PARTITION_METADATA,
                                          "recovery-point-offset-checkpoint",
                                          "log-start-offset-checkpoint"};

static char root[64];
static struct pool *pool;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* ---- the directory ---- */

/* Of all but the identity of the log directory. */
static void empty(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, "meta.properties") != 0 && strcmp(entry->d_name, ".lock") != 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
}

static void path_in_root(char out[160], const char *name)
{
    snprintf(out, 160, "%s/%s", root, name);
}

static void clean_up(void)
{
    char path[160];

    pool_free(pool);
    path_in_root(path, "t-0");
    empty(path);
    rmdir(path);
    empty(root);
    path_in_root(path, ".lock");
    unlink(path);
    path_in_root(path, "meta.properties");
    unlink(path);
    rmdir(root);
}

static struct logdir *open_dir(void)
{
    struct logdir_conf c = {.path = root, .pool = pool, .producer_expiry_ms = 86400000};
    struct uuid cluster = {{0}};
    struct logdir *d;

    must(logdir_open(&d, &c, &cluster, NULL) == 0);
    return d;
}

/* In memory where there is such a file system: nothing here is about the disk. */
static void prepare(void)
{
    const char *tmp = getenv("TMPDIR");
    char path[160];

    if (access("/dev/shm", W_OK) == 0)
        tmp = "/dev/shm";
    snprintf(root, sizeof root, "%s/kcfuzzXXXXXX", tmp && strlen(tmp) < 40 ? tmp : "/tmp");
    must(mkdtemp(root) != NULL && pool_new(&pool, 1, NULL) == 0);
    atexit(clean_up);
    must(logdir_close(open_dir(), false, NULL) == 0);
    path_in_root(path, "t-0");
    must(mkdir(path, 0700) == 0);
}

static void write_file(const char *name, const uint8_t *p, size_t n)
{
    char path[160];
    int fd;

    path_in_root(path, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    must(fd >= 0 && write(fd, p, n) == (ssize_t)n);
    close(fd);
}

static void put_crcs_right(uint8_t *p, size_t n, int kind)
{
    if (kind == LOG_FILE_SNAPSHOT && n >= SNAPSHOT_HEADER)
        put_be32(p + 2, os_crc32c(0, p + 6, n - 6));
    while (kind == LOG_FILE_LOG && n >= BATCH_HEADER) {
        uint64_t size = (uint64_t)get_be32(p + 8) + BATCH_PREFIX;
        if (size < BATCH_HEADER || size > n)
            break;
        put_be32(p + 17, os_crc32c(0, p + 21, (size_t)size - 21));
        p += size;
        n -= (size_t)size;
    }
}

/* True when every CRC of the log must have been looked at: nothing says that anything of it is on
 * stable storage. */
static bool lay_out(const uint8_t *data, size_t size)
{
    bool all = size == 0 || !(data[0] & CLEAN_STOP);
    char name[160], log[LOG_FILE_NAME];

    empty(root);
    path_in_root(name, "t-0");
    empty(name);
    if (!all)
        write_file(".kafka_cleanshutdown", (const uint8_t *)"", 0);
    for (size_t at = 1; at + 5 <= size;) {
        int kind = data[at] % FILE_KINDS;
        int64_t base = data[at + 1];
        size_t n = get_be16(data + at + 3);
        uint8_t *copy;
        n = n < size - at - 5 ? n : size - at - 5;
        copy = malloc(n + 1);
        must(copy != NULL);
        memcpy(copy, data + at + 5, n);
        if (data[at + 2] & GOOD_CRC)
            put_crcs_right(copy, n, kind);
        if (kind < LOG_FILE_COUNT)
            snprintf(name, sizeof name, "t-0/%s", log_file_name(log, base, (enum log_file)kind));
        else
            snprintf(name, sizeof name, "%s%s", kind < FILE_RECOVERY ? "t-0/" : "",
                     fixed_names[kind - LOG_FILE_COUNT]);
        all &= kind < FILE_RECOVERY;
        write_file(name, copy, n);
        free(copy);
        at += 5 + n;
    }
    return all;
}

/* ---- readers without a broker ---- */

struct opinion {
    bool readable;
    int64_t end;
    int64_t damage;
    bool gap; /* a segment that does not begin where the one before it ends */
};

static struct opinion ask_verify(void)
{
    struct verify_options o = {.cap = CAP};
    struct verify_result r = {0};
    char path[160];
    int rc;

    path_in_root(path, "t-0");
    rc = verify_dir(path, &o, &r, NULL);
    must(rc == 0 || rc == KE_NOTFOUND);
    return (struct opinion){rc == 0, r.end, r.damage, false};
}

/* Which segments there are now, by base offset; inputs have none above. */
static void find_segments(bool out[256])
{
    char path[160];
    struct dirent *entry;
    enum log_file kind;
    int64_t base;
    DIR *dir;

    path_in_root(path, "t-0");
    dir = opendir(path);
    must(dir != NULL);
    while ((entry = readdir(dir)) != NULL)
        if (log_file_parse(entry->d_name, &base, &kind) && kind == LOG_FILE_LOG && base < 256)
            out[base] = true;
    closedir(dir);
}

static bool gap_between_segments(const bool segments[256], const bool ended[256])
{
    bool first = true, gap = false;

    for (int i = 0; i < 256; i++) {
        gap |= segments[i] && !first && !ended[i];
        first &= !segments[i];
    }
    return gap;
}

/* Reads to the end, or to damage. */
static struct opinion ask_offline(void)
{
    bool segments[256] = {false}, ended[256] = {false};
    struct opinion x = {0};
    struct offline *o;
    struct batch b;
    int64_t next = 0, end = 0, found;
    int rc = offline_open(&o, root, "t", 0, NULL);

    if (rc < 0)
        return x;
    find_segments(segments);
    next = offline_start(o);
    must(offline_find_time(o, 1700000000000, CAP, &found, NULL) <= 0);
    while ((rc = offline_next(o, &b, NULL)) == 1) {
        must(batch_check_crc(&b, NULL) == 0 && batch_last_offset(&b) >= next);
        next = batch_last_offset(&b) + 1;
        if (next < 256)
            ended[next] = true;
    }
    for (int i = 255; next < i; i--)
        next = segments[i] ? i : next; /* an empty one begins at the end */
    x = (struct opinion){true, next, rc < 0, gap_between_segments(segments, ended)};
    rc = offline_end(o, &end, NULL);
    must(x.damage || rc < 0 || end == next);
    offline_close(o);
    return x;
}

/* ---- the log ---- */

static void check_ends(const struct plog_ends *x)
{
    must(x->log_start >= 0 && x->log_start <= x->local_start && x->local_start <= x->stable);
    must(x->stable <= x->end && x->high_watermark <= x->stable && x->lso <= x->high_watermark);
}

/* Whole batches in the source, from offset *at on; false when there is none. */
static bool take_batches(const struct plog_source *s, int64_t *at, bool strict)
{
    uint8_t *p = malloc(s->size + 1);
    struct slice left;
    bool any = false;
    struct batch b;

    must(p && pread(s->fd, p, s->size, s->at) == (ssize_t)s->size);
    left = slice_of(p, s->size);
    while (batch_parse(left, &b, NULL, NULL) == 0) {
        must(!strict || batch_check_crc(&b, NULL) == 0);
        must(!strict || batch_last_offset(&b) >= *at);
        any = batch_last_offset(&b) >= *at;
        *at = any ? batch_last_offset(&b) + 1 : *at;
        left = slice_of(left.p + b.size, left.n - b.size);
    }
    must(!strict || left.n == 0);
    free(p);
    return any;
}

static void read_all(struct plog *l, bool strict)
{
    struct plog_ends x;
    struct plog_source s;
    int64_t at, found, time;
    bool any = true;

    plog_ends(l, &x);
    check_ends(&x);
    plog_find_time(l, 1700000000000, x.end, &found, &time, NULL);
    plog_max_time(l, x.end, &found, &time, NULL);
    for (at = x.log_start; any && at < x.end;) {
        int rc = plog_read(l, at, x.end, CAP, PLOG_WHOLE_FIRST, &s, NULL);
        must(!strict || rc == 0);
        if (rc < 0)
            return;
        any = s.size > 0 && take_batches(&s, &at, strict);
        plog_source_release(&s);
    }
    must(!strict || at == x.end);
}

static void append_one(struct plog *l)
{
    struct batch_fields f = {
        .level = CODEC_LEVEL_DEFAULT, .producer_id = -1, .producer_epoch = -1, .base_sequence = -1};
    struct batch_builder w = {0};
    struct plog_append a = {0};
    struct plog_ends x;
    struct slice bytes;

    plog_ends(l, &x);
    batch_start(&w);
    must(batch_add(&w, 1700000000000, (struct slice){NULL, 0}, slice_str("v"), NULL, 0));
    must(batch_finish(&w, &f, &bytes, NULL) == 0);
    a.bytes = w.buf.p;
    a.size = bytes.n;
    a.leader_epoch = x.leader_epoch > 0 ? x.leader_epoch : 0;
    must(plog_append(l, &a, (wall_ms){1700000000000}, NULL) == 0 && a.base_offset == x.end);
    must(plog_flush_wait(l, a.last_offset + 1, NULL) == 0);
    batch_builder_free(&w);
}

/* Opens it, reads all, adds a record, closes it as after a clean stop; the end before that record,
 * or -1 where it did not open. */
static int64_t serve(bool strict, int64_t *log_end)
{
    struct logdir *d = open_dir();
    struct logdir_entry *list = NULL;
    struct plog_conf conf;
    struct plog_ends x;
    struct plog *l;
    size_t n = 0;
    int rc = logdir_list(d, &list, &n, NULL);

    must(rc < 0 || n == 1);
    plog_conf_default(&conf);
    conf.index_interval_bytes = 64;
    conf.after_max_ms = INT64_MAX;
    *log_end = -1;
    if (rc == 0)
        rc = logdir_load(d, &list[0], &conf, &l, NULL);
    if (rc == 0) {
        plog_ends(l, &x);
        *log_end = x.end;
        read_all(l, strict);
        append_one(l);
        read_all(l, strict);
        plog_close(l, true);
    }
    free(list);
    logdir_close(d, rc == 0, NULL);
    return *log_end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct opinion before, walked, after;
    int64_t end, again;
    bool strict, agreed;

    if (!pool)
        prepare();
    strict = lay_out(data, size);
    before = ask_verify();
    walked = ask_offline();
    agreed = strict && before.readable && before.damage == 0;
    must(!agreed || (walked.readable && !walked.damage && walked.end == before.end));
    if (serve(strict, &end) < 0)
        return 0;
    /* behind a crash, what lies behind a gap is not believed; readers cannot know of the crash */
    must(!agreed || walked.gap || end == before.end);
    after = ask_verify();
    must(after.readable && (!strict || after.end == end + 1));
    walked = ask_offline();
    must(!strict || (walked.readable && !walked.damage && walked.end == end + 1));
    must(serve(strict, &again) == end + 1);
    return 0;
}
