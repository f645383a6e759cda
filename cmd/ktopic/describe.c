#include "ktopic.h"

#include <stdio.h>
#include <stdlib.h>

static const struct column for_people[] = {{"partition", COL_NUMBER},
                                           {"leader", COL_NUMBER},
                                           {"start", COL_COUNT},
                                           {"end", COL_COUNT},
                                           {0}};
static const struct column for_programs[] = {{"topic", COL_TEXT},
                                             {"id", COL_TEXT},
                                             {"partition", COL_NUMBER},
                                             {"leader", COL_NUMBER},
                                             {"start", COL_COUNT},
                                             {"end", COL_COUNT},
                                             {0}};

static int describe_one(struct ktopic *k, const char *name, struct kerr *e)
{
    struct client_topic *t;
    char id[UUID_TEXT];
    struct writer *w;
    int64_t *ends;
    int rc = ktopic_topic(k, name, &t, e);

    if (rc == 0)
        rc = ktopic_ends(k, t, &ends, e);
    if (rc < 0)
        return rc;
    uuid_format(t->id, id);
    if (!k->json)
        printf("%s  id %s  %d partition%s\n", name, id, t->count, t->count == 1 ? "" : "s");
    w = ktopic_writer(k, k->json ? for_programs : for_people);
    for (int32_t i = 0; i < t->count; i++) {
        if (k->json) {
            writer_text(w, slice_str(name));
            writer_text(w, slice_str(id));
        }
        writer_number(w, i);
        writer_number(w, t->partitions[i].leader);
        writer_number(w, ends[2 * i]);
        writer_number(w, ends[2 * i + 1]);
        writer_row(w);
    }
    free(ends);
    return writer_end(w, e);
}

static int describe(void *ctx, const struct operands *ops)
{
    struct ktopic *k = ctx;
    struct kerr e = {0};
    int rc = ktopic_connect(k, &e);

    for (size_t i = 0; rc == 0 && i < ops->n; i++)
        rc = describe_one(k, ops->v[i], &e);
    return rc < 0 ? ktopic_fail(&e) : CLI_DONE;
}

const struct opt_command describe_command = {
    "describe", "NAME...", "a topic's id and partitions", NULL, 1, OPT_MANY, describe};
