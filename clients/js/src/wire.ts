// Made by scripts/types.mjs from schema/asyncapi.json: not to be edited.

/** Who I am, where the handshake did not say. */
export interface Auth {
  op: "auth";
  /** chosen by the client, echoed */
  id?: number | string | null;
  token: string;
}

/** What I want to see. */
export interface Subscribe {
  op: "subscribe";
  /** chosen by the client, echoed */
  id?: number | string | null;
  to: string[];
  types?: string[];
  since?: Cursor;
  snapshot?: boolean;
  max_hz?: number;
  bbox?: number[];
  /** what comes and goes is told; a text: of the set that the client has */
  set?: boolean | string;
  /** tell: when nothing is left of its targets this subscription ends, with over, and not the socket; skip: besides, targets that are not there are passed over */
  gone?: "tell" | "skip";
  /** a time of receipt: what was received from then on is played */
  at?: string;
  rate?: number;
}

/** What I do not want any more. */
export interface Unsubscribe {
  op: "unsubscribe";
  /** chosen by the client, echoed */
  id?: number | string | null;
  subscription: string;
}

/** Another view of the same subscription. */
export interface Move {
  op: "move";
  /** chosen by the client, echoed */
  id?: number | string | null;
  subscription: string;
  to?: string[];
  /** skip: targets that are not there are passed over */
  gone?: "tell" | "skip";
  bbox?: number[] | null;
  max_hz?: number | null;
}

/** Hold a playback. */
export interface Pause {
  op: "pause";
  /** chosen by the client, echoed */
  id?: number | string | null;
  subscription: string;
}

/** Go on with a playback, from elsewhere or at another rate. */
export interface Seek {
  op: "seek";
  /** chosen by the client, echoed */
  id?: number | string | null;
  subscription: string;
  /** a time of receipt: what was received from then on is played */
  at?: string;
  rate?: number;
}

/** End a playback, and go on into what is live. */
export interface Live {
  op: "live";
  /** chosen by the client, echoed */
  id?: number | string | null;
  subscription: string;
  /** what lies between is left out */
  snapshot?: boolean;
}

/** Keep-alive. */
export interface Ping {
  op: "ping";
  /** chosen by the client, echoed */
  id?: number | string | null;
}

/** A newer token of the same subject. */
export interface Refresh {
  op: "refresh";
  /** chosen by the client, echoed */
  id?: number | string | null;
  token: string;
}

/** Command a device. */
export interface Command {
  op: "command";
  /** chosen by the client, echoed */
  id?: number | string | null;
  device: string | number;
  action: string;
  payload?: Record<string, unknown> | null;
  timeout_ms?: number;
  idempotency_key?: string;
}

/** Take a command back. */
export interface Cancel {
  op: "cancel";
  /** chosen by the client, echoed */
  id?: number | string | null;
  command_id: string;
}

/** Who you are, and where the number line is. */
export interface Welcome {
  type: "welcome";
  connection_id: string;
  user: {
    id: number;
    username: string;
    role: "viewer" | "user" | "admin";
  } | null;
  cursor: Cursor;
  expires_in: number | null;
  heartbeat: number;
}

/** It was done. */
export interface Answer {
  /** chosen by the client, echoed */
  id: number | string | null;
  ok: true;
  subscription?: string;
  /** it is a playback */
  replay?: true;
  /** where a playback is */
  at?: string;
  recovered?: boolean;
  cursor?: Cursor | null;
  expires_in?: number | null;
  command_id?: string;
  state?: "accepted" | "published" | "delivered" | "executing" | "done" | "failed" | "expired" | "cancelled";
}

/** It was not. */
export interface Refusal {
  /** chosen by the client, echoed */
  id: number | string | null;
  ok: false;
  error: {
    code: string;
    message: string;
    retry: boolean;
  };
}

/** What is known. */
export interface Snapshot {
  type: "snapshot";
  subscription: string;
  items: Array<{
    type: string;
  }>;
  cursor: Cursor | null;
  done: boolean;
  /** with set: those that are in it from now on */
  vehicle_ids?: number[];
  device_ids?: number[];
  /** with set, on the last part: what no part names is gone */
  complete?: boolean;
  /** stands for the set as it is then */
  set?: string;
}

/** What has left the set. */
export interface Left {
  type: "left";
  subscription: string;
  vehicle_id?: number;
  device_id?: number;
  reason: "box" | "right" | "group" | "deleted" | "target";
  cursor: Cursor;
  /** stands for the set as it is then */
  set?: string;
}

/** A subscription that has nothing left. */
export interface Over {
  type: "over";
  subscription: string;
  error: {
    code: string;
    message: string;
    retry: boolean;
  };
}

