import { useEffect } from 'react';

/** Calls `show` while the component and the page are seen, and `hide` when either is not. Both have to be the same functions every time. */
export function useWhileSeen(show: () => void, hide: () => void): void {
  useEffect(() => {
    const follow = () => (document.hidden ? hide() : show());
    follow();
    document.addEventListener('visibilitychange', follow);
    return () => {
      document.removeEventListener('visibilitychange', follow);
      hide();
    };
  }, [show, hide]);
}
