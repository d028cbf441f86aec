import type { Diagnostic, Fragment, Node, ParsedPrompt, Range, SourceText } from '../ast.ts';
import { deepest, emptyFragment, fragmentNodes } from '../fragments.ts';
import { pythonFloat } from '../pythonText.ts';
import { joinSources, joinSpaced, noText, placesOf, replacement, sliceSource, typedRange } from '../sourceText.ts';
import {
  compelDiagnostics,
  controlCharacter,
  emptyBlendPart,
  emptyWeighted,
  nestedSwap,
  notANumber,
  notFinitePart,
  notFiniteWeight,
  nothingToEncode,
  swapInBlend,
  textAfterAnd,
  textAfterBlend,
  weightCount,
  zeroSum,
} from './compelDiagnostics.ts';
import {
  type CompelTree,
  type Composite,
  deepestOf,
  type Item,
  isBlank,
  isNothing,
  type Lora,
  type Option,
  readCompel,
  type Swap,
  spaceAfterCommas,
} from './compelGrammar.ts';

/** `original.swap(edited, …)`. */
export interface CompelSwap extends Range {
  readonly kind: 'swap';
  readonly original: readonly CompelItem[];
  readonly edited: readonly CompelItem[];
  /** s_start, s_end, t_start, t_end, and whatever else was typed. */
  readonly options: Readonly<Record<string, number | string>>;
}

export type CompelItem = Fragment | CompelSwap;

/** A text that is encoded at once. */
export interface CompelPrompt extends Range {
  readonly kind: 'prompt';
  readonly items: readonly CompelItem[];
  /** The items, each swap as what it swaps away. */
  readonly fragments: readonly Fragment[];
}

/** The weighted mean of several prompts' conditionings; their weighted sum if `normalise` is false. */
export interface CompelBlend extends Range {
  readonly kind: 'blend';
  readonly prompts: readonly CompelPrompt[];
  readonly weights: readonly number[];
  readonly normalise: boolean;
}

export interface CompelLora extends Range {
  readonly name: string;
  readonly weight: number;
}

export interface ParsedCompel extends ParsedPrompt {
  /** Parts that `.and()` joins along the tokens; one part without `.and()`, never none. */
  readonly parts: readonly { readonly content: CompelPrompt | CompelBlend; readonly weight: number }[];
  /** Collected, never applied by Compel itself. */
  readonly loras: readonly CompelLora[];
  /** The grammar's tree, with `.and()` and `.blend()` even where they stop Compel with an error. */
  readonly tree: CompelTree;
}

/**
 * Compel's syntax as `PromptParser` of Compel 2.4 reads it (pyparsing 3.0 to 3.3): `x++`, `(x)1.2`, `"x".attend(0.5)`,
 * `("a", "b").and(1, 0.5)`, `.blend()`, `x.swap(y)`, `withLora(name, 0.5)`. What fits nothing is text, with its brackets
 * and signs.
 *
 * Where the original raises while it parses, the whole is one prompt, `.and()` and `.blend()` text; where it raises later,
 * nested swaps and empty fragments are what they look like. `fragments` has those of all parts in a row. In prompts nested
 * more than 100 deep each fragment is a node of its own.
 */
export function parseCompel(source: string): ParsedCompel {
  let diagnostics: Diagnostic[] = [];
  let text = spaceAfterCommas(placesOf(source));
  let reading = readCompel(text);
  if (reading.end < text.text.length && isPrompt(reading.content)) {
    diagnostics = Array.from(source.matchAll(/[\v\f]/g), ({ index }) => controlCharacter(source, index));
    text = { ...text, text: text.text.replace(/[\v\f]/g, ' ') };
    reading = readCompel(text);
  }
  let conjunction = flatten(reading, source);
  const tree = reading;
  const error = compositeError(reading, conjunction, text);
  if (error) {
    diagnostics.push(error);
    reading = readCompel({ ...text, text: text.text.replace(/[\v\f]/g, ' ') }, true);
    conjunction = flatten(reading, source);
  } else {
    const rest = typedRange(text, reading.end, text.text.length);
    if (rest && !isBlank(text.text.slice(reading.end))) diagnostics.push(textAfterAnd(rest));
    const sections = isPrompt(reading.content) ? [reading.content] : reading.content.parts.map((part) => part.items);
    diagnostics = [
      ...diagnostics,
      ...compelDiagnostics([reading.loras, ...sections], source),
      ...weightErrors(reading.content),
    ];
  }
  const parts = partsOf(reading, conjunction);
  if (conjunction.prompts.every((prompt) => prompt.items.length === 0))
    diagnostics.push(nothingToEncode({ start: 0, end: source.length }));
  const prompts = parts.flatMap(({ content }) => (content.kind === 'prompt' ? [content] : content.prompts));
  diagnostics = [...diagnostics, ...encodingErrors(prompts, source.length)];
  const fragments = prompts.flatMap((prompt) => prompt.fragments);
  return {
    source,
    nodes: nodesOf(reading, fragments, source),
    fragments,
    diagnostics: diagnostics.sort((a, b) => a.start - b.start),
    parts,
    loras: conjunction.loras.map(({ name, weight, start, end }) => ({ name, weight, start, end })),
    tree,
  };
}

