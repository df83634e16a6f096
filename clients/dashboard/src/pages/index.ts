import type { ComponentType } from "react";
import type { Plain } from "../i18n";
import type { IconName } from "../ui/Icon";

export interface Page {
  /** The first part of its address: `#/devices`. */
  path: string;
  title: Plain;
  icon: IconName;
  /** Its file, loaded when somebody goes there. */
  load(): Promise<{ default: ComponentType }>;
  /** For admins alone. The gateway sees to that; here it is not offered to others. */
  isForAdmins?: true;
}

/** In the order of the navigation; a phone has the first four at hand. */
export const pages: readonly Page[] = [
  { path: "map", title: "map.title", icon: "map", load: () => import("./Map") },
  { path: "devices", title: "devices.title", icon: "devices", load: () => import("./Devices") },
  { path: "alerts", title: "alerts.title", icon: "alert", load: () => import("./Alerts") },
  { path: "people", title: "people.title", icon: "people", load: () => import("./People") },
  { path: "cameras", title: "cameras.title", icon: "camera", load: () => import("./Cameras") },
  { path: "commands", title: "commands.title", icon: "command", load: () => import("./Commands") },
  { path: "playback", title: "playback.title", icon: "play", load: () => import("./Playback") },
  { path: "operation", title: "operation.title", icon: "gauge", isForAdmins: true, load: () => import("./Operation") },
  { path: "settings", title: "settings.title", icon: "settings", load: () => import("./Settings") },
];
