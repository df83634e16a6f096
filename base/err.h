#pragma once

/*
 * Errors: one int, three meanings.
 *
 *      0       success
 *      < 0     a fault (-errno): nobody catches it, it travels up to main()
 *      > 0     an answer (FOO_E_*): documented, and handled by the direct caller
 *
 * err_new() starts a fault and logs where; err_up() passes one on and logs the
 * step, so an unexpected failure reads like a back-trace. An answer that reaches
 * err_up() was forgotten by its caller and becomes the fault -ENOTRECOVERABLE.
 */

#define err_new(r) err_note((r), true, __func__, __FILE__, __LINE__)
#define err_up(r)  err_note((r), false, __func__, __FILE__, __LINE__)

#include <stdbool.h>

int err_report(int r, bool is_new, const char *fn, const char *file, int line);
const char *err_text(int r); /* of a fault: static; any thread */

/* Lets compilers and analysers see that a fault stays a fault and success stays success. */
static inline int err_note(int r, bool is_new, const char *fn, const char *file, int line) {
        int result = r == 0 ? 0 : err_report(r, is_new, fn, file, line);

        if (r != 0 && result >= 0)
                __builtin_unreachable();
        return result;
}
