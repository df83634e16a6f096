#include "base/err.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

int err_report(int r, bool is_new, const char *fn, const char *file, int line) {
        char text[128];

        if (r == 0)
                return 0;
        if (r > 0) {
                log_error("fault at=%s:%d fn=%s unhandled_answer=%d", file, line, fn, r);
                return -ENOTRECOVERABLE;
        }

        if (is_new)
                log_error("fault at=%s:%d fn=%s error=\"%s\"",
                          file,
                          line,
                          fn,
                          strerror_r(-r, text, sizeof(text)));
        else
                log_error("fault_by at=%s:%d fn=%s", file, line, fn);
        return r;
}

const char *err_text(int r) {
        const char *text = strerrordesc_np(r < 0 ? -r : r);

        return text ? text : "unknown error";
}
