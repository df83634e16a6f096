#include "model/letter_query.h"

#include <stdio.h>

#include "base/escape.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "model/record.h"
#include "model/topic_filter.h"

#define LETTER_SHOWN 120 /* bytes of a value that is none */

static_assert(REASON_COUNT <= 32, "one bit a reason");

static const char *const letter_by[LETTER_BY_COUNT] = {
        [LETTER_BY_REASON] = "reason", [LETTER_BY_ROUTE] = "route",   [LETTER_BY_DEVICE] = "device",
        [LETTER_BY_TOPIC] = "topic",   [LETTER_BY_DETAIL] = "detail", [LETTER_BY_MEMBER] = "member",
};

const char *letter_by_name(LetterBy by) {
        return letter_by[by];
}

static const char *letter_reason(unsigned i) {
        return reason_name((Reason)(i + 1));
}

static const char *letter_word(unsigned i) {
        return letter_by_name((LetterBy)i);
}

static bool letter_refuse(char ret_said[LETTER_SAID_SIZE], Text value, const char *allowed) {
        char shown[LETTER_SHOWN];

        escape_text(value, shown, sizeof(shown));
        snprintf(ret_said, LETTER_SAID_SIZE, "'%s': allowed: %s", shown, allowed);
        return false;
}

/* Bits of the names in a list. */
static bool letter_set_names(Text value,
                             const char *name_of(unsigned),
                             unsigned n,
                             uint32_t *ret_bits,
                             char ret_said[LETTER_SAID_SIZE]) {
        char known[LETTER_SAID_SIZE] = "";
        Text rest = value, item;
        uint32_t bits = 0;

        for (unsigned i = 0; i < n; ++i) {
                size_t used = strlen(known);

                snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "", name_of(i));
        }
        while (text_next_item(&rest, ", ", &item)) {
                unsigned i = 0;

                while (i < n && !text_equal(item, text_of(name_of(i))))
                        ++i;
                if (i == n)
                        return letter_refuse(ret_said, item, known);
                bits |= UINT32_C(1) << i;
        }
        if (bits == 0)
                return letter_refuse(ret_said, value, known);
        *ret_bits = bits;
        return true;
}

/* How long ago: a whole number and its unit. */
static bool letter_age(Text value, int64_t now_us, int64_t *ret_us) {
        static const struct {
                char unit;
                int64_t us;
        } units[] = { { 's', 1000000 },
                      { 'm', 60 * INT64_C(1000000) },
                      { 'h', 3600 * INT64_C(1000000) },
                      { 'd', CLOCK_DAY_US } };
        uint64_t n;

        for (size_t i = 0; value.n > 1 && i < N_ELEMENTS(units); ++i) {
                if (value.data[value.n - 1] != units[i].unit)
                        continue;
                if (!text_to_number((Text){ .data = value.data, .n = value.n - 1 },
                                    (uint64_t)(now_us / units[i].us),
                                    &n))
                        return false;
                *ret_us = now_us - (int64_t)n * units[i].us;
                return true;
        }
        return false;
}

static bool letter_set_time(Text value,
                            int64_t now_us,
                            int64_t *ret_us,
                            char ret_said[LETTER_SAID_SIZE]) {
        if (letter_age(value, now_us, ret_us) || timestamp_parse(value, NULL, ret_us) == 0)
                return true;
        return letter_refuse(ret_said,
                             value,
                             "a time, as 2025-10-18T16:30:00Z, or how long ago: 90s, 5m, 2h, 7d");
}

static bool letter_set_name(Text value,
                            char ret_name[LETTER_NAME_SIZE],
                            char ret_said[LETTER_SAID_SIZE]) {
        if (value.n >= LETTER_NAME_SIZE || memchr(value.data, '\0', value.n))
                return letter_refuse(ret_said, value, "up to 255 bytes");
        memcpy(ret_name, value.data, value.n);
        ret_name[value.n] = '\0';
        return true;
}

