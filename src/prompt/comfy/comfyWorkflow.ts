import {
  ComfyGraphError,
  type ComfyNodes,
  type GraphInput,
  type GraphLink,
  type GraphNode,
  isObject,
  type JsonObject,
  mostNodes,
  objectsIn,
} from './comfyGraph.ts';

/** Modes of a node that is switched off, with what hangs on it, and of one that hands its inputs through. */
const modes = { never: 2, bypass: 4 } as const;
/** The ids by which the links of a subgraph name its own inputs and outputs. */
const boundary = { inputs: -10, outputs: -20 } as const;
/** Subgraphs inside subgraphs, and links handed through by one node after another, that are followed. */
const deepest = 50;
/** The value after a seed that says what becomes of it; no input of the node stands for it. */
const seedControl = /^(fixed|increment|decrement|randomize)$/;

/** The names of a node's widgets, in their order, where the workflow does not name them itself, as before 2025. */
const widgetNames: Readonly<Record<string, readonly string[]>> = {
  CLIPTextEncode: ['text'],
  CLIPTextEncodeSDXL: ['width', 'height', 'crop_w', 'crop_h', 'target_width', 'target_height', 'text_g', 'text_l'],
  CLIPTextEncodeFlux: ['clip_l', 't5xxl', 'guidance'],
  CLIPSetLastLayer: ['stop_at_clip_layer'],
  LoraLoader: ['lora_name', 'strength_model', 'strength_clip'],
  PrimitiveNode: ['value'],
  PrimitiveString: ['value'],
  PrimitiveStringMultiline: ['value'],
  StringConcatenate: ['string_a', 'string_b', 'delimiter'],
};

/** The links and nodes of a workflow, or of one use of a subgraph in it. */
interface Scope {
  /** Stands before the ids of its nodes: that of the node that is the subgraph, and a colon. */
  readonly prefix: string;
  readonly nodes: ReadonlyMap<string, JsonObject>;
  readonly links: ReadonlyMap<
    string,
    { readonly from: string; readonly slot: number; readonly to: string; readonly toSlot: number }
  >;
  /** The scope around it, and the node there that is this subgraph. */
  readonly outer: { readonly scope: Scope; readonly node: JsonObject } | null;
}

/**
 * Reads the workflow that ComfyUI's page saves as the graph that the page would send to its server: subgraphs are put in
 * place, links go around nodes that only pass them on (reroutes, Set and Get, those that are bypassed), and texts of
 * primitive nodes stand where they are used. Throws ComfyGraphError where it has too many nodes.
 */
export function readWorkflow(workflow: JsonObject): ComfyNodes {
  const definitions = isObject(workflow.definitions) ? objectsIn(workflow.definitions.subgraphs) : [];
  return new WorkflowReader(new Map(definitions.map((definition) => [String(definition.id), definition]))).read(
    workflow,
  );
}

class WorkflowReader {
  readonly #subgraphs: ReadonlyMap<string, JsonObject>;
  readonly #graph = new Map<string, GraphNode>();
  /** The scopes of subgraphs by the ids of the nodes that are them. */
  readonly #inner = new Map<string, Scope>();

  constructor(subgraphs: ReadonlyMap<string, JsonObject>) {
    this.#subgraphs = subgraphs;
  }

  read(workflow: JsonObject): ComfyNodes {
    const scopes = this.#scopes(scopeOf(workflow, '', null), 0);
    for (const scope of scopes) for (const [id, node] of scope.nodes) this.#add(scope, id, node);
    return this.#graph;
  }

  /** Lists a scope and those of the subgraphs in it. */
  #scopes(scope: Scope, depth: number): Scope[] {
    const scopes = [scope];
    for (const [id, node] of scope.nodes) {
      const definition = this.#subgraphs.get(String(node.type));
      if (!definition || depth >= deepest) continue;
      const inner = scopeOf(definition, `${scope.prefix}${id}:`, { scope, node });
      this.#inner.set(scope.prefix + id, inner);
      this.#count(this.#inner.size);
      scopes.push(...this.#scopes(inner, depth + 1));
    }
    return scopes;
  }

