/* WsDecoder: frames of clients, however they are cut, and what no client may send. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/buf.h"
#include "ws/wire/decoder.h"

enum { FIN = 0x80, RSV1 = 0x40, TEXT_FRAME = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

/* A frame as a client sends it. */
static void frame(Buf *buf, int first, const char *payload, size_t n) {
        static const unsigned char mask[4] = { 0x11, 0x80, 0xff, 0x07 };

        buf_append_char(buf, (char)first);
        if (n < 126) {
                buf_append_char(buf, (char)(0x80 | n));
        } else {
                buf_append_char(buf, (char)(0x80 | 126));
                buf_append_char(buf, (char)(n >> 8));
                buf_append_char(buf, (char)n);
        }
        buf_append(buf, mask, sizeof(mask));
        for (size_t i = 0; i < n; ++i)
                buf_append_char(buf, (char)((unsigned char)payload[i] ^ mask[i % 4]));
}

/* What @bytes say, if they come @step at a time: a letter for each event. */
static void say(WsDecoder *decoder, Text bytes, size_t step, Buf *out) {
        static const char letters[] = "-mpqcX";

        for (size_t at = 0; at < bytes.n;) {
                size_t n = bytes.n - at < step ? bytes.n - at : step;
                char *part = malloc(n);
                WsDecoded decoded;
                size_t used;

                memcpy(part, bytes.data + at, n);
                used = ws_decoder_feed(decoder, part, n, &decoded);
                assert_in_range(used, 1, n);
                at += used;
                if (decoded.kind == WS_DECODED_PIECE) {
                        buf_append_text(out, decoded.payload);
                        if (decoded.is_last)
                                buf_append_string(out, decoded.is_packed ? ";" : ".");
                } else if (decoded.kind != WS_DECODED_NOTHING) {
                        buf_printf(out, "<%c", letters[decoded.kind]);
                        buf_append_text(out, decoded.payload);
                        buf_printf(out, "%d>", decoded.code);
                }
                free(part);
                if (decoded.kind == WS_DECODED_BROKEN)
                        return;
        }
}

static void expect(const Buf *bytes, bool takes_packed, const char *expected) {
        static const size_t steps[] = { 1, 2, 3, 7, 129, 1 << 20 };

        for (size_t i = 0; i < N_ELEMENTS(steps); ++i) {
                WsDecoder decoder = { .takes_packed = takes_packed };
                CLEANUP_BUF Buf out = { 0 };

                say(&decoder, buf_text(bytes), steps[i], &out);
                if (strcmp(out.data ? out.data : "", expected) != 0)
                        fail_msg("\"%s\" in place of \"%s\", %zu at a time",
                                 out.data,
                                 expected,
                                 steps[i]);
        }
}

static void test_messages_come_out_however_they_are_cut(void **state) {
        CLEANUP_BUF Buf bytes = { 0 };

        (void)state;
        frame(&bytes, FIN | TEXT_FRAME, "hello", 5);
        frame(&bytes, FIN | TEXT_FRAME, "", 0);
        frame(&bytes, TEXT_FRAME, "one ", 4);
        frame(&bytes, FIN | PING, "x", 1);
        frame(&bytes, 0, "", 0);
        frame(&bytes, FIN, "two", 3);
        frame(&bytes, FIN | PONG, "", 0);
        frame(&bytes,
              FIN | CLOSE,
              "\x03\xe8"
              "bye",
              5);
        expect(&bytes, false, "hello..one <px0>two.<q0><cbye1000>");
}

static void test_long_frames_come_out_whole(void **state) {
        static const size_t lengths[] = { 125, 126, 127, 128, 129, 1000, 65535 };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(lengths); ++i) {
                CLEANUP_BUF Buf bytes = { 0 }, expected = { 0 };

                for (size_t k = 0; k < lengths[i]; ++k)
                        buf_append_char(&expected, (char)('a' + k % 26));
                frame(&bytes, FIN | TEXT_FRAME, expected.data, expected.n);
                buf_append_char(&expected, '.');
                expect(&bytes, false, expected.data);
        }
}

