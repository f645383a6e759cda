/*
 * The small files of a log directory and the names in it, from a disk that may say anything. The
 * first byte says which; of what could be read, what is written again is read as the same.
 */
#include "log/checkpoint.h"
#include "log/format.h"
#include "log/producers.h"
#include "os/crc32c.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OFFSETS, META, EPOCHS, METADATA, SNAPSHOT, NAMES, INDEX, KINDS };

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* What is refused says why. */
static bool taken(int rc, const struct kerr *e)
{
    must(rc == 0 || (rc < 0 && e->code == rc && e->msg[0]));
    return rc == 0;
}

static void offsets(struct slice in)
{
    struct offset_entry *v = NULL, *again = NULL;
    size_t n = 0, n2 = 0;
    struct kerr e = {0};
    struct buf b = {0};

    if (!taken(offset_checkpoint_decode(in, &v, &n, &e), &e))
        return;
    offset_checkpoint_begin(&b, n);
    for (size_t i = 0; i < n; i++)
        offset_checkpoint_add(&b, v[i].topic, v[i].partition, v[i].offset);
    must(offset_checkpoint_decode(buf_slice(&b), &again, &n2, &e) == 0 && n2 == n);
    for (size_t i = 0; i < n; i++)
        must(strcmp(v[i].topic, again[i].topic) == 0 && v[i].partition == again[i].partition &&
             v[i].offset == again[i].offset);
    free(v);
    free(again);
    buf_free(&b);
}

static void meta(struct slice in)
{
    struct meta_properties m = {0}, again = {0};
    struct kerr e = {0};
    struct buf b = {0};

    if (!taken(meta_properties_decode(in, &m, &e), &e))
        return;
    meta_properties_encode(&b, &m);
    must(meta_properties_decode(buf_slice(&b), &again, &e) == 0);
    must(m.node_id == again.node_id && uuid_eq(m.cluster_id, again.cluster_id) &&
         uuid_eq(m.directory_id, again.directory_id));
    buf_free(&b);
}

static void epochs(struct slice in)
{
    struct epoch_entry *v = NULL, *again = NULL;
    size_t n = 0, n2 = 0;
    struct kerr e = {0};
    struct buf b = {0};

    if (!taken(epochs_parse(in, &v, &n, &e), &e))
        return;
    for (size_t i = 1; i < n; i++)
        must(v[i].epoch > v[i - 1].epoch && v[i].start >= v[i - 1].start);
    must(epochs_write(&b, v, n));
    must(epochs_parse(buf_slice(&b), &again, &n2, &e) == 0 && n2 == n);
    for (size_t i = 0; i < n; i++)
        must(v[i].epoch == again[i].epoch && v[i].start == again[i].start);
    free(v);
    free(again);
    buf_free(&b);
}

static void metadata(struct slice in)
{
    struct uuid id, again;
    struct kerr e = {0};
    struct buf b = {0};

    if (!taken(partition_metadata_parse(in, &id, &e), &e))
        return;
    must(partition_metadata_write(&b, id));
    must(partition_metadata_parse(buf_slice(&b), &again, &e) == 0 && uuid_eq(id, again));
    buf_free(&b);
}

/* The CRC is put right, which a fuzzer could not. */
static void snapshot(struct slice in)
{
    const mono_ns now = {1};
    struct producers t, again;
    struct kerr e = {0};
    struct buf b = {0}, c = {0}, d = {0};

    buf_put_slice(&b, in);
    if (b.n >= SNAPSHOT_HEADER)
        put_be32(b.p + 2, os_crc32c(0, b.p + 6, b.n - 6));
    producers_init(&t);
    producers_init(&again);
    if (taken(producers_load(&t, buf_slice(&b), now, &e), &e)) {
        must(producers_save(&t, &c));
        must(producers_load(&again, buf_slice(&c), now, &e) == 0 && again.n == t.n);
        must(producers_save(&again, &d) && d.n == c.n);
    }
    producers_clear(&t);
    producers_clear(&again);
    buf_free(&b);
    buf_free(&c);
    buf_free(&d);
}

static void names(struct slice in)
{
    char name[300] = "", topic[PARTITION_TOPIC], again[LOG_FILE_NAME];
    enum log_file kind;
    int32_t partition;
    int64_t base;

    if (in.n >= sizeof name)
        return;
    memcpy(name, in.p, in.n);
    if (log_file_parse(name, &base, &kind))
        must(base >= 0 && strcmp(log_file_name(again, base, kind), name) == 0);
    if (partition_dir_parse(name, topic, &partition))
        must(partition >= 0 && strlen(topic) < strlen(name) &&
             memcmp(name, topic, strlen(topic)) == 0);
}

static void indexes(struct slice in)
{
    must(index_used(in, LOG_FILE_INDEX) <= in.n / INDEX_ENTRY);
    must(index_used(in, LOG_FILE_TIMEINDEX) <= in.n / TIME_ENTRY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const read[KINDS])(struct slice) = {offsets,  meta,  epochs, metadata,
                                                      snapshot, names, indexes};

    if (size > 0)
        read[data[0] % KINDS](slice_of(data + 1, size - 1));
    return 0;
}
