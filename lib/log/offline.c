#include "log/offline.h"

#include "log/segdir.h"
#include "log/segscan.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define INDEX_MAX      ((size_t)64 << 20)
#define CHECKPOINT_MAX ((size_t)16 << 20)

struct offline {
    int dirfd;
    int64_t *bases; /* of the segments, ascending; at least one */
    size_t n;
    int64_t trimmed; /* everything below it is gone */
    int64_t base;    /* of the segment that scan is on */
    struct segscan scan;
    int64_t seen;   /* behind the last batch read: what follows begins here or later */
    int64_t wanted; /* batches that end below it are passed over */
    bool misplaced; /* the last batch was whole, but its offset wrong: no torn tail */
    bool torn;      /* at the end, before bytes that are no whole batch: */
    int64_t torn_at, torn_size;
};

/* ---- open ---- */

/* Where log-start-offset-checkpoint says the partition begins, else 0. A broken one is no reason
 * not to read: it only says what may be left out. */
static int64_t trimmed_to(int rootfd, const char *topic, int32_t partition)
{
    size_t n = 0;
    char *text = os_read_all(rootfd, "log-start-offset-checkpoint", CHECKPOINT_MAX, &n);
    long long offset, found = 0;
    char *at = text, name[PARTITION_TOPIC];
    int number;

    for (int line = 0; at && *at; line++) {
        char *nl = strchr(at, '\n');
        if (line > 1 && sscanf(at, "%249s %d %lld", name, &number, &offset) == 3 &&
            strcmp(name, topic) == 0 && number == partition && offset > 0)
            found = offset;
        at = nl ? nl + 1 : NULL;
    }
    free(text);
    return found;
}

static int open_segment(struct offline *o, int64_t base, struct kerr *e)
{
    char name[LOG_FILE_NAME];
    struct segscan fresh;
    int rc = segscan_open(&fresh, o->dirfd, log_file_name(name, base, LOG_FILE_LOG), e);

    if (rc < 0)
        return rc;
    segscan_close(&o->scan);
    o->scan = fresh;
    o->base = base;
    o->torn = false;
    return 0;
}

static int rescan(struct offline *o, struct kerr *e)
{
    int64_t *bases;
    size_t n;
    int rc = segdir_list(o->dirfd, &bases, &n, e);

    if (rc == 0 && n == 0)
        rc = kerr_set(e, KE_NOTFOUND, "the partition has no segment");
    if (rc < 0)
        return rc;
    free(o->bases);
    o->bases = bases;
    o->n = n;
    return 0;
}

static int open_dirs(struct offline *o, const char *dir, const char *topic, int32_t partition,
                     struct kerr *e)
{
    char name[PARTITION_TOPIC + 16];
    int rootfd = os_openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0), rc = 0;

    if (rootfd < 0)
        return kerr_sys(e, errno == ENOENT ? KE_NOTFOUND : KE_IO, "open %s", dir);
    snprintf(name, sizeof name, "%s-%d", topic, partition);
    o->dirfd = os_openat(rootfd, name, O_RDONLY | O_DIRECTORY, 0);
    if (o->dirfd < 0)
        rc = kerr_sys(e, errno == ENOENT ? KE_NOTFOUND : KE_IO, "open %s/%s", dir, name);
    else
        o->trimmed = trimmed_to(rootfd, topic, partition);
    os_close(rootfd);
    return rc;
}

int offline_open(struct offline **out, const char *dir, const char *topic, int32_t partition,
                 struct kerr *e)
{
    struct offline *o = calloc(1, sizeof *o);
    int rc;

    *out = NULL;
    if (!o)
        return kerr_set(e, KE_NOMEM, "partition %s-%d", topic, partition);
    o->dirfd = o->scan.fd = -1;
    rc = open_dirs(o, dir, topic, partition, e);
    if (rc == 0)
        rc = rescan(o, e);
    if (rc == 0)
        rc = open_segment(o, o->bases[0], e);
    if (rc == 0)
        rc = offline_seek(o, offline_start(o), e);
    if (rc < 0)
        offline_close(o);
    else
        *out = o;
    return rc;
}

