#include "gateway/discover/words.h"

#include "base/name.h"
#include "gateway/decode/map_op.h"

#define WORDS_LONGEST 64 /* bytes of a payload that stands for a state */

/* Can it stand in a line of a map? */
static bool is_word(Text word) {
        if (word.n == 0 || word.n > WORDS_LONGEST || !name_is_printable(word))
                return false;
        for (size_t i = 0; i < word.n; ++i)
                if (strchr("\",'|", word.data[i]))
                        return false;
        return true;
}

static void put_word(Buf *line, const char *meaning, Text word) {
        bool has_space = memchr(word.data, ' ', word.n) != NULL;

        buf_printf(line, has_space ? " \"%s=%.*s\"" : " %s=%.*s", meaning, (int)word.n, word.data);
}

const char *words_put(Buf *line, const Words *words) {
        MapWord yes = { .word = words->for_yes };

        if (!is_word(words->for_yes) || !is_word(words->for_no) || map_word_is(&yes, words->for_no))
                return "payloads that a map cannot tell apart";
        buf_append_string(line, " | word");
        put_word(line, words->yes, words->for_yes);
        put_word(line, words->no, words->for_no);
        return NULL;
}