static void test_compressed_messages_are_for_who_agreed(void **state) {
        CLEANUP_BUF Buf bytes = { 0 }, empty = { 0 }, later = { 0 };

        (void)state;
        frame(&bytes, FIN | RSV1 | TEXT_FRAME, "\xff", 1);
        expect(&bytes, true, "\xff;");
        expect(&bytes, false, "<X1002>");
        frame(&empty, RSV1 | TEXT_FRAME, "", 0);
        frame(&empty, FIN, "\xff", 1);
        expect(&empty, true, "\xff;");
        frame(&later, TEXT_FRAME, "a", 1);
        frame(&later, FIN | RSV1, "b", 1);
        expect(&later, true, "a<X1002>");
}

static void test_what_no_client_may_send_breaks_it(void **state) {
        static const struct {
                const char *bytes;
                size_t n;
        } cases[] = {
                { "\x81\x01"
                  "a",
                  3 },             /* no mask */
                { "\x91\x80", 2 }, /* RSV3 */
                { "\xa1\x80", 2 }, /* RSV2 */
                { "\x83\x80", 2 }, /* an opcode that means nothing */
                { "\x8b\x80", 2 }, /* likewise, of control */
                { "\x80\x80", 2 }, /* a continuation of nothing */
                { "\x09\x80", 2 }, /* half a ping */
                { "\x89\xfe", 2 }, /* a ping too long */
                { "\xc9\x80", 2 }, /* a compressed ping */
                { "\x01\x80"
                  "mask\x01\x80",
                  8 }, /* a message within another */
                { "\x81\xff\x80\0\0\0\0\0\0\0mask", 14 },
                { "\x81\xfe\0\x7dmask", 8 }, /* lengths in more bytes than they need */
                { "\x82\xfe\0\0mask", 8 },
                { "\x81\xff\0\0\0\0\0\0\0\x7dmask", 14 },
                { "\x82\xff\0\0\0\0\0\0\xff\xffmask", 14 },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                CLEANUP_BUF Buf bytes = { 0 };

                buf_append(&bytes, cases[i].bytes, cases[i].n);
                expect(&bytes, true, "<X1002>");
        }
}

static void test_a_close_has_a_code_and_a_reason_or_nothing(void **state) {
        static const struct {
                const char *payload;
                size_t n;
                const char *expected;
        } cases[] = {
                { "", 0, "<c0>" },
                { "\x03", 1, "<X1002>" },
                { "\x03\xe8", 2, "<c1000>" },
                { "\x0b\xb8"
                  "ok",
                  4,
                  "<cok3000>" },
                { "\x03\xe7", 2, "<X1002>" },
                { "\x03\xec", 2, "<X1002>" },
                { "\x03\xed", 2, "<X1002>" },
                { "\x03\xee", 2, "<X1002>" },
                { "\x03\xf7", 2, "<X1002>" },
                { "\x0b\xb7", 2, "<X1002>" },
                { "\x13\x88", 2, "<X1002>" },
                { "\xff\xff", 2, "<X1002>" },
                { "\x03\xe8\xff", 3, "<X1007>" },
                { "\x03\xe8\xc3", 3, "<X1007>" },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                CLEANUP_BUF Buf bytes = { 0 };

                frame(&bytes, FIN | CLOSE, cases[i].payload, cases[i].n);
                expect(&bytes, false, cases[i].expected);
        }
}

