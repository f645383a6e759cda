/*
 * The crash sweep: a fixed script of appends, rolls, cuts, trims, creations and deletions is
 * stopped at its n-th change of the disk, for every n, over a model of a disk that keeps no more
 * than it must.
 *
 * The script runs in a child with a hook in os/file.h. At every sync the hook takes down what is on
 * stable storage from then on: a file's bytes, or a directory's names. After the crash each name
 * that was not synced is there or not, each file has what was synced, or what was written, or a
 * mixture by sectors. On what is left of the disk the log is opened again (in a second round with a
 * crash during recovery, too) and must hold all that had been flushed and nothing torn.
 */
#include "log_support.h"

#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { MOST = 400, SECTOR = 512, CRASHED = 77, BROKEN = 78 };

/* ---- what the child has done, for the parent ---- */

struct done {
    struct batch_spec spec;
    int64_t base, last;
};

struct shared {
    int ops, crash_at; /* changes of the disk so far; the one that does not happen */
    struct done b[MOST];
    int n;     /* in the log now */
    int old_n; /* before a truncation that has begun */
    bool truncating;
    int64_t stable; /* promised */
    int64_t end;
    int64_t start_min, start_max; /* the log may begin here, after trims begun and ended */
    bool created;                 /* t-0, durably */
    bool empty;                   /* t-2, too, by a clean stop */
    bool killed;                  /* t-3, by a flush after a stop that was not clean */
    int other; /* t-1: 0 nothing, 1 create begun, 2 created, 3 delete begun, 4 deleted */
    int64_t other_stable;
    char why[600];
};

static struct shared *sh;

/* ---- the model of the disk ---- */

static const char *disk; /* whose model it is */
static char shadow[300]; /* "<inode>" what is stable of a file, "d<inode>" of a directory, graves */
static int graves;
static ino_t
    pending; /* a sync has begun for this one: it has happened when the next change begins */
static bool pending_dir;

static void give_up(int line)
{
    fprintf(stderr, "log_crash_test: line %d: %m\n", line);
    abort();
}

static void copy_file(const char *from, const char *to)
{
    char buf[65536];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ssize_t k;

    if (in < 0 || out < 0)
        give_up(__LINE__);
    while ((k = read(in, buf, sizeof buf)) > 0)
        if (write(out, buf, (size_t)k) != k)
            give_up(__LINE__);
    close(in);
    close(out);
}

