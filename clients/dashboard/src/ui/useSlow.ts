import { useEffect, useRef, useState } from "react";

/** A value that changes with each frame, not more often than so: what is sorted of it is sorted so often. */
export function useSlow<T>(value: T, ms: number): T {
  const [shown, setShown] = useState(value);
  const last = useRef(value);
  const timer = useRef<ReturnType<typeof setTimeout>>();
  const isFirst = useRef(true);

  last.current = value;
  useEffect(() => {
    if (timer.current) return;
    timer.current = setTimeout(() => {
      timer.current = undefined;
      setShown(() => last.current);
    }, isFirst.current ? 0 : ms);
    isFirst.current = false;
  }, [value, ms]);
  useEffect(() => () => {
    clearTimeout(timer.current);
    timer.current = undefined;
  }, []);
  return shown;
}

/** Now and then, so that what was "now" becomes "a minute ago". */
export function useTick(ms: number): number {
  const [n, setN] = useState(0);

  useEffect(() => {
    const timer = setInterval(() => setN((before) => before + 1), ms);
    return () => clearInterval(timer);
  }, [ms]);
  return n;
}