void offline_close(struct offline *o)
{
    if (!o)
        return;
    segscan_close(&o->scan);
    if (o->dirfd >= 0)
        os_close(o->dirfd);
    free(o->bases);
    free(o);
}

int64_t offline_start(const struct offline *o)
{
    return o->trimmed > o->bases[0] ? o->trimmed : o->bases[0];
}

bool offline_torn(const struct offline *o)
{
    return o->torn;
}

/* ---- reading on ---- */

/* The segment behind the one at hand: true when one is known of. */
static bool next_base(const struct offline *o, int64_t *base)
{
    for (size_t i = 0; i < o->n; i++)
        if (o->bases[i] > o->base) {
            *base = o->bases[i];
            return true;
        }
    return false;
}

static int damaged(const struct offline *o, int rc, struct kerr *e)
{
    char name[LOG_FILE_NAME];

    return kerr_ctx(e, rc == KE_AGAIN ? KE_CORRUPT : rc, "%s, position %lld",
                    log_file_name(name, o->base, LOG_FILE_LOG), (long long)o->scan.at);
}

/* A whole batch, but does it belong behind what was read? */
static int check_place(const struct offline *o, const struct batch *b, struct kerr *e)
{
    if (b->base_offset < o->seen)
        return kerr_set(e, KE_CORRUPT, "batch at offset %lld follows offset %lld",
                        (long long)b->base_offset, (long long)o->seen - 1);
    if (batch_last_offset(b) - o->base > INT32_MAX)
        return kerr_set(e, KE_CORRUPT, "offset %lld is too far from the segment's first",
                        (long long)batch_last_offset(b));
    return 0;
}

/* One batch with a good CRC and a place behind the one before it; else o->scan.at stays. */
static int read_batch(struct offline *o, struct batch *b, struct kerr *e)
{
    int64_t at = o->scan.at;
    int rc = segscan_next(&o->scan, b, e);

    o->misplaced = false;
    if (rc <= 0)
        return rc;
    rc = batch_check_crc(b, e);
    if (rc == 0) {
        rc = check_place(o, b, e);
        o->misplaced = rc < 0;
    }
    if (rc < 0) {
        o->scan.at = at;
        return rc;
    }
    o->seen = batch_last_offset(b) + 1;
    return 1;
}

/* No whole batch at o->scan.at, in the newest segment: 0 where nothing good is behind it (a tail),
 * else it is damage. The answer stands for as long as the file keeps its size. */
static int judge_tail(struct offline *o, int rc, struct kerr *e)
{
    int64_t size, at;
    int found = segscan_size(&o->scan, &size, e);

    if (found < 0)
        return found;
    if (o->torn && o->torn_at == o->scan.at && o->torn_size == size)
        return 0;
    found = segscan_find(&o->scan, o->seen, &at, NULL);
    if (found < 0)
        return kerr_set(e, found, "cannot look behind position %lld", (long long)o->scan.at);
    if (found)
        return damaged(o, rc, e);
    o->torn = true;
    o->torn_at = o->scan.at;
    o->torn_size = size;
    return 0;
}

/* One batch of this segment or a later one: 1, 0 at the end. A segment is final when a later one
 * was known of before its end was read; until then its end is read again. */
static int advance(struct offline *o, struct batch *b, struct kerr *e)
{
    for (;;) {
        int64_t base;
        bool final = next_base(o, &base);
        int rc = read_batch(o, b, e), found;
        if (rc == 1) {
            o->torn = false;
            return 1;
        }
        if (rc < 0 && rc != KE_AGAIN && rc != KE_CORRUPT)
            return rc;
        segscan_seek(&o->scan, o->scan.at); /* what is buffered may have been half written */
        if (rc < 0 && (final || o->misplaced))
            return damaged(o, rc, e);
        if (final && o->seen > base)
            return damaged(o,
                           kerr_set(e, KE_CORRUPT, "offset %lld belongs to the next segment",
                                    (long long)o->seen - 1),
                           e);
        if (final)
            rc = open_segment(o, base, e);
        if (final && rc == 0)
            continue;
        if (final && rc != KE_NOTFOUND) /* else retention was faster */
            return rc;
        found = rescan(o, e);
        if (found < 0)
            return found;
        if (next_base(o, &base))
            continue;
        o->torn = rc < 0 && o->torn;
        return rc == 0 || final ? 0 : judge_tail(o, rc, e);
    }
}