  #count(nodes: number): void {
    if (nodes > mostNodes) throw new ComfyGraphError(`holds a graph of more than ${mostNodes} nodes`);
  }

  #add(scope: Scope, id: string, node: JsonObject): void {
    if (node.mode === modes.never || node.mode === modes.bypass || this.#inner.has(scope.prefix + id)) return;
    const inputs = new Map<string, GraphInput>(widgetValues(node).map(([name, value]) => [name, { value }]));
    for (const { name, link } of objectsIn(node.inputs)) {
      const input = link == null ? null : this.#follow(scope, String(link), 0);
      if (input) inputs.set(String(name), input);
    }
    this.#graph.set(scope.prefix + id, { type: String(node.type), inputs });
    this.#count(this.#graph.size);
  }

  /** Follows a link to the node that makes what comes by it; null if nothing does. */
  #follow(scope: Scope, link: string, steps: number): GraphInput | null {
    const origin = scope.links.get(link);
    if (!origin || steps > deepest) return null;
    if (origin.from === String(boundary.inputs)) {
      if (!scope.outer) return null;
      const outer = objectsIn(scope.outer.node.inputs).at(origin.slot);
      return outer?.link == null ? null : this.#follow(scope.outer.scope, String(outer.link), steps + 1);
    }
    return this.#output(scope, { node: origin.from, slot: origin.slot }, steps);
  }

  /** Finds what makes an output of a node of this scope. */
  #output(scope: Scope, { node: id, slot }: GraphLink, steps: number): GraphInput | null {
    const node = scope.nodes.get(id);
    if (!node || node.mode === modes.never) return null;
    const through = (input: JsonObject | undefined) =>
      input?.link == null ? null : this.#follow(scope, String(input.link), steps + 1);
    const inputs = objectsIn(node.inputs);
    if (node.mode === modes.bypass) {
      const type = objectsIn(node.outputs).at(slot)?.type;
      return through(inputs.at(slot)?.type === type ? inputs.at(slot) : inputs.find((input) => input.type === type));
    }
    if (node.type === 'Reroute') return through(inputs[0]);
    if (node.type === 'GetNode') {
      const name = firstWidget(node);
      const setter = [...scope.nodes.values()].find((other) => other.type === 'SetNode' && firstWidget(other) === name);
      return through(objectsIn(setter?.inputs)[0]);
    }
    if (node.type === 'PrimitiveNode') return { value: firstWidget(node) };
    const inner = this.#inner.get(scope.prefix + id);
    if (!inner) return { link: { node: scope.prefix + id, slot } };
    for (const [link, { to, toSlot }] of inner.links)
      if (to === String(boundary.outputs) && toSlot === slot) return this.#follow(inner, link, steps + 1);
    return null;
  }
}

function scopeOf(definition: JsonObject, prefix: string, outer: Scope['outer']): Scope {
  const list = Array.isArray(definition.links) ? definition.links : [];
  const links = list.flatMap((link: unknown) => {
    // A workflow lists a link's numbers, a subgraph names them.
    const [id, from, slot, to, toSlot] = Array.isArray(link)
      ? link
      : isObject(link)
        ? [link.id, link.origin_id, link.origin_slot, link.target_id, link.target_slot]
        : [];
    return id == null
      ? []
      : [[String(id), { from: String(from), slot: Number(slot), to: String(to), toSlot: Number(toSlot) }] as const];
  });
  const nodes = objectsIn(definition.nodes).map((node) => [String(node.id), node] as const);
  return { prefix, nodes: new Map(nodes), links: new Map(links), outer };
}

function firstWidget(node: JsonObject): unknown {
  return Array.isArray(node.widgets_values) ? node.widgets_values[0] : undefined;
}

/** The values of a node's widgets by name: as the node names them, as is known of its type, or the only text as `text`. */
function widgetValues(node: JsonObject): [string, unknown][] {
  const values = node.widgets_values;
  if (isObject(values)) return Object.entries(values);
  if (!Array.isArray(values)) return [];
  const known = widgetNames[String(node.type)];
  if (known) return known.map((name, i) => [name, values[i]]);
  const own = objectsIn(node.inputs).flatMap(({ widget }) => (isObject(widget) ? [String(widget.name)] : []));
  const controlled = values.filter((value, i) => !(i > 0 && typeof value === 'string' && seedControl.test(value)));
  if (own.length > 0 && own.length === controlled.length) return own.map((name, i) => [name, controlled[i]]);
  const texts = values.filter((value) => typeof value === 'string');
  return texts.length === 1 ? [['text', texts[0]]] : [];
}
