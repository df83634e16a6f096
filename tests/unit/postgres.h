#pragma once

/*
 * The PostgreSQL of with-postgres, as tests see it: a connection beside the one that is tested.
 *
 * What cannot happen unless a test is wrong aborts.
 */

#include "base/base.h"
#include "db/conn.h"

void postgres_reset(void);   /* an empty schema */
void postgres_migrate(void); /* reset, and our tables */
DbConn *postgres_connect(int statement_timeout_ms);
void postgres_reconnect(DbConn *conn); /* until it works */

void postgres_run(const char *sql);
const char *postgres_text(const char *sql); /* the first field; valid until the next call */
int64_t postgres_int(const char *sql);
void postgres_wait(const char *sql);      /* until it says t */
void postgres_server(const char *action); /* start, stop, restart, pause, resume */
