/*
 * Waiting for a topic, and listing them.
 */
#include "client/client_impl.h"
#include "wire/api.h"
#include "wire/error.h"
#include "wire/metadata_request.h"
#include "wire/metadata_response.h"

#include <string.h>

static bool nobody_answers(const struct client *c)
{
    if (c->ever_up || c->patient || c->refresh_failures == 0)
        return false;
    for (const struct node *n = c->nodes; n; n = n->next)
        if (n->failures == 0)
            return false;
    return true;
}

static int not_there(const struct client_topic *t, struct kerr *e)
{
    return kerr_set(e, KE_NOTFOUND, "topic %s does not exist", t->name);
}

/* 1: known and usable, 0: wait on, or an error that waiting does not cure. */
static int judge(const struct client *c, const struct client_topic *t, bool create, struct kerr *e)
{
    if (nobody_answers(c)) {
        if (e)
            *e = c->refresh_why;
        return c->refresh_why.code;
    }
    if (!t->known)
        return 0;
    if (t->error == 0)
        return 1;
    if (t->error == KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
        return create ? 0 : not_there(t, e);
    if (wire_error_retriable(t->error))
        return 0;
    return client_refused(e, t->error, (struct slice){NULL, 0}, "topic %s", t->name);
}

int client_topic_wait(struct client *c, struct client_topic *t, bool create, int64_t timeout_ms,
                      bool *created, struct kerr *e)
{
    const struct os_clock *clock = net_loop_clock(c->loop);
    int64_t ms = timeout_ms < 0 ? c->conf.request_timeout_ms : timeout_ms;
    mono_ns deadline = mono_add_ms(os_mono(clock), ms);
    bool asked_to_make = false;
    int rc;

    while ((rc = judge(c, t, create, e)) == 0) {
        int64_t left = mono_diff_ms(deadline, os_mono(clock));
        if (c->interrupted)
            return kerr_set(e, KE_CLOSED, "interrupted");
        if (left <= 0 && asked_to_make && t->error == KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
            return not_there(t, e);
        if (left <= 0)
            return kerr_set(e, KE_TIMEOUT, "topic %s: %s", t->name,
                            t->known              ? wire_error_text(t->error)
                            : c->refresh_why.code ? c->refresh_why.msg
                                                  : "no answer in time");
        if (create && !asked_to_make && t->known && t->error == KAFKA_UNKNOWN_TOPIC_OR_PARTITION) {
            asked_to_make = t->create = true;
            if (c->conf.max_block_ms < left)
                deadline = mono_add_ms(os_mono(clock), c->conf.max_block_ms);
            c->refreshed = (mono_ns){0};
            client_refresh(c);
            continue;
        }
        client_poll(c, left);
    }
    if (created)
        *created = rc == 1 && asked_to_make;
    return rc == 1 ? 0 : rc;
}

int client_brokers_wait(struct client *c, int64_t timeout_ms, struct kerr *e)
{
    const struct os_clock *clock = net_loop_clock(c->loop);
    int64_t ms = timeout_ms < 0 ? c->conf.request_timeout_ms : timeout_ms, left;
    mono_ns deadline = mono_add_ms(os_mono(clock), ms);

    while (c->refreshed.ns == 0 || c->refresh_failures > 0) {
        if (!c->refresh_flying && c->refreshed.ns == 0)
            client_refresh(c);
        if (nobody_answers(c)) {
            if (e)
                *e = c->refresh_why;
            return c->refresh_why.code;
        }
        left = mono_diff_ms(deadline, os_mono(clock));
        if (c->interrupted)
            return kerr_set(e, KE_CLOSED, "interrupted");
        if (left <= 0)
            return kerr_set(e, KE_TIMEOUT, "%s",
                            c->refresh_why.code ? c->refresh_why.msg : "no answer in time");
        client_poll(c, left);
    }
    return 0;
}

static int put_all(void *arg, struct buf *b, int16_t version)
{
    struct metadata_request m;

    (void)arg;
    metadata_request_init(&m);
    m.topics.v = NULL;
    m.topics.n = -1;
    m.allow_auto_topic_creation = false;
    return metadata_request_encode(&m, b, version);
}

int client_each_topic(struct client *c, int64_t timeout_ms,
                      void (*each)(void *arg, struct slice name, bool internal), void *arg,
                      struct kerr *e)
{
    struct client_request rq = {.key = API_METADATA, .min_version = 4, .encode = put_all};
    struct metadata_response m;
    struct client_answer a;
    int rc = client_call(c, CLIENT_ANY, &rq, timeout_ms, &a, e);

    if (rc == 0) {
        rc = metadata_response_decode(&m, &a.body, a.version);
        if (rc < 0)
            kerr_set(e, rc, "malformed answer to Metadata");
        for (int32_t i = 0; rc == 0 && i < m.topics.n; i++)
            if (m.topics.v[i].error_code == 0)
                each(arg, m.topics.v[i].name, m.topics.v[i].is_internal);
    }
    client_answer_free(&a);
    return rc;
}
