#include "os/crc32c.h"

#include <endian.h>
#include <pthread.h>
#include <string.h>

#if defined(__x86_64__) || defined(__aarch64__)
#include <isa-l/crc.h>
#define HAVE_ISAL 1
#endif

#define POLY 0x82f63b78u /* reflected */

static uint32_t table[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? c >> 1 ^ POLY : c >> 1;
        table[0][i] = c;
    }
    for (int t = 1; t < 8; t++)
        for (int i = 0; i < 256; i++)
            table[t][i] = table[t - 1][i] >> 8 ^ table[0][table[t - 1][i] & 255];
}

uint32_t os_crc32c_portable(uint32_t crc, const void *p, size_t n)
{
    const uint8_t *b = p;

    pthread_once(&once, make_table);
    crc = ~crc;
    for (; n >= 8; n -= 8, b += 8) {
        uint64_t v;
        memcpy(&v, b, 8);
        v = le64toh(v) ^ crc;
        crc = table[7][v & 255] ^ table[6][v >> 8 & 255] ^ table[5][v >> 16 & 255] ^
              table[4][v >> 24 & 255] ^ table[3][v >> 32 & 255] ^ table[2][v >> 40 & 255] ^
              table[1][v >> 48 & 255] ^ table[0][v >> 56];
    }
    for (; n > 0; n--, b++)
        crc = crc >> 8 ^ table[0][(crc ^ *b) & 255];
    return ~crc;
}

uint32_t os_crc32c(uint32_t crc, const void *p, size_t n)
{
#ifdef HAVE_ISAL
    uint8_t *b = (uint8_t *)(uintptr_t)p; /* ISA-L only reads, but says so nowhere */

    /* its length is an int */
    while (n > 1u << 30) {
        crc = ~crc32_iscsi(b, 1 << 30, ~crc);
        b += 1u << 30;
        n -= 1u << 30;
    }
    return ~crc32_iscsi(b, (int)n, ~crc);
#else
    return os_crc32c_portable(crc, p, n);
#endif
}
