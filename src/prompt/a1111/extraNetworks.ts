import type { Diagnostic, NetworkNode, Range, SourceText } from '../ast.ts';
import { pythonFloat } from '../pythonText.ts';
import { joinSources, sliceSource, typedRange } from '../sourceText.ts';

export interface Network extends NetworkNode {
  /** Arguments without a name; the first is the network's. */
  readonly positional: readonly string[];
  /** `te=0.5`: arguments with exactly one equals sign. */
  readonly named: ReadonlyMap<string, string>;
  /** Multipliers of a LoRA; null for other kinds, and if the original cannot read a number. */
  readonly multipliers: LoraMultipliers | null;
}

export interface LoraMultipliers {
  /** Factor of what is added to the text encoder's weights. */
  readonly te: number;
  /** Factor of what is added to the U-Net's weights. */
  readonly unet: number;
  /** The rank it is cut to; null for all of it. */
  readonly dyn: number | null;
}

/** Kinds that AUTOMATIC1111 knows by itself; the first two are the same. */
const loraKinds = ['lora', 'lyco'];
const kinds = [...loraKinds, 'hypernet'];

/** A LoRA by its file's name, and the factor of what is added to the text encoder's weights. */
export interface MergedLora {
  readonly name: string;
  readonly multiplier: number;
}

/** A LoRA as a prompt names it, by its file's name or its alias. */
export interface PromptLora extends MergedLora {
  /** Factor of what is added to the U-Net's weights: only A1111's prompts can tell it from the other. */
  readonly unet: number;
}

/**
 * Lists by how much a prompt wants each LoRA's update of the text encoder added, in order. A1111 loads none where it cannot
 * read the numbers of one. It has one network for a name: a name that stands twice is added twice, both times by the last
 * multiplier. Compel hands its LoRAs on to the program around it.
 */
export function promptLoras(networks: readonly NetworkNode[]): PromptLora[] {
  const read = networks
    .filter(({ kind }) => loraKinds.includes(kind))
    .map((node: NetworkNode | Network) => {
      if ('multipliers' in node) {
        const { te, unet } = node.multipliers ?? { te: Number.NaN, unet: Number.NaN };
        return { name: node.name, multiplier: te, unet };
      }
      const multiplier = node.args.length > 0 ? (pythonFloat(node.args[0]) ?? Number.NaN) : 1;
      return { name: node.name, multiplier, unet: multiplier };
    });
  if (!read.every(({ multiplier }) => Number.isFinite(multiplier))) return [];
  if (!networks.some((node) => 'multipliers' in node)) return read;
  const last = new Map(read.map((lora) => [lora.name, lora]));
  return read.map(({ name }) => last.get(name)!);
}

const opening = /<([\p{L}\p{N}_]+):/uy;
/** Matches the arguments likely meant to be in a tag that is not closed. */
const likelyArguments = /[^\s,<()[\]|]*/y;

/**
 * Takes out `<kind:arguments>`, of any kind, and lists what was asked for: as `extra_networks.py` and the Lora extension of
 * stable-diffusion-webui 1.10 do. Spaces around a tag stay.
 */
export function removeNetworks(source: SourceText): {
  readonly text: SourceText;
  readonly networks: readonly Network[];
  readonly diagnostics: readonly Diagnostic[];
} {
  const { text } = source;
  const networks: Network[] = [];
  const diagnostics: Diagnostic[] = [];
  const parts: SourceText[] = [];
  const lastClose = text.lastIndexOf('>');
  let from = 0;
  for (let open = text.indexOf('<'); open >= 0; open = text.indexOf('<', Math.max(open + 1, from))) {
    opening.lastIndex = open;
    const kind = opening.exec(text)?.[1];
    if (!kind) continue;
    const start = opening.lastIndex;
    if (start > lastClose) {
      if (kinds.includes(kind)) diagnostics.push(unclosed(source, open, start));
      continue;
    }
    const close = text.indexOf('>', start);
    if (close === start) continue;
    const network = readNetwork(kind, text.slice(start, close), typedRange(source, open, close + 1)!);
    networks.push(network);
    diagnostics.push(...networkDiagnostics(network));
    parts.push(sliceSource(source, from, open));
    from = close + 1;
  }
  return { text: from === 0 ? source : joinSources([...parts, sliceSource(source, from)]), networks, diagnostics };
}