function isPrompt(content: CompelTree['content']): content is readonly Item[] {
  return Array.isArray(content);
}

/** A text as it was read, and where. */
type Phrase = Range & { readonly text: SourceText };

/** Neighbours of exactly the same weight, or a swap. */
type Piece =
  | { readonly type: 'text'; readonly phrases: Phrase[]; readonly weight: number }
  | (Range & {
      readonly type: 'swap';
      readonly original: readonly Piece[];
      readonly edited: readonly Piece[];
      readonly swap: Swap;
    });

interface Conjunction {
  /** One for each part that was typed, even if there is nothing in it. */
  readonly prompts: readonly CompelPrompt[];
  readonly loras: readonly Lora[];
}

function flatten({ content, loras }: CompelTree, source: string): Conjunction {
  const found = [...loras];
  const parts = isPrompt(content) ? [{ items: content, start: 0, end: source.length }] : content.parts;
  return { prompts: parts.map((part) => promptOf(fuse(piecesOf(part.items, 1, found)), part)), loras: found };
}

function promptOf(items: readonly CompelItem[], { start, end }: Range): CompelPrompt {
  return { kind: 'prompt', items, fragments: originals(items), start, end };
}

function originals(items: readonly CompelItem[]): Fragment[] {
  return items.flatMap((item) => (item.kind === 'swap' ? originals(item.original) : [item]));
}

/** Texts in order with the weights of all around them, outermost first; LoRAs are put aside. */
function piecesOf(items: readonly Item[], weight: number, loras: Lora[], depth = 0): Piece[] {
  const pieces: Piece[] = [];
  const open = [{ items, weight, next: 0 }];
  for (let at = open.at(-1); at; at = open.at(-1)) {
    let item = at.items[at.next++];
    if (!item) {
      open.pop();
      continue;
    }
    let { weight } = at;
    for (let only = onlyItem(item, depth); only; only = onlyItem(item, depth)) {
      if (item.type === 'weighted') weight *= item.value;
      item = only;
    }
    if (item.type === 'group') open.push({ items: item.children, weight, next: 0 });
    else if (item.type === 'lora') loras.push(item);
    else if (item.type === 'word') addPhrase(pieces, item, weight);
    else if (item.type === 'swap') {
      const side = (items: readonly Item[], { start }: Range): Piece[] => {
        const inside = piecesOf(items, weight, loras, depth + 1);
        if (inside.length > 0) return inside;
        const empty = { text: noText, start, end: start };
        return [{ type: 'text', phrases: [empty], weight: isNothing(items) ? weight : 1 }];
      };
      const original = side([item.target], item.target);
      const edited = side(item.edited, item.editedRange);
      pieces.push({ type: 'swap', original, edited, swap: item, start: item.start, end: item.end });
    }
  }
  return pieces;
}

/** The item that another holds alone. Nested as deep as can be walked, a swap holds what it swaps away. */
function onlyItem(item: Item, depth: number): Item | undefined {
  if (item.type === 'group') return item.children.length === 1 ? item.children[0] : undefined;
  return item.type === 'weighted' || (item.type === 'swap' && depth === deepest) ? item.target : undefined;
}

function addPhrase(pieces: Piece[], phrase: Phrase, weight: number): void {
  const last = pieces.at(-1);
  if (last?.type === 'text' && last.weight === weight) last.phrases.push(phrase);
  else pieces.push({ type: 'text', phrases: [phrase], weight });
}

