#include "log/format.h"

#include "os/crc32c.h"

#include <stdio.h>
#include <stdlib.h>

enum { NAME_DIGITS = 20 };

static const char *const suffixes[LOG_FILE_COUNT] = {".log", ".index", ".timeindex", ".txnindex",
                                                     ".snapshot"};

const char *log_file_name(char out[LOG_FILE_NAME], int64_t base, enum log_file kind)
{
    snprintf(out, LOG_FILE_NAME, "%020lld%s", (long long)base, suffixes[kind]);
    return out;
}

/* Decimal digits only, at least one, no overflow. */
static bool digits(const char *p, size_t n, int64_t *v)
{
    int64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        if (p[i] < '0' || p[i] > '9' || __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, p[i] - '0', &sum))
            return false;
    *v = sum;
    return n > 0;
}

bool log_file_parse(const char *name, int64_t *base, enum log_file *kind)
{
    if (strnlen(name, NAME_DIGITS) < NAME_DIGITS || !digits(name, NAME_DIGITS, base))
        return false;
    for (int i = 0; i < LOG_FILE_COUNT; i++)
        if (strcmp(name + NAME_DIGITS, suffixes[i]) == 0) {
            *kind = (enum log_file)i;
            return true;
        }
    return false;
}

static bool is_topic_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

bool partition_dir_parse(const char *name, char topic[PARTITION_TOPIC], int32_t *partition)
{
    const char *dash = strrchr(name, '-');
    size_t n = dash ? (size_t)(dash - name) : 0;
    int64_t number;

    if (n == 0 || n >= PARTITION_TOPIC || !digits(dash + 1, strlen(dash + 1), &number) ||
        number > INT32_MAX)
        return false;
    if (dash[1] == '0' && dash[2] != 0) /* 00: no name that Kafka makes */
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_topic_char(name[i]))
            return false;
    memcpy(topic, name, n);
    topic[n] = 0;
    if (strcmp(topic, ".") == 0 || strcmp(topic, "..") == 0)
        return false;
    *partition = (int32_t)number;
    return true;
}

struct txn_entry txn_entry_get(const uint8_t p[TXN_ENTRY])
{
    return (struct txn_entry){
        .version = (int16_t)get_be16(p),
        .producer_id = (int64_t)get_be64(p + 2),
        .first_offset = (int64_t)get_be64(p + 10),
        .last_offset = (int64_t)get_be64(p + 18),
        .last_stable_offset = (int64_t)get_be64(p + 26),
    };
}

void txn_entry_put(uint8_t p[TXN_ENTRY], const struct txn_entry *v)
{
    put_be16(p, (uint16_t)v->version);
    put_be64(p + 2, (uint64_t)v->producer_id);
    put_be64(p + 10, (uint64_t)v->first_offset);
    put_be64(p + 18, (uint64_t)v->last_offset);
    put_be64(p + 26, (uint64_t)v->last_stable_offset);
}

