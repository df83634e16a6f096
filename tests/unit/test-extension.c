#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants those before it. */
#include <cmocka.h>
#include <stdio.h>

#include "base/buf.h"
#include "model/metrics.h"
#include "tests/fake/stage.h"
#include "ws/wire/extension.h"
#include "ws/wire/frame.h"
#include "ws/wire/packer.h"

#define TERMS "; server_no_context_takeover; client_no_context_takeover"
#define BITS  "; server_max_window_bits=12"

static Text pack(WsPacker *packer, Text plain) {
        ws_packer_begin(packer);
        ws_packer_feed(packer, plain);
        return ws_packer_end(packer);
}

static void test_offers_are_answered_as_rfc_7692_says(void **state) {
        static const struct {
                const char *offers, *answer; /* NULL = declined */
        } cases[] = {
                { "permessage-deflate", TERMS },
                { "permessage-deflate; client_max_window_bits", TERMS }, /* browsers, npm ws */
                { "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
                  TERMS BITS }, /* python3-websockets */
                { "permessage-deflate;server_max_window_bits = 15", TERMS BITS },
                { "permessage-deflate; server_max_window_bits=\"13\"", TERMS BITS },
                { "permessage-deflate; server_no_context_takeover;client_no_context_takeover",
                  TERMS },
                { "x-webkit-deflate-frame, permessage-deflate", TERMS },
                { "permessage-deflate; server_max_window_bits=9, permessage-deflate", TERMS },
                { " , ,permessage-deflate", TERMS },
                { "permessage-deflate, permessage-deflate; server_max_window_bits=12", TERMS },
                { "x; a=\"b\", permessage-deflate; client_max_window_bits=8", TERMS },
                { "", NULL },
                { "x-webkit-deflate-frame", NULL },
                { "permessage-deflate2", NULL },
                { "permessage-deflate; server_max_window_bits", NULL },
                { "permessage-deflate; server_max_window_bits=8", NULL },
                { "permessage-deflate; server_max_window_bits=16", NULL },
                { "permessage-deflate; server_max_window_bits=012", NULL },
                { "permessage-deflate; server_max_window_bits=\"12", NULL },
                { "permessage-deflate; client_max_window_bits=7", NULL },
                { "permessage-deflate; client_max_window_bits=", NULL },
                { "permessage-deflate; server_no_context_takeover=1", NULL },
                { "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
                  NULL },
                { "permessage-deflate; unheard_of", NULL },
                { "permessage-deflate;", NULL },
                { "permessage-deflate permessage-deflate", NULL },
                { "permessage-deflate; server_max_window_bits=12 13", NULL },
                { "=, permessage-deflate", NULL },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                WsExtension extension;

                ws_extension_read(&extension, cases[i].offers);
                if (extension.is_accepted != (cases[i].answer != NULL))
                        fail_msg("%s", cases[i].offers);
                if (cases[i].answer)
                        assert_string_equal(extension.answer, cases[i].answer);
        }
}

static void test_second_offer_is_taken_where_the_first_cannot_be_kept(void **state) {
        WsExtension extension;

        (void)state;
        ws_extension_read(&extension,
                          "permessage-deflate; server_max_window_bits=9, permessage-deflate");
        assert_true(extension.is_accepted);
        assert_null(strstr(extension.answer, "server_max_window_bits"));
        ws_extension_read(&extension, "x; y=\", permessage-deflate\"");
        assert_false(extension.is_accepted);
}

static void test_what_is_packed_comes_out_as_it_was(void **state) {
        CLEANUP(ws_packer_free) WsPacker *packer = NULL;
        char *text = malloc(300000);
        Text packed, plain;

        (void)state;
        assert_int_equal(ws_packer_new(&packer), 0);
        for (size_t i = 0; i < 300000; ++i)
                text[i] = (char)('a' + i * i % 23 + i / 100000);
        for (size_t n = 0; n <= 300000; n = n * 3 + 1) {
                packed = pack(packer, (Text){ .data = text, .n = n });
                assert_non_null(packed.data);
                assert_int_equal(ws_packer_unpack(packer, packed, 300000, &plain), 0);
                assert_int_equal(plain.n, n);
                if (n > 0)
                        assert_memory_equal(plain.data, text, n);
        }
        free(text);
}

