/** The bytes of a text in which the gateway has escaped what people cannot read: \n, \x1b, \u202e; a backslash is doubled. */
export function unescaped(text: string): Uint8Array {
  const plain: Record<string, string> = { n: "\n", r: "\r", t: "\t", "\\": "\\" };
  const bytes: number[] = [];

  for (const [piece] of text.matchAll(/\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\[nrt\\]|[^\\]+/g)) {
    if (piece.startsWith("\\x")) bytes.push(parseInt(piece.slice(2), 16));
    else bytes.push(...new TextEncoder().encode(piece.startsWith("\\u") ? String.fromCharCode(parseInt(piece.slice(2), 16))
      : piece.startsWith("\\") ? plain[piece[1]!]! : piece));
  }
  return Uint8Array.from(bytes);
}

/** As it is where that is text that people can read; else as the gateway has it. */
export function readable(text: string): string {
  try {
    const plain = new TextDecoder("utf-8", { fatal: true }).decode(unescaped(text));
    return /[^\P{C}\n\t]/u.test(plain) ? text : plain;
  } catch {
    return text;
  }
}

export const base64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));
