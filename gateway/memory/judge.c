#include "gateway/memory/judge.h"

#include "base/err.h"
#include "base/vec.h"
#include "model/record.h"

#define JUDGE_FIRST 64

typedef struct JudgeList JudgeList;

struct JudgeList { /* ascending numbers */
        uint64_t *seqs;
        size_t begin, end, capacity;
};

struct Judge {
        uint64_t last_seq;               /* all up to here were judged or passed over */
        uint64_t again_seq, again_until; /* behind the one, up to the other: again */
        JudgeList late, passed, open;
};

int judge_new(Judge **ret_judge) {
        *ret_judge = calloc(1, sizeof(**ret_judge));
        return *ret_judge ? 0 : err_new(-ENOMEM);
}

Judge *judge_free(Judge *judge) {
        if (!judge)
                return NULL;
        free(judge->late.seqs);
        free(judge->passed.seqs);
        free(judge->open.seqs);
        free(judge);
        return NULL;
}

/* The first place whose number is not below @seq. */
static size_t judge_find(const JudgeList *list, uint64_t seq) {
        size_t low = list->begin;
        size_t high = list->end;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (list->seqs[middle] < seq)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static bool judge_has(const JudgeList *list, uint64_t seq) {
        size_t at = judge_find(list, seq);

        return at < list->end && list->seqs[at] == seq;
}

static int judge_add(JudgeList *list, uint64_t seq) {
        if (!VEC_HAS_ROOM(list->seqs, list->end, list->capacity, JUDGE_FIRST))
                return err_new(-ENOMEM);
        list->seqs[list->end++] = seq;
        return 0;
}

/* In its place: what follows it was judged before. */
static int judge_put(JudgeList *list, uint64_t seq) {
        size_t at = judge_find(list, seq);
        int r;

        if (judge_has(list, seq))
                return 0;
        r = judge_add(list, seq);
        if (r != 0)
                return err_up(r);
        memmove(list->seqs + at + 1, list->seqs + at, (list->end - 1 - at) * sizeof(seq));
        list->seqs[at] = seq;
        return 0;
}

static void judge_drop(JudgeList *list, uint64_t up_to_seq) {
        list->begin = judge_find(list, up_to_seq + 1);
        if (list->begin == list->end)
                list->begin = list->end = 0;
}

Verdict judge_ask(const Judge *judge, uint64_t seq) {
        if (seq > judge->last_seq || judge_is_again(judge, seq) || judge_has(&judge->passed, seq))
                return VERDICT_NONE;
        return judge_has(&judge->late, seq) ? VERDICT_LATE : VERDICT_NEWS;
}

void judge_again(Judge *judge, uint64_t position) {
        judge->again_seq = position;
        judge->again_until = judge->last_seq;
        judge_drop(&judge->late, judge->last_seq);
        judge_drop(&judge->passed, judge->last_seq);
}

bool judge_is_again(const Judge *judge, uint64_t seq) {
        return seq > judge->again_seq && seq <= judge->again_until;
}

int judge_tell(Judge *judge, uint64_t seq, Verdict verdict) {
        int r = 0;

        if (judge_is_again(judge, seq)) {
                judge->again_seq = seq;
                if (verdict == VERDICT_LATE)
                        r = judge_put(&judge->late, seq);
                else if (verdict != VERDICT_NEWS)
                        r = judge_put(&judge->passed, seq);
                return r == 0 ? 0 : err_up(r);
        }
        if (seq <= judge->last_seq)
                return 0;
        judge->last_seq = seq;
        if (verdict == VERDICT_LATE)
                r = judge_add(&judge->late, seq);
        else if (verdict != VERDICT_NEWS)
                r = judge_add(&judge->passed, seq);
        if (r == 0 && verdict == VERDICT_OPEN)
                r = judge_add(&judge->open, seq);
        return r == 0 ? 0 : err_up(r);
}

bool judge_is_open(const Judge *judge, uint64_t seq) {
        return judge_has(&judge->open, seq);
}

uint64_t judge_first_open(const Judge *judge) {
        const JudgeList *list = &judge->open;

        return list->begin < list->end ? list->seqs[list->begin] : 0;
}

static void judge_list_move(JudgeList *list, const RecordShift *shift) {
        for (size_t i = judge_find(list, shift->stored_seq + 1); i < list->end; ++i)
                record_move(shift, &list->seqs[i]);
}

void judge_move(Judge *judge, uint64_t stored_seq, uint64_t by) {
        const RecordShift shift = { .stored_seq = stored_seq, .by = by };

        judge_list_move(&judge->late, &shift);
        judge_list_move(&judge->passed, &shift);
        judge_list_move(&judge->open, &shift);
        record_move(&shift, &judge->last_seq);
        record_move(&shift, &judge->again_seq);
        record_move(&shift, &judge->again_until);
}

void judge_forget(Judge *judge, uint64_t up_to_seq) {
        judge_drop(&judge->late, up_to_seq);
        judge_drop(&judge->passed, up_to_seq);
        judge_drop(&judge->open, up_to_seq);
}