static void list_names(int fd, const char *to)
{
    int at = openat(fd, ".", O_RDONLY | O_DIRECTORY);
    DIR *dir = fdopendir(at);
    FILE *out = fopen(to, "w");
    struct dirent *entry;

    while ((entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            fprintf(out, "%lu %s\n", (unsigned long)entry->d_ino, entry->d_name);
    closedir(dir);
    fclose(out);
}

static void settle(void)
{
    char from[400], to[400];

    if (!pending)
        return;
    snprintf(from, sizeof from, "%s/pending", shadow);
    snprintf(to, sizeof to, "%s/%s%lu", shadow, pending_dir ? "d" : "", (unsigned long)pending);
    if (rename(from, to) != 0)
        give_up(__LINE__);
    pending = 0;
}

static void sync_begins(int fd)
{
    char from[64], to[400];
    struct stat st;

    fstat(fd, &st);
    snprintf(to, sizeof to, "%s/pending", shadow);
    pending_dir = S_ISDIR(st.st_mode);
    if (pending_dir) {
        list_names(fd, to);
    } else {
        snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
        copy_file(from, to);
    }
    pending = st.st_ino;
}

/* An inode that loses its name must not be used again, or the model would take one for the other.
 */
static void bury(int dir, const char *name)
{
    char to[400];

    snprintf(to, sizeof to, "%s/grave%d", shadow, graves);
    if (linkat(dir, name, AT_FDCWD, to, 0) < 0) {
        if (errno == ENOENT)
            return; /* graves are numbered without holes */
        /* a directory: something else is removed in its place */
        if (errno != EPERM || renameat(dir, name, AT_FDCWD, to) < 0 || mkdirat(dir, name, 0700) < 0)
            give_up(__LINE__);
    }
    graves++;
}

/* As if the disk had been synced: what is there now is stable. */
static void baseline(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY);
    char path[700], to[700];
    struct stat st;
    struct dirent *entry;
    DIR *d;

    fstat(fd, &st);
    snprintf(to, sizeof to, "%s/d%lu", shadow, (unsigned long)st.st_ino);
    list_names(fd, to);
    d = fdopendir(fd);
    while ((entry = readdir(d)) != NULL) {
        if (entry->d_name[0] == '.' && (!entry->d_name[1] || entry->d_name[1] == '.'))
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        lstat(path, &st);
        if (S_ISDIR(st.st_mode)) {
            baseline(path);
        } else {
            snprintf(to, sizeof to, "%s/%lu", shadow, (unsigned long)st.st_ino);
            copy_file(path, to);
        }
    }
    closedir(d);
}

/* With the mutex: the appender and the flusher may both be at it. */
static void one_op(enum os_op op, int fd, const char *name)
{
    if (sh->ops == sh->crash_at) {
        settle();
        _exit(CRASHED);
    }
    sh->ops++;
    settle();
    if (op == OS_SYNCFS)
        baseline(disk);
    if (op == OS_SYNC)
        sync_begins(fd);
    if (op == OS_UNLINK)
        bury(fd, name);
    if (op == OS_RENAME && strlen(name) > 4 && strcmp(name + strlen(name) - 4, ".tmp") == 0) {
        char to[300]; /* what it replaces: the name without .tmp */
        snprintf(to, sizeof to, "%.*s", (int)strlen(name) - 4, name);
        bury(fd, to);
    }
}

static int on_op(void *arg, enum os_op op, int fd, const char *name, size_t *len)
{
    static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;

    (void)arg;
    (void)len;
    if (op == OS_READ || op == OS_ALLOCATE)
        return 0;
    pthread_mutex_lock(&mu);
    one_op(op, fd, name);
    pthread_mutex_unlock(&mu);
    return 0;
}

/* ---- what is left after the crash ---- */

static uint64_t dice;

static uint8_t *slurp(const char *path, size_t *n)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    uint8_t *p;

    *n = 0;
    if (fd < 0 || fstat(fd, &st) < 0) {
        if (fd >= 0)
            close(fd);
        return calloc(1, 1);
    }
    p = malloc((size_t)st.st_size + 1);
    if (!p || read(fd, p, (size_t)st.st_size) != st.st_size)
        give_up(__LINE__);
    *n = (size_t)st.st_size;
    close(fd);
    return p;
}

/* A file of which old is stable and now was written. */
static void leave_file(ino_t ino, const char *now_path, const char *to)
{
    char stable_path[400];
    size_t old_n, now_n, n;
    uint8_t *old, *now, *out;
    uint64_t kind = next_random(&dice) % 3;
    int fd;

    snprintf(stable_path, sizeof stable_path, "%s/%lu", shadow, (unsigned long)ino);
    old = slurp(stable_path, &old_n);
    now = slurp(now_path, &now_n);
    n = kind == 0 ? old_n : kind == 1 ? now_n : 0;
    if (kind == 2) {
        size_t low = old_n < now_n ? old_n : now_n, high = old_n < now_n ? now_n : old_n;
        n = next_random(&dice) % 2 ? high : low + next_random(&dice) % (high - low + 1);
    }
    out = calloc(1, n + 1);
    for (size_t at = 0; at < n; at += SECTOR) {
        size_t k = n - at < SECTOR ? n - at : SECTOR;
        bool new = kind == 1 || (kind == 2 && next_random(&dice) % 2);
        const uint8_t *from = new ? now : old;
        size_t have = new ? now_n : old_n;
        if (at < have)
            memcpy(out + at, from + at, have - at < k ? have - at : k);
    }
    fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, out, n) != (ssize_t)n)
        give_up(__LINE__);
    close(fd);
    free(old);
    free(now);
    free(out);
}

struct name {
    ino_t ino;
    char name[256];
};

static int read_list(const char *path, struct name *out, int most)
{
    FILE *f = fopen(path, "r");
    unsigned long ino;
    int n = 0;

    if (!f)
        return 0;
    while (n < most && fscanf(f, "%lu %255s", &ino, out[n].name) == 2)
        out[n++].ino = ino;
    fclose(f);
    return n;
}

