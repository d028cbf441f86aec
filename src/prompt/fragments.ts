import type { Fragment, Node } from './ast.ts';
import { noText } from './sourceText.ts';

/** Nodes nest no deeper than this, so that whoever walks them may recurse. */
export const deepest = 100;

/** The fragment of an empty prompt: a text of no characters, at one place of what was typed. */
export function emptyFragment(at: number): Fragment {
  return { kind: 'text', weight: 1, ...noText, start: at, end: at };
}

/** One node for each fragment, without any nesting: for prompts nested deeper than `deepest`. */
export function fragmentNodes(fragments: readonly Fragment[]): Node[] {
  return fragments.flatMap(({ kind, weight, text, starts, ends, start, end }): Node[] => {
    if (kind === 'break') return [{ type: 'break', start, end }];
    if (text === '') return [];
    const node: Node = { type: 'text', text, starts, ends, start, end };
    if (weight === 1) return [node];
    return [
      {
        type: 'weighted',
        start,
        end,
        children: [node],
        value: weight,
        effect: 'multiply',
        form: 'round-number',
        open: null,
        close: null,
        number: null,
      },
    ];
  });
}
