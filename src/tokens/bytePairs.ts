import { bosTokenId, eosTokenId, vocabSize } from './clipVocabulary.ts';

/** CLIP's byte-pair vocabulary: 256 bytes, 256 word-ending bytes, the merges in rank order, BOS, EOS. */
export interface Vocabulary {
  /** [V] Entries as in vocab.json: a byte is one character, a word's last entry ends in `</w>`. */
  readonly entries: readonly string[];
  /** [V] Bytes of the text an entry stands for. */
  readonly byteLengths: Uint16Array;
  /** Bytes of the text an entry stands for, without `</w>`. */
  bytes(id: number): Uint8Array;
  /** Ids of one word's UTF-8 bytes. */
  encode(word: Uint8Array): number[];
  /** How `encode` comes to its ids; without `endsWord`, as if more of the word followed. */
  merges(word: Uint8Array, endsWord: boolean): WordMerges;
}

/** One word's way from bytes to tokens. */
export interface WordMerges {
  /** UTF-8. */
  readonly word: Uint8Array;
  /** Ids of the bytes. */
  readonly bytes: readonly number[];
  readonly steps: readonly MergeStep[];
}

/** Every occurrence of one pair is joined. */
export interface MergeStep {
  readonly left: number;
  readonly right: number;
  readonly merged: number;
  /** Rank among all merges, from 0: the lowest is joined first. */
  readonly rank: number;
  /** Ids of the word's symbols afterwards. */
  readonly symbols: readonly number[];
}

export const wordEnd = '</w>';
const pairKey = (left: number, right: number) => left * 0x10000 + right;

/** How many bytes are written as themselves in an entry; the others as U+0100 and on. */
const printableBytes = 188;

/** Bytes in the order of their ids: first those that print as themselves. */
function bytesById(): number[] {
  const printable = (byte: number) => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
  const all = Array.from({ length: 256 }, (_, byte) => byte);
  return [...all.filter(printable), ...all.filter((byte) => !printable(byte))];
}

/**
 * Reads merges, one `left right` a line in rank order. Throws where they are not CLIP's: the ids of every model
 * trained on this vocabulary follow from their order.
 */
export function readVocabulary(merges: string): Vocabulary {
  /** left, right, left, right, … */
  const parts = merges.trimEnd().split(/[ \n]/);
  const expected = vocabSize - 2 * 256 - 2;
  if (parts.length !== 2 * expected)
    throw new Error(`The tokenizer's merges are ${parts.length / 2} pairs, expected ${expected}`);

  const bytes = bytesById();
  const byteIds = new Uint8Array(256);
  const byteOfCharacter = new Map<string, number>();
  const entries: string[] = [];
  bytes.forEach((byte, id) => {
    byteIds[byte] = id;
    const character = String.fromCharCode(id < printableBytes ? byte : 0x100 + id - printableBytes);
    byteOfCharacter.set(character, byte);
    entries.push(character);
  });
  for (let id = 0; id < 256; id++) entries.push(entries[id] + wordEnd);

  const ids = new Map(entries.map((entry, id) => [entry, id]));
  const byteLengths = new Uint16Array(vocabSize).fill(1, 0, 512);
  /** Two ids -> the id of what they merge into, which grows with the merge's rank. */
  const merged = new Map<number, number>();
  for (let i = 0; i < parts.length; i += 2) {
    const left = ids.get(parts[i]);
    const right = ids.get(parts[i + 1]);
    if (left === undefined || right === undefined)
      throw new Error(
        `Line ${i / 2 + 1} of the tokenizer's merges, "${parts[i]} ${parts[i + 1]}", joins what no line before makes`,
      );
    const id = entries.length;
    const entry = parts[i] + parts[i + 1];
    merged.set(pairKey(left, right), id);
    byteLengths[id] = byteLengths[left] + byteLengths[right];
    ids.set(entry, id);
    entries.push(entry);
  }
  entries[bosTokenId] = '<|startoftext|>';
  entries[eosTokenId] = '<|endoftext|>';
  for (const id of [bosTokenId, eosTokenId]) byteLengths[id] = entries[id].length;

  return {
    entries,
    byteLengths,
    bytes: (id) =>
      Uint8Array.from(entries[id].slice(0, byteLengths[id]), (character) => byteOfCharacter.get(character)!),
    merges(word, endsWord) {
      const bytes = Array.from(word, (byte) => byteIds[byte]);
      if (endsWord && bytes.length > 0) bytes[bytes.length - 1] += 256;
      return { word, bytes, steps: mergeSteps(bytes, merged) };
    },
    encode(word) {
      const symbols = Int32Array.from(word, (byte) => byteIds[byte]);
      if (symbols.length > 0) symbols[symbols.length - 1] += 256;
      return mergePairs(symbols, merged);
    },
  };
}

