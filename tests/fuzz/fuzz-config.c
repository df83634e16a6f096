/*
 * Config: a file, in which a line that begins with `--set ` or `env ` stands for that. What is
 * taken can be printed, also without its passwords, and differs in nothing from itself. `$` stands
 * for a folder with a `secret` and a file that is `open` to all, neither of them a certificate.
 */

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "gateway/config/config.h"
#include "tests/fuzz/fuzz.h"

#define MAX_LINES 64
#define MAX_INPUT 16384

typedef struct Input Input;

struct Input {
        char *text; /* owned: the others point into it */
        const char *sets[MAX_LINES];
        size_t n_sets;
        char *environment[MAX_LINES + 1];
        size_t n_environment;
        int fd; /* of the file */
        char path[32];
};

static char place[64]; /* the folder */

static void put(const char *name, mode_t mode) {
        char path[128];
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", place, name);
        file = fopen(path, "w");
        FUZZ_CHECK(file && fputs("0123456789abcdef0123456789abcdef\n", file) > 0);
        FUZZ_CHECK(fclose(file) == 0 && chmod(path, mode) == 0);
}

static void remove_place(void) {
        char path[128];

        snprintf(path, sizeof(path), "%s/secret", place);
        unlink(path);
        snprintf(path, sizeof(path), "%s/open", place);
        unlink(path);
        rmdir(place);
}

static void place_init(void) {
        snprintf(place, sizeof(place), "/tmp/tidegate-fuzz-config-XXXXXX");
        FUZZ_CHECK(mkdtemp(place));
        atexit(remove_place);
        put("secret", 0600);
        put("open", 0644);
}

/* A copy, with what `$` stands for. */
static char *expand(const uint8_t *data, size_t n, size_t *ret_n) {
        Buf out = { 0 };

        for (size_t i = 0; i < n; ++i)
                if (data[i] == '$')
                        buf_append_string(&out, place);
                else
                        buf_append_char(&out, (char)data[i]);
        buf_append_char(&out, '\0');
        FUZZ_CHECK(!buf_failed(&out));
        *ret_n = out.n - 1;
        return out.data;
}

static void take_line(Input *input, char *line, size_t n, bool is_last) {
        static const char newline = '\n';

        if (strncmp(line, "--set ", 6) == 0 && input->n_sets < MAX_LINES) {
                input->sets[input->n_sets++] = line + 6;
                return;
        }
        if (strncmp(line, "env ", 4) == 0 && input->n_environment < MAX_LINES) {
                input->environment[input->n_environment++] = line + 4;
                return;
        }
        FUZZ_CHECK(write(input->fd, line, n) == (ssize_t)n);
        if (!is_last)
                FUZZ_CHECK(write(input->fd, &newline, 1) == 1);
}

static void input_init(Input *input, const uint8_t *data, size_t n) {
        char *line, *end;

        *input = (Input){ .text = expand(data, n, &n), .fd = memfd_create("config", MFD_CLOEXEC) };
        FUZZ_CHECK(input->fd >= 0);
        snprintf(input->path, sizeof(input->path), "/proc/self/fd/%d", input->fd);
        end = input->text + n;
        for (line = input->text; line < end;) {
                char *newline = memchr(line, '\n', (size_t)(end - line));
                size_t n_line = (size_t)((newline ? newline : end) - line);

                if (newline)
                        *newline = '\0';
                take_line(input, line, n_line, !newline);
                line += n_line + (newline ? 1 : 0);
        }
}

static void input_done(Input *input) {
        close(input->fd);
        free(input->text);
}

static void check_config(const Config *config, const Config *again) {
        const char *names[4][2];
        char *printed = NULL;
        size_t n_printed;
        FILE *out = open_memstream(&printed, &n_printed);

        FUZZ_CHECK(out);
        config_print(config, out);
        config_print_example(out);
        FUZZ_CHECK(fclose(out) == 0 && n_printed > 0);
        free(printed);
        FUZZ_CHECK(config_restart_keys(config, again, names, 4) == 0);
        FUZZ_CHECK(config->routes && routes_length(config->routes) > 0);
        FUZZ_CHECK(config->journal.reserve_bytes <= config->journal.max_bytes / 2);
        FUZZ_CHECK(config_check_files(config) >= 0);
        FUZZ_CHECK(config->mqtt_enabled == (config->mqtt.url != NULL));
        for (size_t i = 0; i < routes_length(config->routes); ++i)
                FUZZ_CHECK(routes_get(config->routes, i)->topic);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        Config *config = NULL, *again = NULL;
        ConfigSource source;
        Input input;

        if (n > MAX_INPUT)
                return 0;
        if (!place[0])
                place_init();
        input_init(&input, data, n);
        source = (ConfigSource){ .file = input.path,
                                 .sets = input.sets,
                                 .n_sets = input.n_sets,
                                 .environment = input.environment };
        if (config_load(&config, &source) == 0) {
                FUZZ_CHECK(config_load(&again, &source) == 0);
                check_config(config, again);
        }
        config_free(config);
        config_free(again);
        input_done(&input);
        return 0;
}
