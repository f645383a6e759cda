/*
 * --temp: a broker for one command. The command runs as a child with KCORE_BOOTSTRAP set and stdin
 * passed through; everything the broker kept is removed when it has ended.
 */
#include "kbroker.h"

#include "cli/exit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct temp {
    const struct operands *ops;
    char dir[4096];
};

static pid_t child;
static int child_status;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st;
    (void)type;
    (void)f;
    return remove(path);
}

/* The broker serves: start the command. */
static int start_command(void *arg, const struct broker *b, struct kerr *e)
{
    struct temp *t = arg;
    char address[300];
    sigset_t none;

    net_addr_format(broker_listener(b, 0), address, sizeof address);
    child = fork();
    if (child < 0)
        return kerr_sys(e, KE_IO, "fork");
    if (child > 0)
        return 0;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    setenv("KCORE_BOOTSTRAP", address, 1);
    execvp(t->ops->v[0], (char *const *)(uintptr_t)t->ops->v);
    dprintf(STDERR_FILENO, "kbroker: %s: %s\n", t->ops->v[0], strerrordesc_np(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

int temp_wait(const struct kbroker *k, int signals)
{
    (void)k;
    for (;;) {
        struct signalfd_siginfo s;
        ssize_t n = read(signals, &s, sizeof s);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == sizeof s && s.ssi_signo != SIGCHLD) {
            /* the terminal's ^C has gone to the command as well */
            if (s.ssi_code != SI_KERNEL)
                kill(child, (int)s.ssi_signo);
            continue;
        }
        if (waitpid(child, &child_status, WNOHANG) == child)
            return WIFEXITED(child_status) ? WEXITSTATUS(child_status) : CLI_FAILED;
    }
}

int temp_run(const struct kbroker *k, const struct operands *ops, const struct diag *d)
{
    struct temp t = {.ops = ops};
    const char *tmp = getenv("TMPDIR");
    struct broker_conf conf;
    struct kerr e = {0};
    sigset_t chld;
    int status;

    snprintf(t.dir, sizeof t.dir, "%s/kbroker.XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(t.dir)) {
        kerr_sys(&e, KE_IO, "%s", t.dir);
        return cli_fail("kbroker", &e);
    }
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    sigprocmask(SIG_BLOCK, &chld, NULL);
    if (kbroker_configure_temp(k, t.dir, &conf, &e) < 0)
        status = cli_fail("kbroker", &e);
    else
        status = kbroker_serve(k, &conf, d, start_command, &t);
    broker_conf_free(&conf);
    nftw(t.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (child > 0 && WIFSIGNALED(child_status))
        cli_die_by(WTERMSIG(child_status));
    return status;
}
