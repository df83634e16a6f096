/* The crc32 instruction of SSE4.2: eight bytes in three cycles. */

#include <nmmintrin.h>

#include "gateway/journal/crc32c.h"

bool crc32c_has_hardware(void) {
        return __builtin_cpu_supports("sse4.2");
}

__attribute__((target("sse4.2"))) uint32_t crc32c_by_hardware(uint32_t crc,
                                                              const void *data,
                                                              size_t n) {
        const uint8_t *bytes = data;
        uint64_t sum = ~crc;

        for (; n >= 8; n -= 8, bytes += 8) {
                uint64_t word;

                memcpy(&word, bytes, 8);
                sum = _mm_crc32_u64(sum, word);
        }
        for (; n > 0; --n, ++bytes)
                sum = _mm_crc32_u8((uint32_t)sum, *bytes);
        return ~(uint32_t)sum;
}
