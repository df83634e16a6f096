/* JsonTree: whatever it reads, what it writes is strict, and says the same; what the strict check
 * takes, it reads as it stands. */

#include "base/arena.h"
#include "gateway/decode/json_check.h"
#include "gateway/decode/json_tree.h"
#include "gateway/store/overlay.h"
#include "tests/fuzz/fuzz.h"

/* Integers of more than 64 bits are for json-c to refuse, not for us. */
static bool is_strict(Text text) {
        Reason reason = json_check(text);

        return reason == REASON_NONE || reason == REASON_OUT_OF_RANGE;
}

static void check_node(const JsonTree *tree, const JsonNode *node, Arena *arena) {
        Text content;

        FUZZ_CHECK(node->span >= 1 && json_next(node) <= tree->nodes + tree->n);
        FUZZ_CHECK((size_t)node->start + node->length <= tree->text.n && node->length > 0);
        if (node->type != JSON_STRING)
                return;
        FUZZ_CHECK(json_content(tree, node, arena, &content) == 0);
        FUZZ_CHECK(json_check_text(content) == REASON_NONE);
        if (node->odd == REASON_NONE)
                FUZZ_CHECK(json_is(tree, node, content));
}

static void check_members(const JsonTree *tree, const JsonNode *node, Arena *arena) {
        const JsonNode *at = node + 1;

        if (node->type == JSON_ARRAY)
                FUZZ_CHECK((json_element(node, 0) != NULL) == (node->n > 0));
        if (node->type != JSON_OBJECT)
                return;
        for (size_t i = 0; i < node->n; i += 2) {
                Text name;

                FUZZ_CHECK(at->type == JSON_STRING);
                FUZZ_CHECK(json_content(tree, at, arena, &name) == 0);
                if (i == 0 && at->odd == REASON_NONE)
                        FUZZ_CHECK(json_member(tree, node, name));
                at = json_next(at + 1);
        }
        FUZZ_CHECK(at == json_next(node));
}

/* Laid over itself it can be read, and laid over that it changes nothing. */
static void check_overlay(Text text, Arena *arena) {
        CLEANUP_BUF Buf once = { 0 }, twice = { 0 };

        FUZZ_CHECK(overlay(&once, arena, text, text) == 0);
        FUZZ_CHECK(is_strict(buf_text(&once)));
        FUZZ_CHECK(overlay(&twice, arena, buf_text(&once), text) == 0);
        FUZZ_CHECK(text_equal(buf_text(&once), buf_text(&twice)));
}

static void check_tree(const JsonTree *tree, Text text, Arena *arena) {
        CLEANUP_BUF Buf buf = { 0 };

        for (size_t i = 0; i < tree->n; ++i) {
                check_node(tree, &tree->nodes[i], arena);
                if (i < 64)
                        check_members(tree, &tree->nodes[i], arena);
        }
        json_write(&buf, tree, json_root(tree));
        FUZZ_CHECK(!buf_failed(&buf));
        FUZZ_CHECK(is_strict(buf_text(&buf)));
        if (!tree->nodes->has_odd)
                FUZZ_CHECK(is_strict(text));
        check_overlay(text, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        Text text = { .data = (const char *)data, .n = n };
        CLEANUP(arena_free) Arena *arena = NULL;
        JsonTree tree = { 0 };
        JsonFault fault;
        int r;

        FUZZ_CHECK(arena_new(&arena, 4096) == 0);
        r = json_tree_read(&tree, text, &fault);
        FUZZ_CHECK(r >= 0);
        if (r == 0)
                check_tree(&tree, text, arena);
        else
                FUZZ_CHECK(fault.at <= n && json_check(text) != REASON_NONE);
        json_tree_done(&tree);
        return 0;
}
