#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* clang-format off */
#include <cmocka.h>
/* clang-format on */
#include <math.h>

#include "db/read/simplify.h"

#define N_POINTS 5000

static DbPoint kept[N_POINTS];
static size_t n_kept;

static void keep(void *arg, const DbPoint *point) {
        (void)arg;
        assert_true(n_kept < N_POINTS);
        kept[n_kept++] = *point;
}

static void simplify(double tolerance_m, const DbPoint points[], size_t n) {
        CLEANUP(db_simplify_free) DbSimplify *simplify = NULL;

        n_kept = 0;
        assert_int_equal(db_simplify_new(&simplify, tolerance_m, keep, NULL), 0);
        for (size_t i = 0; i < n; ++i)
                db_simplify_add(simplify, &points[i]);
        db_simplify_end(simplify);
}

static void test_no_point_makes_no_track(void **state) {
        (void)state;
        simplify(10, NULL, 0);
        assert_int_equal(n_kept, 0);
        simplify(0, NULL, 0);
        assert_int_equal(n_kept, 0);
}

static void test_one_point_is_kept_once(void **state) {
        const DbPoint point = { 106, -6, 1 };

        (void)state;
        simplify(10, &point, 1);
        assert_int_equal(n_kept, 1);
        simplify(0, &point, 1);
        assert_int_equal(n_kept, 1);
}

static void test_without_a_tolerance_all_are_kept(void **state) {
        static DbPoint points[N_POINTS];

        (void)state;
        for (size_t i = 0; i < N_POINTS; ++i)
                points[i] = (DbPoint){ 10 + (double)i / 1000, 50, (int64_t)i };
        simplify(0, points, N_POINTS);
        assert_int_equal(n_kept, N_POINTS);
        for (size_t i = 0; i < N_POINTS; ++i)
                assert_int_equal(kept[i].time_us, i);
}

static void test_a_straight_line_keeps_the_ends_of_its_windows(void **state) {
        static DbPoint points[N_POINTS];

        (void)state;
        for (size_t i = 0; i < N_POINTS; ++i)
                points[i] = (DbPoint){ 10 + (double)i / 100000, 50, (int64_t)i };
        simplify(1, points, N_POINTS);
        assert_int_equal(n_kept, 2 + (N_POINTS - 2) / (DB_SIMPLIFY_WINDOW - 1));
        assert_int_equal(kept[0].time_us, 0);
        assert_int_equal(kept[n_kept - 1].time_us, N_POINTS - 1);
}

static void test_a_corner_is_kept_and_a_wobble_is_not(void **state) {
        const DbPoint points[] = {
                { 10, 50, 0 },       { 10.01, 50.00001, 1 }, { 10.02, 50, 2 },
                { 10.02, 50.01, 3 }, { 10.02001, 50.02, 4 }, { 10.02, 50.03, 5 },
        };

        (void)state;
        simplify(5, points, N_ELEMENTS(points));
        assert_int_equal(n_kept, 3);
        assert_int_equal(kept[1].time_us, 2);
}

static void test_there_and_back_keeps_the_turning_point(void **state) {
        const DbPoint points[] = { { 10, 50, 0 }, { 10.1, 50, 1 }, { 10, 50, 2 } };

        (void)state;
        simplify(100, points, N_ELEMENTS(points));
        assert_int_equal(n_kept, 3);
}

static void test_the_antimeridian_is_a_small_step(void **state) {
        const DbPoint points[] = {
                { 179.98, 0, 0 },  { 179.99, 0, 1 },   { -180, 0, 2 },
                { -179.99, 0, 3 }, { 179.99, 0.1, 4 },
        };

        (void)state;
        simplify(5, points, N_ELEMENTS(points));
        assert_int_equal(n_kept, 3);
        assert_int_equal(kept[1].time_us, 3);
        assert_true(fabs(kept[1].longitude - 180.01) < 1e-9);
        assert_true(fabs(kept[2].longitude - 179.99) < 1e-9);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_no_point_makes_no_track),
                cmocka_unit_test(test_one_point_is_kept_once),
                cmocka_unit_test(test_without_a_tolerance_all_are_kept),
                cmocka_unit_test(test_a_straight_line_keeps_the_ends_of_its_windows),
                cmocka_unit_test(test_a_corner_is_kept_and_a_wobble_is_not),
                cmocka_unit_test(test_there_and_back_keeps_the_turning_point),
                cmocka_unit_test(test_the_antimeridian_is_a_small_step),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
