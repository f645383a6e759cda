/*
 * kbroker - the daemon. Reads its configuration, opens the broker, says that it is ready, waits to
 * be told to stop.
 */
#include "kbroker.h"

#include "broker/broker.h"
#include "cli/exit.h"
#include "cli/settings.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define GRACE_MS     10000
#define FILES_LEAST  64 /* descriptors */
#define FILES_ENOUGH 1024
#define OTHER_FILES  48 /* listeners, event loops, the catalog */

static const struct opt options[] = {
    {'d', "dir", "DIR[,DIR...]", "keep the data here (log.dirs)", OPT_TEXT,
     .at = offsetof(struct kbroker, dirs), .excludes = "temp"},
    {'c', "config", "FILE", "read Kafka's server.properties", OPT_TEXT,
     .at = offsetof(struct kbroker, config)},
    {'l', "listen", "LISTENER", "serve on HOST:PORT, [V6]:PORT, unix:PATH or NAME://HOST:PORT",
     OPT_LIST, .at = offsetof(struct kbroker, listeners)},
    {'X', "property", "NAME=VALUE", "set any setting by its Kafka name", OPT_LIST,
     .at = offsetof(struct kbroker, set)},
    {0, "port-file", "FILE", "write the first TCP port there when ready", OPT_TEXT,
     .at = offsetof(struct kbroker, port_file)},
    {0, "threads", "N", "reactors (default: one a core)", OPT_INT,
     .at = offsetof(struct kbroker, threads), .min = 1, .max = 256},
    {0, "check", NULL, "check the configuration and stop", OPT_FLAG,
     .at = offsetof(struct kbroker, check)},
    {0, "adopt", NULL, "make a catalog of the directories found", OPT_FLAG,
     .at = offsetof(struct kbroker, adopt)},
    {0, "accept-missing", NULL, "start partitions whose directory is gone empty", OPT_FLAG,
     .at = offsetof(struct kbroker, accept_missing)},
    {0, "unsafe-fs", NULL, "accept NFS and other file systems that lose flushes", OPT_FLAG,
     .at = offsetof(struct kbroker, unsafe_fs)},
    {0, "temp", NULL, "run CMD against a throw-away broker", OPT_FLAG,
     .at = offsetof(struct kbroker, temp), .excludes = "temp"},
    {'q', "quiet", NULL, "only warnings and errors", OPT_FLAG,
     .at = offsetof(struct kbroker, quiet)},
    {'v', "verbose", NULL, "say more", OPT_FLAG, .at = offsetof(struct kbroker, verbose)},
    {0},
};

static const struct opt_tool tool = {
    "kbroker",
    "[OPTION]...\n--temp [-X NAME=VALUE]... -- CMD [ARG]...",
    "a Kafka broker on Kafka's own files",
    .own = options,
    .max_operands = OPT_MANY,
    .words = "-- COMMAND FILE",
};

/* ---- configuration ---- */

/* Connections must not take what the files need, nor logs what everything else does. */
static void share_descriptors(struct broker_conf *conf)
{
    struct rlimit r;
    int64_t all, files;

    if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur == RLIM_INFINITY || r.rlim_cur >= INT32_MAX)
        return;
    all = (int64_t)r.rlim_cur;
    files = all / 4 < FILES_LEAST ? FILES_LEAST : all / 4 > FILES_ENOUGH ? FILES_ENOUGH : all / 4;
    if (conf->connections_max + files > all)
        conf->connections_max = all > files ? all - files : 1;
    files = all - conf->connections_max - OTHER_FILES;
    conf->files_max = files > FILES_LEAST / 2 ? (int)files : FILES_LEAST / 2;
}

