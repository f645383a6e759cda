#include "log/verify.h"

#include "log/segdir.h"
#include "log/segscan.h"
#include "log/verify_index.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CHECKPOINT_MAX ((size_t)64 << 20)

struct walk {
    const struct verify_options *o;
    struct verify_result *r;
    int dirfd;
    struct record_iter *it;
    struct epoch_entry *epochs;
    size_t epoch_count;
    int64_t next; /* no batch may begin below it */
    /* of the segment at hand */
    char name[LOG_FILE_NAME];
    int64_t base;
    bool newest, epochs_differ;
    struct segscan scan;
    struct verify_index index;
};

static void tell(const struct verify_options *o, struct verify_result *r,
                 const struct verify_problem *p)
{
    int64_t *const counts[] = {&r->torn, &r->damage, &r->index};

    ++*counts[p->kind];
    if (o->problem)
        o->problem(o->arg, p);
}

static void tell_log(struct walk *w, enum verify_kind kind, int64_t position, const char *what)
{
    struct verify_problem p = {kind, w->name, position, w->next, what};

    tell(w->o, w->r, &p);
}

/* For verify_index. */
static void tell_index(void *arg, const char *file, int64_t position, const char *what)
{
    struct walk *w = arg;
    struct verify_problem p = {VERIFY_INDEX, file, position, -1, what};

    tell(w->o, w->r, &p);
}

/* ---- one segment ---- */

static int check_records(struct walk *w, const struct batch *b, struct kerr *e)
{
    struct record r;
    int rc = record_iter_begin(w->it, b, w->o->cap, e);

    while (rc == 0 && (rc = record_next(w->it, &r, e)) == 1)
        rc = 0, w->r->records++;
    return rc;
}

/* The checkpoint's epoch at the batch's offset is the batch's; said once a segment. */
static void check_epoch(struct walk *w, const struct batch *b)
{
    int32_t epoch = -1;

    if (w->epoch_count == 0 || b->leader_epoch < 0 || w->epochs_differ)
        return;
    for (size_t i = 0; i < w->epoch_count && w->epochs[i].start <= b->base_offset; i++)
        epoch = w->epochs[i].epoch;
    if (epoch != b->leader_epoch) {
        struct verify_problem p = {VERIFY_INDEX, EPOCH_CHECKPOINT, -1, b->base_offset,
                                   "has another epoch at this offset than the batch there"};
        tell(w->o, w->r, &p);
        w->epochs_differ = true;
    }
}

/* A batch that is whole and has a good CRC. */
static int check_batch(struct walk *w, const struct batch *b, int64_t at, struct kerr *e)
{
    int64_t records = w->r->records;
    struct kerr why = {0};
    int rc;

    if (b->base_offset < w->next || b->base_offset < w->base)
        tell_log(w, VERIFY_DAMAGE, at, "the batch's offset lies in front of where it stands");
    if (batch_last_offset(b) - w->base > INT32_MAX)
        tell_log(w, VERIFY_DAMAGE, at, "the batch's offset is too far from the segment's first");
    rc = check_records(w, b, &why);
    if (rc == KE_NOMEM || rc == KE_IO) {
        if (e)
            *e = why;
        return rc;
    }
    if (rc < 0) {
        w->r->records = records;
        tell_log(w, VERIFY_DAMAGE, at, kerr_msg(&why));
    }
    check_epoch(w, b);
    verify_index_batch(&w->index, b, at);
    w->r->batches++;
    w->next = batch_last_offset(b) + 1; /* also where it went back: that has been said */
    return 0;
}

/* No good batch at w->scan.at: 1 when there are good ones behind, where it then stands. */
static int skip_damage(struct walk *w, const char *what, struct kerr *e)
{
    int64_t from = w->scan.at, at = 0;
    int found = segscan_find(&w->scan, w->next, &at, e);

    if (found < 0)
        return found;
    tell_log(w, found || !w->newest ? VERIFY_DAMAGE : VERIFY_TORN, from, what);
    if (found) {
        segscan_seek(&w->scan, at);
        verify_index_skip(&w->index, at);
    } else {
        verify_index_skip(&w->index, INT64_MAX);
    }
    return found;
}

static int check_log(struct walk *w, struct kerr *e)
{
    for (;;) {
        int64_t at = w->scan.at;
        struct kerr why = {0};
        struct batch b;
        int rc = segscan_next(&w->scan, &b, &why);
        if (rc == 0) {
            w->r->bytes += at;
            return 0;
        }
        if (rc == 1 && batch_check_crc(&b, &why) < 0) {
            w->scan.at = at;
            rc = KE_CORRUPT;
        }
        if (rc == KE_AGAIN || rc == KE_CORRUPT) {
            rc = skip_damage(w, kerr_msg(&why), e);
            if (rc == 0)
                w->r->bytes += at;
            if (rc <= 0)
                return rc;
        } else if (rc < 0) {
            if (e)
                *e = why;
            return kerr_ctx(e, rc, "%s", w->name);
        } else if ((rc = check_batch(w, &b, at, e)) < 0) {
            return rc;
        }
    }
}