static bool letter_set_topic(LetterQuery *query, Text value, char ret_said[LETTER_SAID_SIZE]) {
        if (value.n >= LETTER_TOPIC_SIZE || !topic_filter_is_valid(value))
                return letter_refuse(ret_said,
                                     value,
                                     "an MQTT filter of up to 1023 bytes, as ems/+/telemetry or "
                                     "seano/#");
        memcpy(query->topic, value.data, value.n);
        query->topic[value.n] = '\0';
        return true;
}

static bool letter_set_number(Text value,
                              uint64_t most,
                              int64_t *ret_number,
                              char ret_said[LETTER_SAID_SIZE]) {
        char allowed[64];
        uint64_t number;

        if (text_to_number(value, most, &number) && number > 0) {
                *ret_number = (int64_t)number;
                return true;
        }
        snprintf(allowed,
                 sizeof(allowed),
                 "a whole number from 1 to %llu",
                 (unsigned long long)most);
        return letter_refuse(ret_said, value, allowed);
}

static bool letter_set_limit(LetterQuery *query, Text value, char ret_said[LETTER_SAID_SIZE]) {
        int64_t limit;

        if (!letter_set_number(value, (uint64_t)query->most, &limit, ret_said))
                return false;
        query->limit = (int)limit;
        return true;
}

bool letter_query_set(LetterQuery *query,
                      LetterField field,
                      Text value,
                      int64_t now_us,
                      char ret_said[LETTER_SAID_SIZE]) {
        unsigned n_words = query->is_notes ? LETTER_BY_COUNT : LETTER_BY_MEMBER;
        uint32_t bits = 0;

        switch (field) {
        case LETTER_REASON:
                if (!letter_set_names(value, letter_reason, REASON_COUNT - 1, &bits, ret_said))
                        return false;
                query->reasons = bits << 1;
                return true;
        case LETTER_BY:
                if (!letter_set_names(value, letter_word, n_words, &bits, ret_said))
                        return false;
                query->by = bits;
                return true;
        case LETTER_TOPIC:
                return letter_set_topic(query, value, ret_said);
        case LETTER_ROUTE:
                query->has_route = true;
                return letter_set_name(value, query->route, ret_said);
        case LETTER_DEVICE:
                if (value.n == 0) /* all would be meant where a shell's variable is not set */
                        return letter_refuse(ret_said, value, "a name of 1 to 255 bytes");
                return letter_set_name(value, query->device, ret_said);
        case LETTER_FROM:
                return letter_set_time(value, now_us, &query->from_us, ret_said);
        case LETTER_TO:
                return letter_set_time(value, now_us, &query->to_us, ret_said);
        case LETTER_LIMIT:
                return letter_set_limit(query, value, ret_said);
        default:
                return letter_set_number(value, INT64_MAX, &query->before_id, ret_said);
        }
}

void letter_query_pattern(const LetterQuery *query, char ret_pattern[LETTER_PATTERN_SIZE]) {
        const char *at = query->topic;
        size_t n = 0;

        static_assert(LETTER_TOPIC_SIZE * 3 + 32 < LETTER_PATTERN_SIZE, "\"/+\" becomes six bytes");
        n += (size_t)snprintf(ret_pattern,
                              LETTER_PATTERN_SIZE,
                              "^%s",
                              *at == '+' || *at == '#' ? "(?!\\$)" : ""); /* as MQTT has it */
        for (; *at; ++at) {
                const char *piece = NULL;

                if (*at == '+')
                        piece = "[^/]*";
                else if (*at == '#')
                        piece = ".*";
                else if (strcmp(at, "/#") == 0)
                        piece = "(/.*)?";
                if (piece) {
                        n += (size_t)
                                snprintf(ret_pattern + n, LETTER_PATTERN_SIZE - n, "%s", piece);
                        at += *at == '/';
                        continue;
                }
                if (strchr(".[]{}()\\*?^$|", *at))
                        ret_pattern[n++] = '\\';
                ret_pattern[n++] = *at;
        }
        ret_pattern[n++] = '$';
        ret_pattern[n] = '\0';
}
