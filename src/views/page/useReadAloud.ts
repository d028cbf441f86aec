import { useSyncExternalStore } from 'react';

function subscribe(listener: () => void): () => void {
  document.addEventListener('focusin', listener);
  document.addEventListener('focusout', listener);
  return () => {
    document.removeEventListener('focusin', listener);
    document.removeEventListener('focusout', listener);
  };
}

const isTyping = () => document.activeElement?.matches('textarea, [contenteditable="true"]') === true;

/**
 * The `aria-live` of a readout. It follows the caret, too, and would speak at every key: while a person types it is
 * silent.
 */
export function useReadAloud(): 'off' | 'polite' {
  return useSyncExternalStore(subscribe, isTyping) ? 'off' : 'polite';
}
