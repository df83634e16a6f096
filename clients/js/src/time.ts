/** Times, and places on the number line. */

export type Time = Date | number | string;

export const msOf = (time: Time): number => new Date(time).getTime();

/** Of two numbers of one journal: is the one behind the other? Of a cursor that names several nobody can tell: no. */
export function isAfter(one: string, other: string): boolean {
  const [a, b] = [one, other].map((place) => place.split(":")[1]);
  if (!a || !b) return false;
  return (a.length - b.length || (a > b ? 1 : a < b ? -1 : 0)) > 0;
}

export const isSameLine = (one: string, other: string): boolean => one.split(":")[0] === other.split(":")[0];
