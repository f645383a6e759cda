#include "client/client_impl.h"
#include "os/random.h"
#include "wire/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

static int add_bootstrap(struct client *c, struct kerr *e)
{
    char *list = strdup(c->conf.bootstrap), *save = NULL;
    struct net_addr addr;
    int rc = 0;

    if (!list)
        return kerr_set(e, KE_NOMEM, "client");
    for (char *s = strtok_r(list, ", \t", &save); rc == 0 && s; s = strtok_r(NULL, ", \t", &save)) {
        struct node *n;
        rc = net_addr_parse(s, &addr, e);
        if (rc < 0)
            break;
        n = node_new(c, -1, &addr);
        if (!n)
            rc = kerr_set(e, KE_NOMEM, "client");
        else
            n->bootstrap = true;
    }
    free(list);
    if (rc == 0 && !c->nodes)
        rc = kerr_set(e, KE_INVALID, "bootstrap.servers names no address");
    return rc;
}

int client_new(struct client **out, const struct client_conf *conf, const struct diag *d,
               struct kerr *e)
{
    return client_new_timed(out, conf, d, NULL, e);
}

int client_new_timed(struct client **out, const struct client_conf *conf, const struct diag *d,
                     const struct os_clock *clock, struct kerr *e)
{
    struct client *c = calloc(1, sizeof *c);
    int rc;

    *out = NULL;
    if (!c)
        return kerr_set(e, KE_NOMEM, "client");
    c->diag = d;
    c->controller = -1;
    rc = client_conf_copy(&c->conf, conf, e);
    if (rc == 0)
        rc = client_conf_check(&c->conf, e);
    if (rc == 0)
        rc = net_loop_new(&c->loop, clock, e);
    net_limits_default(&c->limits);
    c->limits.idle_ms = c->conf.idle_ms < 0 ? 0 : c->conf.idle_ms;
    /* a fetch may be answered with one batch larger than what was asked for */
    c->limits.max_frame = INT32_MAX;
    if (rc == 0) {
        hash_init(&c->topics, os_random_u64(), os_random_u64());
        metadata_init(c);
        rc = add_bootstrap(c, e);
    }
    if (rc < 0) {
        client_free(c);
        return rc;
    }
    *out = c;
    return 0;
}

void client_free(struct client *c)
{
    struct node *n;

    if (!c)
        return;
    c->closing = true;
    while ((n = c->nodes) != NULL) {
        c->nodes = n->next;
        node_free(n);
    }
    if (c->loop)
        metadata_free(c);
    net_loop_free(c->loop);
    client_conf_free(&c->conf);
    free(c);
}

const struct client_conf *client_conf_of(const struct client *c)
{
    return &c->conf;
}

const struct diag *client_diag(const struct client *c)
{
    return c->diag;
}

struct net_loop *client_loop(struct client *c)
{
    return c->loop;
}

void client_poll(struct client *c, int64_t timeout_ms)
{
    net_loop_once(c->loop, timeout_ms);
}

void client_interrupt(struct client *c, bool on)
{
    c->interrupted = on;
}

bool client_interrupted(const struct client *c)
{
    return c->interrupted;
}

void client_be_patient(struct client *c)
{
    c->patient = true;
}

/* ---- requests ---- */

int client_send(struct client *c, int32_t node, const struct client_request *r, struct kerr *e)
{
    struct node *n;

    if (c->closing)
        return kerr_set(e, KE_CLOSED, "the client is being closed");
    if (node == CLIENT_CONTROLLER)
        node = c->controller >= 0 ? c->controller : CLIENT_ANY;
    n = node == CLIENT_ANY ? node_any(c) : node_find(c, node);
    if (!n)
        return kerr_set(e, KE_NOTFOUND, "no broker has the id %d", node);
    return node_send(n, r, e);
}

int client_in_flight(const struct client *c, int32_t node)
{
    const struct node *n = node_find(c, node);

    return n ? n->flying.n + n->waiting.n : 0;
}

uint32_t client_losses(const struct client *c, int32_t node)
{
    const struct node *n = node_find(c, node);

    return n ? n->losses : 0;
}

int client_refused(struct kerr *e, int16_t code, struct slice message, const char *what, ...)
{
    char text[300], said[DIAG_ESCAPED_MAX];
    va_list ap;

    va_start(ap, what);
    vsnprintf(text, sizeof text, what, ap);
    va_end(ap);
    if (slice_is_null(message) || message.n == 0)
        kerr_set(e, KE_REMOTE, "%s: %s (%s)", text, wire_error_text(code), wire_error_name(code));
    else
        kerr_set(e, KE_REMOTE, "%s: %s (%s): %.200s", text, wire_error_text(code),
                 wire_error_name(code), diag_escape(said, sizeof said, message));
    if (e)
        e->remote = code;
    return KE_REMOTE;
}
