/** Scrolls the page up until `element` begins below what sticks to the top; the page stays where it does already. */
export function showBelowTop(element: Element): void {
  const top = document.getElementById('strip')?.getBoundingClientRect().bottom ?? 0;
  const from = element.getBoundingClientRect().top;
  if (from < top) scrollBy({ top: from - top, behavior: 'instant' });
}
