/* Adoption: what is no dead node's journal is left as it is. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "gateway/adoption.h"
#include "gateway/journal/journal.h"
#include "gateway/processor_setup.h"

typedef struct Fixture Fixture;

struct Fixture {
        char dir[64];
        Config config;
};

static void set_up(Fixture *f) {
        *f = (Fixture){ .dir = "/tmp/tidegate-adoption-XXXXXX" };
        log_set_level((LogLevel)-1);
        assert_non_null(mkdtemp(f->dir));
        f->config.journal = (JournalOptions){ .dir = "elsewhere",
                                              .segment_bytes = 64 * 1024,
                                              .max_bytes = 1024 * 1024,
                                              .reserve_bytes = 128 * 1024,
                                              .fsync = JOURNAL_FSYNC_NEVER };
}

static void tear_down(Fixture *f) {
        char command[96];

        snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
        assert_int_equal(system(command), 0);
}

/* Neither is made into one. */
static void test_a_folder_that_is_no_journal(void **state) {
        char nowhere[80];
        Adopted adopted;
        Fixture f;

        (void)state;
        set_up(&f);
        snprintf(nowhere, sizeof(nowhere), "%s/nowhere", f.dir);
        assert_int_equal(adoption_run(&f.config, nowhere, NULL, 0, &adopted),
                         ADOPTION_E_NO_JOURNAL);
        assert_int_equal(adoption_run(&f.config, f.dir, NULL, 0, &adopted), ADOPTION_E_NO_JOURNAL);
        assert_int_equal(rmdir(f.dir), 0);
}

static void test_a_journal_that_somebody_uses(void **state) {
        CLEANUP(journal_close) Journal *journal = NULL;
        JournalOptions options;
        Adopted adopted;
        Fixture f;

        (void)state;
        set_up(&f);
        options = f.config.journal;
        options.dir = f.dir;
        assert_int_equal(journal_open(&journal, &options), 0);
        assert_int_equal(adoption_run(&f.config, f.dir, NULL, 0, &adopted), ADOPTION_E_LOCKED);
        assert_int_equal(adopted.n_stored, 0);
        tear_down(&f);
}

static void test_it_stores_as_the_gateway_would(void **state) {
        Fixture f;

        (void)state;
        set_up(&f);
        f.config.database_url = "postgresql://here";
        f.config.database_max_batch = 17;
        f.config.registry_max_devices = 18;
        f.config.sparkplug_max_things = 19;
        assert_string_equal(processor_setup(&f.config).database_url, "postgresql://here");
        assert_int_equal(processor_setup(&f.config).max_batch, 17);
        assert_int_equal(processor_setup(&f.config).max_devices, 18);
        assert_int_equal(processor_setup(&f.config).nodes.max_things, 19);
        assert_false(processor_setup(&f.config).migrate);
        tear_down(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_folder_that_is_no_journal),
                cmocka_unit_test(test_a_journal_that_somebody_uses),
                cmocka_unit_test(test_it_stores_as_the_gateway_would),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