static const struct name *find_name(const struct name *list, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(list[i].name, name) == 0)
            return &list[i];
    return NULL;
}

/* Where an inode can be read now: under its name, or in a grave. */
static bool path_of(const char *dir, const struct name *v, char out[700])
{
    struct stat st;

    snprintf(out, 700, "%s/%s", dir, v->name);
    if (lstat(out, &st) == 0 && st.st_ino == v->ino)
        return true;
    for (int i = 0; i < 2000; i++) {
        snprintf(out, 700, "%s/grave%d", shadow, i);
        if (lstat(out, &st) != 0)
            break;
        if (st.st_ino == v->ino)
            return true;
    }
    /* moved within the tree: its parent's other names */
    DIR *d = opendir(dir);
    struct dirent *entry;
    bool found = false;
    while (d && !found && (entry = readdir(d)) != NULL)
        if (entry->d_ino == v->ino) {
            snprintf(out, 700, "%s/%s", dir, entry->d_name);
            found = true;
        }
    if (d)
        closedir(d);
    return found;
}

static void leave_dir(const char *from, ino_t ino, const char *to);

static void leave_entry(const char *dir, const struct name *v, const char *to_dir)
{
    char from[700], to[700];
    struct stat st;

    if (!path_of(dir, v, from) || lstat(from, &st) != 0)
        return;
    snprintf(to, sizeof to, "%s/%s", to_dir, v->name);
    if (S_ISDIR(st.st_mode))
        leave_dir(from, st.st_ino, to);
    else
        leave_file(v->ino, from, to);
}

static void leave_dir(const char *from, ino_t ino, const char *to)
{
    static struct name lists[3][2][300];
    static int depth;
    struct name *old = lists[depth][0], *now = lists[depth][1];
    char path[700];
    int fd = open(from, O_RDONLY | O_DIRECTORY), olds, nows;

    depth++;
    snprintf(path, sizeof path, "%s/now", shadow);
    list_names(fd, path);
    close(fd);
    nows = read_list(path, now, 300);
    snprintf(path, sizeof path, "%s/d%lu", shadow, (unsigned long)ino);
    olds = read_list(path, old, 300);
    mkdir(to, 0700);
    for (int i = 0; i < nows; i++) {
        const struct name *o = find_name(old, olds, now[i].name);
        bool same = o && o->ino == now[i].ino;
        if (same || next_random(&dice) % 2)
            leave_entry(from, &now[i], to);
        else if (o)
            leave_entry(from, o, to);
    }
    for (int i = 0; i < olds; i++)
        if (!find_name(now, nows, old[i].name) && next_random(&dice) % 2)
            leave_entry(from, &old[i], to);
    depth--;
}

/* ---- the script ---- */

static struct env v;

static void broken(const char *what, const struct kerr *e)
{
    snprintf(sh->why, sizeof sh->why, "%.80s: %s", what, e ? kerr_msg(e) : "");
    _exit(BROKEN);
}

static struct batch_spec spec_of(int i, int round)
{
    struct batch_spec s = {.count = 1 + i % 4,
                           .value = (size_t)(20 + (i * 37) % 300),
                           .timestamp = T0 + i * 10 + round,
                           .step = 1,
                           .fill = (uint8_t)(i + round * 50)};

    if (i % 3 == 0)
        s.producer_id = 1000 + round; /* its sequences: from one batch to the next */
    return s;
}

static int32_t next_sequence(int64_t id)
{
    int32_t at = 0;

    for (int i = 0; i < sh->n; i++)
        if (sh->b[i].spec.producer_id == id)
            at = sh->b[i].spec.sequence + sh->b[i].spec.count;
    return at;
}

static void append(int i, int round)
{
    struct done *d = &sh->b[sh->n];
    struct plog_append a;
    struct kerr e;

    *d = (struct done){.spec = spec_of(i, round), .base = sh->end};
    if (d->spec.producer_id)
        d->spec.sequence = next_sequence(d->spec.producer_id);
    d->last = sh->end + d->spec.count - 1;
    sh->n++; /* it may be there from here on */
    if (append_spec(v.log, &d->spec, &a, &e) < 0)
        broken("append", &e);
    if (a.base_offset != d->base || a.last_offset != d->last || a.duplicate)
        broken("append: other offsets", NULL);
    sh->end = d->last + 1;
}