static void test_bomb_is_too_big_and_costs_little(void **state) {
        CLEANUP(ws_packer_free) WsPacker *packer = NULL;
        CLEANUP_BUF Buf bomb = { 0 };
        char *zeros = calloc(1, 1 << 20);
        Text plain = { 0 };

        (void)state;
        assert_int_equal(ws_packer_new(&packer), 0);
        ws_packer_begin(packer);
        for (int i = 0; i < 64; ++i)
                ws_packer_feed(packer, (Text){ .data = zeros, .n = 1 << 20 });
        buf_append_text(&bomb, ws_packer_end(packer));
        free(zeros);
        assert_in_range(bomb.n, 1, 500000);
        assert_int_equal(ws_packer_unpack(packer, buf_text(&bomb), 65536, &plain),
                         WS_PACKER_E_TOO_BIG);
        assert_null(plain.data);
}

static void test_bad_data_is_told_from_good(void **state) {
        CLEANUP(ws_packer_free) WsPacker *packer = NULL;
        Text plain = { 0 };

        (void)state;
        assert_int_equal(ws_packer_new(&packer), 0);
        assert_int_equal(ws_packer_unpack(packer, TEXT("\xff\xff\xff"), 100, &plain),
                         WS_PACKER_E_BAD);
        /* The examples of RFC 7692 7.2.3: one block, not compressed, marked as the last, two. */
        assert_int_equal(ws_packer_unpack(packer,
                                          TEXT("\xf2\x48\xcd\xc9\xc9\x07\x00"),
                                          100,
                                          &plain),
                         0);
        assert_true(text_equal(plain, TEXT("Hello")));
        assert_int_equal(ws_packer_unpack(packer,
                                          TEXT("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"),
                                          100,
                                          &plain),
                         0);
        assert_true(text_equal(plain, TEXT("Hello")));
        assert_int_equal(ws_packer_unpack(packer,
                                          TEXT("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"),
                                          100,
                                          &plain),
                         0);
        assert_true(text_equal(plain, TEXT("Hello")));
        assert_int_equal(ws_packer_unpack(packer,
                                          TEXT("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07"
                                               "\x00"),
                                          100,
                                          &plain),
                         0);
        assert_true(text_equal(plain, TEXT("Hello")));
        assert_int_equal(ws_packer_unpack(packer, TEXT("\x00"), 100, &plain), 0);
        assert_int_equal(plain.n, 0);
        /* The last block, and none behind it: it is all there. */
        assert_int_equal(ws_packer_unpack(packer,
                                          TEXT("\xf3\x48\xcd\xc9\xc9\x07\x00"),
                                          100,
                                          &plain),
                         0);
        assert_true(text_equal(plain, TEXT("Hello")));
}

/* What is left of it could be a message of its own: a telegram cut in two is not a shorter one. */
static void test_compressed_message_of_which_the_end_is_missing_is_bad(void **state) {
        static const char text[] =
                "{\"op\":\"command\",\"id\":1,\"device\":\"dev-1\",\"x\":[1,2,3]}";
        CLEANUP(ws_packer_free) WsPacker *packer = NULL;
        CLEANUP_BUF Buf packed = { 0 };
        Text plain = { 0 };

        (void)state;
        assert_int_equal(ws_packer_new(&packer), 0);
        buf_append_text(&packed, pack(packer, TEXT(text)));
        assert_int_equal(ws_packer_unpack(packer, buf_text(&packed), 1000, &plain), 0);
        for (size_t n = 1; n < packed.n; ++n)
                if (ws_packer_unpack(packer, (Text){ packed.data, n }, 1000, &plain) !=
                    WS_PACKER_E_BAD)
                        fail_msg("%zu of %zu bytes", n, packed.n);
}

