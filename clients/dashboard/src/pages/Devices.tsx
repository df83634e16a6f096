import { useDevices } from "@tidegate/client/react";
import { t } from "../i18n";

export default function Devices() {
  const devices = useDevices();

  return (
    <section className="page">
      <div className="bar"><h1>{t("devices.title")}</h1></div>
      <ul className="panel">
        {[...devices.values()].map(({ id, update }) => <li key={id}>{update?.device?.name ?? update?.device?.device_code ?? id}</li>)}
      </ul>
    </section>
  );
}
