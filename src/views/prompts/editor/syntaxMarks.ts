import type { Node, Range, TextNode } from '../../../prompt/ast.ts';
import { firstAfter } from './tokenRanges.ts';

/** A piece of a prompt that is not plain text. */
export interface SyntaxMark extends Range {
  readonly kind: 'bracket' | 'number' | 'keyword' | 'escape' | 'network' | 'comment';
}

/** Lists the marks between two positions of a prompt. */
export function syntaxMarks(nodes: readonly Node[], from: number, to: number, marks: SyntaxMark[] = []): SyntaxMark[] {
  const add = (kind: SyntaxMark['kind'], range: Range | null) => {
    if (range && range.start < range.end) marks.push({ kind, start: range.start, end: range.end });
  };
  for (const node of nodes) {
    if (node.end <= from || to <= node.start) continue;
    switch (node.type) {
      case 'text':
        for (const range of escapes(node, from, to)) add('escape', range);
        break;
      case 'weighted':
        add('bracket', node.open);
        add('bracket', node.close);
        add('number', node.number);
        break;
      case 'break':
        add('keyword', node);
        break;
      case 'scheduled':
      case 'alternate':
        add('keyword', { start: node.start, end: node.start + 1 });
        add('keyword', { start: node.end - 1, end: node.end });
        if (node.type === 'scheduled') add('number', node.when);
        break;
      case 'composite':
        if (node.operator === 'AND')
          for (const { range } of node.parts.slice(0, -1)) add('keyword', { start: range.end, end: range.end + 3 });
        break;
      case 'choice':
        for (const range of node.marks) add('keyword', range);
        break;
      case 'network':
      case 'comment':
        add(node.type, node);
        break;
      default:
        node satisfies never;
    }
    for (const children of childrenOf(node)) syntaxMarks(children, from, to, marks);
  }
  return marks;
}

function childrenOf(node: Node): readonly (readonly Node[])[] {
  switch (node.type) {
    case 'weighted':
      return [node.children];
    case 'scheduled':
      return [node.before, node.after];
    case 'alternate':
      return node.options;
    case 'composite':
      return node.parts.map(({ children }) => children);
    default:
      return [];
  }
}

/** Returns the characters that were typed with an escape before them. */
function escapes({ starts, ends }: TextNode, from: number, to: number): Range[] {
  const found: Range[] = [];
  for (let i = firstAfter(ends, from); i < starts.length && starts[i] < to; i++)
    if (ends[i] - starts[i] > 1 && found.at(-1)?.start !== starts[i]) found.push({ start: starts[i], end: ends[i] });
  return found;
}

/** Returns the opening and closing mark of the innermost brackets of which one is beside the caret. */
export function bracketsBeside(nodes: readonly Node[], caret: number): readonly [Range, Range] | null {
  for (const node of nodes) {
    if (node.end < caret || caret < node.start) continue;
    for (const children of childrenOf(node)) {
      const inner = bracketsBeside(children, caret);
      if (inner) return inner;
    }
    if (node.type !== 'weighted' || !node.open || !node.close) continue;
    const { open, close } = node;
    const closing = { start: close.end - 1, end: close.end };
    if ([open, closing].some(({ start, end }) => start <= caret && caret <= end)) return [open, closing];
  }
  return null;
}
