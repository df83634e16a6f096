import { useMemo } from "react";
import { t } from "../i18n";
import { Copy } from "./Copy";
import { Dialog } from "./Dialog";
import dialog from "./Dialog.module.css";
import { qrPath } from "./qr";
import css from "./Secret.module.css";

export interface Shown {
  title: string;
  hint: string;
  token: string;
}

/** A token, this once: as text, and as a code for a phone or a device with a camera. */
export function Secret({ title, hint, token, close }: Shown & { close(): void }) {
  const { path, size } = useMemo(() => qrPath(token), [token]);

  return (
    <Dialog title={title} close={close} isFirm>
      <p>{hint}</p>
      <div className={css.secret}>
        <svg viewBox={`0 0 ${size} ${size}`} role="img" aria-label={t("secret.code")} shapeRendering="crispEdges">
          <rect width={size} height={size} fill="#fff" /><path d={path} fill="#000" />
        </svg>
        <Copy text={token} label={t("secret.token")} />
      </div>
      <p><strong>{t("secret.once")}</strong></p>
      <div className={dialog.answers}><button type="button" className="primary" onClick={close} data-focus>{t("secret.kept")}</button></div>
    </Dialog>
  );
}
