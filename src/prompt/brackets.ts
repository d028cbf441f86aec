import type { Node, Range, WeightedNode } from './ast.ts';

/** `[a:b:0.5]` or `[a|b]`: A1111 schedules these, and only what is left of them reaches its attention syntax. */
export function isSchedule({ form, children }: WeightedNode): boolean {
  return form === 'square' && children.some((node) => node.type === 'text' && /[:|]/.test(node.text));
}

/** Whether there is a bracket in the range that is text, or one of a pair that is not whole. */
export function holdsLooseBracket(source: string, nodes: readonly Node[], range: Range): boolean {
  const holds = (mark: Range | null) => mark !== null && mark.start < range.end && range.start < mark.end;
  return nodes.some((node) => {
    if (node.end <= range.start || range.end <= node.start) return false;
    if (node.type === 'text')
      return node.starts.some(
        (start, i) =>
          range.start <= start &&
          node.ends[i] <= range.end &&
          node.ends[i] === start + 1 &&
          /[()[\]]/.test(source[start]),
      );
    if (node.type !== 'weighted') return false;
    const isWhole = node.open && node.close;
    return (!isWhole && (holds(node.open) || holds(node.close))) || holdsLooseBracket(source, node.children, range);
  });
}
