/* Herald: what the database says of alerts, for the loops. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/queue.h"
#include "gateway/commands/herald.h"
#include "model/event.h"

static void free_event(void *item) {
        event_unref(item);
}

static void test_what_is_said_of_an_alert_goes_into_the_outbox_once(void **state) {
        CLEANUP(queue_free) Queue *outbox = NULL;
        void *item;

        (void)state;
        assert_int_equal(queue_new(&outbox, 1, free_event), 0);
        assert_int_equal(herald_tell(outbox, "nonsense"), 0);
        assert_int_equal(queue_length(outbox), 0);
        assert_int_equal(herald_tell(outbox, "e:1 2 0 3 ana"), 0);
        assert_int_equal(herald_tell(outbox, "e:2 2 0 3 ana"), 0); /* no room: the list has it */
        assert_int_equal(queue_pop(outbox, &item, 1, 0), 1);
        assert_int_equal(((Event *)item)->type, EVENT_ACKNOWLEDGED);
        assert_true(text_equal(((Event *)item)->alert, TEXT("e:1")));
        event_unref(item);
        queue_close(outbox);
        assert_int_equal(herald_tell(outbox, "e:3 2 0 3 ana"), 0);
        assert_int_equal(queue_length(outbox), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_said_of_an_alert_goes_into_the_outbox_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
