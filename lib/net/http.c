#include "net/http.h"

#include "net/listener.h"
#include "net/loop_impl.h"

#include <dlfcn.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#define HEADER_MAX 8192
#define BODY_MAX   1024
#define IDLE_S     5
#define AGE_MS     60000
#define SWEEP_MS   1000
#define FULL_MS    100 /* where one waits for a place */
#define METHODS                                                                                    \
    (EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |     \
     EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH)

/* ---- the library ---- */

#define LIBRARY "libevent_extra-2.1.so.7"

static struct {
    pthread_once_t once;
    bool loaded;
    __typeof__(evhttp_new) *new;
    __typeof__(evhttp_free) *free;
    __typeof__(evhttp_bind_listener) *bind_listener;
    __typeof__(evhttp_del_accept_socket) *unbind;
    __typeof__(evhttp_set_gencb) *set_gencb;
    __typeof__(evhttp_set_bevcb) *set_bevcb;
    __typeof__(evhttp_set_allowed_methods) *set_allowed_methods;
    __typeof__(evhttp_set_max_headers_size) *set_max_headers_size;
    __typeof__(evhttp_set_max_body_size) *set_max_body_size;
    __typeof__(evhttp_set_timeout) *set_timeout;
    __typeof__(evhttp_request_get_evhttp_uri) *get_uri;
    __typeof__(evhttp_uri_get_path) *get_path;
    __typeof__(evhttp_request_get_command) *get_command;
    __typeof__(evhttp_request_get_output_headers) *get_headers;
    __typeof__(evhttp_request_get_output_buffer) *get_output;
    __typeof__(evhttp_add_header) *add_header;
    __typeof__(evhttp_send_reply) *send_reply;
} lib = {.once = PTHREAD_ONCE_INIT};

static void load(void)
{
    const struct {
        const char *name;
        void *to;
    } wanted[] = {
        {"evhttp_new", &lib.new},
        {"evhttp_free", &lib.free},
        {"evhttp_bind_listener", &lib.bind_listener},
        {"evhttp_del_accept_socket", &lib.unbind},
        {"evhttp_set_gencb", &lib.set_gencb},
        {"evhttp_set_bevcb", &lib.set_bevcb},
        {"evhttp_set_allowed_methods", &lib.set_allowed_methods},
        {"evhttp_set_max_headers_size", &lib.set_max_headers_size},
        {"evhttp_set_max_body_size", &lib.set_max_body_size},
        {"evhttp_set_timeout", &lib.set_timeout},
        {"evhttp_request_get_evhttp_uri", &lib.get_uri},
        {"evhttp_uri_get_path", &lib.get_path},
        {"evhttp_request_get_command", &lib.get_command},
        {"evhttp_request_get_output_headers", &lib.get_headers},
        {"evhttp_request_get_output_buffer", &lib.get_output},
        {"evhttp_add_header", &lib.add_header},
        {"evhttp_send_reply", &lib.send_reply},
    };
    void *h = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

    lib.loaded = h != NULL;
    for (size_t i = 0; h && i < sizeof wanted / sizeof wanted[0]; i++) {
        void *f = dlsym(h, wanted[i].name);
        memcpy(wanted[i].to, &f, sizeof f);
        lib.loaded &= f != NULL;
    }
}

/* ---- connections: evhttp counts none and ends none that keeps moving ---- */

struct place {
    struct bufferevent *bev; /* NULL: free. Ours as well as evhttp's */
    mono_ns since;
};

struct net_http {
    struct net_http_conf conf;
    struct net_loop *loop;
    struct net_listener *listener; /* holds the socket; accepting is evconn's */
    struct evconnlistener *evconn;
    struct evhttp *evhttp;
    struct evhttp_bound_socket *bound;
    struct net_timer sweep;
    struct place place[NET_HTTP_CONNECTIONS];
};

/* evhttp takes its callbacks back when it lets go of a connection. The socket is closed with the last
 * reference, ours: not before its events are out of the loop, which would take them for those of
 * the next socket with that number. */
