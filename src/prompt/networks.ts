import type { NetworkNode, Node } from './ast.ts';

/** Collects the networks among nodes and inside of them. */
export function networksOf(nodes: readonly Node[]): NetworkNode[] {
  return nodes.flatMap((node): NetworkNode[] => {
    switch (node.type) {
      case 'network':
        return [node];
      case 'weighted':
        return networksOf(node.children);
      case 'composite':
        return node.parts.flatMap(({ children }) => networksOf(children));
      default:
        return [];
    }
  });
}
