import qrcode from "qrcode-generator";

/** Modules around it that have to be empty, says the standard. */
const QUIET = 4;

/** A text as a QR code: a path of an SVG that is so many modules wide. It is drawn here: a secret is sent to nobody for it. */
export function qrPath(text: string): { path: string; size: number } {
  const code = qrcode(0, "M");
  let path = "";

  code.addData(text, "Byte");
  code.make();
  const n = code.getModuleCount();
  for (let y = 0; y < n; y++)
    for (let x = 0; x < n; x++)
      if (code.isDark(y, x)) path += `M${x + QUIET},${y + QUIET}h1v1h-1z`;
  return { path, size: n + 2 * QUIET };
}