static bool let_go(struct bufferevent *bev)
{
    bufferevent_data_cb readable, writable;
    bufferevent_event_cb event;

    bufferevent_getcb(bev, &readable, &writable, &event, NULL);
    return !readable && !writable && !event;
}

/* How many are open; the places of others become free. Too old ones are cut: evhttp sees the end of
 * the stream and closes. */
static int sweep(struct net_http *h)
{
    mono_ns now = net_loop_now(h->loop);
    int open = 0;

    for (int i = 0; i < NET_HTTP_CONNECTIONS; i++) {
        struct place *p = &h->place[i];
        if (!p->bev)
            continue;
        if (let_go(p->bev)) {
            bufferevent_decref(p->bev);
            p->bev = NULL;
            continue;
        }
        if (mono_diff_ms(now, p->since) >= AGE_MS)
            shutdown(bufferevent_getfd(p->bev), SHUT_RDWR);
        open++;
    }
    return open;
}

static void swept(struct net_timer *t)
{
    struct net_http *h = NET_OWNER(struct net_http, sweep, t);
    int open = sweep(h);

    if (h->evconn && open < NET_HTTP_CONNECTIONS)
        evconnlistener_enable(h->evconn);
    if (open > 0)
        net_timer_set(t, open < NET_HTTP_CONNECTIONS ? SWEEP_MS : FULL_MS);
}

/* A connection has been accepted. The last one that there is a place for stops the accepting. */
static struct bufferevent *make_bufferevent(struct event_base *base, void *arg)
{
    struct net_http *h = arg;
    struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    int open = sweep(h), i = 0;

    while (i < NET_HTTP_CONNECTIONS && h->place[i].bev)
        i++;
    if (bev && i < NET_HTTP_CONNECTIONS) {
        bufferevent_incref(bev);
        h->place[i] = (struct place){bev, net_loop_now(h->loop)};
        open++;
    }
    if (open >= NET_HTTP_CONNECTIONS)
        evconnlistener_disable(h->evconn);
    if (!h->sweep.place || open >= NET_HTTP_CONNECTIONS)
        net_timer_set(&h->sweep, open < NET_HTTP_CONNECTIONS ? SWEEP_MS : FULL_MS);
    return bev;
}

/* Out of descriptors or memory: the connection waits. */
static void cannot_accept(struct evconnlistener *l, void *arg)
{
    struct net_http *h = arg;

    evconnlistener_disable(l);
    if (net_timer_set(&h->sweep, SWEEP_MS) < 0)
        evconnlistener_enable(l);
}

/* ---- requests ---- */

static void reply(struct evhttp_request *q, int status, const char *reason, const char *type)
{
    struct evkeyvalq *headers = lib.get_headers(q);

    lib.add_header(headers, "Content-Type", type);
    lib.add_header(headers, "Connection", "close");
    if (status == HTTP_BADMETHOD)
        lib.add_header(headers, "Allow", "GET");
    lib.send_reply(q, status, reason, NULL);
}

static void refuse(struct evhttp_request *q, int status, const char *reason)
{
    evbuffer_add_printf(lib.get_output(q), "%d %s\n", status, reason);
    reply(q, status, reason, "text/plain");
}

/* evhttp's, with whom it belongs to. */
struct net_http_request {
    struct net_http *http;
    struct evhttp_request *q;
};

static void asked(struct evhttp_request *q, void *arg)
{
    struct net_http *h = arg;
    const struct evhttp_uri *uri = lib.get_uri(q);
    const char *path = uri ? lib.get_path(uri) : NULL;
    struct net_http_request *r;

    net_loop_enter(h->loop);
    if (!path || strcmp(path, h->conf.path) != 0) {
        refuse(q, HTTP_NOTFOUND, "Not Found");
    } else if (lib.get_command(q) != EVHTTP_REQ_GET) {
        refuse(q, HTTP_BADMETHOD, "Method Not Allowed");
    } else if ((r = malloc(sizeof *r)) == NULL) {
        refuse(q, HTTP_SERVUNAVAIL, "Service Unavailable");
    } else {
        *r = (struct net_http_request){h, q};
        h->conf.asked(h->conf.arg, r);
    }
    net_loop_leave(h->loop);
}

