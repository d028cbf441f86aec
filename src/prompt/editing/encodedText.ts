/** The encoded characters of a prompt, to tell whether a changed prompt still says the same. Spaces do not count. */
import type { Fragment, Node, ParsedPrompt, Range } from '../ast.ts';

/** A character, or something that stands between characters, and where it was typed. */
export interface Mark {
  readonly text: string;
  readonly at: number;
}

export interface WeightedMark extends Mark {
  readonly weight: number;
}

export function weightedMarks(fragments: readonly Fragment[]): WeightedMark[] {
  const marks: WeightedMark[] = [];
  for (const { kind, text, starts, weight } of fragments) {
    if (kind === 'break') marks.push({ text: 'BREAK', at: starts[0], weight });
    else
      for (let i = 0; i < text.length; i++)
        if (isVisible(text[i])) marks.push({ text: text[i], at: starts[i], weight });
  }
  return marks;
}

function isVisible(unit: string): boolean {
  return /\S/.test(unit);
}

/** The characters without their weights, with the parts and networks they are in: added to `marks`, which is given back. */
export function outline(nodes: readonly Node[], marks: Mark[] = []): Mark[] {
  for (const node of nodes) {
    switch (node.type) {
      case 'text':
        for (let i = 0; i < node.text.length; i++)
          if (isVisible(node.text[i])) marks.push({ text: node.text[i], at: node.starts[i] });
        break;
      case 'weighted':
        outline(node.children, marks);
        break;
      case 'composite':
        marks.push({ text: node.operator, at: node.start });
        for (const { children, range } of node.parts) {
          marks.push({ text: 'part', at: range.start });
          outline(children, marks);
        }
        marks.push({ text: 'end', at: node.end - 0.5 });
        break;
      case 'network':
        marks.push({ text: `${node.kind} ${node.name}`, at: node.start });
        break;
      default:
        marks.push({ text: node.type, at: node.start });
    }
  }
  return marks;
}

export function sameMarks(a: readonly Mark[], b: readonly Mark[]): boolean {
  return a.length === b.length && a.every(({ text }, i) => text === b[i].text);
}

/** The changes of ComfyUI's page: the comments, the choices in choices, and the options that are not chosen. */
export function asideOf({ source, page }: ParsedPrompt): string[] {
  if (!page) return [];
  const typed = ({ start, end }: Range) => source.slice(start, end);
  const asides = page.comments.map(typed);
  const ends: number[] = [];
  for (const { start, end, options, chosen } of page.choices) {
    while (ends.length > 0 && ends[ends.length - 1] <= start) ends.pop();
    ends.push(end);
    let aside = String(ends.length);
    for (let i = 0; i < options.length; i++) aside += i === chosen ? '|' : `|${typed(options[i])}`;
    asides.push(aside);
  }
  return asides;
}

/** Whether the changes of the page are the same before and after an edit, in whatever order. */
export function sameAside(before: readonly string[], after: readonly string[]): boolean {
  if (before.length !== after.length) return false;
  const isSame = (a: readonly string[], b: readonly string[]) => a.every((text, i) => text === b[i]);
  return isSame(before, after) || isSame(before.toSorted(), after.toSorted());
}

/** Equal but for what rounding does. */
export function sameWeight(a: number, b: number): boolean {
  return Object.is(a, b) || Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a));
}
