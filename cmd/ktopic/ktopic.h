/*
 * ktopic - what the subcommands share. One file a subcommand, each exports its entry.
 */
#ifndef KCORE_CMD_KTOPIC_H
#define KCORE_CMD_KTOPIC_H

#include "cli/common.h"
#include "cli/exit.h"
#include "cli/opt.h"
#include "cli/writer.h"
#include "client/client.h"

struct ktopic {
    struct common_conf common;
    bool json, dry_run, internal, records;
    int64_t partitions, replication;
    struct opt_list configs;
    const char *at;
    struct client *client; /* ktopic_connect */
    struct client_conf conf;
    struct diag diag;
};

extern const struct opt_command list_command, create_command, describe_command, delete_command,
    offsets_command, dump_command, verify_command;

/* A client of the brokers that the options name. */
int ktopic_connect(struct ktopic *k, struct kerr *e);

/* An existing topic; the message names the nearest where there is none. */
int ktopic_topic(struct ktopic *k, const char *name, struct client_topic **out, struct kerr *e);

/* Start and end of each partition: 2 * count values, malloc'ed. */
int ktopic_ends(struct ktopic *k, struct client_topic *t, int64_t **out, struct kerr *e);

struct writer *ktopic_writer(const struct ktopic *k, const struct column *columns);

/* Says what failed; the status. */
int ktopic_fail(const struct kerr *e);

#endif