static void flush(void)
{
    struct kerr e;

    if (plog_flush_wait(v.log, sh->end, &e) < 0)
        broken("flush", &e);
    sh->stable = sh->end;
    sh->created = true;
    if (plog_truncate(v.log, sh->end, &e) < 0) /* nothing; but waits until the flush has ended */
        broken("flush", &e);
}

static void cut(int batches)
{
    struct kerr e;
    int to = sh->n - batches;

    sh->old_n = sh->n;
    sh->truncating = true;
    if (sh->stable > sh->b[to].base)
        sh->stable = sh->b[to].base;
    sh->end = sh->b[to].base;
    if (plog_truncate(v.log, sh->end, &e) < 0)
        broken("truncate", &e);
    sh->n = to;
    sh->truncating = false;
}

static void trim(int64_t to)
{
    struct kerr e;

    sh->start_max = to;
    if (plog_trim(v.log, to, &e) < 0)
        broken("trim", &e);
}

static void checkpoint(void)
{
    struct kerr e;

    if (logdir_checkpoint(v.dir, &e) < 0)
        broken("checkpoint", &e);
    sh->start_min = sh->start_max;
}

/* Retention, so that about so many bytes stay; files go once the checkpoint says so. */
static void expire(int64_t bytes, int64_t delay_ms)
{
    struct plog_ends ends;
    struct kerr e;

    v.conf.retention_bytes = bytes;
    v.conf.delete_delay_ms = delay_ms;
    plog_set_conf(v.log, &v.conf);
    sh->start_max = sh->end;
    if (plog_tick(v.log, (wall_ms){T0}, &e) < 0)
        broken("tick", &e);
    plog_ends(v.log, &ends);
    sh->start_max = ends.log_start;
    if (ends.log_start <= sh->start_min)
        broken("nothing expired", NULL);
    checkpoint();
    plog_flush_soon(v.log);
    flush();
    if (plog_sweep(v.log, &e) < 0)
        broken("sweep", &e);
    v.conf.retention_bytes = -1;
    plog_set_conf(v.log, &v.conf);
}

static void open_env(void)
{
    struct kerr e;

    if (env_open(&v, &e) < 0)
        broken("open", &e);
}

static void close_env(bool clean)
{
    if (env_close(&v, clean) < 0)
        broken("close", NULL);
    sh->empty = clean;
}

static void another_topic(void)
{
    struct batch_spec s = spec_of(1, 9);
    struct plog *l;
    struct kerr e;

    sh->other = 1;
    if (logdir_create(v.dir, "t", 1, (struct uuid){{8}}, &v.conf, &l, &e) < 0)
        broken("create t-1", &e);
    if (append_spec(l, &s, NULL, &e) < 0 || plog_flush_wait(l, s.count, &e) < 0)
        broken("append to t-1", &e);
    sh->other = 2;
    sh->other_stable = s.count;
    checkpoint();
    sh->other = 3;
    if (plog_delete(l, &e) < 0)
        broken("delete t-1", &e);
    sh->other = 4;
}

/* Nothing is ever appended to it. */
static void empty_topic(void)
{
    struct plog *l;
    struct kerr e;

    if (logdir_create(v.dir, "t", 2, (struct uuid){{7}}, &v.conf, &l, &e) < 0)
        broken("create t-2", &e);
    plog_close(l, true);
}

static void append_to(struct plog *l)
{
    struct batch_spec s = spec_of(1, 9);
    struct kerr e;

    if (append_spec(l, &s, NULL, &e) < 0)
        broken("append to t-3", &e);
}

/* Nothing of it is durable when the broker is killed. */
static void killed_topic(void)
{
    struct plog *l;
    struct kerr e;

    if (logdir_create(v.dir, "t", 3, (struct uuid){{6}}, &v.conf, &l, &e) < 0)
        broken("create t-3", &e);
    append_to(l);
    plog_close(l, false);
}

