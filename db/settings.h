#pragma once

/*
 * What our sessions rely on, whatever an administrator has set for the role or the database: once,
 * for the options of a start and for the statement that makes up for them. A policy that hides rows
 * from us is an error: half of the registry would make letters of good messages.
 */

#define DB_SETTINGS(SET)                             \
        SET("timezone", "UTC")                       \
        SET("datestyle", "ISO,YMD")                  \
        SET("intervalstyle", "postgres")             \
        SET("extra_float_digits", "1")               \
        SET("bytea_output", "hex")                   \
        SET("standard_conforming_strings", "on")     \
        SET("quote_all_identifiers", "off")          \
        SET("array_nulls", "on")                     \
        SET("transform_null_equals", "off")          \
        SET("row_security", "off")                   \
        SET("jit", "off")                            \
        SET("work_mem", "32MB")                      \
        SET("client_min_messages", "warning")        \
        SET("default_transaction_deferrable", "off") \
        SET("exit_on_error", "off")                  \
        SET("plpgsql.extra_errors", "none")          \
        SET("idle_session_timeout", "0")             \
        SET("idle_in_transaction_session_timeout", "60000")
#define DB_SETTING_AS_OPTION(name, value)    " -c " name "=" value
#define DB_SETTING_AS_STATEMENT(name, value) " set_config('" name "', '" value "', false),"
