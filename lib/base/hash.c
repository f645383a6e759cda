#include "base/hash.h"

#include <endian.h>
#include <stdlib.h>

static inline uint64_t rotl(uint64_t v, int by)
{
    return v << by | v >> (64 - by);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

static uint64_t load_le(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    memcpy(&v, p, n);
    return le64toh(v);
}

uint64_t siphash(struct slice s, uint64_t k0, uint64_t k1)
{
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u,
                     k1 ^ 0x7465646279746573u};
    size_t i;
    uint64_t m;

    for (i = 0; i + 8 <= s.n; i += 8) {
        m = load_le(s.p + i, 8);
        v[3] ^= m;
        sip_round(v);
        v[0] ^= m;
    }
    m = (uint64_t)s.n << 56;
    if (i < s.n)
        m |= load_le(s.p + i, s.n - i);
    v[3] ^= m;
    sip_round(v);
    v[0] ^= m;
    v[2] ^= 0xff;
    for (i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void hash_init(struct hash *t, uint64_t k0, uint64_t k1)
{
    *t = (struct hash){.k0 = k0, .k1 = k1};
}

void hash_free(struct hash *t)
{
    for (size_t i = 0; i < t->cap; i++)
        free(t->slots[i].key);
    free(t->slots);
    hash_init(t, t->k0, t->k1);
}

/* 0 and 1 mark empty and deleted slots, so no key hashes to them. */
static uint64_t hash_of(const struct hash *t, struct slice key)
{
    uint64_t h = siphash(key, t->k0, t->k1);

    return h < 2 ? h + 2 : h;
}

static struct hash_slot *find(const struct hash *t, struct slice key, uint64_t h)
{
    if (t->cap == 0)
        return NULL;
    for (size_t i = h & (t->cap - 1);; i = (i + 1) & (t->cap - 1)) {
        struct hash_slot *s = &t->slots[i];
        if (s->h == 0)
            return NULL;
        if (s->h == h && s->n == key.n && (key.n == 0 || memcmp(s->key, key.p, key.n) == 0))
            return s;
    }
}

static struct hash_slot *free_slot(struct hash_slot *slots, size_t cap, uint64_t h)
{
    size_t i = h & (cap - 1);

    while (slots[i].h > 1)
        i = (i + 1) & (cap - 1);
    return &slots[i];
}

static bool grow(struct hash *t)
{
    size_t cap = t->cap ? t->cap : 8;
    struct hash_slot *slots;

    while ((t->n + 1) * 2 > cap)
        cap *= 2;
    slots = calloc(cap, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < t->cap; i++)
        if (t->slots[i].h > 1)
            *free_slot(slots, cap, t->slots[i].h) = t->slots[i];
    free(t->slots);
    t->slots = slots;
    t->cap = cap;
    t->full = t->n;
    return true;
}

void *hash_get(const struct hash *t, struct slice key)
{
    struct hash_slot *s = find(t, key, hash_of(t, key));

    return s ? s->value : NULL;
}

bool hash_put(struct hash *t, struct slice key, void *value, void **old)
{
    uint64_t h = hash_of(t, key);
    struct hash_slot *s = find(t, key, h);
    uint8_t *copy;

    if (old)
        *old = s ? s->value : NULL;
    if (s) {
        s->value = value;
        return true;
    }
    if ((t->full + 1) * 4 > t->cap * 3 && !grow(t))
        return false;
    copy = malloc(key.n ? key.n : 1);
    if (!copy)
        return false;
    if (key.n)
        memcpy(copy, key.p, key.n);
    s = free_slot(t->slots, t->cap, h);
    t->full += s->h == 0;
    *s = (struct hash_slot){h, copy, key.n, value};
    t->n++;
    return true;
}

void *hash_del(struct hash *t, struct slice key)
{
    struct hash_slot *s = find(t, key, hash_of(t, key));
    void *value;

    if (!s)
        return NULL;
    value = s->value;
    free(s->key);
    *s = (struct hash_slot){.h = 1};
    t->n--;
    return value;
}

void *hash_next(const struct hash *t, size_t *i, struct slice *key)
{
    while (*i < t->cap) {
        const struct hash_slot *s = &t->slots[(*i)++];
        if (s->h > 1) {
            if (key)
                *key = slice_of(s->key, s->n);
            return s->value;
        }
    }
    return NULL;
}
