#include "log/checkpoint.h"

#include <stdlib.h>

/* Takes the next line off s; false at the end. A carriage return before the newline is dropped. */
static bool next_line(struct slice *s, struct slice *line)
{
    const uint8_t *nl;

    if (s->n == 0)
        return false;
    nl = memchr(s->p, '\n', s->n);
    line->p = s->p;
    line->n = nl ? (size_t)(nl - s->p) : s->n;
    s->p += line->n + (nl ? 1 : 0);
    s->n -= line->n + (nl ? 1 : 0);
    if (line->n > 0 && line->p[line->n - 1] == '\r')
        line->n--;
    return true;
}

/* Takes the next word off a line: what stands before a blank. */
static bool next_word(struct slice *line, struct slice *word)
{
    const uint8_t *end;

    while (line->n > 0 && line->p[0] == ' ')
        *line = slice_of(line->p + 1, line->n - 1);
    if (line->n == 0)
        return false;
    end = memchr(line->p, ' ', line->n);
    word->p = line->p;
    word->n = end ? (size_t)(end - line->p) : line->n;
    *line = slice_of(line->p + word->n, line->n - word->n);
    return true;
}

static bool parse_number(struct slice s, int64_t max, int64_t *v)
{
    int64_t n = 0;

    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        int d = s.p[i] - '0';
        if (d < 0 || d > 9 || n > (max - d) / 10)
            return false;
        n = n * 10 + d;
    }
    *v = n;
    return true;
}

static bool next_number(struct slice *line, int64_t max, int64_t *v)
{
    struct slice word;

    return next_word(line, &word) && parse_number(word, max, v);
}

/* The version and the count; an entry is at least shortest bytes long. */
static int begin(struct slice *s, size_t shortest, int64_t *count, struct kerr *e)
{
    struct slice line;
    int64_t v;

    if (!next_line(s, &line) || !next_number(&line, INT32_MAX, &v))
        return kerr_set(e, KE_CORRUPT, "checkpoint without a version");
    if (v != 0)
        return kerr_set(e, KE_UNSUPPORTED, "checkpoint version %lld, expected 0", (long long)v);
    if (!next_line(s, &line) || !next_number(&line, INT32_MAX, count))
        return kerr_set(e, KE_CORRUPT, "checkpoint without a count");
    if ((size_t)*count > (s->n + 1) / shortest)
        return kerr_set(e, KE_CORRUPT, "checkpoint announces %lld entries in %zu bytes",
                        (long long)*count, s->n);
    return 0;
}

static int bad_line(struct kerr *e, int64_t i)
{
    return kerr_set(e, KE_CORRUPT, "checkpoint entry %lld", (long long)i + 1);
}

static bool topic_name_ok(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '/' || s.p[i] < '!' || s.p[i] > '~')
            return false;
    return true;
}

static bool offset_line(struct slice line, struct offset_entry *v)
{
    struct slice topic;
    int64_t partition;

    if (!next_word(&line, &topic) || topic.n >= PARTITION_TOPIC || !topic_name_ok(topic) ||
        !next_number(&line, INT32_MAX, &partition) || !next_number(&line, INT64_MAX, &v->offset) ||
        line.n > 0)
        return false;
    memcpy(v->topic, topic.p, topic.n);
    v->topic[topic.n] = 0;
    v->partition = (int32_t)partition;
    return true;
}

int offset_checkpoint_decode(struct slice file, struct offset_entry **out, size_t *n,
                             struct kerr *e)
{
    struct offset_entry *v;
    struct slice line;
    int64_t count, i;
    int rc;

    *out = NULL;
    *n = 0;
    rc = begin(&file, 6, &count, e);
    if (rc < 0)
        return rc;
    if (count == 0)
        return next_line(&file, &line) ? bad_line(e, 0) : 0;
    v = calloc((size_t)count, sizeof *v);
    if (!v)
        return kerr_set(e, KE_NOMEM, "offset checkpoint");
    for (i = 0; i < count; i++)
        if (!next_line(&file, &line) || !offset_line(line, &v[i]))
            break;
    if (i < count || next_line(&file, &line)) {
        free(v);
        return bad_line(e, i);
    }
    *out = v;
    *n = (size_t)count;
    return 0;
}

void offset_checkpoint_begin(struct buf *b, size_t n)
{
    buf_printf(b, "0\n%zu\n", n);
}

void offset_checkpoint_add(struct buf *b, const char *topic, int32_t partition, int64_t offset)
{
    buf_printf(b, "%s %d %lld\n", topic, partition, (long long)offset);
}

static struct slice trim(struct slice s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = slice_of(s.p + 1, s.n - 1);
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* The value behind "name=" in a properties file; false when there is none. # and ! begin
 * comments. */
static bool find_value(struct slice file, const char *name, struct slice *value)
{
    struct slice line;

    while (next_line(&file, &line)) {
        const uint8_t *at;
        line = trim(line);
        if (line.n == 0 || line.p[0] == '#' || line.p[0] == '!')
            continue;
        at = memchr(line.p, '=', line.n);
        if (!at || !slice_eq_str(trim(slice_of(line.p, (size_t)(at - line.p))), name))
            continue;
        *value = trim(slice_of(at + 1, line.n - (size_t)(at - line.p) - 1));
        return true;
    }
    return false;
}

static int check_version(struct slice file, struct kerr *e)
{
    struct slice s;
    int64_t v;

    if (!find_value(file, "version", &s) || !parse_number(s, INT32_MAX, &v))
        return kerr_set(e, KE_CORRUPT, "meta.properties without a version");
    if (v != 1)
        return kerr_set(e, KE_UNSUPPORTED, "meta.properties version %lld, expected 1",
                        (long long)v);
    return 0;
}

int meta_properties_decode(struct slice file, struct meta_properties *out, struct kerr *e)
{
    int rc = check_version(file, e);
    struct slice s;
    int64_t id;

    if (rc < 0)
        return rc;
    *out = (struct meta_properties){0};
    if (!find_value(file, "node.id", &s) || !parse_number(s, INT32_MAX, &id))
        return kerr_set(e, KE_CORRUPT, "meta.properties without a node.id");
    out->node_id = (int32_t)id;
    if (!find_value(file, "cluster.id", &s) || !uuid_parse(s, &out->cluster_id))
        return kerr_set(e, KE_CORRUPT, "meta.properties without a cluster.id that is an id");
    if (find_value(file, "directory.id", &s) && !uuid_parse(s, &out->directory_id))
        return kerr_set(e, KE_CORRUPT, "meta.properties with a directory.id that is none");
    return 0;
}

void meta_properties_encode(struct buf *b, const struct meta_properties *m)
{
    char id[UUID_TEXT];

    buf_printf(b, "version=1\nnode.id=%d\ncluster.id=%s\n", m->node_id,
               uuid_format(m->cluster_id, id));
    buf_printf(b, "directory.id=%s\n", uuid_format(m->directory_id, id));
}
