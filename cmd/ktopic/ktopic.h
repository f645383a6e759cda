/*
 * ktopic - what the subcommands share. One file a subcommand, each exports its entry.
 */
#ifndef KCORE_CMD_KTOPIC_H
#define KCORE_CMD_KTOPIC_H

#include "cli/common.h"
#include "cli/exit.h"
#include "cli/opt.h"
#include "cli/when.h"
#include "cli/writer.h"
#include "client/client.h"

struct ktopic {
    struct common_conf common;
    bool json, dry_run, internal, records, yes;
    int64_t partitions, replication;
    struct opt_list configs;
    const char *at, *regex;
    struct client *client; /* ktopic_connect */
    struct client_conf conf;
    struct diag diag;
    mono_ns deadline; /* of --timeout */
};

extern const struct opt_command list_command, create_command, describe_command, alter_command,
    delete_command, config_command, offsets_command, trim_command, cluster_command, dump_command,
    verify_command;

/* For cli/complete.h: TOPIC, SUBJECT and CONFIG (of config). */
void ktopic_lookup(void *own, const char *kind, const struct operands *ops,
                   const struct complete *c);

/* A client of the brokers that the options name. The time of --timeout begins. */
int ktopic_connect(struct ktopic *k, struct kerr *e);

/* Milliseconds that are left of --timeout, for the next call; -1: there is none. */
int64_t ktopic_left(const struct ktopic *k);

/* An existing topic; the message names the nearest where there is none. */
int ktopic_topic(struct ktopic *k, const char *name, struct client_topic **out, struct kerr *e);

/* Start and end of each partition: 2 * count values, malloc'ed. */
int ktopic_ends(struct ktopic *k, struct client_topic *t, int64_t **out, struct kerr *e);

struct writer *ktopic_writer(const struct ktopic *k, const struct column *columns);

/* For commands that change something: with --json an object for each thing that was done ("done" is
 * false with -n), else nothing is written. ktopic_written() ends it; the status. */
struct writer *ktopic_changes(const struct ktopic *k, const struct column *columns);
int ktopic_written(struct writer *w, int rc, struct kerr *e);

/* What was done, with -v, or would be, with -n: on stderr, unless -q. */
void ktopic_told(const struct ktopic *k, const char *done, const char *would, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Says what failed; the status. */
int ktopic_fail(const struct kerr *e);

/* ---- places in topics: spot.c ---- */

struct spot {
    char name[256];
    int64_t partition; /* -1: all of the topic's */
};

/* "TOPIC" or "TOPIC:PARTITION", the first n bytes of arg. */
int spot_parse(const char *arg, size_t n, struct spot *out, struct kerr *e);
/* The topic, which has that partition, and its ends (ktopic_ends). */
int spot_find(struct ktopic *k, const struct spot *at, struct client_topic **t, int64_t **ends,
              struct kerr *e);
/* The offset that a WHEN means in one partition; ends are its start and end. A time after the last
 * record means the end. */
int spot_offset(struct ktopic *k, struct client_topic *t, int32_t partition, const int64_t *ends,
                const struct when *at, int64_t *out, struct kerr *e);

#endif