/**
 * Leaves the tags of a negative prompt in it, where they are text: `processing.py` of stable-diffusion-webui 1.10 parses those of the positive
 * one alone.
 */
export function keepNetworks(source: SourceText): ReturnType<typeof removeNetworks> {
  const named = removeNetworks(source).networks.filter(({ kind }) => kinds.includes(kind));
  const diagnostics = named.map(
    ({ start, end }): Diagnostic => ({
      code: 'network-in-negative',
      severity: 'warning',
      ...{ start, end },
      message: 'A1111 takes networks from the positive prompt alone: here this is encoded as text, so take it out.',
      fix: { label: 'Take it out', edits: [{ start, end, insert: '' }] },
    }),
  );
  return { text: source, networks: [], diagnostics };
}

function readNetwork(kind: string, typed: string, range: Range): Network {
  const args = typed.split(':');
  const isNamed = (arg: string) => arg.split('=').length === 2;
  const positional = args.filter((arg) => !isNamed(arg));
  const named = new Map(args.filter(isNamed).map((arg) => arg.split('=') as [string, string]));
  const multipliers = loraKinds.includes(kind) && positional.length > 0 ? readMultipliers(positional, named) : null;
  return { type: 'network', ...range, kind, name: positional[0] ?? '', args, positional, named, multipliers };
}

/** Positional numbers are read even where named ones replace them. */
function readMultipliers(positional: readonly string[], named: Network['named']): LoraMultipliers | null {
  const texts = [
    [positional[1], named.get('te')],
    [positional[2], named.get('unet')],
  ];
  const [te, unet] = texts.map((pair) => pair.map((text) => (text === undefined ? undefined : pythonFloat(text))));
  const dyn = [positional[3], named.get('dyn')].map((text) => (text === undefined ? undefined : integer(text)));
  if ([...te, ...unet, ...dyn].includes(null)) return null;
  const textEncoder = te[1] ?? te[0] ?? 1;
  return { te: textEncoder, unet: unet[1] ?? unet[0] ?? textEncoder, dyn: dyn[1] ?? dyn[0] ?? null };
}

/** Python's `int()`; null where it raises. */
function integer(text: string): number | null {
  return /[.a-z]/i.test(text) ? null : pythonFloat(text);
}

function networkDiagnostics({ kind, name, positional, multipliers, start, end }: Network): Diagnostic[] {
  const about = { start, end };
  if (!kinds.includes(kind)) {
    return [
      {
        code: 'unknown-network',
        severity: 'warning',
        ...about,
        message: `A1111 takes this for a network of a kind “${kind}”, which it does not have, and removes it: put a space after “<” to keep the text.`,
        fix: { label: 'Put a space after “<”', edits: [{ start: start + 1, end: start + 1, insert: ' ' }] },
      },
    ];
  }
  if (!loraKinds.includes(kind) || multipliers) return [];
  const message =
    positional.length === 0
      ? 'This LoRA has no name, and A1111 then loads none of this prompt: write <lora:name:0.8>.'
      : `A number of the LoRA “${name}” cannot be read, and A1111 then loads none of this prompt: write <lora:${name}:0.8>.`;
  return [{ code: 'unreadable-network', severity: 'error', ...about, message }];
}

function unclosed(source: SourceText, open: number, start: number): Diagnostic {
  likelyArguments.lastIndex = start;
  likelyArguments.test(source.text);
  const { lastIndex: likelyEnd } = likelyArguments;
  const { end } = typedRange(source, open, likelyEnd)!;
  const diagnostic: Diagnostic = {
    code: 'unclosed-network',
    severity: 'warning',
    ...typedRange(source, open, start)!,
    message: 'This tag is never closed and is encoded as text: add a “>”.',
  };
  if (likelyEnd === start) return diagnostic;
  return { ...diagnostic, fix: { label: 'Close it', edits: [{ start: end, end, insert: '>' }] } };
}
