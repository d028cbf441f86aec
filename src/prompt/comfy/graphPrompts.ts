import type { Side } from '../side.ts';
import {
  type ComfyGraph,
  ComfyGraphError,
  type ComfyNodes,
  type GraphInput,
  type GraphLink,
  type GraphNode,
} from './comfyGraph.ts';

/** The prompts of ComfyUI's graph, and the rest of it that changes their encoding. */
export interface GraphPrompts {
  readonly prompts: Readonly<Record<Side, string>>;
  /** Counts as A1111 does, from 1, which is none. */
  readonly clipSkip: number;
  /** Whether ComfyUI's page is yet to read the texts, as it does before it sends them to the server. */
  readonly fromPage: boolean;
  /** The sampler whose prompts they are; null if there is none. */
  readonly sampler: { readonly id: string; readonly type: string; readonly among: number } | null;
  /** How ADV_CLIP_emb's node weighs the text, by its own names; null where ComfyUI's own node encodes it. */
  readonly advanced: { readonly interpretation: string; readonly normalisation: string } | null;
  /** The LoRAs that change the text encoder, in their order. */
  readonly loras: readonly { readonly name: string; readonly strength: number }[];
  /** Sentences about what could not be taken as it is. */
  readonly remarks: readonly string[];
}

/** Nodes that are looked at on the way from a sampler to its texts, and the longest way. */
const mostSteps = 10_000;
const longestWay = 500;
/** The most samplers among which the first is looked for. */
const mostSamplers = 50;
/** Inputs by which a node takes conditionings, one or more. */
const conditioningInput = /^(positive|negative|conditioning.*|cond\d*|guider|.*pipe)$/i;
/** Inputs that never lead to a prompt. */
const otherInput = /^(model|clip|vae|latent.*|samples|image.*|pixels|mask.*|control_net|noise|sampler|sigmas)$/i;
/** Inputs that hold a text, by rank: of two texts of SDXL's encoders the first encoder's counts. */
const textNames = [
  'text',
  'text_l',
  'clip_l',
  'prompt',
  'populated_text',
  'value',
  'string',
  'wildcard_text',
  'text_0',
  'text_g',
];
/** Types that take a positive and a negative conditioning and give both, in this order. */
const givesBoth = /^ControlNetApply|Conditioning$/;
const joinedName = /^(?:text|string|str|prompt)_?(?:[a-z]|\d+)$/i;

/**
 * Finds the prompts of a graph: the texts behind the positive and negative inputs of its sampler, or of the first if one
 * sampler goes on with another's picture. Throws ComfyGraphError if there are none.
 */
export function graphPrompts({ nodes: graph, fromPage }: ComfyGraph): GraphPrompts {
  const samplers = samplersOf(graph);
  const sampler = firstOf(graph, samplers);
  if (sampler) {
    const found = new TextFinder(graph);
    const prompts = { positive: found.behind(sampler, 'positive'), negative: found.behind(sampler, 'negative') };
    const { type } = graph.get(sampler)!;
    if (found.encoders.length === 0)
      throw new ComfyGraphError(
        `holds ComfyUI's graph, and no text stands behind node ${sampler} (${type}), its sampler${found.remarks.map((remark) => `: ${remark}`).join('')}`,
      );
    return {
      prompts,
      ...found.encoding(),
      fromPage,
      sampler: { id: sampler, type, among: samplers.length },
      remarks: found.remarks,
    };
  }
  const encoders = [...graph].filter(([, { type }]) => /TextEncode/i.test(type));
  if (encoders.length !== 1)
    throw new ComfyGraphError(
      encoders.length === 0
        ? "holds ComfyUI's graph, in which no sampler and no text to encode is found"
        : `holds ComfyUI's graph without a sampler, so nothing tells which of its ${encoders.length} texts is the positive prompt`,
    );
  const found = new TextFinder(graph);
  const positive = found.at({ node: encoders[0][0], slot: 0 }, 'positive');
  return { prompts: { positive, negative: '' }, ...found.encoding(), fromPage, sampler: null, remarks: found.remarks };
}

function linkOf(input: GraphInput | undefined): GraphLink | null {
  return input && 'link' in input ? input.link : null;
}