/* It is served again, and something is promised there. */
static void killed_topic_goes_on(void)
{
    struct logdir_entry *list;
    struct plog *l = NULL;
    struct kerr e;
    size_t n;

    if (logdir_list(v.dir, &list, &n, &e) < 0)
        broken("list", &e);
    for (size_t i = 0; i < n; i++)
        if (list[i].partition == 3 && logdir_load(v.dir, &list[i], &v.conf, &l, &e) < 0)
            broken("load t-3", &e);
    free(list);
    if (!l)
        broken("t-3 is not there", NULL);
    append_to(l);
    if (plog_flush_wait(l, 2, &e) < 0)
        broken("flush t-3", &e);
    sh->killed = true;
    plog_close(l, false);
}

/* As a broker starts: what has lost its id was being made, and is made again. */
static void make_again(const struct logdir_entry *t)
{
    struct kerr e;

    if (t->partition == 0 && sh->created)
        broken("t-0 has lost its id", NULL);
    if (!logdir_remove_unborn(v.dir, t) && logdir_set_aside(v.dir, t, &e) < 0)
        broken("set aside", &e);
    if (t->partition == 0 &&
        logdir_create(v.dir, "t", 0, (struct uuid){{9}}, &v.conf, &v.log, &e) < 0)
        broken("create again", &e);
}

/* Opens t-0, by its name: directories are listed in any order. */
static void open_again(void)
{
    struct logdir_conf c = {.path = v.path,
                            .diag = &v.diag,
                            .pool = v.pool,
                            .flush_linger_ns = v.linger_ns,
                            .producer_expiry_ms = 86400000};
    struct logdir_entry *list;
    struct uuid cluster = {{0}};
    bool empty = false, killed = false;
    struct kerr e;
    size_t n;

    if (logdir_open(&v.dir, &c, &cluster, &e) < 0)
        broken("logdir_open", &e);
    if (logdir_list(v.dir, &list, &n, &e) < 0)
        broken("list", &e);
    for (size_t i = 0; i < n; i++) {
        killed |= list[i].partition == 3 && !uuid_is_zero(list[i].topic_id);
        empty |= list[i].partition == 2 && !uuid_is_zero(list[i].topic_id);
        if (uuid_is_zero(list[i].topic_id))
            make_again(&list[i]);
        else if (list[i].partition == 0 && logdir_load(v.dir, &list[i], &v.conf, &v.log, &e) < 0)
            broken("load", &e);
    }
    free(list);
    if (sh->created && !v.log)
        broken("t-0 is not there", NULL);
    if (sh->empty && !empty)
        broken("t-2 is not there", NULL);
    if (sh->killed && !killed)
        broken("t-3 is not there", NULL);
}

static void script(void)
{
    int i = 0;

    open_env();
    for (; i < 3; i++)
        append(i, 0);
    flush();
    for (; i < 9; i++)
        append(i, 0);
    checkpoint();
    for (; i < 24; i++) { /* rolls */
        append(i, 0);
        if (i % 6 == 0)
            flush();
    }
    cut(2);
    for (; i < 27; i++)
        append(i, 1);
    flush();
    checkpoint();
    cut(9); /* over a segment's edge, below the recovery point, and past it again */
    for (int end = i + 12; i < end; i++)
        append(i, 2);
    flush();
    trim(sh->b[6].base);
    append(i++, 3);
    another_topic();
    empty_topic();
    for (int end = i + 12; i < end; i++)
        append(i, 3);
    flush();
    close_env(true);
    open_again();
    for (int end = i + 9; i < end; i++)
        append(i, 4);
    flush();
    append(i++, 4);
    killed_topic();
    close_env(false);
    open_again();
    killed_topic_goes_on();
    /* what was not flushed may still be there: it is all there, for nothing crashed */
    sh->stable = sh->end;
    append(i++, 5);
    flush();
    trim(sh->b[20].base);
    checkpoint();
    expire(8000, 0);
    append(i++, 5);
    flush();
    expire(5000, 60000);
    close_env(false);
    open_again();
    expire(0, 60000);
    append(i++, 5);
    close_env(true);
}

/* ---- the check ---- */

static bool is_there(const struct done *d, const uint8_t *p, size_t n)
{
    struct plog_append a = {0};
    bool same;

    a.bytes = make_batch(&d->spec, &a.size);
    same = n >= a.size && memcmp(p + 16, a.bytes + 16, a.size - 16) == 0;
    free(a.bytes);
    return same;
}

