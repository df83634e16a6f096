#pragma once

/*
 * DbDays: the days whose partitions are known to be there, and those that a batch needs besides.
 *
 * What is known is forgotten with the connection, and when a row met no partition: retention may
 * have dropped one. Knows the newest few days; to ask for one again does no harm. Memory of the
 * caller, zeroed to begin with; one thread.
 */

#include "db/conn.h"
#include "model/record.h"

#define DB_DAYS_MAX 64

typedef struct DbDays DbDays;

struct DbDays {
        int64_t days[DB_DAYS_MAX]; /* since 1970; a ring */
        size_t n, next;
        int64_t new[DB_DAYS_MAX]; /* that are being made; times within them */
        size_t n_new;
};

void db_days_forget(DbDays *days);
/* Finds out which days have to be made for these. */
void db_days_want(DbDays *days, Record *const records[], size_t n);
/* Queues their making in the pipeline that it opens; false: the connection is lost. */
bool db_days_send(const DbDays *days, DbConn *conn);
void db_days_note(DbDays *days); /* they have been made */
