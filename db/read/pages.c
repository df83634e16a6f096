#include "db/read/pages.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "base/err.h"
#include "db/read/page_source.h"

DEFINE_CLEANUP(PGresult *, PQclear);

enum {
        PAGE_NUMBERS = 8,
        PAGE_ARGS = 12,
        PAGE_ARG_SIZE = 24,
};

typedef struct PageArgs PageArgs;

struct PageArgs {
        char numbers[PAGE_NUMBERS][PAGE_ARG_SIZE], ratio[PAGE_ARG_SIZE];
        char zone[DB_PAGE_ZONE_SIZE];
        const char *all[PAGE_ARGS];
};

static const char *const pages_sql[] = {
        [PAGE_COUNTER_LIVE_BY_TIME] = db_page_counter_live_by_time,
        [PAGE_COUNTER_LIVE] = db_page_counter_live,
        [PAGE_COUNTER_RANGE] = db_page_counter_range,
        [PAGE_COUNTER_HISTOGRAM] = db_page_counter_histogram,
        [PAGE_COUNTER_HISTOGRAM_HOUR] = db_page_counter_histogram_hour,
        [PAGE_COUNTER_HOURLY] = db_page_counter_hourly,
        [PAGE_COUNTER_DAILY] = db_page_counter_daily,
        [PAGE_COUNTER_DISTRIBUTION] = db_page_counter_distribution,
        [PAGE_COUNTER_RECENT] = db_page_counter_recent,
        [PAGE_COUNTER_COUNT] = db_page_counter_count,
        [PAGE_COUNTER_DEVICES] = db_page_counter_devices,
        [PAGE_COUNTER_ACTIVE] = db_page_counter_active,
        [PAGE_COUNTER_DEVICE] = db_page_counter_device,
        [PAGE_COUNTER_DEVICE_STATS] = db_page_counter_device_stats,
        [PAGE_COUNTER_SET_ZONES] = db_page_counter_set_zones,
        [PAGE_COUNTER_RESET_ZONES] = db_page_counter_reset_zones,
        [PAGE_CAMERAS] = db_page_cameras,
        [PAGE_CAMERA] = db_page_camera,
        [PAGE_CAMERA_STATUS] = db_page_camera_status,
        [PAGE_FACES] = db_page_faces,
        [PAGE_FACE_SUMS] = db_page_face_sums,
        [PAGE_FACE_HOURS] = db_page_face_hours,
        [PAGE_FACE_HISTORY] = db_page_face_history,
        [PAGE_VEHICLES] = db_page_vehicles,
        [PAGE_VEHICLE] = db_page_vehicle,
        [PAGE_VEHICLE_LOGS] = db_page_vehicle_logs,
        [PAGE_VEHICLE_LOG] = db_page_vehicle_log,
        [PAGE_VEHICLE_BATTERY] = db_page_vehicle_battery,
        [PAGE_VEHICLE_LATEST] = db_page_vehicle_latest,
        [PAGE_SENSOR_LOGS] = db_page_sensor_logs,
        [PAGE_SENSOR_LOG] = db_page_sensor_log,
        [PAGE_RAW_LOGS] = db_page_raw_logs,
        [PAGE_RAW_LOG] = db_page_raw_log,
        [PAGE_VEHICLE_SENSORS] = db_page_vehicle_sensors,
        [PAGE_SENSOR_STATUS] = db_page_sensor_status,
        [PAGE_RAW_STATS] = db_page_raw_stats,
        [PAGE_VEHICLE_ALERTS] = db_page_vehicle_alerts,
};

_Static_assert(N_ELEMENTS(pages_sql) == PAGE_COUNT, "a statement for each page");

void db_page_zone(const char *zone, char ret_zone[DB_PAGE_ZONE_SIZE]) {
        snprintf(ret_zone, DB_PAGE_ZONE_SIZE, "%s", *zone ? zone : "UTC");
        if (*zone == '+')
                ret_zone[0] = '-';
        else if (*zone == '-')
                ret_zone[0] = '+';
}

static void pages_bind(PageArgs *args, const PageQuery *page) {
        const int64_t numbers[PAGE_NUMBERS] = {
                page->user_id,    page->from_us, page->to_us,  page->device_id,
                page->vehicle_id, page->limit,   page->offset, page->number,
        };

        for (size_t i = 0; i < N_ELEMENTS(numbers); ++i) {
                snprintf(args->numbers[i], PAGE_ARG_SIZE, "%lld", (long long)numbers[i]);
                args->all[i] = args->numbers[i];
        }
        if (page->from_us == CLOCK_UNKNOWN)
                args->all[1] = NULL;
        if (page->to_us == CLOCK_UNKNOWN)
                args->all[2] = NULL;
        args->all[8] = page->text;
        db_page_zone(page->zone, args->zone);
        args->all[9] = args->zone;
        snprintf(args->ratio,
                 PAGE_ARG_SIZE,
                 "%.6g",
                 page->style.devices_per_person > 0 ? page->style.devices_per_person
                                                    : COUNTER_DEVICES_PER_PERSON);
        args->all[10] = args->ratio;
        args->all[11] = page->style.zones_apart ? "t" : "f";
}

int db_page(DbConn *conn, const PageQuery *page, Buf *ret_body) {
        CLEANUP(PQclear) PGresult *result = NULL;
        PageArgs args;
        int r;

        pages_bind(&args, page);
        r = db_conn_exec(conn, &(DbQuery){ pages_sql[page->kind], PAGE_ARGS, args.all }, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (PQntuples(result) == 0 || PQgetisnull(result, 0, 0))
                return DB_E_NOT_FOUND;

        buf_append(ret_body, PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0));
        return buf_failed(ret_body) ? err_new(-ENOMEM) : 0;
}
