/* Runs a fuzz target over the files and folders that are named: its corpus, as a test. */

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

#define REPLAY_MAX_INPUT (1 << 20)

static size_t n_inputs;

static int replay_file(const char *path, size_t size) {
        uint8_t *data = malloc(size ? size : 1); /* of the exact size, for the sanitizer */
        FILE *file = fopen(path, "rb");
        int r = -1;

        if (data && file && fread(data, 1, size, file) == size) {
                LLVMFuzzerTestOneInput(data, size);
                ++n_inputs;
                r = 0;
        }
        if (file)
                fclose(file);
        free(data);
        return r;
}

static int replay_path(const char *path) {
        struct dirent **entries;
        struct stat st;
        int n, r = 0;

        if (stat(path, &st) < 0 || st.st_size > REPLAY_MAX_INPUT)
                return -1;
        if (!S_ISDIR(st.st_mode))
                return replay_file(path, (size_t)st.st_size);

        n = scandir(path, &entries, NULL, alphasort);
        if (n < 0)
                return -1;
        for (int i = 0; i < n; ++i) {
                char name[4096];

                snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
                if (entries[i]->d_name[0] != '.' && replay_path(name) != 0)
                        r = -1;
                free(entries[i]);
        }
        free(entries);
        return r;
}

int main(int argc, char *argv[]) {
        for (int i = 1; i < argc; ++i)
                if (replay_path(argv[i]) != 0) {
                        fprintf(stderr, "%s: cannot be replayed\n", argv[i]);
                        return EXIT_FAILURE;
                }
        printf("%zu inputs\n", n_inputs);
        return n_inputs > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
