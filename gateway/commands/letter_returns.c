#include "gateway/commands/letter_returns.h"

#include "base/buf.h"
#include "base/err.h"
#include "db/edit/letters.h"
#include "gateway/commands/command_notes.h"
#include "gateway/store/letter.h"

enum {
        RETURNS_PAGES = 8,
        RETURNS_TOPIC_BYTES = 65000, /* a journal's topic still, with its mark */
};

int letter_returns_init(LetterReturns *returns, const CommandNotes *notes, DbConn *conn) {
        *returns = (LetterReturns){ .notes = notes, .conn = conn };
        return secret_id(returns->session) == 0 ? 0 : err_new(-EIO);
}

static void letter_returns_on_letter(void *arg, const DbDeadLetter *letter) {
        CLEANUP_BUF Buf topic = { 0 };
        LetterReturns *returns = arg;
        int r = 0;

        ++returns->n_page;
        if (returns->fault != 0 || command_notes_is_stopped(returns->notes, 0))
                return;
        letter_wrap(letter, &topic);
        if (buf_failed(&topic))
                r = err_new(-ENOMEM);
        else if (topic.n > RETURNS_TOPIC_BYTES)
                r = db_letters_refuse(returns->conn, letter->id, reason_name(REASON_TOO_LARGE));
        else
                r = command_notes_take(returns->notes,
                                       &(Inbound){ .door = DOOR_INTERNAL,
                                                   .kind = letter_kind(letter),
                                                   .topic = buf_text(&topic),
                                                   .payload = letter->payload });
        if (r < 0)
                returns->fault = err_up(r);
}

int letter_returns_turn(LetterReturns *returns, const char *epoch, bool *ret_more) {
        int r, n = 0;

        do {
                returns->n_page = 0;
                r = db_letters_claim(returns->conn,
                                     epoch,
                                     returns->session,
                                     &returns->letter_id,
                                     letter_returns_on_letter,
                                     returns);
                if (r == 0)
                        r = returns->fault;
        } while (r == 0 && returns->n_page > 0 && ++n < RETURNS_PAGES &&
                 !command_notes_is_stopped(returns->notes, 0));
        *ret_more = returns->n_page > 0;
        return r < 0 ? err_up(r) : r;
}
