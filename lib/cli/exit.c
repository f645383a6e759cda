#include "cli/exit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void cli_hold_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int cli_status(const struct kerr *e)
{
    return e->code == KE_TIMEOUT ? CLI_TIMEOUT : CLI_FAILED;
}

/* One write per message: two tools on one terminal do not mix their lines. */
static void vsay(const char *tool, const char *fmt, va_list ap)
{
    char line[2048];
    int head = snprintf(line, sizeof line, "%s: ", tool);
    size_t n = head < 0 ? 0 : (size_t)head;
    int body;
    ssize_t ignored;

    if (n > sizeof line / 2)
        n = sizeof line / 2;
    body = vsnprintf(line + n, sizeof line - n - 1, fmt, ap);
    n += body < 0 ? 0 : (size_t)body;
    if (n > sizeof line - 2)
        n = sizeof line - 2;
    line[n++] = '\n';
    ignored = write(STDERR_FILENO, line, n);
    (void)ignored; /* nobody is left to be told */
}

void cli_say(const char *tool, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsay(tool, fmt, ap);
    va_end(ap);
}

int cli_fail(const char *tool, const struct kerr *e)
{
    cli_say(tool, "%s", kerr_msg(e));
    return cli_status(e);
}

int cli_usage(const char *tool, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsay(tool, fmt, ap);
    va_end(ap);
    cli_say(tool, "try '%s -h'", tool);
    return CLI_USAGE;
}

_Noreturn void cli_die_by(int sig)
{
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    sigset_t one;

    sigaction(sig, &dfl, NULL);
    sigemptyset(&one);
    sigaddset(&one, sig);
    pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    raise(sig);
    _exit(128 + sig); /* only where the default action is not to die */
}

int cli_close_stdout(const char *tool, int status)
{
    int failed = ferror(stdout), sys = 0;

    errno = 0;
    if (fflush(stdout) != 0) {
        failed = 1;
        sys = errno;
    }
    if (!failed)
        return status;
    if (sys == EPIPE)
        cli_die_by(SIGPIPE);
    cli_say(tool, "write to stdout: %s", sys ? strerrordesc_np(sys) : "input/output error");
    return CLI_FAILED;
}

static void sink(void *arg, enum diag_level level, const char *msg)
{
    (void)level;
    cli_say(arg, "%s", msg);
}

void cli_diag(struct diag *d, const char *tool, bool quiet, int verbose)
{
    *d = (struct diag){.level = DIAG_WARN, .sink = sink, .arg = (void *)(uintptr_t)tool};
    if (quiet)
        d->level = DIAG_ERROR;
    else if (verbose > 0)
        d->level = verbose == 1 ? DIAG_INFO : DIAG_DEBUG;
}
