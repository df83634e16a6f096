#pragma once

/*
 * SessionName: the name under which the broker keeps our session, where mqtt.client_id gives none.
 *
 * It is made of the epoch of the first journal, and outlives it: noted in the journal's folder and
 * beside it (journal.dir with .client-id), so that an emptied folder, or a new one in its place, is
 * given what the broker has queued meanwhile. A note that cannot be written is logged.
 */

#include "base/base.h"

#define SESSION_NAME_SIZE 128

void session_name(const char *journal_dir,
                  const char *epoch,
                  char ret_name[static SESSION_NAME_SIZE]);

/* The session goes on under another name, which is noted in its place. */
void session_name_change(const char *journal_dir, const char *name);