static void test_compressed_form_of_a_frame_is_made_once_and_outlives_it(void **state) {
        CLEANUP(ws_packer_free) WsPacker *packer = NULL;
        char text[1000];
        WsFrame *frame = NULL;
        WsFrame *packed;
        Text plain;

        (void)state;
        memset(text, 'x', sizeof(text));
        assert_int_equal(ws_packer_new(&packer), 0);
        assert_int_equal(ws_frame_new(&frame, (Text){ text, sizeof(text) }, 77), 0);
        packed = ws_frame_packed(frame, packer);
        assert_ptr_equal(packed, ws_frame_packed(frame, packer));
        assert_ptr_not_equal(packed, frame);
        assert_int_equal(packed->key, 77);
        assert_int_equal(packed->made_us, frame->made_us);
        assert_int_equal(packed->data[0], 0xc1);
        packed = ws_frame_ref(packed);
        frame = ws_frame_unref(frame);
        assert_int_equal(ws_packer_unpack(packer,
                                          (Text){ (char *)packed->data + 2, packed->n - 2 },
                                          1000,
                                          &plain),
                         0);
        assert_true(text_equal(plain, (Text){ text, sizeof(text) }));
        ws_frame_unref(packed);
}

static void test_frame_that_does_not_shrink_stays_plain(void **state) {
        CLEANUP(ws_packer_free) WsPacker *packer = NULL;
        CLEANUP(ws_frame_unref) WsFrame *noise = NULL, *marked = NULL;
        char text[200];
        uint32_t x = 1;

        (void)state;
        for (size_t i = 0; i < sizeof(text); ++i) {
                x = x * 1664525 + 1013904223;
                text[i] = (char)(x >> 24);
        }
        assert_int_equal(ws_packer_new(&packer), 0);
        assert_int_equal(ws_frame_new(&noise, (Text){ text, sizeof(text) }, 0), 0);
        assert_ptr_equal(ws_frame_packed(noise, packer), noise);
        assert_ptr_equal(ws_frame_packed(noise, packer), noise);
        memset(text, 'x', sizeof(text));
        assert_int_equal(ws_frame_new_marked(&marked, (Text){ text, 200 }, TEXT("m")), 0);
        assert_ptr_equal(ws_frame_packed(marked, packer), marked); /* two frames in one */
}

static void test_large_compressed_message_comes_in_fragments_of_which_one_is_marked(void **state) {
        CLEANUP(ws_packer_free) WsPacker *packer = NULL;
        CLEANUP(ws_frame_unref) WsFrame *frame = NULL;
        CLEANUP_BUF Buf text = { 0 };
        const WsFrame *packed;
        uint32_t x = 1;
        size_t step = WS_FRAME_FRAGMENT + 4;

        (void)state;
        while (text.n < 200000) {
                x = x * 1664525 + 1013904223;
                buf_printf(&text, "%u ", x);
        }
        assert_int_equal(ws_packer_new(&packer), 0);
        assert_int_equal(ws_frame_new(&frame, buf_text(&text), 0), 0);
        packed = ws_frame_packed(frame, packer);
        assert_ptr_not_equal(packed, frame);
        assert_true(packed->n > 2 * step && packed->n < text.n * 2 / 3);
        assert_int_equal(packed->data[0], 0x41);
        assert_int_equal(packed->data[step], 0x00);
        assert_int_equal(ws_frame_cut(packed, 0, 40000), step);
}

/* A WebSocket that offers @offers. */
static int open_offering(Viewer *viewer, const Stage *stage, const char *path, const char *offers) {
        char request[8192];

        snprintf(request,
                 sizeof(request),
                 "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s%s%s\r\n",
                 path,
                 offers ? "Sec-WebSocket-Extensions: " : "",
                 offers ? offers : "",
                 offers ? "\r\n" : "");
        return viewer_open_with(viewer, stage, request);
}

static Stage *stage_with_deflate(Stage *stage) {
        WsOptions options = stage_options();

        options.deflate = true;
        options.deflate_min_bytes = 128;
        stage_init(stage, &options, "*");
        stage_world(stage);
        return stage;
}

