#include "db/write/names.h"

#include "base/text.h"

bool db_names_are_news(DbNames *names, const Record *record, int64_t now_us) {
        DbName *slot = &names->slots[(uint64_t)record->device_id % DB_NAMES];
        uint64_t hash;

        if ((record->said_name.n == 0 && record->said_location.n == 0) || record->letter_id != 0)
                return false;
        if (now_us >= names->until_us) {
                db_names_forget(names);
                names->until_us = now_us + DB_NAMES_US;
        }
        hash = text_hash(TEXT_HASH, record->said_name.data, record->said_name.n);
        hash = text_hash(text_hash(hash, "", 1),
                         record->said_location.data,
                         record->said_location.n);
        if (slot->device_id == record->device_id && slot->hash == hash)
                return false;
        *slot = (DbName){ .device_id = record->device_id, .hash = hash };
        return true;
}

void db_names_forget(DbNames *names) {
        memset(names->slots, 0, sizeof(names->slots));
}