static void test_text_is_utf8_from_its_first_byte_on(void **state) {
        static const char *const good[] = {
                "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"
        };
        static const char *const bad[] = { "\xff",         "\x80",         "\xc0\xaf",
                                           "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                           "\xc3(" };
        CLEANUP_BUF Buf half = { 0 }, binary = { 0 };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(good); ++i) {
                CLEANUP_BUF Buf bytes = { 0 };
                char expected[16];

                frame(&bytes, TEXT_FRAME, good[i], 1);
                frame(&bytes, FIN, good[i] + 1, strlen(good[i]) - 1);
                snprintf(expected, sizeof(expected), "%s.", good[i]);
                expect(&bytes, false, expected);
        }
        for (size_t i = 0; i < N_ELEMENTS(bad); ++i) {
                WsDecoder decoder = { 0 };
                CLEANUP_BUF Buf bytes = { 0 }, out = { 0 };

                frame(&bytes, TEXT_FRAME, bad[i], strlen(bad[i])); /* not its last frame */
                say(&decoder, buf_text(&bytes), 1000, &out);
                assert_string_equal(out.data, "<X1007>");
        }
        frame(&half, FIN | TEXT_FRAME, "\xc3", 1);
        expect(&half, false, "<X1007>");
        frame(&binary, FIN | BINARY, "\xc3", 1);
        expect(&binary, false, "\xc3.");
}

static void test_header_alone_says_how_much_is_to_come(void **state) {
        static const struct {
                const char *bytes;
                size_t n;
                uint64_t n_coming;
                bool is_first;
        } cases[] = {
                { "\x81\x85mask", 6, 5, true },
                { "\x81\x85mas", 5, 0, false },
                { "\x82\xff\0\0\0\x01\0\0\0\0mask", 14, UINT64_C(1) << 32, true },
                { "\x01\x81maskx\x80\xfe\x01\0mask", 15, 256, false },
                { "\x89\x85mask", 6, 0, false }, /* a control frame is short in any case */
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                WsDecoder decoder = { 0 };
                WsDecoded decoded;
                char bytes[32];
                size_t used = 0;

                memcpy(bytes, cases[i].bytes, cases[i].n);
                while (used < cases[i].n)
                        used += ws_decoder_feed(&decoder,
                                                bytes + used,
                                                cases[i].n - used,
                                                &decoded);
                assert_int_equal(decoded.kind, WS_DECODED_NOTHING);
                assert_int_equal(decoded.n_coming, cases[i].n_coming);
                assert_int_equal(decoded.is_first, cases[i].is_first);
        }
}

/* Each place where a packet may end, not just every so many bytes. */
static void test_frames_are_the_same_wherever_they_are_cut_in_two(void **state) {
        CLEANUP_BUF Buf bytes = { 0 };

        (void)state;
        frame(&bytes, FIN | TEXT_FRAME, "\xe2\x82\xac", 3);
        frame(&bytes, TEXT_FRAME, "one ", 4);
        frame(&bytes, FIN | PING, "xyz", 3);
        frame(&bytes, FIN, "two", 3);
        frame(&bytes, FIN | BINARY, "\x80\xff", 2);
        frame(&bytes,
              FIN | CLOSE,
              "\x03\xe9"
              "bye",
              5);
        for (size_t at = 1; at < bytes.n; ++at) {
                WsDecoder decoder = { 0 };
                CLEANUP_BUF Buf out = { 0 };

                say(&decoder, (Text){ .data = bytes.data, .n = at }, at, &out);
                say(&decoder, (Text){ .data = bytes.data + at, .n = bytes.n - at }, bytes.n, &out);
                assert_non_null(strstr(out.data, "\xe2\x82\xac.one <pxyz0>two."));
                assert_non_null(strstr(out.data, ".<cbye1001>"));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_messages_come_out_however_they_are_cut),
                cmocka_unit_test(test_long_frames_come_out_whole),
                cmocka_unit_test(test_compressed_messages_are_for_who_agreed),
                cmocka_unit_test(test_what_no_client_may_send_breaks_it),
                cmocka_unit_test(test_a_close_has_a_code_and_a_reason_or_nothing),
                cmocka_unit_test(test_text_is_utf8_from_its_first_byte_on),
                cmocka_unit_test(test_header_alone_says_how_much_is_to_come),
                cmocka_unit_test(test_frames_are_the_same_wherever_they_are_cut_in_two),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