/* The log from its start to its end against the batches of the script. */
static void check_batches(int n)
{
    struct plog_ends ends;
    struct kerr e;
    int i = 0;

    plog_ends(v.log, &ends);
    if (ends.stable != ends.end)
        broken("not all is stable after recovery", NULL);
    if (ends.end < sh->stable) {
        snprintf(e.msg, sizeof e.msg, "end %lld, flushed %lld", (long long)ends.end,
                 (long long)sh->stable);
        broken("flushed records are gone", &e);
    }
    if (ends.log_start < sh->start_min || ends.log_start > sh->start_max)
        broken("the log begins elsewhere", NULL);
    for (int64_t at = ends.log_start; at < ends.end; i++) {
        struct plog_source s;
        struct batch b;
        uint8_t *p;
        while (i < n && sh->b[i].last < at)
            i++;
        if (plog_read(v.log, at, ends.end, 1, PLOG_WHOLE_FIRST, &s, &e) < 0)
            broken("read", &e);
        p = read_source(&s);
        if (i == n || s.size == 0 || batch_parse(slice_of(p, s.size), &b, NULL, &e) < 0 ||
            batch_check_crc(&b, &e) < 0)
            broken("a torn batch is served", &e);
        if (b.base_offset != sh->b[i].base || batch_last_offset(&b) != sh->b[i].last ||
            !is_there(&sh->b[i], p, s.size))
            broken("another batch than was appended", NULL);
        at = batch_last_offset(&b) + 1;
        if (i + 1 < n && sh->b[i + 1].base != at)
            break; /* the edge between before and after a truncation */
        free(p);
        plog_source_release(&s);
    }
}

/* The last batch with a producer id is known as a duplicate. */
static void check_producers(void)
{
    struct plog_ends ends;
    struct plog_append a;
    struct kerr e;

    plog_ends(v.log, &ends);
    for (int i = (sh->truncating ? sh->old_n : sh->n) - 1; i >= 0; i--) {
        if (sh->b[i].last >= ends.end || !sh->b[i].spec.producer_id)
            continue;
        if (append_spec(v.log, &sh->b[i].spec, &a, &e) < 0)
            broken("a duplicate is refused", &e);
        if (!a.duplicate || a.base_offset != sh->b[i].base)
            broken("a duplicate is appended", NULL);
        return;
    }
}

static void check_other(void)
{
    struct logdir_entry *list;
    struct plog_ends ends;
    struct plog *l;
    bool there = false;
    struct kerr e;
    size_t n;

    if (logdir_list(v.dir, &list, &n, &e) < 0)
        broken("list", &e);
    for (size_t i = 0; i < n; i++) {
        if (list[i].partition != 1)
            continue;
        there = true;
        if (logdir_load(v.dir, &list[i], &v.conf, &l, &e) < 0)
            broken("load t-1", &e);
        plog_ends(l, &ends);
        if (sh->other == 2 && ends.end < sh->other_stable)
            broken("t-1: flushed records are gone", NULL);
        plog_close(l, true);
    }
    free(list);
    if ((sh->other == 2 && !there) || (sh->other == 4 && there))
        broken(there ? "t-1 is there" : "t-1 is not there", NULL);
}

static void check_all(void)
{
    struct kerr e;

    open_again();
    if (v.log) {
        check_batches(sh->truncating ? sh->old_n : sh->n);
        check_producers();
        check_other();
        sh->end = 0;
        if (append_spec(v.log, &(struct batch_spec){.count = 1, .value = 9, .timestamp = T0}, NULL,
                        &e) < 0)
            broken("append afterwards", &e);
        plog_close(v.log, true);
    }
    if (logdir_close(v.dir, true, &e) < 0)
        broken("close afterwards", &e);
}

/* ---- the sweep ---- */

static void start(const char *path)
{
    v = (struct env){.linger_ns = INT64_C(3600000000000)};
    snprintf(v.path, sizeof v.path, "%s", path);
    disk = v.path;
    if (pool_new(&v.pool, 1, NULL) < 0)
        give_up(__LINE__);
    plog_conf_default(&v.conf);
    v.conf.segment_bytes = 2500;
    v.conf.index_interval_bytes = 300;
    v.conf.after_max_ms = INT64_MAX;
    v.conf.delete_delay_ms = 0;
    v.diag = (struct diag){0};
}

