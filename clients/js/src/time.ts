/** Times, and places on the number line. */

export type Time = Date | number | string;

export const msOf = (time: Time): number => new Date(time).getTime();

/** Of two cursors of one epoch, or of two numbers: is the one behind the other? */
export function isAfter(one: string, other: string): boolean {
  const [a, b] = [one, other].map((cursor) => cursor.split(":")[1]!);
  return (a!.length - b!.length || (a! > b! ? 1 : a! < b! ? -1 : 0)) > 0;
}

export const isSameLine = (one: string, other: string): boolean => one.split(":")[0] === other.split(":")[0];
