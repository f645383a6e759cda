/*
 * kbroker - what the files of the daemon's main share.
 */
#ifndef KCORE_CMD_KBROKER_H
#define KCORE_CMD_KBROKER_H

#include "base/diag.h"
#include "broker/broker.h"
#include "cli/opt.h"

#include <sys/types.h>

struct kbroker {
    const char *dirs, *config, *port_file;
    struct opt_list listeners, set;
    int64_t threads;
    mode_t umask; /* that it was started with */
    bool check, adopt, accept_missing, unsafe_fs, temp, quiet, verbose;
};

/* Serves until told to stop; an exit status. ready (may be NULL) is called when it serves. */
int kbroker_serve(const struct kbroker *k, struct broker_conf *conf, const struct diag *d,
                  int (*ready)(void *arg, const struct broker *b, struct kerr *e), void *arg);

/* The file, then -X, then the options of the command line, later ones winning; conf is initialized.
 */
int kbroker_configure(const struct kbroker *k, struct broker_conf *conf, struct kerr *e);
/* The configuration of a broker in dir that nobody will need again. */
int kbroker_configure_temp(const struct kbroker *k, const char *dir, struct broker_conf *conf,
                           struct kerr *e);

/* --temp: runs ops as a command against a throw-away broker. Returns its exit status, or dies by
 * its signal. */
int temp_run(const struct kbroker *k, const struct operands *ops, const struct diag *d);
/* Waits for the command; an exit status. Signals are passed on to it. */
int temp_wait(const struct kbroker *k, int signals);

/* Until a signal asks to stop (0), or the broker cannot go on (-1). SIGHUP reloads. */
int run_until_told(const struct kbroker *k, struct broker *b, const struct diag *d, int signals);

/* sd_notify(3), by hand; nothing where nobody listens. */
void notify(const char *state);

/* Messages to stderr: RFC 3339 times, or <N> in front under journald. */
void diag_open(struct diag *d, const struct kbroker *k);

#endif
