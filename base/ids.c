#include "base/ids.h"

static int ids_compare(const void *a, const void *b) {
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return (x > y) - (x < y);
}

void ids_sort(int64_t ids[], size_t n) {
        if (n > 1)
                qsort(ids, n, sizeof(ids[0]), ids_compare);
}

size_t ids_sort_once(int64_t ids[], size_t n) {
        size_t n_once = 0;

        ids_sort(ids, n);
        for (size_t i = 0; i < n; ++i)
                if (n_once == 0 || ids[i] != ids[n_once - 1])
                        ids[n_once++] = ids[i];
        return n_once;
}

bool ids_have(const int64_t ids[], size_t n, int64_t id) {
        size_t low = 0, high = n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (ids[middle] == id)
                        return true;
                if (ids[middle] < id)
                        low = middle + 1;
                else
                        high = middle;
        }
        return false;
}