/* Runs what in a child with the model of the disk; how it ended. */
static int in_child(const char *path, int crash_at, void (*what)(void))
{
    int status;
    pid_t pid;

    sh->ops = 0;
    sh->crash_at = crash_at;
    sh->why[0] = 0;
    pid = fork();
    if (pid == 0) {
        alarm(60);
        start(path);
        os_hook_set(on_op, NULL);
        what();
        _exit(0);
    }
    if (waitpid(pid, &status, 0) != pid)
        give_up(__LINE__);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void new_shadow(void)
{
    rm_scratch(shadow);
    mkdir(shadow, 0700);
}

static void fail_at(const char *what, int n, int m, uint64_t seed, int rc)
{
    fail_msg("%s, crash at change %d, second at %d, seed %llu: status %d: %s", what, n, m,
             (unsigned long long)seed, rc, sh->why);
}

static char root[256];

/* One crash at change n; with twice, another one during the recovery. False: the script ended. */
static bool one_crash(int n, bool twice, uint64_t seed)
{
    char live[300], left[300], left2[300];
    struct stat st;
    int rc, m = -1;

    snprintf(live, sizeof live, "%s/live", root);
    snprintf(left, sizeof left, "%s/left", root);
    snprintf(left2, sizeof left2, "%s/left2", root);
    snprintf(shadow, sizeof shadow, "%s/shadow", root);
    rm_scratch(live);
    rm_scratch(left);
    rm_scratch(left2);
    new_shadow();
    mkdir(live, 0700);
    memset(sh, 0, sizeof *sh);
    rc = in_child(live, n, script);
    if (rc != CRASHED && rc != 0)
        fail_at("the script", n, -1, seed, rc);
    dice = seed * 1000003 + (uint64_t)n;
    stat(live, &st);
    leave_dir(live, st.st_ino, left);
    if (twice && rc == CRASHED) {
        struct shared saved = *sh;
        m = (int)(next_random(&dice) % 25);
        new_shadow();
        baseline(left);
        rc = in_child(left, m, check_all);
        if (rc != CRASHED && rc != 0)
            fail_at("the first recovery", n, m, seed, rc);
        saved.why[0] = 0;
        *sh = saved;
        if (rc == CRASHED) {
            stat(left, &st);
            leave_dir(left, st.st_ino, left2);
            snprintf(left, sizeof left, "%s", left2);
        } else {
            return true; /* recovered before the second crash */
        }
        rc = CRASHED;
    }
    new_shadow();
    int after = in_child(left, -1, check_all);
    if (after != 0)
        fail_at("after the crash", n, m, seed, after);
    return rc == CRASHED;
}

static int clean_up(void **state)
{
    (void)state;
    rm_scratch(root);
    return 0;
}

/* 1, or every so many crash points one is tried: under a sanitizer that makes a fork expensive. */
static int stride(void)
{
    const char *s = getenv("CRASH_STRIDE");

    return s ? atoi(s) : 1;
}

static void sweep(bool twice, uint64_t seed)
{
    int n = 0;

    make_scratch(root);
    while (one_crash(n, twice, seed))
        n += stride();
    print_message("# %d crash points, seed %llu\n", n, (unsigned long long)seed);
    assert_true(n > 100);
    rm_scratch(root);
}

static int seeds(void)
{
    const char *s = getenv("CRASH_SEEDS");

    return s ? atoi(s) : 1;
}

static void what_was_flushed_survives_a_crash_at_every_change(void **state)
{
    (void)state;
    for (int i = 1; i <= seeds(); i++)
        sweep(false, (uint64_t)i);
}

static void and_another_crash_during_recovery(void **state)
{
    (void)state;
    for (int i = 1; i <= seeds(); i++)
        sweep(true, (uint64_t)i + 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_was_flushed_survives_a_crash_at_every_change, clean_up),
        cmocka_unit_test_teardown(and_another_crash_during_recovery, clean_up),
    };

    sh = mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (sh == MAP_FAILED)
        return 1;
    /* the model syncs, not the disk */
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
