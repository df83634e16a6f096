/* WsSite: what of a folder is served, and what is not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "ws/loop/site.h"
#include "ws/wire/gzip.h"

#define PAGE \
        "<html><head><base href=\"./\"><script src=\"assets/app-1a.js\"></script></head></html>"

typedef struct Fixture Fixture;

struct Fixture {
        char folder[64];
        WsSite *site;
};

static void put(const Fixture *f, const char *path, Text text) {
        char name[256];
        FILE *file;

        snprintf(name, sizeof(name), "%s/%s", f->folder, path);
        file = fopen(name, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(text.data, 1, text.n, file), text.n);
        assert_int_equal(fclose(file), 0);
}

static void make_folder(const Fixture *f, const char *path) {
        char name[256];

        snprintf(name, sizeof(name), "%s/%s", f->folder, path);
        assert_int_equal(mkdir(name, 0700), 0);
}

static void link_to(const Fixture *f, const char *target, const char *path) {
        char name[256];

        snprintf(name, sizeof(name), "%s/%s", f->folder, path);
        assert_int_equal(symlink(target, name), 0);
}

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        snprintf(f->folder, sizeof(f->folder), "/tmp/test-site-XXXXXX");
        assert_non_null(mkdtemp(f->folder));
        make_folder(f, "assets");
        put(f, "index.html", TEXT(PAGE));
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;
        char command[128];

        ws_site_free(f->site);
        snprintf(command, sizeof(command), "rm -rf %s", f->folder);
        assert_int_equal(system(command), 0);
        free(f);
        return 0;
}

static int read_folder(Fixture *f, int max_files, size_t max_bytes) {
        f->site = ws_site_free(f->site);
        return ws_site_read(&f->site,
                            &(WsSiteOptions){ .folder = f->folder,
                                              .hosts = "https://a.example, https://b.example:8443",
                                              .max_files = max_files,
                                              .max_bytes = max_bytes });
}

static void test_files_are_found_by_their_path_alone(void **state) {
        Fixture *f = *state;
        const WsSiteFile *file;

        put(f, "assets/app-1a.js", TEXT("export const a = 1;"));
        assert_int_equal(read_folder(f, 10, 1000), 0);
        file = ws_site_find(f->site, "/assets/app-1a.js");
        assert_non_null(file);
        assert_true(text_equal(buf_text(&file->plain), TEXT("export const a = 1;")));
        assert_true(file->is_final);
        assert_false(ws_site_find(f->site, "/index.html")->is_final);
        assert_null(ws_site_find(f->site, "/assets/../index.html"));
        assert_null(ws_site_find(f->site, "/assets"));
        assert_null(ws_site_find(f->site, "/"));
}

static void test_links_and_hidden_files_are_not_read(void **state) {
        Fixture *f = *state;

        link_to(f, "/etc/passwd", "passwd");
        link_to(f, "/etc", "etc");
        link_to(f, "index.html", "inside.html");
        put(f, ".secret", TEXT("x"));
        make_folder(f, ".git");
        put(f, ".git/config", TEXT("x"));
        assert_int_equal(read_folder(f, 10, 1000), 0);
        assert_int_equal(ws_site_n_files(f->site), 1);
        assert_null(ws_site_find(f->site, "/passwd"));
        assert_null(ws_site_find(f->site, "/etc/passwd"));
        assert_null(ws_site_find(f->site, "/.git/config"));
}

static void test_a_folder_beyond_its_limits_is_not_served(void **state) {
        Fixture *f = *state;

        put(f, "assets/a.js", TEXT("0123456789"));
        assert_int_equal(read_folder(f, 4, sizeof(PAGE) - 1 + 10), 0); /* two files, two folders */
        assert_int_equal(read_folder(f, 3, 1000), WS_SITE_E_TOO_MANY);
        assert_int_equal(read_folder(f, 4, sizeof(PAGE) - 1 + 9), WS_SITE_E_TOO_LARGE);
        assert_string_equal(ws_site_why(WS_SITE_E_TOO_LARGE), "more than http.dashboard_bytes");
}

static void test_without_an_index_there_is_no_site(void **state) {
        Fixture *f = *state;
        char name[128];

        snprintf(name, sizeof(name), "%s/index.html", f->folder);
        assert_int_equal(unlink(name), 0);
        assert_int_equal(read_folder(f, 10, 1000), WS_SITE_E_NONE);
        assert_int_equal(rmdir(strcat(strcpy(name, f->folder), "/assets")), 0);
        snprintf(name, sizeof(name), "%s", f->folder);
        assert_int_equal(rmdir(name), 0);
        assert_int_equal(read_folder(f, 10, 1000), WS_SITE_E_NONE);
}

static void test_what_the_build_has_packed_is_taken_if_it_is_the_same(void **state) {
        CLEANUP_BUF Buf plain = { 0 }, packed = { 0 }, other = { 0 };
        Fixture *f = *state;

        for (int i = 0; i < 500; ++i)
                buf_printf(&plain, "const a%d = %d;\n", i, i);
        ws_gzip(buf_text(&plain), &packed);
        packed.data[9] = 7; /* another system than ours: to be known again */
        assert_true(ws_gzip_is_of(buf_text(&packed), buf_text(&plain)));
        put(f, "assets/a.js", buf_text(&plain));
        put(f, "assets/a.js.gz", buf_text(&packed));
        plain.data[3] = 'X';
        put(f, "assets/b.js", buf_text(&plain));
        put(f, "assets/b.js.gz", buf_text(&packed));
        assert_int_equal(read_folder(f, 10, 100000), 0);
        assert_true(text_equal(buf_text(&ws_site_find(f->site, "/assets/a.js")->packed),
                               buf_text(&packed)));
        ws_gzip(buf_text(&plain), &other);
        assert_true(text_equal(buf_text(&ws_site_find(f->site, "/assets/b.js")->packed),
                               buf_text(&other)));
}

static void test_the_page_leads_back_to_the_root_from_any_depth(void **state) {
        CLEANUP_BUF Buf root = { 0 }, deep = { 0 };
        Fixture *f = *state;

        assert_int_equal(read_folder(f, 10, 1000), 0);
        ws_site_page(f->site, 0, &root);
        assert_string_equal(root.data, PAGE);
        ws_site_page(f->site, 2, &deep);
        assert_non_null(strstr(deep.data, "<head><base href=\"../../\"><script src=\"assets/"));
        assert_int_equal(deep.n, sizeof(PAGE) - 1 + 4);
}

static void test_the_policy_names_the_hosts_and_nothing_unsafe(void **state) {
        Fixture *f = *state;
        const char *policy;

        assert_int_equal(read_folder(f, 10, 1000), 0);
        policy = ws_site_policy(f->site);
        assert_null(strstr(policy, "unsafe"));
        assert_non_null(strstr(policy,
                               "img-src 'self' data: blob: https://a.example "
                               "https://b.example:8443;"));
        assert_non_null(strstr(policy,
                               "connect-src 'self' ws: wss: https://a.example "
                               "https://b.example:8443;"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_files_are_found_by_their_path_alone),
                TEST(test_links_and_hidden_files_are_not_read),
                TEST(test_a_folder_beyond_its_limits_is_not_served),
                TEST(test_without_an_index_there_is_no_site),
                TEST(test_what_the_build_has_packed_is_taken_if_it_is_the_same),
                TEST(test_the_page_leads_back_to_the_root_from_any_depth),
                TEST(test_the_policy_names_the_hosts_and_nothing_unsafe),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
