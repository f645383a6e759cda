/*
 * hash - a table from bytes to a pointer. Keyed with SipHash-1-3: names come from the network.
 *
 * The table copies the key and never touches the value. Open addressing, one lookup is one probe
 * run; order of iteration means nothing. Not thread-safe.
 */
#ifndef KCORE_BASE_HASH_H
#define KCORE_BASE_HASH_H

#include "base/slice.h"

struct hash_slot {
    uint64_t h; /* 0: never used, 1: deleted */
    uint8_t *key;
    size_t n;
    void *value;
};

struct hash {
    struct hash_slot *slots;
    size_t cap;  /* a power of two, or 0 */
    size_t n;    /* live entries */
    size_t full; /* live and deleted */
    uint64_t k0, k1;
};

/* The keys should be random per process; os_random() gives them. Two zeros do for trusted names. */
void hash_init(struct hash *t, uint64_t k0, uint64_t k1);
void hash_free(struct hash *t);

/* NULL when there is none. */
void *hash_get(const struct hash *t, struct slice key);

/* Sets or replaces; *old (may be NULL) gets the value that stood there, or NULL. False without
 * memory: then nothing has changed. value must not be NULL. */
bool hash_put(struct hash *t, struct slice key, void *value, void **old);

/* Removes and returns the value, or NULL. */
void *hash_del(struct hash *t, struct slice key);

/* for (size_t i = 0; (v = hash_next(t, &i, &key)) != NULL;) ... ; deleting the entry just returned
 * is allowed, adding is not. key may be NULL. */
void *hash_next(const struct hash *t, size_t *i, struct slice *key);

uint64_t siphash(struct slice s, uint64_t k0, uint64_t k1);

#endif
