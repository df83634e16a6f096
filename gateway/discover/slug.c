#include "gateway/discover/slug.h"

static bool slug_keeps(char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

void slug_of(Text text, char ret[SLUG_SIZE]) {
        size_t n = 0;

        for (size_t i = 0; i < text.n && n < SLUG_SIZE - 1; ++i) {
                char c = text.data[i];

                if (c >= 'A' && c <= 'Z')
                        c = (char)(c - 'A' + 'a');
                if (slug_keeps(c))
                        ret[n++] = c;
                else if (n > 0 && ret[n - 1] != '_')
                        ret[n++] = '_';
        }
        while (n > 0 && ret[n - 1] == '_')
                --n;
        ret[n] = '\0';
}

void slug_cut(char slug[SLUG_SIZE], const char *prefix) {
        size_t n = strlen(prefix);

        if (n > 0 && strncmp(slug, prefix, n) == 0 && slug[n] == '_' && slug[n + 1] != '\0')
                memmove(slug, slug + n + 1, strlen(slug + n + 1) + 1);
}

void slug_add(char slug[SLUG_SIZE], const char *suffix) {
        size_t n = strlen(slug);

        if (n > 0 && n < SLUG_SIZE - 1)
                slug[n++] = '_';
        for (; *suffix && n < SLUG_SIZE - 1; ++suffix)
                slug[n++] = *suffix;
        slug[n] = '\0';
}
