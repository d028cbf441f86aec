/** A link to an output of another node. */
export interface GraphLink {
  readonly node: string;
  readonly slot: number;
}

/** An input of a node: a link, or the value of its widget. */
export type GraphInput = { readonly link: GraphLink } | { readonly value: unknown };

/** A node of ComfyUI's graph. */
export interface GraphNode {
  readonly type: string;
  readonly inputs: ReadonlyMap<string, GraphInput>;
}

/** The nodes of a graph by their ids, in their order. */
export type ComfyNodes = ReadonlyMap<string, GraphNode>;

export interface ComfyGraph {
  readonly nodes: ComfyNodes;
  /** Whether its texts are as they were typed: the page reads them before it sends the graph to the server. */
  readonly fromPage: boolean;
}

/** A file holds ComfyUI's graph, and no prompt can be taken from it; the message completes a sentence about the file. */
export class ComfyGraphError extends Error {
  override name = 'ComfyGraphError';
}

/** Limit of nodes, those of subgraphs counted each time they are used. Large graphs have some hundreds. */
export const mostNodes = 20_000;

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The objects of a list; none if it is no list. */
export function objectsIn(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