/** How far it is complete. */
export interface Progress {
  type: "progress";
  cursor: Cursor;
  timestamp: string;
}

/** A playback has come to now, and is live. */
export interface Joined {
  type: "live";
  subscription: string;
  recovered: boolean;
  cursor: Cursor | null;
}

/** What you have missed. */
export interface Gap {
  type: "gap";
  subscription?: string;
  dropped: number;
  from?: Cursor;
  to?: Cursor;
}

/** A line of a vehicle's log. */
export interface RawLog {
  type: "raw_log";
  vehicle_id: number;
  data: string;
  timestamp: string | null;
  /** what the device said in place of a time that is believed; timestamp is then the receipt */
  device_time?: string;
  cursor: Cursor;
  /** its own place, where cursor is one before it */
  number?: Cursor;
  persisted: boolean;
  late?: boolean;
  /** of the playback */
  subscription?: string;
  /** it is for these alone: another one that it matches has had it, or gets it later */
  subscriptions?: string[];
  /** it is played */
  replay?: true;
}

/** A sensor's reading. */
export interface SensorLog {
  type: "sensor_log";
  vehicle_id: number;
  sensor_id: number;
  /** any JSON value */
  data: unknown;
  timestamp: string | null;
  /** what the device said in place of a time that is believed; timestamp is then the receipt */
  device_time?: string;
  cursor: Cursor;
  /** its own place, where cursor is one before it */
  number?: Cursor;
  persisted: boolean;
  late?: boolean;
  /** of the playback */
  subscription?: string;
  /** it is for these alone: another one that it matches has had it, or gets it later */
  subscriptions?: string[];
  /** it is played */
  replay?: true;
}

/** A vehicle's state. */
export interface VehicleLog {
  type: "vehicle_log";
  vehicle_id: number;
  data: Record<string, unknown>;
  timestamp: string | null;
  /** what the device said in place of a time that is believed; timestamp is then the receipt */
  device_time?: string;
  cursor: Cursor;
  /** its own place, where cursor is one before it */
  number?: Cursor;
  persisted: boolean;
  late?: boolean;
  /** of the playback */
  subscription?: string;
  /** it is for these alone: another one that it matches has had it, or gets it later */
  subscriptions?: string[];
  /** it is played */
  replay?: true;
}

/** Telemetry of a device. */
export interface Telemetry {
  type: "telemetry";
  device_id: number;
  /** any JSON value */
  data: unknown;
  timestamp: string | null;
  /** what the device said in place of a time that is believed; timestamp is then the receipt */
  device_time?: string;
  cursor: Cursor;
  /** its own place, where cursor is one before it */
  number?: Cursor;
  persisted: boolean;
  late?: boolean;
  /** of the playback */
  subscription?: string;
  /** it is for these alone: another one that it matches has had it, or gets it later */
  subscriptions?: string[];
  /** it is played */
  replay?: true;
}

/** A device has changed. */
export interface DeviceUpdate {
  type: "device_update";
  device_id: number;
  device: DeviceWithClock | null;
  /** what the status says beside, where it does: members that the device object has not */
  data?: Record<string, unknown>;
  timestamp?: string | null;
  /** what the device said in place of a time that is believed; timestamp is then the receipt */
  device_time?: string;
  cursor?: Cursor;
  /** its own place, where cursor is one before it */
  number?: Cursor;
  persisted?: boolean;
  late?: boolean;
  /** of the playback */
  subscription?: string;
  /** it is for these alone: another one that it matches has had it, or gets it later */
  subscriptions?: string[];
  /** it is played */
  replay?: true;
}

/** A batch of detections is stored. */
export interface DetectionEvent {
  type: "detection_event";
  device_id: number;
  device_code?: string | null;
  count: number;
  timestamp: string | null;
  cursor: Cursor;
  /** its own place, where cursor is one before it */
  number?: Cursor;
  persisted: boolean;
  late?: boolean;
  /** of the playback */
  subscription?: string;
  /** it is for these alone: another one that it matches has had it, or gets it later */
  subscriptions?: string[];
  /** it is played */
  replay?: true;
}

/** A camera has seen something. */
export interface CameraEvent {
  type: "camera_event";
  device_id?: number;
  camera_id: string | null;
  event_type: string;
  data: Record<string, unknown> | null;
  timestamp: string | null;
  /** what the device said in place of a time that is believed; timestamp is then the receipt */
  device_time?: string;
  cursor: Cursor;
  /** its own place, where cursor is one before it */
  number?: Cursor;
  persisted: boolean;
  late?: boolean;
  /** of the playback */
  subscription?: string;
  /** it is for these alone: another one that it matches has had it, or gets it later */
  subscriptions?: string[];
  /** it is played */
  replay?: true;
}