int kbroker_configure(const struct kbroker *k, struct broker_conf *conf, struct kerr *e)
{
    struct properties p = {0};
    int rc = k->config ? properties_load(&p, k->config, e) : 0;

    for (size_t i = 0; rc == 0 && i < k->set.n; i++)
        rc = properties_add(&p, k->set.v[i], e);
    for (size_t i = 0; rc == 0 && i < p.n; i++) {
        rc = broker_conf_set(conf, p.v[i].name, p.v[i].value, e);
        if (rc == KE_NOTFOUND)
            rc = settings_unknown(p.v[i].name, broker_conf_name, e);
        if (rc < 0 && p.v[i].file) /* the message has the name */
            rc = properties_blame(&p.v[i], rc, e);
    }
    properties_free(&p);
    if (rc == 0 && k->dirs)
        rc = broker_conf_set(conf, "log.dirs", k->dirs, e);
    for (size_t i = 0; rc == 0 && i < k->listeners.n; i++)
        rc = broker_conf_add_listener(conf, k->listeners.v[i], i == 0, e);
    if (k->threads)
        conf->threads = (int)k->threads;
    conf->adopt = k->adopt;
    conf->accept_missing = k->accept_missing;
    conf->unsafe_fs = k->unsafe_fs;
    share_descriptors(conf);
    return rc < 0 ? rc : broker_conf_check(conf, e);
}

static void warn_idle(struct broker_conf *conf, const struct diag *d)
{
    const char *s = buf_cstr(&conf->idle);
    int n = 0;

    for (const char *c = s; c && *c; c++)
        n += *c == '\n';
    if (n > 0)
        diag(d, DIAG_WARN, "%d settings are known but have no effect here: %.*s%s", n,
             (int)strcspn(s, "\n"), s, n > 1 ? ", ..." : "");
}

/* ---- the process ---- */

