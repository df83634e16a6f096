#pragma once

/*
 * FakeAnswers: a database that answers every statement with the next of some texts, in place of
 * db/conn.c: rows are lines, their columns lie between tabs, and \N is null. An
 * answer ends at an empty line, and is one without rows where it is `-`, if the statement can have
 * that; `!` and a SQLSTATE refuses it.
 */

#include "base/base.h"

/* What is left of @text answers what is asked from now on. With nothing left: one row of nulls. */
void fake_answers_set(Text text);