static void test_handshake_names_the_terms_whatever_is_offered(void **state) {
        static const struct {
                const char *offers;
                bool is_accepted;
        } cases[] = {
                { NULL, false },
                { "permessage-deflate", true },
                { "permessage-deflate; client_max_window_bits, permessage-deflate", true },
                { "permessage-deflate, permessage-deflate, permessage-deflate;x=1", true },
                { "permessage-deflate; server_max_window_bits=10", false },
                { "x-one; a=1, permessage-deflate; server_max_window_bits=12", true },
                { "x-one; a=\"permessage-deflate, permessage-deflate\", permessage-deflate",
                  false }, /* not a token in quotes: all of it is declined */
                { "permessage-deflate\r\nSec-WebSocket-Extensions: permessage-deflate", true },
                { "per message-deflate, permessage-deflate", false },
                { "\tpermessage-deflate\t;\tclient_max_window_bits", true },
                { "PERMESSAGE-DEFLATE", false },
                { ",,,", false },
        };
        Stage stage;

        (void)state;
        stage_with_deflate(&stage);
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                Viewer viewer;

                if (open_offering(&viewer, &stage, "/ws", cases[i].offers) != 101)
                        fail_msg("%d for %s", viewer.status, cases[i].offers);
                if ((strstr(viewer.head, "permessage-deflate" TERMS) != NULL) !=
                    cases[i].is_accepted)
                        fail_msg("%s: %s", cases[i].offers, viewer.head);
                viewer_send(&viewer, "ping");
                viewer_expect(&viewer, "pong");
                viewer_done(&viewer);
        }
        stage_done(&stage);
}

static void test_offers_too_long_to_be_read_cost_the_compression_alone(void **state) {
        static const size_t lengths[] = { 254, 255, 256, 511, 5000 };
        char offers[5001];
        Viewer viewer;
        Stage stage;

        (void)state;
        stage_with_deflate(&stage);
        for (size_t i = 0; i < N_ELEMENTS(lengths); ++i) {
                memset(offers, 'x', sizeof(offers));
                offers[lengths[i]] = '\0';
                assert_int_equal(open_offering(&viewer, &stage, "/ws", offers), 101);
                assert_null(strstr(viewer.head, "permessage-deflate"));
                viewer_done(&viewer);
        }
        stage_done(&stage);
}

static void test_one_event_is_compressed_for_those_who_agreed_alone(void **state) {
        CLEANUP(ws_packer_free) WsPacker *packer = NULL;
        Viewer packed[2], plain;
        char log[512];
        Stage stage;
        Text text;

        (void)state;
        assert_int_equal(ws_packer_new(&packer), 0);
        memset(log, 'x', sizeof(log));
        log[0] = log[510] = '"';
        log[511] = '\0';
        stage_with_deflate(&stage);
        for (int i = 0; i < 2; ++i) {
                assert_int_equal(open_offering(&packed[i], &stage, "/api/ws", "permessage-deflate"),
                                 101);
                assert_non_null(viewer_read(&packed[i]));
        }
        assert_int_equal(open_offering(&plain, &stage, "/api/ws", NULL), 101);
        assert_non_null(viewer_read(&plain));
        stage_message(&stage, KIND_RAW_LOG, 1, 0, log);
        viewer_expect(&plain, "xxxxxxxxxxxxxxxxxx");
        for (int i = 0; i < 2; ++i) {
                assert_non_null(viewer_read(&packed[i]));
                assert_in_range(packed[i].n_text, 1, plain.n_text / 2);
                assert_int_equal(ws_packer_unpack(packer,
                                                  (Text){ packed[i].text, packed[i].n_text },
                                                  2000,
                                                  &text),
                                 0);
                assert_non_null(memmem(text.data, text.n, "xxxxxxxxxxxxxxxxxx", 18));
                viewer_done(&packed[i]);
        }
        viewer_done(&plain);
        stage_done(&stage);
}

static void send_packed(Viewer *viewer, WsPacker *packer, const char *text) {
        Text packed = pack(packer, text_of(text));

        viewer_send_frame(viewer, 0xc1, packed.data, packed.n);
}

