import { DeviceList } from "../devices/DeviceList";
import { DevicePage } from "../devices/DevicePage";
import { usePlace } from "../router";

/** `#/devices`: all of them; `#/devices/3`: one. */
export default function Devices() {
  const id = Number(usePlace().rest[0]);

  return id ? <DevicePage key={id} id={id} /> : <DeviceList />;
}
