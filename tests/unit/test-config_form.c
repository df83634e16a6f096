/* ConfigForm: what cannot work, or stands for nothing, is refused for every key, wherever it is
 * given, with the place where it was given. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/config_table.h"

static char file_name[] = "/tmp/test-config_form-XXXXXX";

static void write_file(const char *text, size_t n) {
        FILE *file = fopen(file_name, "we");

        assert_non_null(file);
        assert_int_equal(fwrite(text, 1, n, file), n);
        assert_int_equal(fclose(file), 0);
}

/* What loading says; NULL if it takes all. To be freed. */
static char *complaint(const ConfigSource *source) {
        FILE *saved = stderr;
        Config *config = NULL;
        char *said = NULL;
        size_t n_said = 0;
        int r;

        stderr = open_memstream(&said, &n_said);
        assert_non_null(stderr);
        r = config_load(&config, source);
        assert_int_equal(fclose(stderr), 0);
        stderr = saved;
        assert_true(r == 0 ? n_said == 0 : r == CONFIG_E_INVALID && n_said > 0);
        config_free(config);
        if (r == 0) {
                free(said);
                said = NULL;
        }
        return said;
}

static char *complaint_of_file(const char *text, size_t n) {
        write_file(text, n);
        return complaint(&(ConfigSource){ .file = file_name });
}

static void assert_said(char *said, const char *what) {
        if (!said || !strstr(said, what))
                fail_msg("'%s' not in:\n%s", what, said ? said : "(nothing)");
        free(said);
}

static void variable_of(const ConfigKey *key, const char *text, char *ret_variable, size_t n) {
        int n_name = snprintf(ret_variable, n, "TIDEGATE_%s_%s=%s", key->section, key->name, text);

        assert_true(n_name > 0 && (size_t)n_name < n);
        for (char *c = ret_variable; *c != '='; ++c)
                if (*c >= 'a' && *c <= 'z')
                        *c = (char)(*c - 'a' + 'A');
}

/* From the file with its line, from the environment with the variable, and from --set. */
static void assert_refused(const ConfigKey *key, const char *text) {
        char line[512], variable[512], set[512], what[1024];
        char *environment[] = { variable, NULL };
        const char *sets[] = { set };
        int n;

        n = snprintf(line, sizeof(line), "[%s]\n%s = %s\n", key->section, key->name, text);
        snprintf(what, sizeof(what), "%s:2: %s.%s: ", file_name, key->section, key->name);
        assert_said(complaint_of_file(line, (size_t)n), what);

        variable_of(key, text, variable, sizeof(variable));
        snprintf(what,
                 sizeof(what),
                 "environment %.*s: %s.%s: ",
                 (int)strcspn(variable, "="),
                 variable,
                 key->section,
                 key->name);
        assert_said(complaint(&(ConfigSource){ .environment = environment }), what);

        snprintf(set, sizeof(set), "%s.%s=%s", key->section, key->name, text);
        snprintf(what, sizeof(what), "--set: %s.%s: ", key->section, key->name);
        assert_said(complaint(&(ConfigSource){ .sets = sets, .n_sets = 1 }), what);
}

static const char *name_of(const ConfigKey *key) {
        static char name[128];

        snprintf(name, sizeof(name), "%s.%s", key->section, key->name);
        return name;
}

static void test_no_key_takes_what_is_no_text(void **state) {
        static const char *const texts[] = { "a\x01", "a\x1b[31m", "a\x7f" };

        (void)state;
        for (size_t i = 0; i < config_n_keys; ++i) {
                const ConfigKey *key = &config_keys[i];
                bool is_file = key->type == CONFIG_PATH;

                for (size_t k = 0; k < N_ELEMENTS(texts); ++k)
                        assert_refused(key, texts[k]);
                if (!is_file) /* files have names of bytes */
                        assert_refused(key, "a\xff\xfe");
        }
}

static void test_no_line_may_have_a_nul(void **state) {
        (void)state;
        for (size_t i = 0; i < config_n_keys; ++i) {
                const char *good = config_keys[i].fallback ? config_keys[i].fallback : "";
                char text[512], what[256];
                int n = snprintf(text,
                                 sizeof(text),
                                 "[%s]\n%s = %s%cx\n[log]\nlevel = info\n",
                                 config_keys[i].section,
                                 config_keys[i].name,
                                 good,
                                 '\0');

                snprintf(what, sizeof(what), "%s:2: line: has a NUL", file_name);
                assert_said(complaint_of_file(text, (size_t)n), what);
        }
}

static void test_no_key_is_given_twice_by_one_source(void **state) {
        (void)state;
        for (size_t i = 0; i < config_n_keys; ++i) {
                const ConfigKey *key = &config_keys[i];
                const char *good = key->fallback ? key->fallback : "";
                char text[1024], one[512], other[512], what[256];
                char *environment[] = { one, other, NULL };
                int n = snprintf(text,
                                 sizeof(text),
                                 "[%s]\n%s = %s\n[log]\n[%s]\n%s = %s\n",
                                 key->section,
                                 key->name,
                                 good,
                                 key->section,
                                 key->name,
                                 good);

                snprintf(what,
                         sizeof(what),
                         "%s:5: %s: is given twice; the other: %s:2",
                         file_name,
                         name_of(key),
                         file_name);
                assert_said(complaint_of_file(text, (size_t)n), what);

                snprintf(one, sizeof(one), "TIDEGATE_%s_%s=%s", key->section, key->name, good);
                variable_of(key, good, other, sizeof(other));
                assert_said(complaint(&(ConfigSource){ .environment = environment }),
                            "is given twice");
        }
}

static void test_a_later_source_counts_and_so_does_the_last_set(void **state) {
        static const char text[] = "[ws]\nmax_subscriptions = 7\n";
        char variable[] = "TIDEGATE_WS_MAX_SUBSCRIPTIONS=8";
        char *environment[] = { variable, NULL };
        const char *sets[] = { "ws.max_subscriptions=9", "ws.max_subscriptions=10" };
        ConfigSource source = {
                .file = file_name, .environment = environment, .sets = sets, .n_sets = 2
        };
        Config *config = NULL;

        (void)state;
        write_file(text, sizeof(text) - 1);
        assert_int_equal(config_load(&config, &source), 0);
        assert_int_equal(config->ws.max_subscriptions, 10);
        config_free(config);
}

static int set_up(void **state) {
        int fd = mkstemp(file_name);

        (void)state;
        return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state) {
        (void)state;
        return unlink(file_name);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_no_key_takes_what_is_no_text),
                cmocka_unit_test(test_no_line_may_have_a_nul),
                cmocka_unit_test(test_no_key_is_given_twice_by_one_source),
                cmocka_unit_test(test_a_later_source_counts_and_so_does_the_last_set),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
