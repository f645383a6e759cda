#include "kbroker.h"

#include "os/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void to_journal(void *arg, enum diag_level level, const char *msg)
{
    static const int priority[] = {3, 4, 6, 7};

    (void)arg;
    dprintf(STDERR_FILENO, "<%d>%s\n", priority[level], msg);
}

static void to_terminal(void *arg, enum diag_level level, const char *msg)
{
    (void)arg;
    (void)level;
    dprintf(STDERR_FILENO, "kbroker: %s\n", msg);
}

static void to_file(void *arg, enum diag_level level, const char *msg)
{
    static const char *const name[] = {"error", "warn", "info", "debug"};
    wall_ms now = os_wall(os_clock_real());
    time_t s = now.ms / 1000;
    struct tm tm;
    char when[32];

    (void)arg;
    gmtime_r(&s, &tm);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
    dprintf(STDERR_FILENO, "%s.%03dZ %s kbroker: %s\n", when, (int)(now.ms % 1000), name[level],
            msg);
}

/* $JOURNAL_STREAM is "device:inode" of the journal's stream, if stderr is one (systemd.exec(5)). */
static bool under_journald(void)
{
    const char *s = getenv("JOURNAL_STREAM");
    unsigned long long dev, ino;
    struct stat st;

    return s && sscanf(s, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
           dev == st.st_dev && ino == st.st_ino;
}

void diag_open(struct diag *d, const struct kbroker *k)
{
    bool quiet = k->quiet || (k->temp && !k->verbose);

    d->level = quiet ? DIAG_WARN : k->verbose ? DIAG_DEBUG : DIAG_INFO;
    d->arg = NULL;
    d->sink = under_journald() ? to_journal : isatty(STDERR_FILENO) ? to_terminal : to_file;
}
