/*
 * crc32c - CRC-32C (Castagnoli, RFC 3720 B.4), the checksum of record batches. ISA-L at hardware
 * speed on x86-64 and AArch64, a portable slice-by-8 elsewhere; a test holds the two equal.
 */
#ifndef KCORE_OS_CRC32C_H
#define KCORE_OS_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc is 0 at first, or what the call for the bytes before returned. */
uint32_t os_crc32c(uint32_t crc, const void *p, size_t n);

/* The portable one, always there. */
uint32_t os_crc32c_portable(uint32_t crc, const void *p, size_t n);

#endif
