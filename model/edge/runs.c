#include "model/edge/runs.h"

#include "base/text.h"

#define RUNS_DIGITS 16

bool run_read(Text text, Run *ret_run) {
        *ret_run = (Run){ 0 };
        if (text.n <= RUNS_DIGITS + 1 || text.data[RUNS_DIGITS] != ':')
                return false;
        for (size_t i = 0; i < RUNS_DIGITS; ++i) {
                int digit = text_hex_digit(text.data[i]);

                if (digit < 0)
                        return false;
                ret_run->id = ret_run->id << 4 | (uint64_t)digit;
        }
        return text_to_number((Text){ text.data + RUNS_DIGITS + 1, text.n - RUNS_DIGITS - 1 },
                              INT64_MAX,
                              &ret_run->after_seq);
}

bool runs_add(Runs *runs, const Run *run) {
        if (runs->n >= RUNS_MAX ||
            (runs->n > 0 && run->after_seq > runs->items[runs->n - 1].after_seq))
                return false;
        runs->items[runs->n++] = *run;
        return true;
}

void runs_close(Runs *runs, uint64_t epoch) {
        runs->items[runs->n++] = (Run){ .id = epoch };
}

bool runs_are_said(const Runs *runs) {
        return runs->n > 1;
}

bool runs_have(const Runs *runs, uint64_t id) {
        for (size_t i = 0; i < runs->n; ++i)
                if (runs->items[i].id == id)
                        return true;
        return false;
}

uint64_t runs_of(const Runs *runs, uint64_t seq) {
        size_t i = 0;

        while (i + 1 < runs->n && seq <= runs->items[i].after_seq)
                ++i;
        return runs->items[i].id;
}

/* One that had to give its place is in the numbers of the oldest. */
uint64_t runs_known_after(const Runs *runs) {
        size_t n = runs->n - 1;

        if (n == 0)
                return 0;
        return runs->items[n == RUNS_MAX ? n - 2 : n - 1].after_seq;
}
