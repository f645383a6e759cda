/*
 * embed DIR LISTENER - a program of someone else's: a broker in DIR and a client of it in one
 * process, with nothing but what make install has installed.
 */
#include <broker/broker.h>
#include <client/admin.h>
#include <client/offsets.h>
#include <client/producer.h>
#include <stdio.h>
#include <string.h>

static struct kerr e;

static int failed(const char *where)
{
    fprintf(stderr, "%s: %s\n", where, kerr_msg(&e));
    return 1;
}

/* Prints what was acknowledged, as it was given. */
static void report(void *arg, const struct producer_report *r)
{
    struct record_iter *it;
    struct record record;

    (void)arg;
    if (r->err || record_iter_new(&it, NULL) < 0 || record_iter_begin(it, r->records, 0, NULL) < 0)
        return;
    while (record_next(it, &record, NULL) == 1)
        printf("%s %d: %.*s\n", r->topic->name, (int)r->base_offset, (int)record.value.n,
               (const char *)record.value.p);
    record_iter_free(it);
}

static int produce(struct client *c)
{
    struct admin_topic t = {"topic", 1, 1, NULL, 0};
    struct client_topic *topic;
    struct producer *p;

    if (admin_create(c, &t, false, 10000, NULL, &e) < 0)
        return failed("create");
    topic = client_topic(c, slice_str(t.name));
    if (!topic || client_topic_wait(c, topic, false, 10000, NULL, &e) < 0 ||
        producer_new(&p, c, report, NULL, &e) < 0 ||
        producer_send(p, topic, -1, 0, slice_of(NULL, 0), slice_str("works"), NULL, 0,
                      (struct producer_mark){0, 1}, &e) < 0)
        return failed("produce");
    producer_flush(p);
    while (!producer_idle(p))
        client_poll(c, -1);
    producer_free(p);
    return 0;
}

/* broker and client in one process */
int main(int argc, char **argv)
{
    struct broker_conf bc;
    struct client_conf cc;
    struct broker *b;
    struct client *c;
    int status;

    broker_conf_init(&bc);
    client_conf_init(&cc);
    if (argc < 3 || broker_conf_set(&bc, "log.dirs", argv[1], &e) < 0 ||
        broker_conf_add_listener(&bc, argv[2], true, &e) < 0 || broker_conf_check(&bc, &e) < 0 ||
        broker_new(&b, &bc, &(struct broker_env){NULL, NULL}, &e) < 0)
        return failed("broker");
    if (client_conf_set(&cc, "bootstrap.servers", argv[2], &e) < 0 ||
        client_new(&c, &cc, NULL, &e) < 0)
        return failed("client");
    status = produce(c);
    client_free(c);
    client_conf_free(&cc);
    if (broker_free(b, 1000, &e) < 0)
        return failed("broker");
    broker_conf_free(&bc);
    return status;
}
