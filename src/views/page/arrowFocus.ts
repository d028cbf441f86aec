import type { KeyboardEvent } from 'react';

/** Up and down move the focus among the elements inside that `selector` finds, of which one is reached by Tab. */
export function arrowFocus(event: KeyboardEvent<HTMLElement>, selector: string): void {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  const all = [...event.currentTarget.querySelectorAll<HTMLElement>(selector)];
  const at = all.indexOf(event.target as HTMLElement);
  if (!step || at < 0) return;
  event.preventDefault();
  all[at + step]?.focus();
}
