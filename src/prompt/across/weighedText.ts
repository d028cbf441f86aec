import type { Fragment, Node, SourceText, WeightedNode } from '../ast.ts';
import { countBefore } from '../sourceText.ts';

/** A text as its program weighs it. */
export interface WeighedText {
  readonly text: SourceText;
  readonly nodes: readonly Node[];
  readonly fragments: readonly Fragment[];
}

/**
 * Visits each weighted node, outer ones before inner ones. `around` is the weight that its program gives to what surrounds
 * the node; `product` is that weight if all numbers are multiplied, as A1111 and Compel do.
 */
export function eachWeight(
  nodes: readonly Node[],
  visit: (node: WeightedNode, around: number, product: number) => void,
  around = 1,
  product = 1,
): void {
  for (const node of nodes) {
    if (node.type === 'composite') for (const { children } of node.parts) eachWeight(children, visit, around, product);
    if (node.type !== 'weighted') continue;
    visit(node, around, product);
    const weight = node.effect === 'replace' ? node.value : around * node.value;
    eachWeight(node.children, visit, weight, product * node.value);
  }
}

/** The weight of the fragment at a place of the prompt. */
export function weightAt(fragments: readonly Fragment[], place: number): number {
  return fragments[Math.max(0, countBefore(fragments, place + 1) - 1)]?.weight ?? 1;
}
