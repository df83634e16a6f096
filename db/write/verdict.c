#include "db/write/verdict.h"

#include <libpq-fe.h>

#include "db/conn.h"

/* The statement that was refused tells whose matter it is. The books and the position are not to be
 * refused: that is about the tables. A state is no reason to hold up rows, also when nobody may
 * write any (class 42). */
int db_verdict(int step, DbTrouble trouble) {
        switch (step) {
        case DB_SHEET_STATES:
                return db_trouble_may_be_rows(trouble) || trouble == DB_TROUBLE_DENIED
                               ? DB_E_STATES
                               : DB_E_REFUSED;
        case DB_SHEET_ORIGINS: /* whatever becomes of the record: also a letter of it has one */
        case DB_SHEET_REFUSED:
        case DB_STEP_OTHER:
        case DB_STEP_PROBE:
                return DB_E_REFUSED;
        default:
                return db_trouble_may_be_rows(trouble) ? DB_E_REJECTED : DB_E_REFUSED;
        }
}

/* Values and checks are looked at before what is there already: those the probes have passed. What
 * comes behind it (what a row refers to, triggers) nobody has shown to take any row. */
int db_verdict_unproved(int step, DbTrouble trouble) {
        if (trouble == DB_TROUBLE_TAKEN || trouble == DB_TROUBLE_CHECK ||
            trouble == DB_TROUBLE_VALUE)
                return db_verdict(step, trouble);
        return DB_E_REFUSED;
}

RecordSide db_verdict_side(int step) {
        switch (step) {
        case DB_SHEET_ROW_NOTES:
                return RECORD_NOTES;
        case DB_SHEET_BIRTHS:
                return RECORD_BIRTH;
        case DB_SHEET_MERGED:
                return RECORD_MERGED;
        case DB_SHEET_CLOCKS:
                return RECORD_CLOCK;
        case DB_SHEET_DEAD_LETTERS:
                return RECORD_LETTER;
        case DB_SHEET_LETTERS:
                return RECORD_GOES;
        case DB_SHEET_REPLAYS:
                return RECORD_OUTCOME;
        default:
                return RECORD_ROW;
        }
}

bool db_verdict_may_pass(const PGresult *error, DbTrouble trouble) {
        if (trouble == DB_TROUBLE_CHECK)
                return !PQresultErrorField(error, PG_DIAG_CONSTRAINT_NAME);
        return trouble == DB_TROUBLE_REFERENCE || trouble == DB_TROUBLE_RACE;
}

bool db_verdict_is_short(const PGresult *error) {
        const char *sqlstate = PQresultErrorField(error, PG_DIAG_SQLSTATE);
        const char *severity = PQresultErrorField(error, PG_DIAG_SEVERITY_NONLOCALIZED);

        return sqlstate && severity && db_trouble(sqlstate) == DB_TROUBLE_SHORT &&
               strcmp(severity, "ERROR") == 0;
}

bool db_verdict_is_taken(const PGresult *error, DbTrouble trouble) {
        return trouble == DB_TROUBLE_TAKEN && PQresultErrorField(error, PG_DIAG_CONSTRAINT_NAME);
}
