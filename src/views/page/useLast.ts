import { useState } from 'react';

/** Gives the last value while there is no new one: the picture stays on show, dimmed, while something is encoded. */
export function useLast<T>(now: T | undefined): T | undefined {
  const [last, setLast] = useState(now);
  if (now && now !== last) setLast(now);
  return now ?? last;
}
