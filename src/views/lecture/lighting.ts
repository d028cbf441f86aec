import { type RefObject, useEffect } from 'react';

/** The names that an element, or one around it within `frame`, stands for: those of a word, or of a part of the picture. */
function namesAt(target: EventTarget | null, frame: Element): readonly string[] {
  const element = target instanceof Element ? target.closest<HTMLElement>('[data-means], [data-part]') : null;
  if (!element || !frame.contains(element)) return [];
  return (element.dataset.means ?? element.dataset.part ?? '').split(' ');
}

/** Lights up the words that mean these parts, and the parts; nothing else. */
export function light(frame: Element, names: readonly string[]): void {
  for (const element of frame.querySelectorAll<HTMLElement>('[data-means], [data-part]')) {
    const own = (element.dataset.means ?? element.dataset.part ?? '').split(' ');
    element.toggleAttribute(
      'data-lit',
      own.some((name) => names.includes(name)),
    );
  }
}

/**
 * Lights up parts of a picture while the words that mean them (`data-means`) are under the pointer or have the focus, and the
 * words while the parts (`data-part`) are. Nothing is rendered for it.
 */
export function useLighting(frame: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const follow = ({ target }: Event) => light(element, namesAt(target, element));
    const leave = () => light(element, namesAt(document.activeElement, element));
    const stop = new AbortController();
    const { signal } = stop;
    element.addEventListener('pointerover', follow, { signal });
    element.addEventListener('pointerleave', leave, { signal });
    element.addEventListener('focusin', follow, { signal });
    element.addEventListener('focusout', () => light(element, []), { signal });
    return () => stop.abort();
  }, [frame]);
}
