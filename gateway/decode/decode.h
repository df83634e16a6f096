#pragma once

/*
 * Decode: from topic and payload to a Record. Pure, fuzzed, knows no database.
 *
 * decode() never fails on input: what cannot be used comes back with a reason and a detail. It
 * fails only (-ENOMEM) when memory is out. The rules are docs/protocol.md, 1; ranges: latitude ±90,
 * longitude ±180, humidity 0..100 %, temperature -273.15..1000 °C, rssi -200..50 dBm, heading
 * 0..360°, every number finite; names and types 1..128 bytes without control characters, names for
 * people 256; at most 4096 detections in a message. A `timestamp` that is none, or not to be
 * believed, costs itself (docs/time.md), as any odd member (decision 056). A name that neither
 * topic nor payload gives stays absent: resolve.h judges.
 */

#include "base/arena.h"
#include "base/base.h"
#include "base/buf.h"
#include "gateway/decode/route.h"
#include "model/account.h"
#include "model/record.h"

/*
 * @route gives kind and rules; @match the names in the topic. Fills all of *ret_record; seq and the
 * ids are those of @envelope. Topic and payload are borrowed into the record, all else is static or
 * copied into @arena. Of a route with `each` only what is one message comes out so (elements.h).
 */
MUST_CHECK int decode(Arena *arena,
                      const Route *route,
                      const TopicMatch *match,
                      const Record *envelope, /* seq, received_us, topic, payload */
                      Record *ret_record);

/* The same, of a payload that may have been read by decode_choose(): @parsed is used up. */
MUST_CHECK int decode_parsed(Arena *arena,
                             const Route *route,
                             const TopicMatch *match,
                             const Record *envelope,
                             Parsed *parsed,
                             Record *ret_record);

/* The first of these routes, all of which match the topic, whose condition holds; NULL: none. What
 * it has to read for that is in @parsed. */
MUST_CHECK int decode_choose(Arena *arena,
                             const Route *const routes[],
                             size_t n_routes,
                             const Record *envelope,
                             Parsed *parsed,
                             const Route **ret_route);

/* Is it a payload that the route is for? What cannot be read is none. */
MUST_CHECK int decode_holds(Arena *arena,
                            const Route *route,
                            const Record *envelope,
                            Parsed *parsed,
                            bool *ret_holds);

enum {
        DECODE_E_ASIDE = 1,
        DECODE_WHY_SIZE = 160,
};

/* Would a member be used that is always @value, a piece of JSON? 0, DECODE_E_ASIDE with why it
 * would not, or -ENOMEM. @in_data: of the member `data`. */
MUST_CHECK int decode_try(Kind kind,
                          Text member,
                          bool in_data,
                          Text value,
                          char ret_why[MAP_WHY_SIZE]);

/*
 * How many detections of a body will be rows: the same judgement, for whoever has to answer before
 * it is stored. Its reason if none of it can be used, and @why gets the detail that its letter
 * would have; < 0: out of memory, but for @why (buf_failed()).
 */
MUST_CHECK int decode_count_detections(Text body, size_t max_bytes, size_t *ret_n_good, Buf *why);

/* Of what is decoded: other zones than the route has. */
void decode_zones(DetectionsRecord *detections, const Zones *zones);

/* The body as every parser takes it: without marks and NULs around it, and with what no JSON can
 * hold replaced, as where it is stored. A Reason (> 0): it is none; -ENOMEM. */
MUST_CHECK int decode_clean(Text body, Buf *ret_json);
