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
