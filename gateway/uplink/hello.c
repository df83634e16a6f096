#include "gateway/uplink/hello.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "base/json_out.h"
#include "base/log.h"
#include "base/secret.h"
#include "model/edge/uplink.h"
#include "model/metrics.h"

#define HELLO_RUN_SIZE 17

int uplink_hello_begin(Journal *journal) {
        char run[HELLO_RUN_SIZE];
        uint64_t id;
        int r = secret_random(&id, sizeof(id));

        if (r != 0)
                return err_up(r);
        snprintf(run, sizeof(run), "%016" PRIx64, id);
        journal_begin_run(journal, run);
        return 0;
}

/* Which starts have numbered what is here: the folder may be a copy, or have been copied. */
static void hello_add_runs(Journal *journal, JsonOut *out) {
        JournalWriters *writers = journal_writers(journal);
        char text[JOURNAL_WRITERS_ID_SIZE + 24];

        journal_writers_claim(writers);
        if (writers->n == 0)
                return;
        json_out_array(out, "runs");
        for (size_t i = 0; i < writers->n; ++i) {
                snprintf(text,
                         sizeof(text),
                         "%s:%" PRIu64,
                         writers->items[i].id,
                         writers->items[i].begin_seq);
                json_out_string(out, NULL, text);
        }
        json_out_array_end(out);
}

void uplink_hello_write(Journal *journal, Buf *buf) {
        JsonOut out = { .buf = buf };

        json_out_object(&out, NULL);
        json_out_string(&out, "type", "hello");
        json_out_int(&out, "format", UPLINK_FORMAT);
        json_out_string(&out, "journal", journal_epoch(journal));
        json_out_string(&out, "version", TIDEGATE_VERSION);
        hello_add_runs(journal, &out);
        json_out_object_end(&out);
}

void uplink_hello_copied(void) {
        if (metric_get(METRIC_UPLINK_COPIED) == 0)
                log_error("uplink_copied hint=\"another gateway brings, or brought, messages from "
                          "a copy "
                          "of this journal's folder: all of both is stored; give one of them a "
                          "folder "
                          "and a token of its own\"");
        metric_set(METRIC_UPLINK_COPIED, 1);
}

bool uplink_hello_is_met(Text welcome, bool *has_met) {
        static const Text runs = TEXT("\"runs\"");
        bool is_met = memmem(welcome.data, welcome.n, runs.data, runs.n) != NULL;
        static LogPace said;
        unsigned long long n_more;

        if (*has_met && !is_met && log_may(&said, &n_more))
                log_warning("uplink_central_older more=%llu hint=\"it does not see what newer ones "
                            "have stored: nothing is brought to it, unless this gateway is "
                            "restarted\"",
                            n_more);
        *has_met = *has_met || is_met;
        return is_met || !*has_met;
}
