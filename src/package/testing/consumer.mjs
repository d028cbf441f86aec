// A program that uses the package as it is installed, in Node and in a page.
import { createEncoder } from 'clipscope/engine';
import { openTensors, syntheticCheckpoint, writeSafetensors } from 'clipscope/files';
import { lint } from 'clipscope/lint';
import { parse } from 'clipscope/prompt';
import { chunk, convert, openTokenizer, tokenize } from 'clipscope/tokens';
import { prepare } from 'clipscope/weighting';

const failure = async (action) => {
  try {
    await action();
  } catch ({ name, message }) {
    return `${name}: ${message}`;
  }
  return null;
};

const d = 512;
const m = 4 * d;
const shapes = {
  'token_embedding.weight': [3, d],
  'position_embedding.weight': [77, d],
  'fc1.weight': [m, d],
  'fc1.bias': [m],
  'fc2.weight': [d, m],
  'proj.weight': [d, d],
};

const noise = Float32Array.from({ length: 9973 }, (_, i) => Math.sin(i * i) / 16);

/** A model of no meaning, wide enough for a second thread to be worth its messages; it knows three ids. */
const wide = {
  name: 'wide',
  random: true,
  config: {
    ...{ vocabSize: 49408, maxPositionEmbeddings: 77, hiddenSize: d, numAttentionHeads: 8, headDim: d / 8 },
    ...{ intermediateSize: m, numHiddenLayers: 3, layerNormEps: 1e-5 },
  },
  compactTable: {
    rowOf: new Map([320, 49406, 49407].map((id, row) => [id, row])),
    vectorOf: () => new Float32Array(d),
  },
  tensor(name) {
    const [, shape = [d]] = Object.entries(shapes).find(([end]) => name.endsWith(end)) ?? [];
    return { dtype: 'F32', shape };
  },
  async read(name) {
    const count = wide.tensor(name).shape.reduce((a, b) => a * b, 1);
    const numbers = new Float32Array(count);
    // Each tensor begins with another number.
    const own = noise.subarray(name.length % 64);
    for (let at = 0; at < count; at += own.length) numbers.set(own.subarray(0, count - at), at);
    return new Uint8Array(numbers.buffer);
  },
};

async function onThreads(threads) {
  const encoder = await createEncoder(wide, { engine: 'cpu', threads });
  const inputIds = Uint32Array.from({ length: 77 }, (_, i) => (i === 0 ? 49406 : i === 1 ? 320 : 49407));
  const [{ lastHiddenState }] = await encoder.encode([{ inputIds, causal: true, keyMask: new Uint8Array(77).fill(1) }]);
  encoder.close();
  return { description: encoder.engine.description, lastHiddenState };
}

/** The threads that computed, and how far their result is from that of one thread, at most. */
async function useThreads() {
  const [one, two] = [await onThreads(1), await onThreads(2)];
  const apart = one.lastHiddenState.map((value, i) => Math.abs(value - two.lastHiddenState[i]));
  return { threads: two.description, apart: Math.max(...apart) };
}

/** Goes the whole road with the random tiny model, and returns what it came to, as JSON can hold it. */
export async function useAll(prompt) {
  const { texts } = parse(prompt, 'a1111');
  const tokenizer = await openTokenizer();
  const { chunks } = chunk(texts[0].fragments, 'a1111', tokenizer);
  const encoder = await createEncoder(syntheticCheckpoint('tiny'), { engine: 'cpu' });
  const prepared = prepare(prompt, tokenizer, { syntax: 'a1111' });
  const tensors = await encoder.encodePrompts(prepared);
  const written = writeSafetensors(tensors, prepared.metadata({ name: 'tiny', random: true }));
  const file = await openTensors(written, { name: 'written.safetensors' });
  const stored = await file.tensors.get('prompt_embeds').read();
  encoder.close();
  return {
    fragments: texts[0].fragments.map(({ text, weight }) => [text, weight]),
    ids: Array.from(chunks[0].inputIds),
    words: tokenize('a cat', tokenizer).map(({ id }) => id),
    codes: lint('a red++ car', 'a1111').map(({ code }) => code),
    converted: convert('((red)) car', { from: 'a1111', to: 'compel' }, tokenizer).text,
    ...(await useThreads()),
    metadata: file.metadata.get('prompt'),
    embeds: Array.from(new Float32Array(stored.buffer)),
    failures: await Promise.all([
      failure(() => parse('a', 'forge')),
      failure(() => prepare('a', tokenizer, { syntax: 'a1111', clipSkip: 99 })),
      failure(() => openTensors(new Uint8Array(3), { name: 'short.safetensors' })),
      failure(() => prepared.weigh([])),
      failure(() => encoder.encodePrompts(prepared)),
    ]),
  };
}
