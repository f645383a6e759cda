/*
 * catalog_support - what the tests of lib/catalog share: scratch directories, commands from a seed,
 * proposing and waiting, dumps made without our code, and a disk that fails.
 */
#ifndef KCORE_TESTS_CATALOG_SUPPORT_H
#define KCORE_TESTS_CATALOG_SUPPORT_H

#include "catalog/catalog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* ---- directories ---- */

/* A new directory under $TMPDIR; free() the name after scratch_remove(). */
char *scratch_dir(void);
void scratch_remove(char *dir);

/* ---- commands ---- */

struct uuid uuid_of(uint32_t n); /* never zero */

/* A topic with that many partitions; replicas 1, all in sync. */
void cmd_create(struct buf *b, int64_t seq, const char *name, uint32_t id, int32_t partitions);
void cmd_delete(struct buf *b, int64_t seq, uint32_t id);
/* count: of the partitions that there should be; n more. */
void cmd_create_partitions(struct buf *b, int64_t seq, uint32_t id, int32_t count, int32_t n);
/* Of topic id, or (0) of a broker: name becomes value, or goes (NULL). was: what it must have been,
 * "-" for nothing, NULL for whatever it was. */
void cmd_alter(struct buf *b, int64_t seq, uint32_t id, const char *broker, bool replace,
               const char *name, const char *value, const char *was);
void cmd_producer_ids(struct buf *b, int64_t seq, int32_t count);

struct rng {
    uint64_t state;
};
uint32_t rng_below(struct rng *r, uint32_t n);

/* One command out of few names, few ids and few sequence numbers, so that many are refused or
 * repeated; some have several changes. */
void cmd_random(struct buf *b, struct rng *r);

/* ---- proposing ---- */

struct answer {
    bool done;
    int err;
    int64_t index;
    enum catalog_result result;
    int64_t value;
};

/* Proposes and waits. */
struct answer propose(struct catalog *c, const struct buf *cmd);
/* Proposes all of them at once and waits for all. */
void propose_all(struct catalog *c, const struct buf *cmds, size_t n, struct answer *out);

/* ---- what is in the file ---- */

/* Every row of every table in the order of its key, by a connection of our own. free() it. */
char *dump_catalog(const char *dir);

/* ---- the disk ----
 * A VFS that becomes SQLite's default, and the hook of lib/os, count every call that opens, reads,
 * writes, syncs, truncates or removes. */
enum fault {
    FAULT_NONE,
    FAULT_ERROR, /* the at-th call fails (EIO), later ones do not */
    FAULT_FULL,  /* from the at-th call on there is no room (ENOSPC), until fault_clear() */
    FAULT_POWER, /* from the at-th call on nothing happens any more; what was not synced may go */
};
void fault_install(void);
void fault_set(enum fault kind, long at);
void fault_clear(void);
long fault_calls(void);  /* since fault_set */
bool fault_struck(void); /* since fault_set */

/* After FAULT_POWER: makes in dir the files of the disk as a power cut may have left them: synced
 * bytes are there, of the others each write is there, half there or not, as the seed says. */
void fault_power_back(const char *dir, uint64_t seed);

#endif
