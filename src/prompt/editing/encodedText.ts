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
  return fragments.flatMap(({ kind, text, starts, weight }) =>
    kind === 'break' ? [{ text: 'BREAK', at: starts[0], weight }] : characters(text, starts, weight),
  );
}

function characters(text: string, starts: readonly number[], weight: number): WeightedMark[] {
  return text.split('').flatMap((unit, i) => (/\S/.test(unit) ? [{ text: unit, at: starts[i], weight }] : []));
}

/** The characters without their weights, with the parts and networks they are in. */
export function outline(nodes: readonly Node[]): Mark[] {
  return nodes.flatMap((node): Mark[] => {
    switch (node.type) {
      case 'text':
        return characters(node.text, node.starts, 1);
      case 'weighted':
        return outline(node.children);
      case 'composite':
        return [
          { text: node.operator, at: node.start },
          ...node.parts.flatMap(({ children, range }) => [{ text: 'part', at: range.start }, ...outline(children)]),
          { text: 'end', at: node.end - 0.5 },
        ];
      case 'network':
        return [{ text: `${node.kind} ${node.name}`, at: node.start }];
      default:
        return [{ text: node.type, at: node.start }];
    }
  });
}

export function sameMarks(a: readonly Mark[], b: readonly Mark[]): boolean {
  return a.length === b.length && a.every(({ text }, i) => text === b[i].text);
}

/**
 * Whether the changes of ComfyUI's page are the same before and after an edit, in whatever order: the comments, the choices
 * in choices, and the options that are not chosen.
 */
export function sameAside(before: ParsedPrompt, after: ParsedPrompt): boolean {
  const asideOf = ({ source, page }: ParsedPrompt) => {
    const { comments = [], choices = [] } = page ?? {};
    const typed = ({ start, end }: Range) => source.slice(start, end);
    const ends: number[] = [];
    const others = choices.map(({ start, end, options, chosen }) => {
      while (ends.length > 0 && ends[ends.length - 1] <= start) ends.pop();
      ends.push(end);
      return [ends.length, ...options.map((option, i) => (i === chosen ? '' : typed(option)))].join('|');
    });
    return [...comments.map(typed), ...others].sort().join('\n');
  };
  return asideOf(before) === asideOf(after);
}

/** Equal but for what rounding does. */
export function sameWeight(a: number, b: number): boolean {
  return Object.is(a, b) || Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a));
}
