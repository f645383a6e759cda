/*
 * Requests to a living broker: the first byte chooses an API that it lists, the second a version,
 * the rest is the body, behind a good header. The broker answers or closes the connection; an
 * answer can be read to its last byte; and whoever comes next is served.
 */
#include "base/bytes.h"
#include "broker/broker.h"
#include "broker/dispatch.h"
#include "wire/header.h"
#include "wire/messages.h"

#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CORRELATION = 0x1234567, PATIENCE_MS = 5000, PARKED_MS = 20 };

static char root[64];
static struct broker *broker;

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* ---- the broker ---- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st;
    (void)type;
    (void)f;
    return remove(path);
}

static void clean_up(void)
{
    broker_free(broker, 0, NULL);
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void prepare(void)
{
    static const char *const settings[] = {
        "max.topics", "20", "max.partitions", "40", "num.network.threads", "1", NULL};
    struct broker_env env = {NULL, NULL};
    struct broker_conf conf;
    char listener[100];

    snprintf(root, sizeof root, "%s/kcfuzzXXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    must(mkdtemp(root) != NULL);
    snprintf(listener, sizeof listener, "unix:%s/socket", root);
    broker_conf_init(&conf);
    must(broker_conf_set(&conf, "listeners", listener, NULL) == 0);
    for (int i = 0; settings[i]; i += 2)
        must(broker_conf_set(&conf, settings[i], settings[i + 1], NULL) == 0);
    strcat(listener, "s"); /* another name beside it: only a log directory's own files are in one */
    must(broker_conf_set(&conf, "log.dirs", listener + strlen("unix:"), NULL) == 0);
    must(broker_conf_check(&conf, NULL) == 0);
    must(broker_new(&broker, &conf, &env, NULL) == 0);
    broker_conf_free(&conf);
    atexit(clean_up);
}

/* ---- one client ---- */

static void send_request(int fd, int16_t key, int16_t version, struct slice body)
{
    struct request_header h;
    struct buf b = {0};
    uint8_t length[4];

    request_header_init(&h);
    h.request_api_key = key;
    h.request_api_version = version;
    h.correlation_id = CORRELATION;
    h.client_id = slice_str("fuzz");
    must(wire_write_request_header(&h, &b) == 0);
    buf_put_slice(&b, body);
    put_be32(length, (uint32_t)b.n);
    must(send(fd, length, 4, MSG_NOSIGNAL) == 4);
    must(send(fd, b.p, b.n, MSG_NOSIGNAL) == (ssize_t)b.n);
    buf_free(&b);
}

/* All that comes until the other side closes. */
static void read_to_end(int fd, struct buf *out)
{
    struct pollfd p = {fd, POLLIN, 0};
    uint8_t chunk[4096];
    ssize_t k = 1;

    while (k > 0) {
        must(poll(&p, 1, PATIENCE_MS) == 1);
        k = recv(fd, chunk, sizeof chunk, 0);
        if (k > 0)
            buf_put(out, chunk, (size_t)k);
    }
}

/* "CreateTopics" to its response's entry in the table. */
static const struct message *response_of(int16_t key)
{
    char name[100];

    snprintf(name, sizeof name, "%sResponse", wire_api_name(key));
    return message_find(name);
}

static void check_answer(int16_t key, int16_t version, const struct buf *answer)
{
    const struct message *t = response_of(key);
    struct arena arena = {0};
    struct wire_reader r;
    int32_t correlation;
    void *m;

    if (answer->n == 0)
        return; /* closed, or asked for no answer */
    must(answer->n >= 4 && get_be32(answer->p) == answer->n - 4 && t);
    m = malloc(t->size);
    must(m != NULL);
    wire_reader_init(&r, slice_of(answer->p + 4, answer->n - 4), &arena);
    must(wire_read_response_header(&r, key, version, &correlation) == 0);
    must(correlation == CORRELATION);
    must(t->decode(m, &r, version) == 0 && wire_left(&r) == 0);
    arena_free(&arena);
    free(m);
}

/* answered: whether it must be; otherwise it may be parked, and ends with the connection. */
static void one_client(int16_t key, int16_t version, struct slice body, bool answered)
{
    struct buf answer = {0};
    struct pollfd p = {.events = POLLIN};

    must(net_addr_connect(broker_listener(broker, 0), &p.fd, NULL) == 0);
    send_request(p.fd, key, version, body);
    poll(&p, 1, answered ? PATIENCE_MS : PARKED_MS);
    must(shutdown(p.fd, SHUT_WR) == 0);
    read_to_end(p.fd, &answer);
    close(p.fd);
    must(!answered || answer.n > 0);
    check_answer(key, version, &answer);
    buf_free(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct wire_api *a;
    size_t apis = 0;

    if (size < 2)
        return 0;
    if (!broker)
        prepare();
    while (api_table[apis].handle)
        apis++;
    a = wire_api_find(api_table[data[0] % apis].key);
    one_client(a->key, (int16_t)(a->min + data[1] % (a->max - a->min + 1)),
               slice_of(data + 2, size - 2), false);
    one_client(API_API_VERSIONS, 0, slice_of("", 0), true);
    return 0;
}
