#include "gateway/store/letter.h"

#include "db/edit/letters.h"
#include "gateway/journal/journal.h"

static const Text letter_mark = TEXT("$letter/");
static const Text letter_element = TEXT("$element/");
static const Text letter_device = TEXT("ws/device/");
static const Text letter_uplink = TEXT("$uplink/");

static bool letter_skip(Text *text, Text prefix) {
        if (text->n < prefix.n || memcmp(text->data, prefix.data, prefix.n) != 0)
                return false;
        text->data += prefix.n;
        text->n -= prefix.n;
        return true;
}

void letter_wrap(const DbDeadLetter *letter, Buf *ret_topic) {
        if (letter->element > 0)
                buf_printf(ret_topic, "$element/%lld/", (long long)letter->element);
        else
                buf_append_text(ret_topic, letter_mark);
        buf_printf(ret_topic, "%lld/%lld/", (long long)letter->id, (long long)letter->received_us);
        buf_append_string(ret_topic, letter->topic);
}

Kind letter_kind(const DbDeadLetter *letter) {
        Text topic = text_of(letter->topic);

        if (strcmp(letter->topic, "api/v1/detections") == 0)
                return KIND_BLE_DETECTIONS;
        if (!letter_skip(&topic, letter_device))
                return KIND_NONE;
        return strcmp(letter->reason, reason_name(REASON_UNKNOWN_COMMAND)) == 0 ? KIND_COMMAND_ACK
                                                                                : KIND_TELEMETRY;
}

/* Decimal digits with perhaps a sign, and the slash behind them. */
static bool letter_take_number(Text *text, int64_t *ret_number) {
        bool is_negative = letter_skip(text, TEXT("-"));
        int64_t number = 0;
        size_t n = 0;

        for (; n < text->n && n < 18 && text->data[n] >= '0' && text->data[n] <= '9'; ++n)
                number = number * 10 + (text->data[n] - '0');
        text->data += n;
        text->n -= n;
        *ret_number = is_negative ? -number : number;
        return n > 0 && letter_skip(text, TEXT("/"));
}

/* Who brought it first may bring no more by a letter. */
static void letter_take_origin(Text *topic, Record *envelope) {
        Text rest = *topic;
        int64_t device_id;

        if (!letter_skip(&rest, letter_uplink) || !letter_take_number(&rest, &device_id) ||
            device_id == 0)
                return;
        envelope->origin = (Origin){ .device_id = device_id };
        *topic = rest;
}

bool letter_open(const JournalRecord *entry, Record *envelope) {
        Text topic = entry->topic;
        int64_t id, first_us, element = 0;
        bool is_element = letter_skip(&topic, letter_element);

        if (entry->door != DOOR_INTERNAL || (!is_element && !letter_skip(&topic, letter_mark)) ||
            (is_element && !letter_take_number(&topic, &element)) || element < 0 ||
            !letter_take_number(&topic, &id) || !letter_take_number(&topic, &first_us))
                return false;
        envelope->letter_id = id;
        envelope->first_us = first_us;
        envelope->time_us = first_us;
        envelope->element = element;
        letter_take_origin(&topic, envelope);
        envelope->topic = topic;
        return true;
}

TopicMatch letter_names(Text topic) {
        TopicMatch match = { 0 };

        if (letter_skip(&topic, letter_device))
                match.device = topic;
        return match;
}
