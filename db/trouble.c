#include "db/trouble.h"

#define TROUBLE_TIMEOUT "57014"

typedef struct Trouble Trouble;

struct Trouble {
        const char *prefix; /* of an SQLSTATE; the first one that fits */
        DbTrouble trouble;
};

static const Trouble troubles[] = {
        { "08", DB_TROUBLE_SERVER },
        { "22", DB_TROUBLE_VALUE },
        { "23503", DB_TROUBLE_REFERENCE },
        { "23505", DB_TROUBLE_TAKEN },
        { "23514", DB_TROUBLE_CHECK },
        { "23", DB_TROUBLE_ROWS },
        { "25006", DB_TROUBLE_SERVER },
        { "25P03", DB_TROUBLE_SERVER },
        { "26", DB_TROUBLE_SERVER },
        { "40001", DB_TROUBLE_RACE },
        { "40P01", DB_TROUBLE_RACE },
        { "42", DB_TROUBLE_DENIED },
        { "44", DB_TROUBLE_ROWS },
        { "53", DB_TROUBLE_SHORT },
        { "54", DB_TROUBLE_ROWS },
        { "55P03", DB_TROUBLE_LOCKED },
        { TROUBLE_TIMEOUT, DB_TROUBLE_LOCKED },
        { "57P", DB_TROUBLE_SERVER },
        { "58", DB_TROUBLE_SERVER },
        { "P0", DB_TROUBLE_ROWS },
        { "TG001", DB_TROUBLE_FENCED },
        { "TG009", DB_TROUBLE_SERVER }, /* what it knows of edges is to be read again */
};

bool db_trouble_is_timeout(const char *sqlstate) {
        return strcmp(sqlstate, TROUBLE_TIMEOUT) == 0;
}

DbTrouble db_trouble(const char *sqlstate) {
        for (size_t i = 0; i < N_ELEMENTS(troubles); ++i)
                if (strncmp(sqlstate, troubles[i].prefix, strlen(troubles[i].prefix)) == 0)
                        return troubles[i].trouble;
        return DB_TROUBLE_OTHER;
}
