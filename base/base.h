#pragma once

/*
 * Base: the handful of macros and types that every file may use.
 *
 * Nothing else of ours belongs here: a helper lives in the module it helps.
 */

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CLEANUP(fn)  __attribute__((cleanup(fn##p)))
#define MUST_CHECK   __attribute__((warn_unused_result))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

/* Make `CLEANUP(foo_free) Foo *foo = NULL;` release foo at the end of its scope. */
#define DEFINE_CLEANUP(type, fn)            \
        static inline void fn##p(type *p) { \
                if (*p)                     \
                        fn(*p);             \
        }                                   \
        struct cleanup_needs_semicolon

/* For calls that fail only through a bug of ours (pthread_*_init, pthread_join, ...). */
#define MUST(call)               \
        do {                     \
                if ((call) != 0) \
                        abort(); \
        } while (0)

/* Hand a value over: evaluates to *p and leaves NULL behind. */
#define TAKE(p)                             \
        __extension__({                     \
                __typeof__(*(p)) t_ = *(p); \
                *(p) = NULL;                \
                t_;                         \
        })

/* A borrowed slice of bytes, not NUL-terminated. data == NULL means absent. */
typedef struct Text Text;

struct Text {
        const char *data;
        size_t n;
};

/* A Text over a string literal. */
#define TEXT(literal) ((Text){ .data = (literal), .n = sizeof(literal) - 1 })

static inline Text text_of(const char *string) {
        return (Text){ .data = string, .n = string ? strlen(string) : 0 };
}

static inline bool text_equal(Text a, Text b) {
        return a.n == b.n && (a.n == 0 || (a.data && b.data && memcmp(a.data, b.data, a.n) == 0));
}