size_t index_used(struct slice bytes, enum log_file kind)
{
    static const uint8_t zeros[TIME_ENTRY];
    size_t entry = kind == LOG_FILE_INDEX ? INDEX_ENTRY : TIME_ENTRY;
    size_t low = 0, high = bytes.n / entry;

    /* entries in use come first, so the first of zeros is found by halving */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (memcmp(bytes.p + mid * entry, zeros, entry) == 0)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

/* ---- producer snapshots ---- */

enum { SNAPSHOT_VERSION = 1, SNAPSHOT_CRC_FROM = 6 };

int snapshot_parse(struct slice s, int32_t *count, struct kerr *e)
{
    uint32_t crc;
    int32_t n;

    if (s.n < SNAPSHOT_HEADER)
        return kerr_set(e, KE_CORRUPT, "producer snapshot of %zu bytes", s.n);
    if (get_be16(s.p) != SNAPSHOT_VERSION)
        return kerr_set(e, KE_CORRUPT, "producer snapshot version %u, expected %d", get_be16(s.p),
                        SNAPSHOT_VERSION);
    crc = os_crc32c(0, s.p + SNAPSHOT_CRC_FROM, s.n - SNAPSHOT_CRC_FROM);
    if (crc != get_be32(s.p + 2))
        return kerr_set(e, KE_CORRUPT, "producer snapshot: CRC %08x, computed %08x",
                        get_be32(s.p + 2), crc);
    n = (int32_t)get_be32(s.p + SNAPSHOT_CRC_FROM);
    if (n < 0 || (size_t)n != (s.n - SNAPSHOT_HEADER) / SNAPSHOT_ENTRY ||
        (s.n - SNAPSHOT_HEADER) % SNAPSHOT_ENTRY != 0)
        return kerr_set(e, KE_CORRUPT, "producer snapshot: %d entries in %zu bytes", n, s.n);
    *count = n;
    return 0;
}

struct producer_entry snapshot_entry(struct slice s, int32_t i)
{
    const uint8_t *p = s.p + SNAPSHOT_HEADER + (size_t)i * SNAPSHOT_ENTRY;

    return (struct producer_entry){
        .producer_id = (int64_t)get_be64(p),
        .epoch = (int16_t)get_be16(p + 8),
        .last_sequence = (int32_t)get_be32(p + 10),
        .last_offset = (int64_t)get_be64(p + 14),
        .offset_delta = (int32_t)get_be32(p + 22),
        .timestamp = (int64_t)get_be64(p + 26),
        .coordinator_epoch = (int32_t)get_be32(p + 34),
        .txn_first_offset = (int64_t)get_be64(p + 38),
    };
}

static void put_producer(uint8_t *p, const struct producer_entry *v)
{
    put_be64(p, (uint64_t)v->producer_id);
    put_be16(p + 8, (uint16_t)v->epoch);
    put_be32(p + 10, (uint32_t)v->last_sequence);
    put_be64(p + 14, (uint64_t)v->last_offset);
    put_be32(p + 22, (uint32_t)v->offset_delta);
    put_be64(p + 26, (uint64_t)v->timestamp);
    put_be32(p + 34, (uint32_t)v->coordinator_epoch);
    put_be64(p + 38, (uint64_t)v->txn_first_offset);
}

bool snapshot_write(struct buf *out, const struct producer_entry *entries, int32_t count)
{
    size_t n = SNAPSHOT_HEADER + (size_t)count * SNAPSHOT_ENTRY;
    uint8_t *p = buf_add(out, n);

    if (!p)
        return false;
    put_be16(p, SNAPSHOT_VERSION);
    put_be32(p + SNAPSHOT_CRC_FROM, (uint32_t)count);
    for (int32_t i = 0; i < count; i++)
        put_producer(p + SNAPSHOT_HEADER + (size_t)i * SNAPSHOT_ENTRY, &entries[i]);
    put_be32(p + 2, os_crc32c(0, p + SNAPSHOT_CRC_FROM, n - SNAPSHOT_CRC_FROM));
    return true;
}

/* ---- the text files ---- */

/* Takes the next line, without its newline; false at the end. */
static bool next_line(struct slice *s, struct slice *line)
{
    const uint8_t *nl;

    if (s->n == 0)
        return false;
    nl = memchr(s->p, '\n', s->n);
    *line = slice_of(s->p, nl ? (size_t)(nl - s->p) : s->n);
    *s = slice_of(s->p + line->n, s->n - line->n);
    if (nl)
        *s = slice_of(s->p + 1, s->n - 1);
    return true;
}

static bool line_number(struct slice line, int64_t *v)
{
    return digits((const char *)line.p, line.n, v);
}

static bool epoch_line(struct slice line, struct epoch_entry *v)
{
    const uint8_t *space = memchr(line.p, ' ', line.n);
    size_t n = space ? (size_t)(space - line.p) : 0;
    int64_t epoch;

    if (!space || !digits((const char *)line.p, n, &epoch) || epoch > INT32_MAX)
        return false;
    v->epoch = (int32_t)epoch;
    return digits((const char *)space + 1, line.n - n - 1, &v->start);
}

int epochs_parse(struct slice s, struct epoch_entry **out, size_t *n, struct kerr *e)
{
    struct epoch_entry *list = NULL;
    struct slice line;
    int64_t version, count;

    *out = NULL;
    *n = 0;
    if (!next_line(&s, &line) || !line_number(line, &version) || version != 0)
        return kerr_set(e, KE_CORRUPT, "leader epochs: the first line is no version 0");
    /* an entry takes four bytes at least, the last newline may be missing */
    if (!next_line(&s, &line) || !line_number(line, &count) || (uint64_t)count > (s.n + 1) / 4)
        return kerr_set(e, KE_CORRUPT, "leader epochs: the second line is no count");
    if (count > 0 && !(list = malloc((size_t)count * sizeof *list)))
        return kerr_set(e, KE_NOMEM, "leader epochs");
    for (int64_t i = 0; i < count; i++) {
        if (next_line(&s, &line) && epoch_line(line, &list[i]) &&
            (i == 0 || (list[i].epoch > list[i - 1].epoch && list[i].start >= list[i - 1].start)))
            continue;
        free(list);
        return kerr_set(e, KE_CORRUPT, "leader epochs: line %lld is malformed or out of order",
                        (long long)i + 3);
    }
    if (s.n > 0) {
        free(list);
        return kerr_set(e, KE_CORRUPT, "leader epochs: lines behind the last of %lld",
                        (long long)count);
    }
    *out = list;
    *n = (size_t)count;
    return 0;
}

bool epochs_write(struct buf *out, const struct epoch_entry *entries, size_t n)
{
    buf_printf(out, "0\n%zu\n", n);
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%d %lld\n", entries[i].epoch, (long long)entries[i].start);
    return !out->failed;
}

int partition_metadata_parse(struct slice s, struct uuid *topic_id, struct kerr *e)
{
    static const char prefix[] = "topic_id: ";
    struct slice version, id;

    if (!next_line(&s, &version) || !slice_eq_str(version, "version: 0"))
        return kerr_set(e, KE_CORRUPT, "partition.metadata: the first line is no \"version: 0\"");
    if (!next_line(&s, &id) || id.n < sizeof prefix || memcmp(id.p, prefix, sizeof prefix - 1) ||
        !uuid_parse(slice_of(id.p + sizeof prefix - 1, id.n - (sizeof prefix - 1)), topic_id))
        return kerr_set(e, KE_CORRUPT, "partition.metadata: the second line is no topic_id");
    return 0;
}

bool partition_metadata_write(struct buf *out, struct uuid topic_id)
{
    char text[UUID_TEXT];

    /* Kafka's has no newline at the end */
    buf_printf(out, "version: 0\ntopic_id: %s", uuid_format(topic_id, text));
    return !out->failed;
}
