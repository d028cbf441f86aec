import {
  type ComfyGraph,
  ComfyGraphError,
  type ComfyNodes,
  type GraphInput,
  type GraphNode,
  isObject,
  type JsonObject,
  mostNodes,
} from './comfyGraph.ts';
import { readWorkflow } from './comfyWorkflow.ts';

/** The longest JSON of a graph, in characters: in the worst case it takes fifty times as many bytes. Large graphs have half a million. */
const longestJson = 2_000_000;
/** Strings, and the numbers that Python writes and JSON does not know. A string that is cut off reaches to the end. */
const pythonNumbers = /"(?:[^"\\]+|\\[\s\S])*(?:"|\\?$)|-?\b(?:NaN|Infinity)\b/g;
/** Names under which an object may hold a graph: those of ComfyUI's pictures, and of what its page saves. */
const graphNames = ['prompt', 'output', 'workflow'];

/**
 * Reads ComfyUI's JSON: the graph that its server is sent (`{"3": {"class_type": …}}`), the workflow of its page (`{"nodes":
 * […]}`), or an object that holds one of them as `prompt`, `output` or `workflow`. Null if it is none. Throws
 * ComfyGraphError where the graph is too large.
 */
export function readComfyJson(json: string): ComfyGraph | null {
  if (json.length > longestJson)
    throw new ComfyGraphError(`holds ${json.length} characters of JSON; a graph is read up to ${longestJson}`);
  return graphIn(parsed(json));
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    try {
      return JSON.parse(json.replace(pythonNumbers, (match) => (match.startsWith('"') ? match : 'null')));
    } catch {
      return null;
    }
  }
}

/** Finds the graph in what JSON.parse made of ComfyUI's JSON, as readComfyJson does; `depth` counts objects around it. */
function graphIn(value: unknown, depth = 0): ComfyGraph | null {
  if (typeof value === 'string' && depth > 0) return graphIn(parsed(value), depth + 1);
  if (!isObject(value) || depth > 4) return null;
  if (Array.isArray(value.nodes)) return { nodes: readWorkflow(value), fromPage: true };
  const nodes = Object.entries(value).filter((entry): entry is [string, JsonObject] => isServerNode(entry[1]));
  if (nodes.length > 0) return { nodes: serverNodes(nodes), fromPage: false };
  for (const name of graphNames) {
    const graph = graphIn(value[name], depth + 1);
    if (graph) return graph;
  }
  return null;
}

function isServerNode(value: unknown): value is JsonObject {
  return isObject(value) && typeof value.class_type === 'string';
}

function serverNodes(nodes: readonly (readonly [string, JsonObject])[]): ComfyNodes {
  if (nodes.length > mostNodes)
    throw new ComfyGraphError(`holds a graph of ${nodes.length} nodes; graphs are read up to ${mostNodes}`);
  return new Map(
    nodes.map(([id, { class_type, inputs }]): [string, GraphNode] => {
      const read = Object.entries(isObject(inputs) ? inputs : {}).map(
        ([name, input]) => [name, serverInput(input)] as const,
      );
      return [id, { type: String(class_type), inputs: new Map(read) }];
    }),
  );
}

/** An input is a link if it is a node's id and a number; ids are strings, or numbers in some programs. */
function serverInput(input: unknown): GraphInput {
  if (!Array.isArray(input) || input.length !== 2) return { value: input };
  const [node, slot]: unknown[] = input;
  const isLink = (typeof node === 'string' || typeof node === 'number') && Number.isInteger(slot);
  return isLink ? { link: { node: String(node), slot: Number(slot) } } : { value: input };
}