/** Lists the ids of samplers: by their type, else the nodes with a positive input that no other such node takes. */
function samplersOf(graph: ComfyNodes): string[] {
  const takesPrompts = [...graph].filter(
    ([, { inputs }]) =>
      ['positive', 'negative', 'guider', 'conditioning'].some((name) => linkOf(inputs.get(name)) !== null) ||
      holdsBothTexts(inputs),
  );
  const byType = takesPrompts.filter(([, { type }]) => /sampl/i.test(type));
  const positive = takesPrompts.filter(([, { inputs }]) => inputs.has('positive') && inputs.has('negative'));
  const taken = new Set(positive.flatMap(([, { inputs }]) => [...inputs.values()].map((input) => linkOf(input)?.node)));
  const last = positive.filter(([id]) => !taken.has(id));
  const ids = (nodes: typeof takesPrompts) => nodes.map(([id]) => id);
  return ids(byType.length > 0 ? byType : last.length > 0 ? last : positive);
}

/** Whether a node holds both prompts itself, as loaders of some extensions do. */
function holdsBothTexts(inputs: GraphNode['inputs']): boolean {
  return ['positive', 'negative'].every((name) => {
    const input = inputs.get(name);
    return input !== undefined && 'value' in input && typeof input.value === 'string';
  });
}

/** The first sampler into which no other's result leads. */
function firstOf(graph: ComfyNodes, samplers: readonly string[]): string | undefined {
  const all = new Set(samplers);
  return samplers.slice(0, mostSamplers).find((sampler) => !continues(graph, sampler, all)) ?? samplers[0];
}

/** Whether something that another sampler makes goes into this one, through any other nodes. */
function continues(graph: ComfyNodes, sampler: string, samplers: ReadonlySet<string>): boolean {
  const seen = new Set([sampler]);
  for (const id of seen) {
    if (id !== sampler && samplers.has(id)) return true;
    for (const input of graph.get(id)?.inputs.values() ?? []) {
      const link = linkOf(input);
      if (link && seen.size < mostSteps) seen.add(link.node);
    }
  }
  return false;
}

/** Follows links from a sampler to texts. */
class TextFinder {
  /** The nodes whose texts were taken. */
  readonly encoders: string[] = [];
  readonly remarks: string[] = [];
  readonly #graph: ComfyNodes;
  #steps = 0;

  constructor(graph: ComfyNodes) {
    this.#graph = graph;
  }

  /** The texts behind the input of a sampler, one below the other. */
  behind(sampler: string, side: Side): string {
    const inputs = this.#graph.get(sampler)!.inputs;
    const own = inputs.get(side);
    if (own && 'value' in own && typeof own.value === 'string') {
      this.encoders.push(sampler);
      return own.value;
    }
    const guider = linkOf(inputs.get('guider'));
    // A guider of one conditioning has no negative one.
    const guides = this.#graph.get(guider?.node ?? '')?.inputs.has('negative') || side === 'positive';
    const link = linkOf(own) ?? (guides ? guider : null);
    return link ? this.at(link, side) : '';
  }

  /** The texts behind an output, one below the other. */
  at(link: GraphLink, side: Side): string {
    const texts = this.#conditioning(link, side, new Set());
    if (texts.length > 1)
      this.#remark(`The ${side} prompt joins ${texts.length} texts, which ComfyUI encodes one by one`);
    return texts.join('\n');
  }

  /** Reads how the first text that was taken is weighed, and clip skip and LoRAs on the way of the CLIP model to it. */
  encoding(): Pick<GraphPrompts, 'clipSkip' | 'loras' | 'advanced'> {
    const loras: { name: string; strength: number }[] = [];
    let clipSkip: number | null = null;
    let node = this.#graph.get(this.encoders[0] ?? '');
    const interpretation = textIn(node, 'weight_interpretation');
    const normalisation = textIn(node, 'token_normalization') ?? 'none';
    for (const seen = new Set<GraphNode>(); node && !seen.has(node); ) {
      seen.add(node);
      const last = numberOf(node.inputs.get('stop_at_clip_layer')) ?? numberOf(node.inputs.get('clip_skip'));
      if (last !== null && last < 0 && Number.isInteger(last)) clipSkip ??= -last;
      const lora = textIn(node, 'lora_name');
      const strength = numberOf(node.inputs.get('strength_clip')) ?? 0;
      if (lora !== null && strength !== 0) loras.unshift({ name: lora, strength });
      node = this.#graph.get(linkOf(node.inputs.get('clip'))?.node ?? '');
    }
    const advanced = interpretation === null ? null : { interpretation, normalisation };
    return { clipSkip: clipSkip ?? 1, loras, advanced };
  }

