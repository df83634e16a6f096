#pragma once

/*
 * CliRow: the row that a message would make, shown.
 *
 * Names are as the message says them, since no registry is asked.
 */

#include "gateway/cli/view.h"
#include "model/record.h"

/* The row and what was set aside of it, of a record that is no dead letter. */
void cli_row_show(View *view, const Record *record);
