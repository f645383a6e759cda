/*
 * exit - how a tool ends, the same in all of them, and how it speaks to people on the way.
 *
 * 0 what was asked for was done, 1 failed, 2 wrong usage, 3 --timeout passed first. Asked to stop
 * by a signal a tool cleans up and then dies by that signal, so that the shell sees it.
 */
#ifndef KCORE_CLI_EXIT_H
#define KCORE_CLI_EXIT_H

#include "base/diag.h"
#include "base/err.h"

#include <stdbool.h>

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_TIMEOUT = 3 };

/* A tool may be started with stdin, stdout or stderr closed. The next file opened would take the
 * place, and be read or written as if it were it: so something takes it that can be neither. */
void cli_hold_standard(void);

/* CLI_TIMEOUT for KE_TIMEOUT, CLI_FAILED for every other error. */
int cli_status(const struct kerr *e);

/* "tool: message\n" on stderr in one write. Bytes from a peer go through diag_escape() first. */
void cli_say(const char *tool, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same for an error; returns its exit status: return cli_fail("kprod", &e); */
int cli_fail(const char *tool, const struct kerr *e);

/* The message, "try 'tool -h'", and CLI_USAGE. */
int cli_usage(const char *tool, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Dies by sig with its default action (130 for SIGINT in the shell's eyes). */
_Noreturn void cli_die_by(int sig);

/* Flushes stdout and returns status, or CLI_FAILED (told) when something could not be written. A
 * closed pipe: dies by SIGPIPE, quietly. Call it last; a tool's data is not out before. */
int cli_close_stdout(const char *tool, int status);

/* d speaks through cli_say: errors and warnings, with quiet errors only, with verbose all (1: info,
 * 2: debug). tool has to outlive d. */
void cli_diag(struct diag *d, const char *tool, bool quiet, int verbose);

#endif
