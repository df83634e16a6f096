/* Cbor: whatever bytes become is JSON, which is read whole. */

#include "gateway/decode/cbor.h"
#include "gateway/decode/json_check.h"
#include "gateway/decode/json_tree.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        CLEANUP_BUF Buf buf = { 0 };
        CLEANUP_BUF Buf clean = { 0 };
        JsonTree tree = { 0 };
        const char *why = NULL;
        JsonFault fault;
        int r = cbor_to_json(&buf, (Text){ (const char *)data, n }, &why);

        FUZZ_CHECK((r == 0) == (why == NULL));
        if (r == 0) {
                Reason reason;

                FUZZ_CHECK(json_tree_read(&tree, buf_text(&buf), &fault) == 0);
                json_write(&clean, &tree, tree.nodes);
                reason = json_check(buf_text(&clean));
                FUZZ_CHECK(reason == REASON_NONE || reason == REASON_OUT_OF_RANGE);
        }
        json_tree_done(&tree);
        return 0;
}
