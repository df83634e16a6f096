#include "gateway/journal/crc32c.h"

#include <pthread.h>

#define CRC32C_POLYNOMIAL 0x82f63b78u /* reflected */

typedef uint32_t (*Crc32cFn)(uint32_t crc, const void *data, size_t n);

static uint32_t crc32c_table[256];
static Crc32cFn crc32c_chosen;
static pthread_once_t crc32c_once = PTHREAD_ONCE_INIT;

static void crc32c_prepare(void) {
        for (uint32_t i = 0; i < 256; ++i) {
                uint32_t crc = i;

                for (int bit = 0; bit < 8; ++bit)
                        crc = (crc >> 1) ^ (crc & 1 ? CRC32C_POLYNOMIAL : 0);
                crc32c_table[i] = crc;
        }
        crc32c_chosen = crc32c_has_hardware() ? crc32c_by_hardware : crc32c_by_table;
}

uint32_t crc32c_by_table(uint32_t crc, const void *data, size_t n) {
        const uint8_t *bytes = data;

        MUST(pthread_once(&crc32c_once, crc32c_prepare));
        crc = ~crc;
        for (size_t i = 0; i < n; ++i)
                crc = (crc >> 8) ^ crc32c_table[(crc ^ bytes[i]) & 0xff];
        return ~crc;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t n) {
        MUST(pthread_once(&crc32c_once, crc32c_prepare));
        return crc32c_chosen(crc, data, n);
}

/* The product of two polynomials, reflected, modulo ours. */
static uint32_t crc32c_times(uint32_t a, uint32_t b) {
        uint32_t product = 0;

        for (uint32_t bit = 0x80000000u; bit != 0; bit >>= 1) {
                product ^= a & bit ? b : 0;
                b = (b >> 1) ^ (b & 1 ? CRC32C_POLYNOMIAL : 0);
        }
        return product;
}

/* What it began with has been multiplied by x for each bit that followed. */
uint32_t crc32c_begun_with(uint32_t seed, uint32_t crc, size_t n) {
        uint32_t power = 0x00800000u; /* x to the 8th: a byte */

        for (; n != 0; n >>= 1) {
                if (n & 1)
                        seed = crc32c_times(power, seed);
                power = crc32c_times(power, power);
        }
        return crc ^ seed;
}
