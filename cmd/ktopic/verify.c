#include "ktopic.h"

#include "cli/json.h"
#include "cli/num.h"
#include "log/verify.h"

#include <stdio.h>
#include <sys/stat.h>

#define CAP ((size_t)1 << 30) /* of one batch's decoded records */

struct place {
    const char *path;
    const struct ktopic *k;
};

static void problem(void *arg, const struct verify_problem *p)
{
    static const char *const kinds[] = {"torn tail", "damage", "index"};
    const struct place *at = arg;
    char where[64] = "";

    if (p->position >= 0)
        snprintf(where, sizeof where, " at byte %lld", (long long)p->position);
    cli_say("ktopic", "%s: %s%s: %s: %s", at->path, p->file, where, kinds[p->kind], p->what);
}

static int one(struct ktopic *k, const char *path, struct kerr *e)
{
    struct place at = {path, k};
    struct verify_options o = {problem, &at, CAP};
    struct verify_result r = {0};
    struct buf name = {0};
    char records[NUM_MAX], batches[NUM_MAX];
    struct stat st;
    bool dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode), ok;
    int rc = dir ? verify_dir(path, &o, &r, e) : verify_file(path, &o, &r, e);

    if (rc < 0)
        return rc;
    ok = r.torn + r.damage + r.index == 0;
    if (k->json) {
        json_put(&name, slice_str(path));
        printf("{\"v\":1,\"file\":%s,\"records\":%lld,\"batches\":%lld,\"start\":%lld,"
               "\"end\":%lld,\"torn\":%lld,\"damage\":%lld,\"index\":%lld}\n",
               buf_cstr(&name), (long long)r.records, (long long)r.batches, (long long)r.start,
               (long long)r.end, (long long)r.torn, (long long)r.damage, (long long)r.index);
        buf_free(&name);
    } else {
        printf("%s: %s records in %s batches, %s\n", path, num_count(r.records, records),
               num_count(r.batches, batches), ok ? "ok" : "not ok");
    }
    return ok ? 0 : KE_CORRUPT;
}

static int verify(void *ctx, const struct operands *ops)
{
    struct ktopic *k = ctx;
    int status = CLI_DONE;

    for (size_t i = 0; i < ops->n; i++) {
        struct kerr e = {0};
        if (one(k, ops->v[i], &e) == 0)
            continue;
        status = e.code ? ktopic_fail(&e) : CLI_FAILED;
    }
    return status;
}

const struct opt_command verify_command = {
    "verify", "FILE|DIR...",  "check segments and their indexes", NULL, 1, OPT_MANY,
    verify,   .words = "FILE"};
