#pragma once

/*
 * Crc32c: CRC-32C (Castagnoli), of which the journal makes its checksums.
 *
 * Pure. Continue a sum by passing the one before; begin with 0. With SSE4.2 where the processor
 * has it (crc32c-x86.c), by table elsewhere.
 */

#include "base/base.h"

uint32_t crc32c(uint32_t crc, const void *data, size_t n);

/* A sum that began with 0, as it would be had it begun with @seed; @n: bytes. */
uint32_t crc32c_begun_with(uint32_t seed, uint32_t crc, size_t n);

/* The two ways, for the test that compares them. Call the fast one only if it is there. */
uint32_t crc32c_by_table(uint32_t crc, const void *data, size_t n);
bool crc32c_has_hardware(void);
uint32_t crc32c_by_hardware(uint32_t crc, const void *data, size_t n);
