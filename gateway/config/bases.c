#include "gateway/config/bases.h"

#include "base/err.h"
#include "base/text.h"

#define BASES_MARK      "$base"
#define BASES_SEPARATOR ","

/* Up to the next comma; *at is moved behind it, and is NULL behind the last. */
static Text bases_take_item(const char **at) {
        Text item = { *at, strcspn(*at, BASES_SEPARATOR) };

        *at = (*at)[item.n] ? *at + item.n + 1 : NULL;
        return text_trim(item);
}

/* *ret_n: one more than BASES_MAX, where there are more. BASES_E_MISSING. */
static int bases_split(const char *list, Text ret_items[BASES_MAX + 1], size_t *ret_n) {
        bool is_one_missing = false;

        *ret_n = 0;
        for (const char *at = list; at && *ret_n <= BASES_MAX; ++*ret_n) {
                ret_items[*ret_n] = bases_take_item(&at);
                is_one_missing |= ret_items[*ret_n].n == 0;
        }
        return is_one_missing && *ret_n > 1 ? BASES_E_MISSING : 0;
}

/* What is in front of @end in @text, where whole levels are. */
static bool bases_beginning(Text text, Text end, Text *ret_beginning) {
        size_t n = text.n - end.n;

        if (text.n < end.n || memcmp(text.data + n, end.data, end.n) != 0)
                return false;
        if (n > 0 && text.data[n - 1] != '/')
                return false;
        *ret_beginning = (Text){ text.data, n };
        return true;
}

static void bases_put(Bases *bases, size_t i, Text beginning, Text end) {
        buf_append_text(&bases->items[i], beginning);
        buf_append_text(&bases->items[i], end);
        bases->are_there[i] = true;
}

static int bases_read_list(Bases *bases, const char *usual, const char *said) {
        Text own[BASES_MAX + 1], other[BASES_MAX + 1] = { 0 }, beginning;
        size_t n_own, n = 0;
        int r = bases_split(usual, own, &n_own);

        if (r == 0 && said)
                r = bases_split(said, other, &n);
        if (n_own > BASES_MAX || n > n_own)
                return BASES_E_TOO_MANY;
        if (r != 0)
                return r;
        bases->n = n_own;
        for (size_t i = 0; i < n_own; ++i)
                if (i < n)
                        bases_put(bases, i, TEXT(""), other[i]);
                else if (n == 0)
                        bases_put(bases, i, TEXT(""), own[i]);
                else if (bases_beginning(other[0], own[0], &beginning))
                        bases_put(bases, i, beginning, own[i]);
        return 0;
}

int bases_read(Bases *bases, const char *usual, const char *said) {
        int r = 0;

        *bases = (Bases){ .n = 1 };
        if (usual && strstr(usual, BASES_SEPARATOR))
                r = bases_read_list(bases, usual, said);
        else
                bases_put(bases, 0, TEXT(""), text_of(said ? said : usual ? usual : ""));
        for (size_t i = 0; i < bases->n; ++i)
                if (buf_failed(&bases->items[i]))
                        return err_new(-ENOMEM);
        return r;
}

void bases_done(Bases *bases) {
        for (size_t i = 0; i < BASES_MAX; ++i)
                buf_done(&bases->items[i]);
}

/* Which one the mark at @at means; *ret_n: how long it is. */
static size_t bases_marked(const Bases *bases, const char *at, size_t *ret_n) {
        size_t n = strlen(BASES_MARK), i = 0;

        if (at[n] >= '2' && at[n] <= '9')
                i = (size_t)(at[n] - '1');
        if (i >= bases->n)
                i = 0;
        *ret_n = n + (i > 0);
        return i;
}

bool bases_lack(Bases *bases, const char *text) {
        size_t n;

        return strncmp(text, BASES_MARK, strlen(BASES_MARK)) == 0 &&
               !bases->are_there[bases_marked(bases, text, &n)];
}

/* A {name} is a level of any name, and a {name...} are several. */
static char bases_wildcard(const char *name, const char *end) {
        static const Text dots = TEXT("...");

        return (size_t)(end - name) > dots.n && memcmp(end - dots.n, dots.data, dots.n) == 0 ? '#'
                                                                                             : '+';
}

static void bases_append(Buf *out, const char *base, bool is_filter) {
        while (*base) {
                const char *end = is_filter && *base == '{' ? strchr(base, '}') : NULL;

                buf_append_char(out, (char)(end ? bases_wildcard(base, end) : *base));
                base = end ? end + 1 : base + 1;
        }
}

static void bases_replace(Bases *bases, const char *text, bool is_filter, Buf *out) {
        const char *next;

        while (bases->n > 0 && (next = strstr(text, BASES_MARK)) != NULL) {
                size_t n, i = bases_marked(bases, next, &n);

                buf_append(out, text, (size_t)(next - text));
                bases_append(out, buf_text(&bases->items[i]).data, is_filter);
                text = next + n;
        }
        buf_append_string(out, text);
}

void bases_fill(Bases *bases, const char *text, Buf *out) {
        bases_replace(bases, text, false, out);
}

void bases_fill_filters(Bases *bases, const char *filters, Buf *out) {
        CLEANUP_BUF Buf filter = { 0 };

        for (const char *at = filters; at;) {
                Text item = bases_take_item(&at);

                buf_reset(&filter);
                buf_append_text(&filter, item);
                if (buf_failed(&filter) || bases_lack(bases, buf_text(&filter).data))
                        continue;
                if (out->n > 0)
                        buf_append_string(out, ", ");
                bases_replace(bases, buf_text(&filter).data, true, out);
        }
        out->failed |= buf_failed(&filter);
}
