/* No instruction that we know: the table it is. */

#include "gateway/journal/crc32c.h"

bool crc32c_has_hardware(void) {
        return false;
}

uint32_t crc32c_by_hardware(uint32_t crc, const void *data, size_t n) {
        return crc32c_by_table(crc, data, n);
}