/** Neighbours of exactly the same weight are one fragment, with a space between them. */
function fuse(pieces: readonly Piece[]): CompelItem[] {
  return pieces.map((piece) => {
    if (piece.type === 'text') return fragmentOf(piece.phrases, piece.weight);
    const { original, edited, swap, start, end } = piece;
    return { kind: 'swap', original: fuse(original), edited: fuse(edited), options: swapOptions(swap), start, end };
  });
}

function fragmentOf(phrases: readonly Phrase[], weight: number): Fragment {
  // The original unescapes a text whenever it makes a fragment of it: twice, and with every neighbour that joins.
  const parts = phrases.map(({ text }, i) => withoutEscapes(text, 2 + phrases.length - Math.max(i, 1)));
  const { text, starts, ends } = joinSpaced(parts, phrases);
  const { start } = phrases[0];
  const range = typedRange({ text, starts, ends }, 0, text.length) ?? { start, end: start };
  return { kind: 'text', weight, text, starts, ends, start: range.start, end: range.end };
}

/** `\(`, `\)` and `\"` as the characters, `times` over. */
function withoutEscapes(source: SourceText, times: number): SourceText {
  if (!source.text.includes('\\')) return source;
  const pieces: SourceText[] = [];
  let from = 0;
  for (const { 0: backslashes, index } of source.text.matchAll(/(?<!\\)\\+(?=[()"])/g)) {
    const at = index + backslashes.length;
    const first = at - Math.min(times, backslashes.length);
    const typed = { start: source.starts[first], end: source.ends[at] };
    pieces.push(sliceSource(source, from, first), replacement(source.text[at], typed));
    from = at + 1;
  }
  return from === 0 ? source : joinSources([...pieces, sliceSource(source, from)]);
}

function swapOptions({ options }: Swap): Record<string, number | string> {
  const merged: Record<string, number | string> = { s_start: 0, s_end: 0, t_start: 0.2, t_end: 1 };
  const given = new Map(options.map(({ key, value }) => [key, value ?? '']));
  const freedom = given.get('shape_freedom');
  if (typeof freedom === 'number' && freedom >= 0) merged.s_end = 1 - freedom ** (1 / 3);
  given.delete('shape_freedom');
  return { ...merged, ...Object.fromEntries(given) };
}

/** The numbers after `.and` and `.blend`; `wrong` is the first that is none. */
function weightsOf({ operator, options }: Composite): {
  readonly weights: readonly number[];
  readonly normalise: boolean;
  readonly wrong?: Option;
} {
  const normalise = !(operator === 'blend' && options.at(-1)?.key === 'no_normalize');
  const numbers = normalise ? options : options.slice(0, -1);
  const wrong = numbers.find(({ key }) => pythonFloat(key) === null);
  return { weights: numbers.map(({ key }) => pythonFloat(key) ?? 1), normalise, wrong };
}

/** Says why the original stops while it parses `.and()` or `.blend()`. */
function compositeError({ content, end }: CompelTree, { prompts }: Conjunction, text: SourceText): Diagnostic | null {
  if (isPrompt(content)) return null;
  const { weights, wrong } = weightsOf(content);
  if (wrong) return notANumber(content, wrong);
  if (weights.length > 0 && weights.length !== content.parts.length) return weightCount(content, weights.length);
  if (content.operator === 'and') return null;
  const swap = prompts.flatMap((prompt) => prompt.items).find((item) => item.kind === 'swap');
  if (swap) return swapInBlend(swap);
  const empty = prompts.find((prompt) => prompt.items.length === 0);
  if (empty) return emptyBlendPart(empty);
  const rest = typedRange(text, end, text.text.length);
  return rest ? textAfterBlend(rest) : null;
}

/** A sum this much smaller than the weights is 0 in the single precision of the original. */
const roundedAway = 1e-6;

/** Says by which weights of `.and()` and `.blend()` the original comes to no number. */
function weightErrors(content: CompelTree['content']): Diagnostic[] {
  if (isPrompt(content)) return [];
  const { weights, normalise } = weightsOf(content);
  const endless = content.options.filter((_, i) => i < weights.length && !Number.isFinite(weights[i]));
  if (endless.length > 0) return endless.map((option) => notFinitePart(content, option));
  if (content.operator === 'and' || !normalise || weights.length === 0) return [];
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const size = weights.reduce((total, weight) => total + Math.abs(weight), 0);
  return Math.abs(sum) <= roundedAway * size ? [zeroSum(content, size === 0)] : [];
}

function partsOf({ content }: CompelTree, { prompts }: Conjunction): ParsedCompel['parts'] {
  const range = prompts[0];
  const empty = [{ content: promptOf([emptyFragment(range.end)], range), weight: 1 }];
  if (!isPrompt(content) && content.operator === 'blend') {
    const { weights, normalise } = weightsOf(content);
    const given = weights.length > 0 ? weights : prompts.map(() => 1);
    const { start, end } = content;
    return [{ content: { kind: 'blend', prompts, weights: given, normalise, start, end }, weight: 1 }];
  }
  const { weights } = isPrompt(content) ? { weights: [] } : weightsOf(content);
  const parts = prompts
    .map((prompt, i) => ({ content: prompt, weight: weights[i] ?? 1 }))
    .filter(({ content }) => content.items.length > 0);
  return parts.length > 0 ? parts : empty;
}

/** Says why the original stops while it encodes. */
function encodingErrors(prompts: readonly CompelPrompt[], length: number): Diagnostic[] {
  const inSwap = (item: CompelItem): CompelItem[] =>
    item.kind === 'swap' ? [...item.original, ...item.edited].filter(({ kind }) => kind === 'swap') : [];
  return prompts.flatMap(({ items, fragments }) => [
    ...items.flatMap(inSwap).map(nestedSwap),
    ...fragments
      .filter(({ text, weight }) => text === '' && weight < 1)
      .map(({ start }) => emptyWeighted({ start: Math.max(0, start - 1), end: Math.min(length, start + 1) })),
    ...fragments.filter(({ weight }) => !Number.isFinite(weight)).map(notFiniteWeight),
  ]);
}

function nodesOf({ content, loras }: CompelTree, fragments: readonly Fragment[], source: string): Node[] {
  const sections = isPrompt(content) ? [content] : content.parts.map((part) => part.items);
  if (sections.some((items) => deepestOf(items) >= deepest)) return fragmentNodes(fragments);
  const outside = loras.map((lora) => networkNode(lora, source));
  const weights = isPrompt(content) ? [] : weightsOf(content).weights;
  const inside: Node[] = isPrompt(content)
    ? itemNodes(content, source)
    : [
        {
          type: 'composite',
          start: content.start,
          end: content.end,
          operator: content.operator,
          parts: content.parts.map(({ items, start, end }, i) => ({
            children: itemNodes(items, source),
            weight: weights[i] ?? 1,
            range: { start, end },
          })),
        },
      ];
  return outside.length === 0 ? inside : [...outside, ...inside].sort((a, b) => a.start - b.start);
}

/** The nodes of items, added to `nodes`, which is given back. */
function itemNodes(items: readonly Item[], source: string, nodes: Node[] = []): Node[] {
  for (const item of items) {
    const { start, end } = item;
    switch (item.type) {
      case 'word': {
        const { text, starts, ends } = withoutEscapes(item.text, 2);
        if (text !== '') nodes.push({ type: 'text', text, starts, ends, start, end });
        break;
      }
      case 'group':
        itemNodes(item.children, source, nodes);
        break;
      case 'lora':
        nodes.push(networkNode(item, source));
        break;
      case 'weighted': {
        const { target, form, value, number } = item;
        const group = target.type === 'group' ? target : null;
        const closeAt = group ? group.close.start : form === 'attend' ? target.end : null;
        nodes.push({
          type: 'weighted',
          start,
          end,
          children: itemNodes([target], source),
          value,
          effect: 'multiply',
          form,
          open: group ? group.open : null,
          close: closeAt === null ? null : { start: closeAt, end },
          number,
        });
        break;
      }
      case 'swap': {
        const { target, edited, editedRange } = item;
        const original = { start: target.start, end: target.end };
        const parts = [
          { children: itemNodes([target], source), weight: 1, range: original },
          { children: itemNodes(edited, source), weight: 1, range: editedRange },
        ];
        nodes.push({ type: 'composite', start, end, operator: 'swap', parts });
        break;
      }
      default:
        item satisfies never;
    }
  }
  return nodes;
}

function networkNode({ name, number, start, end }: Lora, source: string): Node {
  const args = number ? [source.slice(number.start, number.end)] : [];
  return { type: 'network', start, end, kind: 'lora', name, args };
}
