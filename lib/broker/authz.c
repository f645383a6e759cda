/* Who may do what: everybody everything, until there are ACLs. */
#include "broker/request.h"

bool authz_check(const struct request *r, enum operation op, enum resource kind, struct slice name)
{
    (void)r;
    (void)op;
    (void)kind;
    (void)name;
    return true;
}

int32_t authz_operations(const struct request *r, enum resource kind, struct slice name)
{
    static const enum operation topic[] = {
        OP_READ,  OP_WRITE,    OP_CREATE,           OP_DELETE,
        OP_ALTER, OP_DESCRIBE, OP_DESCRIBE_CONFIGS, OP_ALTER_CONFIGS};
    static const enum operation cluster[] = {
        OP_CREATE,           OP_ALTER,         OP_DESCRIBE,        OP_CLUSTER_ACTION,
        OP_DESCRIBE_CONFIGS, OP_ALTER_CONFIGS, OP_IDEMPOTENT_WRITE};
    const enum operation *ops = kind == RES_TOPIC ? topic : cluster;
    size_t n = kind == RES_TOPIC ? sizeof topic / sizeof *topic : sizeof cluster / sizeof *cluster;
    int32_t bits = 0;

    for (size_t i = 0; i < n; i++)
        if (authz_check(r, ops[i], kind, name))
            bits |= 1 << ops[i];
    return bits;
}
