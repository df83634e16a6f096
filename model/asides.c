#include "model/asides.h"

#include <stdatomic.h>

#include "model/record.h"

typedef struct Aside Aside;

struct Aside {
        char name[ASIDES_NAME_SIZE]; /* does not change any more once it counts */
        _Atomic int64_t n[REASON_COUNT];
};

static Aside asides[ASIDES_MEMBERS] = { { .name = "other" } };
static _Atomic size_t asides_n = 1;

static bool asides_is_plain(char c) {
        return c > ' ' && c < 0x7f && c != '"' && c != '\\';
}

/* A level of digits alone is a star. False: too long, or no name that a label may have. */
static bool asides_name(Text pointer, char ret_name[ASIDES_NAME_SIZE]) {
        size_t n = 0, begin = 0;

        for (size_t i = 0; i <= pointer.n; ++i) {
                bool is_end = i == pointer.n || pointer.data[i] == '/';

                if (is_end && n > begin && strspn(ret_name + begin, "0123456789") == n - begin) {
                        n = begin;
                        ret_name[n++] = '*';
                }
                if (i == pointer.n)
                        break;
                if (n + 1 >= ASIDES_NAME_SIZE || !asides_is_plain(pointer.data[i]))
                        return false;
                ret_name[n++] = pointer.data[i];
                ret_name[n] = '\0';
                if (is_end)
                        begin = n;
        }
        ret_name[n] = '\0';
        return n > 0;
}

/* Its place; 0, that of all others, where there is none left. */
static size_t asides_find(const char *name) {
        size_t n = atomic_load_explicit(&asides_n, memory_order_relaxed);

        for (size_t i = 1; i < n; ++i)
                if (strcmp(asides[i].name, name) == 0)
                        return i;
        if (n == ASIDES_MEMBERS)
                return 0;
        memcpy(asides[n].name, name, strlen(name) + 1);
        atomic_store_explicit(&asides_n, n + 1, memory_order_release);
        return n;
}

void asides_add(Text pointer, unsigned reason) {
        char name[ASIDES_NAME_SIZE];
        size_t i;

        assert(reason < REASON_COUNT);
        i = asides_name(pointer, name) ? asides_find(name) : 0;
        atomic_fetch_add_explicit(&asides[i].n[reason], 1, memory_order_relaxed);
}

size_t asides_length(void) {
        return atomic_load_explicit(&asides_n, memory_order_acquire);
}

const char *asides_member(size_t i) {
        return asides[i].name;
}

int64_t asides_get(size_t i, unsigned reason) {
        return atomic_load_explicit(&asides[i].n[reason], memory_order_relaxed);
}

void asides_reset(void) {
        for (size_t i = 0; i < ASIDES_MEMBERS; ++i)
                for (size_t k = 0; k < REASON_COUNT; ++k)
                        atomic_store_explicit(&asides[i].n[k], 0, memory_order_relaxed);
        atomic_store_explicit(&asides_n, 1, memory_order_release);
}
