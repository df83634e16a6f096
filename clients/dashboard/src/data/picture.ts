/** Of what a camera says the picture, where it names one by its address. */

const NAMES = /^(image|picture|photo|snapshot|thumbnail|thumb|frame)(_?(url|uri|link|href))?$|^(url|href)$/i;
const ENDS = /\.(jpe?g|png|webp|gif|avif)$/i;
const DEEPEST = 3;

function addressOf(value: unknown, name: string): string | undefined {
  if (typeof value !== "string" || value.length > 2000) return undefined;
  let url: URL;

  try {
    url = new URL(value);
  } catch {
    return undefined;
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") return undefined;
  return NAMES.test(name) || ENDS.test(url.pathname) ? url.href : undefined;
}

export function pictureOf(data: unknown, depth = 0): string | undefined {
  if (data === null || typeof data !== "object" || depth > DEEPEST) return undefined;
  const entries = Object.entries(data);

  for (const [name, value] of entries) {
    const found = addressOf(value, name);
    if (found) return found;
  }
  for (const [, value] of entries) {
    const found = pictureOf(value, depth + 1);
    if (found) return found;
  }
  return undefined;
}
