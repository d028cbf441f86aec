import { useState } from 'react';

/** While something new is encoded, the last one stays on show, dimmed. */
export function useLast<T>(now: T | undefined): T | undefined {
  const [last, setLast] = useState(now);
  if (now && now !== last) setLast(now);
  return now ?? last;
}