static void free_page(const void *p, size_t n, void *arg)
{
    (void)p;
    (void)n;
    free(arg);
}

void net_http_answer(struct net_http_request *r, struct buf *page)
{
    if (page &&
        evbuffer_add_reference(lib.get_output(r->q), page->p, page->n, free_page, page->p) == 0) {
        *page = (struct buf){0};
        reply(r->q, HTTP_OK, "OK", r->http->conf.content_type);
    } else {
        refuse(r->q, HTTP_SERVUNAVAIL, "Service Unavailable");
    }
    free(r);
}

/* ---- life ---- */

static int serve(struct net_http *h, struct kerr *e)
{
    h->evhttp = lib.new(h->loop->base);
    /* our listener has the socket, with its name and its mode; it does not accept */
    h->evconn = evconnlistener_new(h->loop->base, NULL, NULL, LEV_OPT_CLOSE_ON_EXEC, 0,
                                   net_listener_fd(h->listener));
    if (!h->evhttp || !h->evconn)
        return kerr_set(e, KE_NOMEM, "HTTP listener");
    lib.set_allowed_methods(h->evhttp, METHODS);
    lib.set_max_headers_size(h->evhttp, HEADER_MAX);
    lib.set_max_body_size(h->evhttp, BODY_MAX);
    lib.set_timeout(h->evhttp, IDLE_S);
    lib.set_gencb(h->evhttp, asked, h);
    lib.set_bevcb(h->evhttp, make_bufferevent, h);
    h->bound = lib.bind_listener(h->evhttp, h->evconn);
    if (!h->bound)
        return kerr_set(e, KE_NOMEM, "HTTP listener");
    evconnlistener_set_error_cb(h->evconn, cannot_accept);
    return 0;
}

int net_http_new(struct net_http **out, struct net_loop *l, const struct net_http_conf *c,
                 struct kerr *e)
{
    struct net_listener_conf lc = {.addr = c->addr, .diag = c->diag};
    struct net_http *h;
    int rc;

    *out = NULL;
    pthread_once(&lib.once, load);
    if (!lib.loaded)
        return kerr_set(e, KE_UNSUPPORTED, "HTTP needs " LIBRARY ", which is not installed");
    h = calloc(1, sizeof *h);
    if (!h)
        return kerr_set(e, KE_NOMEM, "HTTP listener");
    h->conf = *c;
    h->loop = l;
    net_timer_init(&h->sweep, l, swept);
    rc = net_listener_new(&h->listener, l, &lc, e);
    if (rc == 0)
        rc = serve(h, e);
    if (rc < 0) {
        net_http_free(h);
        return rc;
    }
    *out = h;
    return 0;
}

const struct net_addr *net_http_addr(const struct net_http *h)
{
    return net_listener_addr(h->listener);
}

void net_http_stop(struct net_http *h)
{
    if (h->bound)
        lib.unbind(h->evhttp, h->bound); /* and frees evconn */
    else if (h->evconn)
        evconnlistener_free(h->evconn);
    h->bound = NULL;
    h->evconn = NULL;
    if (h->listener)
        net_listener_stop(h->listener);
}

void net_http_free(struct net_http *h)
{
    if (!h)
        return;
    net_http_stop(h);
    if (h->evhttp)
        lib.free(h->evhttp);
    for (int i = 0; i < NET_HTTP_CONNECTIONS; i++)
        if (h->place[i].bev)
            bufferevent_decref(h->place[i].bev);
    net_timer_clear(&h->sweep);
    net_listener_free(h->listener);
    free(h);
}