/** An alert. */
export interface Alert {
  type: "alert";
  vehicle_id?: number;
  device_id?: number;
  severity: "critical" | "warning" | "info";
  alert_type: string | null;
  message: string | null;
  data?: Record<string, unknown> | null;
  timestamp: string | null;
  /** what the device said in place of a time that is believed; timestamp is then the receipt */
  device_time?: string;
  cursor: Cursor;
  /** its own place, where cursor is one before it */
  number?: Cursor;
  persisted: boolean;
  late?: boolean;
  /** of the playback */
  subscription?: string;
  /** it is for these alone: another one that it matches has had it, or gets it later */
  subscriptions?: string[];
  /** it is played */
  replay?: true;
}

/** An alert that was acknowledged. */
export interface AlertUpdate {
  type: "alert_update";
  vehicle_id?: number;
  device_id?: number;
  /** which: its own place */
  alert: Cursor;
  acknowledged: true;
  acknowledged_at: string;
  /** the name of who did so first */
  acknowledged_by: string;
  /** as acknowledged_at */
  timestamp: string;
}

/** What became of a command. */
export interface CommandUpdate {
  type: "command_update";
  device_id?: number;
  command_id: string;
  state: "accepted" | "published" | "delivered" | "executing" | "done" | "failed" | "expired" | "cancelled";
  message?: string | null;
  timestamp?: string | null;
  /** what the device said in place of a time that is believed; timestamp is then the receipt */
  device_time?: string;
  cursor?: Cursor;
  /** its own place, where cursor is one before it */
  number?: Cursor;
  persisted?: boolean;
  late?: boolean;
  /** of the playback */
  subscription?: string;
  /** it is for these alone: another one that it matches has had it, or gets it later */
  subscriptions?: string[];
  /** it is played */
  replay?: true;
}

/** People counted now, for the target stats. */
export interface StatsUpdate {
  type: "stats_update";
  /** RFC 3339, UTC, milliseconds */
  timestamp: string;
  data: DetectionStatistics;
}

/** Cameras and faces now, for the target stats. */
export interface StatisticsUpdate {
  type: "statistics_update";
  /** RFC 3339, UTC, milliseconds */
  timestamp: string;
  data: CameraStatistics;
}

/** The stream begins: with what was missed, or not. */
export interface Subscribed {
  type: "subscribed";
  subscription: string;
  recovered: boolean;
  cursor: Cursor;
}

/** epoch:seq, a place on the gateway's number line */
export type Cursor = string;

export interface DeviceWithClock {
  id: number;
  key: string;
  device_code: string;
  product_type: string | null;
  name: string | null;
  status: "online" | "offline" | "warning" | "error";
  last_seen: string | null;
  is_active: boolean;
  device_type: string | null;
  firmware_version: string | null;
  /** where it says that it is, or somebody has put down that it is */
  location: string | null;
  temperature: number | null;
  humidity: number | null;
  latitude: number | null;
  longitude: number | null;
  groups: Group[];
  /** as it announced itself */
  manufacturer: string | null;
  /** as it announced itself */
  model: string | null;
  /** what the clock of the device is worth, by the times that it says; null: it has said none */
  clock: {
    verdict: "ok" | "ahead" | "behind" | "no_clock" | "local_time";
    /** by how much it is ahead, about; null where it has none */
    offset_ms: number | null;
  } | null;
}

export interface DetectionStatistics {
  /** RFC 3339, UTC, milliseconds */
  timestamp: string;
  time_window_minutes: number;
  by_zone: Record<string, unknown>;
  total: {
    unique_devices: number;
    total_detections: number;
    estimated_people: number;
  };
}

export interface CameraStatistics {
  total_people: number;
  recognitions_today: number;
  last_recognition: string | null;
  face_recognition: FaceStatistics;
  cameras: {
    total_cameras: number;
    active_cameras: number;
    recording_cameras: number;
  };
  /** RFC 3339, UTC, milliseconds */
  timestamp: string;
}

export interface Group {
  id: number;
  name: string;
}

export interface FaceStatistics {
  total_people: number;
  recognitions_today: number;
  last_recognition: string | null;
  unknown_faces_today: number;
}

/** What a thing has said, or what became of a command: it has a place on the number line. */
export type Event = Progress | RawLog | SensorLog | VehicleLog | Telemetry | DeviceUpdate | DetectionEvent | CameraEvent | Alert | CommandUpdate;

/** What is shown. */
export type Push = Event | AlertUpdate | StatsUpdate | StatisticsUpdate;

/** What a client asks. */
export type Request = Auth | Subscribe | Unsubscribe | Move | Pause | Seek | Live | Ping | Refresh | Command | Cancel;
