/*
 * While the broker serves: SIGHUP reads the configuration again, a service manager is told how it
 * stands, and its watchdog is fed for as long as every thread that serves comes by.
 */
#include "kbroker.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct running {
    const struct kbroker *k;
    const struct diag *d;
    struct broker *b;
    int signals;
    int64_t watch_ms; /* how often the watchdog is fed; 0: there is none */
    mono_ns fed;
    bool asked;     /* a lap is under way, for the watchdog */
    bool reloading; /* the manager waits for READY=1 */
};

/* How it stands, in one line: what systemctl status shows. */
static void report(const struct running *r, const char *state)
{
    char text[512];
    int topics = broker_topic_count(r->b), n = 0;

    while (broker_listener(r->b, n))
        n++;
    snprintf(text, sizeof text, "%sSTATUS=%d listener%s, %d topic%s", state, n, n == 1 ? "" : "s",
             topics, topics == 1 ? "" : "s");
    notify(text);
}

/* ---- SIGHUP ---- */

static int read_again(struct running *r, struct kerr *e)
{
    struct broker_conf conf;
    int rc;

    broker_conf_init(&conf);
    rc = kbroker_configure(r->k, &conf, e);
    if (rc == 0)
        rc = broker_reload(r->b, &conf, e);
    broker_conf_free(&conf);
    return rc;
}

static void reload(struct running *r)
{
    struct kerr e = {0};
    char text[64];

    if (!r->k->config) {
        diag(r->d, DIAG_WARN, "reload: there is nothing to read: no -c FILE was given");
        return;
    }
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
             os_mono(os_clock_real()).ns / 1000);
    notify(text);
    r->reloading = read_again(r, &e) == 0;
    if (r->reloading)
        return; /* until the lap that it has begun is over */
    diag(r->d, DIAG_ERROR, "reload: %s; nothing is changed", kerr_msg(&e));
    report(r, "READY=1\n");
}

/* ---- the watchdog ---- */

/* $WATCHDOG_USEC, if it is for this process (sd_watchdog_enabled(3)): a third of it. */
static int64_t watch_every(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    int64_t n = usec ? strtoll(usec, NULL, 10) : 0;

    if (n <= 0 || (pid && strtoll(pid, NULL, 10) != getpid()))
        return 0;
    return n / 3000 > 0 ? n / 3000 : 1;
}

/* What poll may wait for. */
static int until_next(const struct running *r)
{
    int64_t left;

    if (r->watch_ms == 0 || r->asked)
        return -1;
    left = r->watch_ms - mono_diff_ms(os_mono(os_clock_real()), r->fed);
    return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

static void ask(struct running *r)
{
    r->fed = os_mono(os_clock_real());
    r->asked = broker_lap(r->b, NULL) == 0; /* without memory: another time */
}

static void come_round(struct running *r)
{
    if (!broker_lap_over(r->b))
        return;
    report(r, r->reloading ? "READY=1\nWATCHDOG=1\n" : "WATCHDOG=1\n");
    r->asked = r->reloading = false;
}

/* ---- the loop ---- */

/* Whether it is to stop. */
static bool take_signal(struct running *r)
{
    struct signalfd_siginfo s;

    if (read(r->signals, &s, sizeof s) != sizeof s)
        return false;
    if (s.ssi_signo == SIGHUP)
        reload(r);
    return s.ssi_signo == SIGTERM || s.ssi_signo == SIGINT;
}

int run_until_told(const struct kbroker *k, struct broker *b, const struct diag *d, int signals)
{
    struct running r = {.k = k, .d = d, .b = b, .signals = signals, .watch_ms = watch_every()};
    struct pollfd p[] = {
        {signals, POLLIN, 0}, {broker_fatal_fd(b), POLLIN, 0}, {broker_lap_fd(b), POLLIN, 0}};

    report(&r, "READY=1\n");
    r.fed = os_mono(os_clock_real());
    for (;;) {
        int n = poll(p, 3, until_next(&r));
        if (n < 0 && errno != EINTR)
            return -1;
        if (n == 0)
            ask(&r);
        if (n <= 0)
            continue;
        if (p[1].revents)
            return -1;
        if (p[2].revents)
            come_round(&r);
        if (p[0].revents && take_signal(&r))
            return 0;
    }
}
