export interface Stretch {
  /** Sampling steps, from 1. */
  readonly first: number;
  readonly last: number;
  readonly text: string;
}

/** Joins consecutive steps that encode equal texts. */
export function stretches(
  entries: readonly { readonly endAtStep: number; readonly text: { readonly text: string } }[],
  steps: number,
): Stretch[] {
  const found: Stretch[] = [];
  for (const { endAtStep, text } of entries) {
    const before = found.at(-1);
    const last = Math.min(endAtStep + 1, steps);
    const first = before ? before.last + 1 : 1;
    if (before?.text === text.text) found[found.length - 1] = { ...before, last };
    else if (first <= last) found.push({ first, last, text: text.text });
  }
  return found;
}

/** Longest shared beginning or end of texts that is still shown. */
const shared = 24;

/** Shortens texts by the long beginnings and ends that they all share, cut between words. */
export function differences(texts: readonly string[]): string[] {
  const [first, ...others] = texts.map((text) => text.trim());
  const all = [first, ...others];
  const shortest = Math.min(...all.map(({ length }) => length));
  let start = 0;
  while (start < shortest && others.every((text) => text[start] === first[start])) start++;
  let end = 0;
  while (end < shortest - start && others.every((text) => text.at(-1 - end) === first.at(-1 - end))) end++;
  const from = start > shared ? first.lastIndexOf(' ', start - 1) + 1 : 0;
  const lastSpace = end > shared ? first.indexOf(' ', first.length - end) : -1;
  const cut = lastSpace < 0 ? 0 : first.length - lastSpace;
  return all.map((text) => `${from > 0 ? '… ' : ''}${text.slice(from, text.length - cut)}${cut > 0 ? ' …' : ''}`);
}