/** Byte-pair encoding by its definition: joins every occurrence of the pair of lowest rank, until no pair is left. */
function mergeSteps(bytes: readonly number[], merged: ReadonlyMap<number, number>): MergeStep[] {
  const steps: MergeStep[] = [];
  let symbols = bytes;
  for (;;) {
    let least = Number.POSITIVE_INFINITY;
    let at = -1;
    for (let i = 0; i + 1 < symbols.length; i++) {
      const id = merged.get(pairKey(symbols[i], symbols[i + 1]));
      if (id === undefined || id >= least) continue;
      least = id;
      at = i;
    }
    if (at < 0) return steps;
    const [left, right] = [symbols[at], symbols[at + 1]];
    const joined: number[] = [];
    for (let i = 0; i < symbols.length; i++) {
      const isPair = symbols[i] === left && symbols[i + 1] === right;
      joined.push(isPair ? least : symbols[i]);
      if (isPair) i++;
    }
    symbols = joined;
    steps.push({ left, right, merged: least, rank: least - 2 * 256, symbols });
  }
}

/**
 * Merges the adjacent pair of lowest rank, the leftmost first, until none is left; O(n log n). As a merge's id grows
 * with its rank and no entry is made before its parts, this is the same as merging all occurrences of a pair at once.
 */
function mergePairs(symbols: Int32Array, merged: ReadonlyMap<number, number>): number[] {
  const n = symbols.length;
  /** Neighbours of the symbols that are left; a symbol merged into the one before it is -1. */
  const next = Int32Array.from(symbols, (_, i) => i + 1);
  const previous = Int32Array.from(symbols, (_, i) => i - 1);
  const heap: number[] = [];
  const mergeAt = (i: number) => (next[i] < n ? merged.get(pairKey(symbols[i], symbols[next[i]])) : undefined);
  const propose = (i: number) => {
    const id = i < 0 ? undefined : mergeAt(i);
    if (id !== undefined) pushHeap(heap, id * 2 ** 32 + i);
  };
  for (let i = 0; i + 1 < n; i++) propose(i);
  while (heap.length > 0) {
    const best = popHeap(heap);
    const i = best % 2 ** 32;
    const id = (best - i) / 2 ** 32;
    // A neighbour was merged away since this pair was proposed.
    if (symbols[i] < 0 || mergeAt(i) !== id) continue;
    const gone = next[i];
    symbols[i] = id;
    symbols[gone] = -1;
    next[i] = next[gone];
    if (next[i] < n) previous[next[i]] = i;
    propose(previous[i]);
    propose(i);
  }
  return Array.from(symbols.filter((symbol) => symbol >= 0));
}

/** Binary min-heap. */
function pushHeap(heap: number[], value: number): void {
  let child = heap.push(value) - 1;
  while (child > 0) {
    const parent = (child - 1) >> 1;
    if (heap[parent] <= value) break;
    heap[child] = heap[parent];
    child = parent;
  }
  heap[child] = value;
}

function popHeap(heap: number[]): number {
  const least = heap[0];
  const value = heap.pop()!;
  const n = heap.length;
  if (n === 0) return least;
  let parent = 0;
  for (;;) {
    let child = 2 * parent + 1;
    if (child >= n) break;
    if (child + 1 < n && heap[child + 1] < heap[child]) child++;
    if (heap[child] >= value) break;
    heap[parent] = heap[child];
    parent = child;
  }
  heap[parent] = value;
  return least;
}