static void raise_descriptors(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

/* What it makes is its user's alone, and records do not lie about in core dumps. (A hard limit that
 * is higher can still be used: prlimit(1).) */
static void keep_private(struct kbroker *k)
{
    struct rlimit r;

    k->umask = umask(077);
    if (k->temp) { /* the command is the user's own */
        umask(k->umask);
        return;
    }
    if (getrlimit(RLIMIT_CORE, &r) == 0) {
        r.rlim_cur = 0;
        setrlimit(RLIMIT_CORE, &r);
    }
}

static void warn_root(const struct diag *d)
{
    if (geteuid() == 0)
        diag(d, DIAG_WARN, "serving as root, which it never needs: give it a user of its own");
}

/* SIGTERM, SIGINT and SIGHUP come through the descriptor; a closed socket or a full disk is no
 * reason to die. */
static int take_signals(void)
{
    sigset_t s;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    sigemptyset(&s);
    sigaddset(&s, SIGTERM);
    sigaddset(&s, SIGINT);
    sigaddset(&s, SIGHUP);
    sigaddset(&s, SIGCHLD); /* only --temp has a child */
    sigprocmask(SIG_BLOCK, &s, NULL);
    return signalfd(-1, &s, SFD_CLOEXEC);
}

/* For whoever may connect, so with the mask of whoever started it. */
static int write_port(const struct kbroker *k, const struct broker *b, struct kerr *e)
{
    const struct net_addr *a = NULL;
    const char *path = k->port_file;
    char tmp[4096];
    FILE *f;

    for (int i = 0; (a = broker_listener(b, i)) != NULL && a->is_unix; i++)
        ;
    if (snprintf(tmp, sizeof tmp, "%s.tmp", path) >= (int)sizeof tmp)
        return kerr_set(e, KE_INVALID, "port file: the name is too long");
    f = fopen(tmp, "we");
    if (!f)
        return kerr_sys(e, KE_IO, "port file %s", tmp);
    fchmod(fileno(f), 0666 & ~k->umask);
    fprintf(f, "%u\n", a ? a->port : 0u);
    if (fclose(f) != 0 || rename(tmp, path) < 0)
        return kerr_sys(e, KE_IO, "port file %s", path);
    return 0;
}

static void say_ready(const struct broker *b, const struct diag *d, int64_t ms)
{
    const struct net_addr *metrics;
    char list[1024] = "", text[300];
    size_t at = 0;
    int n = 0, topics = broker_topic_count(b);

    for (const struct net_addr *a; (a = broker_listener(b, n)) != NULL; n++)
        at += (size_t)snprintf(list + at, at < sizeof list ? sizeof list - at : 0, ", %s",
                               net_addr_format(a, text, sizeof text));
    if ((metrics = broker_metrics_listener(b)) != NULL)
        diag(d, DIAG_INFO, "metrics at %s", net_addr_format(metrics, text, sizeof text));
    diag(d, DIAG_INFO, "%d listener%s%s; %d topic%s; ready in %lld ms", n, n == 1 ? "" : "s", list,
         topics, topics == 1 ? "" : "s", (long long)ms);
}

int kbroker_serve(const struct kbroker *k, struct broker_conf *conf, const struct diag *d,
                  int (*ready)(void *arg, const struct broker *b, struct kerr *e), void *arg)
{
    const struct os_clock *clock = os_clock_real();
    struct broker_env env = {clock, d};
    mono_ns begun = os_mono(clock);
    struct broker *b;
    struct kerr e = {0};
    int signals = take_signals(), status = CLI_DONE, rc;

    rc = broker_new(&b, conf, &env, &e);
    if (rc < 0)
        return cli_fail("kbroker", &e);
    rc = k->port_file ? write_port(k, b, &e) : 0;
    if (rc == 0 && ready)
        rc = ready(arg, b, &e);
    if (rc == 0) {
        say_ready(b, d, mono_diff_ms(os_mono(clock), begun));
        if (k->temp) {
            status = temp_wait(k, signals);
        } else {
            warn_root(d);
            status = run_until_told(k, b, d, signals) < 0 ? CLI_FAILED : CLI_DONE;
        }
        notify("STOPPING=1");
    } else {
        status = cli_fail("kbroker", &e);
    }
    if (broker_free(b, GRACE_MS, &e) < 0)
        status = cli_fail("kbroker", &e);
    close(signals);
    return status;
}

static int run(struct kbroker *k, const struct operands *ops)
{
    struct broker_conf conf;
    struct kerr e = {0};
    struct diag d;
    int status;

    if (k->temp != (ops->n > 0))
        return cli_usage("kbroker",
                         k->temp ? "--temp needs a command: kbroker --temp -- CMD"
                                 : "unexpected operand '%s'",
                         ops->n ? ops->v[0] : "");
    /* few arenas: memory freed by one thread is found by the others, and goes back */
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
    diag_open(&d, k);
    raise_descriptors();
    keep_private(k);
    if (k->temp)
        return temp_run(k, ops, &d);
    broker_conf_init(&conf);
    if (kbroker_configure(k, &conf, &e) < 0) {
        broker_conf_free(&conf);
        return cli_fail("kbroker", &e);
    }
    warn_idle(&conf, &d);
    status = k->check ? CLI_DONE : kbroker_serve(k, &conf, &d, NULL, NULL);
    broker_conf_free(&conf);
    return status;
}

int main(int argc, char **argv)
{
    struct kbroker k = {0};
    struct operands ops;
    int status = opt_main(&tool, argc, argv, &k, NULL, &ops);

    if (status < 0)
        status = run(&k, &ops);
    opt_list_free(&k.listeners);
    opt_list_free(&k.set);
    operands_free(&ops);
    return status;
}

int kbroker_configure_temp(const struct kbroker *k, const char *dir, struct broker_conf *conf,
                           struct kerr *e)
{
    struct kbroker here = *k;

    here.dirs = dir;
    broker_conf_init(conf);
    if (!k->listeners.n) {
        int rc = broker_conf_set(conf, "listeners", "127.0.0.1:0", e);
        if (rc < 0)
            return rc;
    }
    return kbroker_configure(&here, conf, e);
}
