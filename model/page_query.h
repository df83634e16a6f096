#pragma once

/*
 * PageQuery: what one page of an origin system asks, answered with one body as that system has it.
 *
 * Which members count is said by the page; db/read/page_*.c make the bodies of it. Times are half
 * open, from <= t < to. Hours, days and the times in a body are in @zone, as the page shows them.
 */

#include "base/base.h"
#include "base/clock.h"

#define COUNTER_DEVICES_PER_PERSON 1.5

typedef struct CounterStyle CounterStyle;
typedef struct PageQuery PageQuery;

/* How the people counter counts. */
struct CounterStyle {
        double devices_per_person; /* 0 = COUNTER_DEVICES_PER_PERSON */
        bool zones_apart;          /* in a total a device of two zones is two */
        bool by_time;              /* live windows; else by receipt */
        bool scanners_alone;       /* are shown to who is not signed in */
        int64_t ahead_us;          /* of its receipt a time may be, where it counts by_time */
};

typedef enum PageKind {
        PAGE_COUNTER_LIVE_BY_TIME,   /* number: minutes; device_id */
        PAGE_COUNTER_LIVE,           /* number: minutes, by receipt; device_id */
        PAGE_COUNTER_RANGE,          /* from, to, device_id */
        PAGE_COUNTER_HISTOGRAM,      /* text: today, week; device_id */
        PAGE_COUNTER_HISTOGRAM_HOUR, /* text: hour; device_id */
        PAGE_COUNTER_HOURLY,         /* from: midnight of the day, or open: today */
        PAGE_COUNTER_DAILY,          /* from, to: midnights, open: number days, today */
        PAGE_COUNTER_DISTRIBUTION,   /* number: hours */
        PAGE_COUNTER_RECENT,         /* limit, offset; text: a zone, or "" */
        PAGE_COUNTER_COUNT,          /* number: hours; text: a zone, or "" */
        PAGE_COUNTER_DEVICES,        /* limit, offset; number: 1 = active; text: scanners, or "" */
        PAGE_COUNTER_ACTIVE,         /* likewise; number: heard of in so many minutes */
        PAGE_COUNTER_DEVICE,         /* device_id */
        PAGE_COUNTER_DEVICE_STATS,   /* device_id */
        PAGE_CAMERAS,                /* limit, offset; number: those that are active alone */
        PAGE_CAMERA,                 /* device_id */
        PAGE_CAMERA_STATUS,          /* device_id */
        PAGE_FACES,                  /* limit: of each camera */
        PAGE_FACE_SUMS,              /* from, device_id; number: days */
        PAGE_FACE_HOURS,             /* from, device_id */
        PAGE_FACE_HISTORY,           /* from, limit, offset, device_id; text: a person; number: 1 */
        PAGE_VEHICLES,               /* limit, offset */
        PAGE_VEHICLE,                /* vehicle_id */
        PAGE_VEHICLE_LOGS,           /* from, to, limit, offset, vehicle_id */
        PAGE_VEHICLE_LOG,            /* number: its id */
        PAGE_VEHICLE_BATTERY,        /* vehicle_id; limit 1 */
        PAGE_VEHICLE_LATEST,         /* vehicle_id; limit 1 */
        PAGE_SENSOR_LOGS,            /* as logs; text: a sensor's id */
        PAGE_SENSOR_LOG,             /* number: its id */
        PAGE_RAW_LOGS,               /* as logs */
        PAGE_RAW_LOG,                /* number: its id */
        PAGE_VEHICLE_SENSORS,        /* limit, offset, vehicle_id */
        PAGE_SENSOR_STATUS,          /* limit, offset, vehicle_id */
        PAGE_COUNTER_SET_ZONES,      /* number: near, offset: medium, in dBm; an admin's */
        PAGE_COUNTER_RESET_ZONES,
        PAGE_RAW_STATS,      /* how many there are */
        PAGE_VEHICLE_ALERTS, /* limit, offset, vehicle_id */
        PAGE_COUNT,
} PageKind;

struct PageQuery {
        PageKind kind;
        int64_t user_id;               /* what he may see; 0 = everything */
        int64_t from_us, to_us;        /* CLOCK_UNKNOWN = open */
        int64_t device_id, vehicle_id; /* 0 = any that he may see */
        int64_t limit, offset;
        int64_t number; /* what else the page counts in: minutes, hours, days */
        char text[256]; /* a preset, or a name; "" = none */
        char zone[64];  /* "" = UTC */
        CounterStyle style;
};