static int check_segment(struct walk *w, int64_t base, bool newest, struct kerr *e)
{
    int rc;

    log_file_name(w->name, base, LOG_FILE_LOG);
    w->base = base;
    w->newest = newest;
    w->epochs_differ = false;
    rc = segscan_open(&w->scan, w->dirfd, w->name, e);
    if (rc < 0)
        return rc;
    if (w->next > base)
        tell_log(w, VERIFY_DAMAGE, 0, "the segment's base offset lies within the one before");
    rc = verify_index_open(&w->index, w->dirfd, base, tell_index, w, e);
    if (rc == 0)
        rc = check_log(w, e);
    if (rc == 0)
        verify_index_end(&w->index, w->next > base ? w->next : base);
    verify_index_close(&w->index);
    segscan_close(&w->scan);
    w->r->segments++;
    w->r->end = w->next > base ? w->next : base;
    return rc;
}

/* ---- what belongs to the whole partition ---- */

static int small_file(struct walk *w, const char *name, char **bytes, struct slice *s,
                      struct kerr *e)
{
    *bytes = os_read_all(w->dirfd, name, CHECKPOINT_MAX, &s->n);
    s->p = (const uint8_t *)*bytes;
    return *bytes || errno == ENOENT ? 0 : kerr_sys(e, KE_IO, "read %s", name);
}

static int load_epochs(struct walk *w, struct kerr *e)
{
    struct kerr why = {0};
    struct slice s;
    char *bytes;
    int rc = small_file(w, EPOCH_CHECKPOINT, &bytes, &s, e);

    if (rc < 0 || !bytes)
        return rc;
    if (epochs_parse(s, &w->epochs, &w->epoch_count, &why) < 0)
        tell_index(w, EPOCH_CHECKPOINT, -1, kerr_msg(&why));
    free(bytes);
    return 0;
}

/* Whole, and of nothing that lies behind the offset in its name. */
static int check_snapshot(struct walk *w, const char *name, int64_t offset, struct kerr *e)
{
    struct kerr why = {0};
    struct slice s;
    char *bytes;
    int32_t n;
    int rc = small_file(w, name, &bytes, &s, e);

    if (rc < 0 || !bytes)
        return rc;
    if (snapshot_parse(s, &n, &why) < 0) {
        tell_index(w, name, -1, kerr_msg(&why));
        n = 0;
    }
    for (int32_t i = 0; i < n; i++)
        if (snapshot_entry(s, i).last_offset >= offset) {
            tell_index(w, name, -1, "a producer's last offset lies behind the snapshot's own");
            break;
        }
    free(bytes);
    return 0;
}

static int check_snapshots(struct walk *w, struct kerr *e)
{
    char name[LOG_FILE_NAME];
    int64_t *offsets;
    size_t n;
    int rc = segdir_files(w->dirfd, LOG_FILE_SNAPSHOT, &offsets, &n, e);

    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = check_snapshot(w, log_file_name(name, offsets[i], LOG_FILE_SNAPSHOT), offsets[i], e);
    free(offsets);
    return rc;
}

/* only < 0: all segments. */
static int verify(const char *dir, int64_t only, const struct verify_options *o,
                  struct verify_result *r, struct kerr *e)
{
    struct walk w = {.o = o, .r = r, .scan.fd = -1};
    int64_t *bases = NULL;
    size_t n = 0;
    int rc;

    w.dirfd = os_openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0);
    if (w.dirfd < 0)
        return kerr_sys(e, errno == ENOENT ? KE_NOTFOUND : KE_IO, "open %s", dir);
    rc = segdir_list(w.dirfd, &bases, &n, e);
    if (rc == 0 && n == 0)
        rc = kerr_set(e, KE_NOTFOUND, "it has no segment");
    if (rc == 0)
        rc = record_iter_new(&w.it, e);
    if (rc == 0)
        rc = load_epochs(&w, e);
    if (rc == 0)
        r->start = r->end = only < 0 ? bases[0] : only;
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (only < 0 || bases[i] == only)
            rc = check_segment(&w, bases[i], i + 1 == n, e);
    if (rc == 0 && only < 0)
        rc = check_snapshots(&w, e);
    record_iter_free(w.it);
    free(w.epochs);
    free(bases);
    os_close(w.dirfd);
    return rc < 0 ? kerr_ctx(e, rc, "%s", dir) : 0;
}

int verify_dir(const char *dir, const struct verify_options *o, struct verify_result *r,
               struct kerr *e)
{
    return verify(dir, -1, o, r, e);
}

int verify_file(const char *path, const struct verify_options *o, struct verify_result *r,
                struct kerr *e)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    enum log_file kind;
    int64_t base;
    char *dir;
    int rc;

    if (!log_file_parse(name, &base, &kind) || kind != LOG_FILE_LOG)
        return kerr_set(e, KE_INVALID, "%s has no name of a segment", path);
    if (access(path, F_OK) < 0)
        return kerr_sys(e, errno == ENOENT ? KE_NOTFOUND : KE_IO, "%s", path);
    dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    if (!dir)
        return kerr_set(e, KE_NOMEM, "%s", path);
    rc = verify(dir, base, o, r, e);
    free(dir);
    return rc;
}
