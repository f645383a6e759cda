#include "log_support.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void must(bool ok)
{
    if (!ok)
        abort();
}

char *make_scratch(char out[256])
{
    const char *tmp = getenv("TMPDIR");

    snprintf(out, 256, "%s/kcore-log.XXXXXX", tmp && *tmp ? tmp : "/tmp");
    must(mkdtemp(out) != NULL);
    return out;
}

static int rm_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
    (void)st;
    (void)flag;
    (void)f;
    return remove(path);
}

void rm_scratch(const char *path)
{
    nftw(path, rm_one, 16, FTW_DEPTH | FTW_PHYS);
}

uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void hear(void *arg, enum diag_level level, const char *msg)
{
    struct env *v = arg;
    size_t n = strlen(v->said), k = strlen(msg);

    (void)level;
    if (getenv("LOG_TEST_DIAG"))
        fprintf(stderr, "# %s\n", msg);
    if (n + k + 2 > sizeof v->said)
        return;
    memcpy(v->said + n, msg, k);
    memcpy(v->said + n + k, "\n", 2);
}

void env_init(struct env *v)
{
    *v = (struct env){.linger_ns = 2000000};
    make_scratch(v->path);
    must(pool_new(&v->pool, 2, NULL) == 0);
    v->diag = (struct diag){DIAG_DEBUG, hear, v};
    plog_conf_default(&v->conf);
    v->conf.after_max_ms = INT64_MAX;
}

void env_free(struct env *v)
{
    if (v->dir)
        env_close(v, true);
    pool_free(v->pool);
    rm_scratch(v->path);
}

int env_open(struct env *v, struct kerr *e)
{
    struct logdir_conf c = {.path = v->path,
                            .clock = v->clock,
                            .diag = &v->diag,
                            .pool = v->pool,
                            .flush_linger_ns = v->linger_ns,
                            .producer_expiry_ms = 86400000};
    struct logdir_entry *list = NULL;
    struct uuid cluster = {{0}};
    size_t n = 0;
    int rc = logdir_open(&v->dir, &c, &cluster, e);

    v->log = NULL;
    if (rc < 0) {
        v->dir = NULL;
        return rc;
    }
    rc = logdir_list(v->dir, &list, &n, e);
    for (size_t i = 0; rc == 0 && i < n && !v->log; i++)
        if (strcmp(list[i].topic, "t") == 0 && list[i].partition == 0)
            rc = logdir_load(v->dir, &list[i], &v->conf, &v->log, e);
    if (rc == 0 && !v->log)
        rc = logdir_create(v->dir, "t", 0, (struct uuid){{9}}, &v->conf, &v->log, e);
    free(list);
    if (rc < 0) {
        v->log = NULL;
        logdir_close(v->dir, false, NULL);
        v->dir = NULL;
    }
    return rc;
}

int env_close(struct env *v, bool clean)
{
    int rc;

    if (v->log)
        plog_close(v->log, clean);
    rc = logdir_close(v->dir, clean, NULL);
    v->log = NULL;
    v->dir = NULL;
    return rc;
}

uint8_t *make_batch(const struct batch_spec *s, size_t *n)
{
    struct batch_fields f = {.codec = s->codec,
                             .level = CODEC_LEVEL_DEFAULT,
                             .attributes = s->attributes,
                             .producer_id = s->producer_id ? s->producer_id : -1,
                             .producer_epoch = s->producer_id ? s->epoch : -1,
                             .base_sequence = s->producer_id ? s->sequence : -1};
    struct batch_builder w = {0};
    uint8_t *value = malloc(s->value + 1), *out;
    struct slice done;

    must(value != NULL);
    memset(value, s->fill, s->value);
    batch_start(&w);
    for (int i = 0; i < s->count; i++)
        must(batch_add(&w, s->timestamp + i * s->step, (struct slice){NULL, 0},
                       slice_of(value, s->value), NULL, 0));
    must(batch_finish(&w, &f, &done, NULL) == 0);
    out = malloc(done.n);
    must(out != NULL);
    memcpy(out, done.p, done.n);
    *n = done.n;
    batch_builder_free(&w);
    free(value);
    return out;
}

int append_spec(struct plog *l, const struct batch_spec *s, struct plog_append *a, struct kerr *e)
{
    struct plog_append mine;
    int rc;

    if (!a)
        a = &mine;
    *a = (struct plog_append){0};
    a->bytes = make_batch(s, &a->size);
    rc = plog_append(l, a, (wall_ms){T0}, e);
    free(a->bytes);
    a->bytes = NULL;
    return rc;
}

uint8_t *read_source(const struct plog_source *s)
{
    uint8_t *p = malloc(s->size + 1);

    must(p && pread(s->fd, p, s->size, s->at) == (ssize_t)s->size);
    return p;
}