int offline_next(struct offline *o, struct batch *b, struct kerr *e)
{
    int rc;

    while ((rc = advance(o, b, e)) == 1 && batch_last_offset(b) < o->wanted)
        ;
    return rc;
}

/* ---- finding a place ---- */

/* The segment that would hold offset. */
static int64_t segment_of(const struct offline *o, int64_t offset)
{
    size_t i = o->n;

    while (i > 1 && o->bases[i - 1] > offset)
        i--;
    return o->bases[i - 1];
}

/* A position at or in front of the batch that holds offset, as the index says; 0 when it says
 * nothing of use. It is a hint: what is found there is checked. */
static int64_t indexed_position(const struct offline *o, int64_t offset)
{
    char name[LOG_FILE_NAME];
    size_t n = 0, low = 0, high;
    uint8_t *index = (uint8_t *)os_read_all(o->dirfd, log_file_name(name, o->base, LOG_FILE_INDEX),
                                            INDEX_MAX, &n);
    int64_t position = 0;

    if (!index)
        return 0;
    high = index_used(slice_of(index, n), LOG_FILE_INDEX);
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        struct index_entry entry = index_entry_get(index + mid * INDEX_ENTRY);
        if (entry.relative <= offset - o->base) {
            position = entry.position;
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    free(index);
    return position > 0 ? position : 0;
}

/* Opens the segment and stands at or in front of the batch that holds offset. */
static int stand_before(struct offline *o, int64_t offset, struct kerr *e)
{
    int64_t position;
    struct batch b;
    int rc = open_segment(o, segment_of(o, offset), e);

    if (rc < 0)
        return rc;
    o->seen = o->wanted = 0;
    position = indexed_position(o, offset);
    segscan_seek(&o->scan, position);
    /* a wrong index costs a walk from the segment's beginning */
    if (position > 0 && (read_batch(o, &b, NULL) != 1 || b.base_offset > offset))
        position = 0;
    segscan_seek(&o->scan, position);
    o->seen = 0;
    return 0;
}

/* Stands at the end and says where that is. */
static int run_to_end(struct offline *o, int64_t *end, struct kerr *e)
{
    struct batch b;
    int rc = rescan(o, e);

    if (rc == 0)
        rc = stand_before(o, INT64_MAX, e);
    while (rc == 0 && (rc = advance(o, &b, e)) == 1)
        rc = 0;
    *end = o->seen > o->base ? o->seen : o->base;
    if (*end < o->trimmed)
        *end = o->trimmed;
    return rc;
}

/* Where the reader stands, to come back to. */
struct place {
    int64_t base, at, seen, wanted;
};

static struct place here(const struct offline *o)
{
    return (struct place){o->base, o->scan.at, o->seen, o->wanted};
}

static int go_back(struct offline *o, const struct place *p, struct kerr *e)
{
    int rc = open_segment(o, p->base, e);

    if (rc == KE_NOTFOUND) { /* deleted since: what is left begins behind it */
        rc = stand_before(o, p->seen, e);
        o->wanted = p->wanted;
        return rc;
    }
    if (rc < 0)
        return rc;
    segscan_seek(&o->scan, p->at);
    o->seen = p->seen;
    o->wanted = p->wanted;
    return 0;
}

int offline_end(struct offline *o, int64_t *end, struct kerr *e)
{
    struct place p = here(o);
    int rc = run_to_end(o, end, e), back = go_back(o, &p, rc < 0 ? NULL : e);

    return rc < 0 ? rc : back;
}

int offline_seek(struct offline *o, int64_t offset, struct kerr *e)
{
    struct place p;
    struct batch b;
    int rc = rescan(o, e), found;

    if (rc < 0)
        return rc;
    if (offset < offline_start(o))
        return kerr_set(e, KE_RANGE, "offset %lld is below the first, %lld", (long long)offset,
                        (long long)offline_start(o));
    rc = stand_before(o, offset, e);
    if (rc < 0)
        return rc;
    p = here(o);
    while ((found = advance(o, &b, NULL)) == 1 && batch_last_offset(&b) < offset)
        ;
    /* damage on the way is for offline_next to tell: what is in front of it can be read */
    if (found == 0 && offset > o->seen && offset > o->base && offset > o->trimmed)
        rc = kerr_set(e, KE_RANGE, "offset %lld is past the end, %lld", (long long)offset,
                      (long long)(o->seen > o->base ? o->seen : o->base));
    p.wanted = offset;
    found = go_back(o, &p, rc < 0 ? NULL : e);
    return rc < 0 ? rc : found;
}

/* The first record of the batch at or past *offset with a timestamp of at least ts: 1, or 0. */
static int find_in_batch(const struct batch *b, int64_t ts, size_t cap, int64_t *offset,
                         struct kerr *e)
{
    struct record_iter *it;
    struct record r;
    int64_t from = *offset;
    int rc = record_iter_new(&it, e);

    if (rc < 0)
        return rc;
    rc = record_iter_begin(it, b, cap, e);
    if (rc == 0)
        while ((rc = record_next(it, &r, e)) == 1)
            if (r.timestamp >= ts && r.offset >= from) {
                *offset = r.offset;
                break;
            }
    record_iter_free(it);
    return rc;
}

/* The time index of a segment: is there an earlier place than offset where records from ts on may
 * begin? The last entry holds the segment's largest timestamp, when it was closed well. */
static bool time_index(const struct offline *o, int64_t base, int64_t ts, int64_t *from,
                       int64_t *largest)
{
    char name[LOG_FILE_NAME];
    size_t n = 0, used, i;
    uint8_t *index = (uint8_t *)os_read_all(o->dirfd, log_file_name(name, base, LOG_FILE_TIMEINDEX),
                                            INDEX_MAX, &n);

    *from = base;
    used = index ? index_used(slice_of(index, n), LOG_FILE_TIMEINDEX) : 0;
    for (i = 0; i < used; i++) {
        struct time_entry entry = time_entry_get(index + i * TIME_ENTRY);
        if (entry.timestamp >= ts || entry.relative < 0)
            break;
        *from = base + entry.relative;
    }
    if (used)
        *largest = time_entry_get(index + (used - 1) * TIME_ENTRY).timestamp;
    free(index);
    return used > 0;
}

/* The first offset from which batches have to be looked at. */
static int64_t time_starts_at(const struct offline *o, int64_t ts)
{
    int64_t from = offline_start(o), largest = 0, at;

    for (size_t i = 0; i < o->n; i++) {
        bool known = time_index(o, o->bases[i], ts, &at, &largest);
        if (at > from)
            from = at;
        if (!known || largest >= ts || i + 1 == o->n)
            break;
        from = o->bases[i + 1] > from ? o->bases[i + 1] : from;
    }
    return from;
}

static int walk_to_time(struct offline *o, int64_t ts, size_t cap, int64_t *offset, struct kerr *e)
{
    int64_t from = offline_start(o), first;
    struct batch b;
    int rc = stand_before(o, time_starts_at(o, ts), e);

    while (rc == 0 && (rc = advance(o, &b, e)) == 1) {
        rc = 0;
        if (b.max_timestamp < ts || batch_last_offset(&b) < from)
            continue;
        first = from;
        rc = find_in_batch(&b, ts, cap, &first, e);
        if (rc == 1) {
            *offset = first;
            return 0;
        }
    }
    return rc;
}

int offline_find_time(struct offline *o, int64_t ts, size_t cap, int64_t *offset, struct kerr *e)
{
    struct place p = here(o);
    int rc = rescan(o, e), back;

    *offset = -1;
    if (rc == 0)
        rc = walk_to_time(o, ts, cap, offset, e);
    back = go_back(o, &p, rc < 0 ? NULL : e);
    return rc < 0 ? rc : back;
}
