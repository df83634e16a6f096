/* Decode: Sparkplug B as JSON, by what the births before it have said. */

#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "gateway/decode/decoder.h"
#include "gateway/sparkplug/message.h"

#define ALIAS_SIZE 24

static int refuse_unknown(Decoder *decoder, const SparkplugNews *news) {
        return decoder_refuse(decoder,
                              REASON_UNKNOWN_ALIAS,
                              decoder->record->terms
                                      ? "no metric is one of the last birth's: alias %llu"
                                      : "no birth has come so far: alias %llu",
                              (unsigned long long)news->unknown_alias);
}

static int refuse(Decoder *decoder, int answer, const SparkplugNews *news) {
        switch (answer) {
        case SPARKPLUG_E_UNKNOWN:
                return refuse_unknown(decoder, news);
        case SPARKPLUG_E_LARGE:
                return decoder_refuse(decoder,
                                      REASON_TOO_LARGE,
                                      "payload: more than %zu bytes as JSON",
                                      DECODER_MAX_GROWTH * decoder->route->max_bytes);
        case SPARKPLUG_E_DEEP:
                return decoder_refuse(decoder,
                                      REASON_TOO_DEEP,
                                      "%s: more than %d templates within each other",
                                      news->metric,
                                      SPARKPLUG_LEVELS);
        case SPARKPLUG_E_BROKEN:
                return decoder_refuse(decoder,
                                      REASON_BAD_JSON,
                                      "%s: no such array, data set or template",
                                      news->metric);
        default:
                return decoder_refuse_piece(decoder,
                                            REASON_BAD_JSON,
                                            "no Sparkplug B",
                                            decoder->record->payload);
        }
}

static int note_unknown(Decoder *decoder, const SparkplugNews *news) {
        char alias[ALIAS_SIZE];
        int r;

        snprintf(alias, sizeof(alias), "%llu", (unsigned long long)news->unknown_alias);
        r = decoder_set_aside_text(decoder,
                                   REASON_UNKNOWN_ALIAS,
                                   "alias",
                                   "none of the last birth's",
                                   text_of(alias));
        return r == 0 ? 0 : err_up(r);
}

int decode_sparkplug(Decoder *decoder) {
        CLEANUP_BUF Buf buf = { 0 };
        SparkplugNews news;
        int r = sparkplug_message_write(&buf,
                                        decoder->body,
                                        decoder->record->terms,
                                        DECODER_MAX_GROWTH * decoder->route->max_bytes,
                                        &news);

        decoder->record->is_history = news.is_history;
        decoder->record->node_seq = news.seq;
        decoder->record->bd_seq = news.bd_seq;
        if (r > 0)
                return refuse(decoder, r, &news);
        if (r == 0 && buf_failed(&buf))
                r = err_new(-ENOMEM);
        if (r == 0 && news.n_unknown > 0)
                r = note_unknown(decoder, &news);
        if (r == 0)
                r = decoder_copy(decoder, buf_text(&buf), &decoder->body);
        return r == 0 ? 0 : err_up(r);
}
