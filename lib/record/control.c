#include "record/control.h"

#include "base/bytes.h"

bool control_parse(const struct record *r, int16_t *type, int32_t *coordinator_epoch)
{
    if (slice_is_null(r->key) || r->key.n < 4 || (int16_t)get_be16(r->key.p) < 0)
        return false;
    *type = (int16_t)get_be16(r->key.p + 2);
    *coordinator_epoch = -1;
    if ((*type == CONTROL_ABORT || *type == CONTROL_COMMIT) && !slice_is_null(r->value) &&
        r->value.n >= 6 && (int16_t)get_be16(r->value.p) >= 0)
        *coordinator_epoch = (int32_t)get_be32(r->value.p + 2);
    return true;
}
