#include "kprod.h"

#include "cli/exit.h"
#include "cli/num.h"
#include "wire/error.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* ---- while it goes ---- */

static bool before(struct producer_mark a, struct producer_mark b)
{
    return a.at < b.at || (a.at == b.at && a.line < b.line);
}

/* What was acknowledged, as it came in. */
static void tee(struct kprod *k, const struct batch *records)
{
    struct record_iter *it = NULL;
    struct record r;

    if (record_iter_new(&it, NULL) < 0 || record_iter_begin(it, records, 0, NULL) < 0) {
        record_iter_free(it);
        k->teed.failed = true;
        return;
    }
    while (record_next(it, &r, NULL) == 1) {
        if (k->key_delim.n) {
            buf_put_slice(&k->teed, r.key);
            buf_put(&k->teed, k->key_delim.p, k->key_delim.n);
        }
        buf_put_slice(&k->teed, r.value);
        if (!k->whole)
            buf_put(&k->teed, k->delim.p, k->delim.n);
    }
    record_iter_free(it);
}

static void note_failed(struct kprod *k, const struct producer_report *r)
{
    struct record_iter *it = NULL;
    struct record first;

    if (!k->any_lost || before(r->first, k->lost)) {
        k->lost = r->first;
        if (record_iter_new(&it, NULL) == 0 && record_iter_begin(it, r->records, 0, NULL) == 0 &&
            record_next(it, &first, NULL) == 1)
            k->failed_size = first.key.n + first.value.n;
        record_iter_free(it);
    }
    k->any_lost = true;
    k->maybe_stored |= r->maybe_stored;
}

void account_report(void *arg, const struct producer_report *r)
{
    struct kprod *k = arg;
    struct producer_mark last;

    if (r->err) {
        note_failed(k, r);
        return;
    }
    last = producer_report_mark(r, r->records->count - 1);
    if (k->acked == 0 || before(k->last_acked, last))
        k->last_acked = last;
    k->acked += r->records->count;
    k->acked_bytes += r->records->records.n;
    if (k->tee)
        tee(k, r->records);
}

void account_tee(struct kprod *k)
{
    size_t done = 0;

    while (done < k->teed.n) {
        ssize_t n = write(STDOUT_FILENO, k->teed.p + done, k->teed.n - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EPIPE)
            cli_die_by(SIGPIPE);
        if (n < 0) {
            cli_say("kprod", "write to stdout: %s", strerrordesc_np(errno));
            k->stdout_closed = true;
            break;
        }
        done += (size_t)n;
    }
    if (k->teed.failed && !k->stdout_closed) {
        cli_say("kprod", "out of memory for what -T copies");
        k->stdout_closed = true;
    }
    buf_clear(&k->teed);
}

/* ---- at the end ---- */

/* The first record that nothing is known to have become of. */
static struct producer_mark resume_point(const struct kprod *k)
{
    struct producer_mark m = input_mark(k->input), oldest;

    if (k->any_lost && before(k->lost, m))
        m = k->lost;
    if (k->producer && producer_oldest(k->producer, &oldest) && before(oldest, m))
        m = oldest;
    return m;
}

/* "811 records acknowledged; go on with --from-byte 90112" and what makes that inexact. */
static void put_account(struct kprod *k, struct buf *out)
{
    const char *done = k->conf.acks == 0 ? "sent" : "acknowledged";
    struct producer_mark from = resume_point(k);
    char n[NUM_MAX];

    buf_printf(out, "; %s records %s", num_count(k->acked, n), done);
    buf_printf(out, "; go on with --from-byte %" PRIu64, from.at);
    if (k->acked > 0 && !before(k->last_acked, from))
        buf_printf(out, " (records behind it are %s too: they would be there twice)", done);
    if (k->maybe_stored || (k->producer && !producer_idle(k->producer)))
        buf_printf(out, " (some of what was not %s may be there all the same)", done);
}

static int interrupted(struct kprod *k)
{
    const char *done = k->conf.acks == 0 ? "sent" : "acknowledged";
    struct producer_mark from = resume_point(k);
    struct buf out = {0};
    char n[NUM_MAX], place[400];

    buf_printf(&out, "interrupted; %s records %s", num_count(k->acked, n), done);
    if (k->acked > 0) {
        struct producer_mark last = k->last_acked;
        /* with several partitions a later one may be there, an earlier one not */
        if (!before(last, from))
            buf_printf(&out, ", not all before input %s", input_place(k->input, last, place));
        else
            buf_printf(&out, ", the last at input %s", input_place(k->input, last, place));
    }
    buf_printf(&out, "; go on with --from-byte %" PRIu64, from.at);
    if (!k->common.quiet)
        cli_say("kprod", "%s", buf_cstr(&out));
    buf_free(&out);
    return k->signal;
}

static void describe_failure(struct kprod *k, struct buf *out)
{
    struct producer_mark at;
    struct kerr e;
    char place[400], n[NUM_MAX];

    producer_failed(k->producer, &e, &at);
    if (at.at != UINT64_MAX)
        buf_printf(out, "%s: ", input_place(k->input, at, place));
    if (e.remote == KAFKA_MESSAGE_TOO_LARGE || e.remote == KAFKA_RECORD_LIST_TOO_LARGE)
        buf_printf(out, "record of %s bytes exceeds %s of %s",
                   num_count((int64_t)k->failed_size, n),
                   e.remote == KAFKA_MESSAGE_TOO_LARGE ? "max.message.bytes" : "segment.bytes",
                   k->topic_name);
    else
        buf_put_str(out, kerr_msg(&e));
}

int account_end(struct kprod *k, int rc, const struct kerr *e)
{
    struct buf out = {0};
    int status = CLI_FAILED;

    if (k->signal)
        return interrupted(k);
    if ((k->input_ended || k->stdout_closed) && !k->any_lost && rc == 0 &&
        producer_idle(k->producer) && !producer_failed(k->producer, NULL, NULL))
        return k->stdout_closed ? CLI_FAILED : CLI_DONE;
    if (k->timed_out) {
        buf_put_str(&out, "timed out");
        status = CLI_TIMEOUT;
    } else if (producer_failed(k->producer, NULL, NULL)) {
        describe_failure(k, &out);
    } else {
        buf_put_str(&out, e->code ? kerr_msg(e) : "not everything was acknowledged");
    }
    put_account(k, &out);
    cli_say("kprod", "%s", buf_cstr(&out));
    buf_free(&out);
    return status;
}