  #remark(sentence: string): void {
    if (!this.remarks.includes(sentence)) this.remarks.push(sentence);
  }

  /** Lists the texts that make a conditioning; `path` holds the nodes that led here. */
  #conditioning({ node: id, slot }: GraphLink, side: Side, path: ReadonlySet<string>): string[] {
    const node = this.#graph.get(id);
    if (!node) return this.#lost(`node ${id} is not in the graph`);
    if (path.has(id)) return this.#lost(`node ${id} (${node.type}) leads back to itself`);
    if (++this.#steps > mostSteps || path.size > longestWay)
      return this.#lost('too many nodes lie on the way to the texts');
    const within = new Set([...path, id]);
    if (node.type === 'ConditioningZeroOut') {
      this.encoders.push(id);
      this.#remark(`The ${side} conditioning is zeroed out (node ${id}), which no prompt gives; it is left empty`);
      return [''];
    }
    const links = [...node.inputs].flatMap(([name, input]) => {
      const link = linkOf(input);
      return link ? [{ name, link }] : [];
    });
    const conditionings = this.#ofSide(
      node.type,
      links.filter(({ name }) => conditioningInput.test(name)),
      slot,
      side,
    );
    const text = conditionings.length > 0 ? null : this.#textOfNode(id, node, side);
    if (text !== null) {
      this.encoders.push(id);
      const parser = textIn(node, 'parser');
      if (parser !== null && parser !== 'comfy')
        this.#remark(`Node ${id} (${node.type}) reads its text as “${parser}” does, not as ComfyUI`);
      return [text];
    }
    const onward = conditionings.length > 0 ? conditionings : links.filter(({ name }) => !otherInput.test(name));
    if (onward.length === 0) return this.#lost(`the text of node ${id} (${node.type}) is not in the graph`);
    return onward.flatMap(({ link }) => this.#conditioning(link, side, within));
  }

  #lost(why: string): string[] {
    this.#remark(`A text is missing: ${why}`);
    return [];
  }

  /** Chooses the conditioning that is asked for, of a node that takes both: by its output, where it gives both. */
  #ofSide<T extends { readonly name: string }>(
    type: string,
    links: readonly T[],
    slot: number,
    side: Side,
  ): readonly T[] {
    const named = (name: Side) => links.filter((link) => link.name === name);
    if (named('positive').length + named('negative').length === 0) return links;
    const asked = givesBoth.test(type) && slot <= 1 ? (['positive', 'negative'] as const)[slot] : side;
    return asked === 'negative' || named('positive').length > 0
      ? named(asked)
      : links.filter(({ name }) => name !== 'negative');
  }

  /** The text that a node encodes; null if it encodes none itself. */
  #textOfNode(id: string, { type, inputs }: GraphNode, side: Side): string | null {
    for (const name of [side, `${side}_prompt`, `text_${side}`, `prompt_${side}`, ...textNames]) {
      const input = inputs.get(name);
      if (!input) continue;
      const text = 'value' in input ? input.value : this.#string(input.link, side, new Set([id]));
      if (typeof text === 'string') {
        const other = inputs.get('text_g');
        if (name === 'text_l' && other && 'value' in other && other.value !== text)
          this.#remark(`Node ${id} (${type}) has another text for SDXL's second encoder, which is left out`);
        return text;
      }
    }
    return null;
  }

  /** The text that a node makes; null if it is known only while ComfyUI runs. */
  #string({ node: id }: GraphLink, side: Side, path: ReadonlySet<string>): string | null {
    const node = this.#graph.get(id);
    if (!node || path.has(id) || path.size > longestWay || ++this.#steps > mostSteps) return null;
    const within = new Set([...path, id]);
    const textOf = (input: GraphInput) => {
      const value = 'value' in input ? input.value : this.#string(input.link, side, within);
      return typeof value === 'string' ? value : null;
    };
    const joined = [...node.inputs].filter(([name]) => joinedName.test(name) && !textNames.includes(name));
    if (joined.length > 1) {
      const delimiter = node.inputs.get('delimiter') ?? node.inputs.get('separator');
      const texts = joined.map(([, input]) => textOf(input)).filter((text) => text !== null);
      return texts.length > 0 ? texts.join((delimiter && textOf(delimiter)) ?? '') : null;
    }
    for (const name of [...textNames, side]) {
      const input = node.inputs.get(name);
      const text = input ? textOf(input) : null;
      if (text !== null) return text;
    }
    const links = [...node.inputs.values()].filter((input) => linkOf(input) !== null);
    return links.length === 1 ? textOf(links[0]) : null;
  }
}

function textIn(node: GraphNode | undefined, name: string): string | null {
  const input = node?.inputs.get(name);
  return input && 'value' in input && typeof input.value === 'string' ? input.value : null;
}

function numberOf(input: GraphInput | undefined): number | null {
  return input && 'value' in input && typeof input.value === 'number' ? input.value : null;
}
