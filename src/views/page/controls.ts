import { explanationOf } from './explanations.ts';

/** Everything on the page that a person can press, choose in or type into. */
const selector = 'button, select, input, textarea, summary, nav a, a[class*="skip"], [role="textbox"]';

export const controlsOf = (root: ParentNode): readonly HTMLElement[] => [
  ...root.querySelectorAll<HTMLElement>(selector),
];

/** The control that an element belongs to: it is in it, or in its label. */
export function controlOf(element: Element): HTMLElement | null {
  return element.closest<HTMLElement>(selector) ?? element.closest('label')?.control ?? null;
}

const tidy = (text: string) => text.replace(/\s+/g, ' ').trim();
const textOf = (ids: string) =>
  ids
    .split(' ')
    .map((id) => document.getElementById(id)?.textContent ?? '')
    .join(' ');

/** The label's text without the control's own, such as the options of a select. */
const labelText = (label: HTMLLabelElement, control: Element) =>
  [...label.childNodes].map((node) => (node.contains(control) ? '' : (node.textContent ?? ''))).join(' ');

/** A control's name, as a screen reader says it. */
export function nameOf(control: HTMLElement): string {
  const labelledBy = control.getAttribute('aria-labelledby');
  if (labelledBy) return tidy(textOf(labelledBy));
  const label = (control as HTMLInputElement).labels?.[0];
  return tidy(control.ariaLabel ?? (label ? labelText(label, control) : (control.textContent ?? '')));
}

/** Elements that gather controls under a name. */
const groups = 'fieldset, nav, [role="toolbar"], ol[aria-label], section[aria-label], details';

function groupOf(control: HTMLElement): string {
  // A summary begins the group that it names.
  const from = control.tagName === 'SUMMARY' ? control.parentElement : control;
  const group = from?.parentElement?.closest(groups);
  if (!group) return '';
  const labelledBy = group.getAttribute('aria-labelledby');
  if (labelledBy) return tidy(textOf(labelledBy));
  return tidy(group.ariaLabel ?? group.querySelector('legend, summary')?.textContent ?? '');
}

function placesOf(control: HTMLElement): readonly string[] {
  const places: string[] = [];
  for (let at: Element | null = control; at; at = at.parentElement) if (at.id) places.push(at.id);
  return places;
}

/** The sentence about a control; null where there is none. */
export function sentenceOf(control: HTMLElement): string | null {
  const choice = control instanceof HTMLSelectElement ? control.selectedOptions[0]?.text : undefined;
  return explanationOf({ places: placesOf(control), group: groupOf(control), name: nameOf(control), choice });
}