static void test_compressed_message_is_understood_whole_and_in_pieces(void **state) {
        CLEANUP(ws_packer_free) WsPacker *packer = NULL;
        Viewer viewer;
        Stage stage;
        Text packed;

        (void)state;
        assert_int_equal(ws_packer_new(&packer), 0);
        stage_with_deflate(&stage);
        assert_int_equal(open_offering(&viewer, &stage, "/ws", "permessage-deflate"), 101);
        send_packed(&viewer, packer, "ping");
        viewer_expect(&viewer, "pong");
        packed = pack(packer, TEXT("ping"));
        viewer_send_frame(&viewer, 0x41, packed.data, 1);
        viewer_send_frame(&viewer, 0x00, packed.data + 1, packed.n - 1);
        viewer_send_frame(&viewer, 0x80, "", 0);
        viewer_expect(&viewer, "pong");
        viewer_send(&viewer, "ping"); /* uncompressed ones may come in between */
        viewer_expect(&viewer, "pong");
        viewer_done(&viewer);
        stage_done(&stage);
}

static void test_compressed_messages_that_are_none_of_it_close_the_socket(void **state) {
        CLEANUP(ws_packer_free) WsPacker *packer = NULL;
        CLEANUP_BUF Buf bomb = { 0 };
        char *zeros = calloc(1, 1 << 20);
        Viewer viewers[4];
        Stage stage;

        (void)state;
        assert_int_equal(ws_packer_new(&packer), 0);
        buf_append_text(&bomb, pack(packer, (Text){ zeros, 1 << 20 }));
        free(zeros);
        stage_with_deflate(&stage);
        for (int i = 0; i < 3; ++i)
                assert_int_equal(open_offering(&viewers[i], &stage, "/ws", "permessage-deflate"),
                                 101);
        assert_int_equal(open_offering(&viewers[3], &stage, "/ws", NULL), 101);
        viewer_send_frame(&viewers[0], 0xc1, bomb.data, bomb.n);
        assert_int_equal(viewer_read_close(&viewers[0]), 1009);
        viewer_send_frame(&viewers[1], 0xc1, "\xff\xff\xff", 3);
        assert_int_equal(viewer_read_close(&viewers[1]), 1007);
        send_packed(&viewers[2], packer, "\xc0\x80");
        assert_int_equal(viewer_read_close(&viewers[2]), 1007);
        send_packed(&viewers[3], packer, "ping"); /* nothing was agreed upon */
        assert_int_equal(viewer_read_close(&viewers[3]), 1002);
        for (int i = 0; i < 4; ++i)
                viewer_done(&viewers[i]);
        assert_int_equal(metric_get(METRIC_WS_CLOSED_TOO_BIG), 1);
        stage_done(&stage);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_offers_are_answered_as_rfc_7692_says),
                cmocka_unit_test(test_second_offer_is_taken_where_the_first_cannot_be_kept),
                cmocka_unit_test(test_what_is_packed_comes_out_as_it_was),
                cmocka_unit_test(test_bomb_is_too_big_and_costs_little),
                cmocka_unit_test(test_bad_data_is_told_from_good),
                cmocka_unit_test(test_compressed_message_of_which_the_end_is_missing_is_bad),
                cmocka_unit_test(test_compressed_form_of_a_frame_is_made_once_and_outlives_it),
                cmocka_unit_test(test_frame_that_does_not_shrink_stays_plain),
                cmocka_unit_test(
                        test_large_compressed_message_comes_in_fragments_of_which_one_is_marked),
                cmocka_unit_test(test_handshake_names_the_terms_whatever_is_offered),
                cmocka_unit_test(test_offers_too_long_to_be_read_cost_the_compression_alone),
                cmocka_unit_test(test_one_event_is_compressed_for_those_who_agreed_alone),
                cmocka_unit_test(test_compressed_message_is_understood_whole_and_in_pieces),
                cmocka_unit_test(test_compressed_messages_that_are_none_of_it_close_the_socket),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
