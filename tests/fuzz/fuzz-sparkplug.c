/* Sparkplug B: whatever bytes become, also as a birth before themselves, is JSON, which is read
 * whole. */

#include "gateway/decode/json_check.h"
#include "gateway/decode/json_tree.h"
#include "gateway/sparkplug/message.h"
#include "gateway/sparkplug/table.h"
#include "tests/fuzz/fuzz.h"

#define MOST ((size_t)1 << 20)

static void check_json(Text json) {
        CLEANUP_BUF Buf clean = { 0 };
        JsonTree tree = { 0 };
        JsonFault fault;
        Reason reason;

        FUZZ_CHECK(json_tree_read(&tree, json, &fault) == 0);
        json_write(&clean, &tree, tree.nodes);
        reason = json_check(buf_text(&clean));
        FUZZ_CHECK(reason == REASON_NONE || reason == REASON_OUT_OF_RANGE);
        json_tree_done(&tree);
}

static void check_message(Text bytes, const SparkplugTable *table) {
        CLEANUP_BUF Buf buf = { 0 };
        SparkplugNews news;

        if (sparkplug_message_write(&buf, bytes, table, MOST, &news) == 0)
                check_json(buf_text(&buf));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        CLEANUP(sparkplug_payload_free) SparkplugPayload *payload = NULL;
        CLEANUP(sparkplug_table_unref) SparkplugTable *table = NULL;
        Text bytes = { (const char *)data, n };

        if (sparkplug_payload_open(&payload, bytes) == 0)
                FUZZ_CHECK(sparkplug_table_new(&table, payload, 64) == 0);
        check_message(bytes, NULL);
        if (table)
                check_message(bytes, table);
        return 0;
}
