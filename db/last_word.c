#include "db/last_word.h"

#include <stdio.h>

/* While we connect there is no result to ask, but the verbose text has it, in whatever language:
 * "FATAL:  28P01: ...". Of several servers, the last one's. */
static const char *last_word_find_sqlstate(const char *message) {
        static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        const char *found = NULL;

        for (const char *at = strstr(message, ":  "); at; at = strstr(at, ":  ")) {
                at += strlen(":  ");
                if (strspn(at, letters) == 5 && at[5] == ':')
                        found = at;
        }
        return found;
}

void db_last_word_keep(DbLastWord *word, const char *message, const char *sqlstate) {
        const char *end = strstr(message, "\nLOCATION:");
        size_t n = end ? (size_t)(end - message) : strlen(message);

        if (!sqlstate)
                sqlstate = last_word_find_sqlstate(message);
        if (n > sizeof(word->text) - 1)
                n = sizeof(word->text) - 1;

        while (n > 0 && message[n - 1] == '\n')
                --n;
        for (size_t i = 0; i < n; ++i)
                word->text[i] = (char)((unsigned char)message[i] < ' ' ? ' ' : message[i]);
        word->text[n] = '\0';
        snprintf(word->sqlstate, sizeof(word->sqlstate), "%.5s", sqlstate ? sqlstate : "");
}
