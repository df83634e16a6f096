#include "model/history_query.h"

#include <stdio.h>

#define HISTORY_CURSOR_ITEMS 1000000

/* Digits, at least one, at most as @max says; what is behind them, or NULL. */
static const char *history_number(const char *text, int64_t max, int64_t *ret_value) {
        int64_t value = 0;
        const char *at = text;

        for (; *at >= '0' && *at <= '9'; ++at) {
                if (value > (max - (*at - '0')) / 10)
                        return NULL;
                value = value * 10 + (*at - '0');
        }
        if (at == text)
                return NULL;
        *ret_value = value;
        return at;
}

int history_cursor_parse(const char *text, HistoryCursor *ret_cursor) {
        HistoryCursor cursor = { .received_us = CLOCK_UNKNOWN, .item = -1 };
        size_t n = strspn(text, "0123456789abcdef");
        int64_t item = -1;
        const char *at;

        if (n != HISTORY_EPOCH_SIZE - 1 || text[n] != ':')
                return HISTORY_E_CURSOR;
        memcpy(cursor.epoch, text, n);
        at = history_number(text + n + 1, INT64_MAX, &cursor.seq);
        if (at && *at == ':')
                at = history_number(at + 1, INT64_MAX / 2, &cursor.received_us);
        if (at && *at == ':')
                at = history_number(at + 1, HISTORY_CURSOR_ITEMS, &item);
        if (!at || *at)
                return HISTORY_E_CURSOR;

        cursor.item = (int32_t)item;
        *ret_cursor = cursor;
        return 0;
}

void history_cursor_format(const HistoryCursor *cursor, char ret_text[HISTORY_CURSOR_SIZE]) {
        int n = snprintf(ret_text,
                         HISTORY_CURSOR_SIZE,
                         "%s:%lld",
                         cursor->epoch,
                         (long long)cursor->seq);

        if (cursor->received_us == CLOCK_UNKNOWN)
                return;
        n += snprintf(ret_text + n,
                      HISTORY_CURSOR_SIZE - (size_t)n,
                      ":%lld",
                      (long long)cursor->received_us);
        if (cursor->item >= 0)
                snprintf(ret_text + n, HISTORY_CURSOR_SIZE - (size_t)n, ":%d", cursor->item);
}
