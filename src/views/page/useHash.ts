import { useSyncExternalStore } from 'react';

function subscribe(onChange: () => void) {
  addEventListener('hashchange', onChange);
  return () => removeEventListener('hashchange', onChange);
}

/** The part of the page's address from `#` on. */
export const useHash = (): string => useSyncExternalStore(subscribe, () => location.hash);
