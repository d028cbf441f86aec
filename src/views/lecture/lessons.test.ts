import { readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import { beforeAll, describe, expect, test } from 'vitest';
import { fileSource } from '../../cli/fileSource.ts';
import { type CellPlace, cellSum } from '../../clip/cellSums.ts';
import { type EncoderPass, passKey } from '../../clip/encoderPass.ts';
import { type Formula, formulaText } from '../../clip/formula.ts';
import { withKeyMasked } from '../../clip/maskEffects.ts';
import { attentionMask } from '../../clip/masks.ts';
import { type ReferenceOutput, referenceEncoder } from '../../clip/reference.ts';
import { type Operation, sizeOf, stages, type TensorKey } from '../../clip/stages.ts';
import { layerStages, type Weights } from '../../clip/testing/runStages.ts';
import { expectedTensors, type LayerTensorName, layerTensor, positionEmbeddingName } from '../../clip/weights.ts';
import { toFloat32 } from '../../files/dtypes.ts';
import { type Checkpoint, openCheckpoint } from '../../models/openCheckpoint.ts';
import { smallModelPath } from '../../models/smallModel.ts';
import { lecture } from '../../road/lecture.ts';
import { defaultOptions, type PromptOptions } from '../../road/options.ts';
import { preparePrompt, promptEmbeds } from '../../road/pipeline.ts';
import type { PreparedPrompt } from '../../road/preparedPrompt.ts';
import { tokenizer } from '../../road/testing/prompts.ts';
import { defaultsOf } from '../../state/presets.ts';
import { clipLoss } from '../../training/objective.ts';
import { meanChange } from '../../weighting/means.ts';
import { type MethodName, methods } from '../../weighting/methods.ts';
import { explainRow } from '../../weighting/study/explain.ts';
import { filledCell } from '../anatomy/filledCell.ts';
import { cosineOf, cosines } from './cosines.ts';
import { eosRow, type LessonFacts, lessonNumbers, weighedRow } from './lessonNumbers.ts';
import {
  differencesOf,
  type LessonId,
  lessonHash,
  lessonIds,
  lessonOf,
  lessonOfTensor,
  lessons,
  partsOf,
  rowsOf,
} from './lessons.ts';

const typed = 'a (red:1.3) circle left of a blue square, [blurry]';
const read = (prompt: string, options: PromptOptions = defaultOptions): PreparedPrompt =>
  preparePrompt(prompt, options, tokenizer, 'positive');

/** The model that comes with the page. */
let model: Checkpoint;
let encode: (pass: EncoderPass) => ReferenceOutput;
let weights: Weights;
beforeAll(async () => {
  model = await openCheckpoint(fileSource(`public/${smallModelPath}`));
  const reference = await referenceEncoder(model);
  const known = new Map<string, ReferenceOutput>();
  encode = (pass) => {
    const output = known.get(passKey(pass)) ?? reference(pass);
    known.set(passKey(pass), output);
    return output;
  };
  const float64 = async (name: string) => {
    const { dtype } = model.tensor(name);
    return [name, Float64Array.from(toFloat32(await model.read(name), dtype))] as const;
  };
  weights = new Map(await Promise.all([...expectedTensors(model.config).keys()].map(float64)));
});

const zOf = (pass: EncoderPass) => Float32Array.from(encode(pass).lastHiddenState);

/** Everything of the prompt on show, from the float64 encoder. */
function factsOf(
  prompt: PreparedPrompt,
  method: MethodName = 'original',
  syntax: LessonFacts['syntax'] = 'a1111',
): LessonFacts {
  const [{ chunk, pass }] = prompt.chunks;
  const [{ weighted, applied }] = prompt.texts;
  const { hiddenStates, lastHiddenState } = encode(pass);
  return {
    config: model.config,
    syntax,
    tokens: chunk.tokens,
    pass,
    light: weighted.downweighted.map(({ weight }) => weight),
    weighted: {
      before: zOf(pass),
      after: promptEmbeds(prompt, zOf, method)[0],
      applied: applied[0],
      mean: meanChange(methods[method].means?.(weighted) ?? [], 0, zOf),
      label: methods[method].label,
    },
    states: new Map(hiddenStates.map((state, at) => [at, Float32Array.from(state)])),
    last: Float32Array.from(lastHiddenState),
    positions: weights.get(positionEmbeddingName)!,
    places: [3, 5],
  };
}

const knownMatrices = new Map<string, (key: TensorKey) => Float64Array>();

/** Gives the matrices of every stage of the pass, in float64; those of the layers are the layer's. */
function matricesOf(pass: EncoderPass, layer: number): (key: TensorKey) => Float64Array {
  const name = `${layer} ${passKey(pass)}`;
  const made = knownMatrices.get(name) ?? computeMatrices(pass, layer);
  knownMatrices.set(name, made);
  return made;
}

function computeMatrices(pass: EncoderPass, layer: number): (key: TensorKey) => Float64Array {
  const rowOf = model.compactTable!.rowOf;
  const rows = { ...pass, inputIds: pass.inputIds.map((id) => rowOf.get(id)!) };
  const { hiddenStates } = encode(pass);
  const N = model.config.numHiddenLayers;
  const made = new Map([
    ...layerStages(model.config, weights, pass, N, hiddenStates[N]),
    ...layerStages(model.config, weights, rows, -1),
    ...layerStages(model.config, weights, pass, layer, hiddenStates[layer]),
  ]);
  return (key) => (key === 'hidden' ? hiddenStates[layer] : made.get(key)!);
}

/** The expression of a formula in JavaScript; null where it has letters. */
function expression({ tag, children }: Formula): string | null {
  if (typeof children === 'string') {
    const signs: Record<string, string> = { '−': '-', '·': '*', '×': '*', '+': '+', '(': '(', ')': ')', π: 'Math.PI' };
    if (tag === 'mtext') return children === 'tan' ? 'Math.tan' : '';
    return tag === 'mn' ? children : (signs[children] ?? null);
  }
  const parts = children.map(expression);
  const [first, second] = parts;
  // A name below a number is a remark, as of how many terms it is the sum.
  if (tag === 'msub') return children[1].tag === 'mtext' ? first : null;
  if (parts.some((part) => part === null)) return null;
  if (tag === 'mfrac') return `((${first})/(${second}))`;
  if (tag === 'msqrt') return `Math.sqrt(${parts.join(' ')})`;
  if (tag === 'msup') return `((${first})**(${second}))`;
  return parts.join(' ');
}

/** The value of an expression of numbers alone. */
const evaluated = (text: string): number => Number(runInNewContext(text, { Math }));

const flat = (formula: Formula): Formula[] =>
  formula.tag === 'mrow' && typeof formula.children !== 'string' ? formula.children.flatMap(flat) : [formula];

/** The values of the sides of an equation, those with letters aside. */
function sidesOf(formula: Formula): number[] {
  const sides: Formula[][] = [[]];
  for (const part of flat(formula)) {
    if (part.tag === 'mo' && part.children === '=') sides.push([]);
    else sides[sides.length - 1].push(part);
  }
  return sides.flatMap((side) => {
    const text = expression({ tag: 'mrow', children: side });
    if (!text?.trim() || sides.length === 1) return [];
    return [evaluated(text)];
  });
}

/** Checks that the sides of an equation agree as far as four digits allow, and gives the value of the last. */
function chainValue(formula: Formula, size = 1): number {
  const values = sidesOf(formula);
  const last = values[values.length - 1];
  for (const value of values) expect(Math.abs(value - last)).toBeLessThanOrEqual(1e-3 * (size + Math.abs(last)));
  return last;
}

/** The numbers that fill an equation of a lesson. */
const filled = (id: LessonId, number: number, facts: LessonFacts) => {
  const formulas = lessonNumbers(id, facts).get(number)!;
  expect(formulas.length, `${id}, equation ${number}`).toBeGreaterThan(0);
  return formulas;
};

describe('the lessons', () => {
  test('are in the lecture’s order, and every equation of its map is in one', () => {
    expect(lessons.map(({ id }) => id)).toEqual(lessonIds);
    const taught = new Set(lessons.flatMap(({ equations }) => equations));
    for (const { equations, title } of lecture) for (const number of equations) expect(taught, title).toContain(number);
    for (const number of [60, 61, 62, 63, 64]) expect(taught).toContain(number);
    for (const { equations, id } of lessons) expect(equations, id).toEqual(equations.toSorted((a, b) => a - b));
  });

  test.each(lessons)(
    '$id has its place in the address, words that mean something, and says how programs differ',
    (lesson) => {
      expect(lessonOf(lessonHash(lesson.id))).toBe(lesson);
      const parts = partsOf(lesson.text);
      expect(parts.map(({ words }) => words).join('')).not.toMatch(/[{}]/);
      expect(parts.some(({ means }) => means)).toBe(true);
      expect(differencesOf(lesson)).not.toEqual([]);
      for (const tensor of lesson.tensors ?? []) {
        const row = lecture.find(({ operation }) => operation?.tensor === tensor)!;
        expect(row, tensor).toBeDefined();
        expect(lessonOfTensor(tensor).tensors).toContain(tensor);
      }
      if (lesson.id !== 'objective' && lesson.id !== 'temperature') expect(rowsOf(lesson).length).toBeGreaterThan(0);
    },
  );

  test('each is named in the text about links', () => {
    const [, row] = /^\| `lesson` \| (.*) \|$/m.exec(readFileSync('docs/links.md', 'utf8'))!;
    expect(Array.from(row.matchAll(/`([\w-]+)`/g), ([, id]) => id)).toEqual(lessonIds);
  });

  test('an address without a lesson names none', () => {
    expect([lessonOf('#view=lecture'), lessonOf('#view=lecture&lesson=unknown'), lessonOf('')]).toEqual([
      null,
      null,
      null,
    ]);
  });
});

const taught = [...new Set(lessons.flatMap(({ tensors }) => tensors ?? []))].flatMap((tensor) =>
  stages.flatMap(({ operations }) => operations.filter((operation) => operation.tensor === tensor)),
);

test.each(taught)(
  'the equation of a cell of $tensor, with its numbers, is the float64 encoder’s',
  (operation: Operation) => {
    const { rule, tensor, shape } = operation;
    const { pass } = read(typed).chunks[0];
    const N = model.config.numHiddenLayers;
    // The sum of the embeddings is the first layer's input alone.
    for (const layer of tensor === 'hidden' ? [0] : [0, N - 1]) {
      const tensorOf = matricesOf(pass, layer);
      const [rows, columns] = shape.slice(-2).map((size) => sizeOf(size, model.config));
      for (let n = 0; n < 15; n++) {
        const place: CellPlace = { head: shape.length === 3 ? n % 4 : 0, row: (n * 3) % 14, column: (n * 5) % columns };
        const part = 'part' in rule ? rule.part : null;
        const named = (end: string) =>
          weights.get(
            part === 'final_layer_norm'
              ? `text_model.${part}.${end}`
              : layerTensor(layer, `${part}.${end}` as LayerTensorName),
          )!;
        const width = part ? named('weight').length / named('bias').length : 0;
        const weight = part && {
          weight: named('weight').subarray(place.column * width, (place.column + 1) * width),
          bias: named('bias')[place.column],
        };
        const inputs = {
          config: model.config,
          inputIds: pass.inputIds,
          mask: attentionMask(pass),
          tensor: tensorOf,
          weight,
        };
        const expected = tensorOf(tensor)[(place.head * rows + place.row) * columns + place.column];
        const sum = cellSum(rule, tensor, place, inputs);
        const size = sum.terms.reduce((most, { value }) => Math.max(most, Math.abs(value)), 1);
        const formula = filledCell(operation, place, sum, model.config);
        if (Number.isFinite(expected))
          expect(Math.abs(chainValue(formula, size) - expected)).toBeLessThanOrEqual(1e-3 * (1 + Math.abs(expected)));
        else expect(JSON.stringify(formula)).toContain('∞');
      }
    }
  },
);

describe('the numbers in the equations of the lessons around the encoder', () => {
  test('length: what is left of the places is PAD', () => {
    const facts = factsOf(read(typed));
    const [, places] = filled('tokens', 7, facts);
    expect(chainValue(places)).toBe(facts.tokens.filter(({ kind }) => kind === 'pad').length);
  });

  test('PAD mask: the bits of BOS, EOS and PAD are those of the pass', () => {
    const bits = (mask: PromptOptions['mask']) =>
      filled('pad-mask', 10, factsOf(read(typed, { ...defaultOptions, mask })))
        .slice(0, 3)
        .map((bit) => chainValue(bit));
    expect([bits('causal'), bits('hf'), bits('lecture')]).toEqual([
      [1, 1, 1],
      [1, 1, 0],
      [1, 0, 0],
    ]);
  });

  test('weighting: r c, and the program’s own row', () => {
    const facts = factsOf(read(typed));
    const row = weighedRow(facts.weighted!.applied);
    expect(facts.tokens[row].text).toBe('red</w>');
    const d = model.config.hiddenSize;
    expect(chainValue(filled('weighting', 14, facts)[0])).toBeCloseTo(1.3 * facts.weighted!.before[row * d], 3);
    expect(chainValue(filled('weighting', 13, facts)[0])).toBeCloseTo(facts.weighted!.after[row * d], 3);
  });

  test('syntax: the weights of the prompt’s own pieces, in its own language', () => {
    const lines = (id: LessonId, number: number, facts: LessonFacts) => filled(id, number, facts).map(formulaText);
    const [inA1111, inCompel] = [
      factsOf(read(typed)),
      factsOf(read('a (red circle)0.25 on blue+', defaultsOf('compel')), 'compel-mask', 'compel'),
    ];
    expect(lines('weighting', 15, inA1111)).toEqual(['“red” → r[k] = 1.3', '“blurry” → r[k] = 0.9091']);
    expect(lines('down-weighting', 17, inCompel)).toEqual(['“red circle” → r[k] = 0.25', '“blue” → r[k] = 1.1']);
    for (const other of [lines('weighting', 15, inCompel), lines('down-weighting', 17, inA1111)])
      expect(other).toEqual(['This prompt is written in another language.']);
    expect(lines('weighting', 15, factsOf(read('a circle')))).toEqual([
      'No word of this prompt has a weight of its own.',
    ]);
  });

  test('down-weighting: λ and both shares', () => {
    const [factor, own, other] = filled(
      'down-weighting',
      20,
      factsOf(read('a (red)0.25 circle', defaultsOf('compel')), 'compel-mask'),
    ).map((f) => chainValue(f));
    expect(factor).toBeCloseTo(Math.tan((0.75 * Math.PI) / 2), 3);
    expect(own + other).toBeCloseTo(1, 3);
    const [none] = filled('down-weighting', 20, factsOf(read('a circle')));
    expect(none.children).toContain('No word');
  });

  test('masks: the product for EOS and itself', () => {
    for (const mask of ['causal', 'hf', 'lecture', 'none'] as const) {
      const facts = factsOf(read(typed, { ...defaultOptions, mask }));
      const eos = eosRow(facts.tokens);
      const L = facts.tokens.length;
      expect(chainValue(filled('masks', 57, facts)[0])).toBe(attentionMask(facts.pass)[eos * L + eos]);
      expect(chainValue(filled('masks', 55, facts)[0])).toBe(0);
    }
  });

  test('stack: lengths of the row of EOS', () => {
    const facts = factsOf(read(typed));
    const d = model.config.hiddenSize;
    const eos = eosRow(facts.tokens);
    const { hiddenStates, lastHiddenState } = encode(facts.pass);
    const norm = (values: Float64Array) => Math.hypot(...values.subarray(eos * d, (eos + 1) * d));
    expect(chainValue(filled('stack', 46, facts)[0]) / norm(hiddenStates[0])).toBeCloseTo(1, 3);
    const [before, after] = filled('stack', 48, facts).map((formula) => chainValue(formula));
    expect([before / norm(hiddenStates.at(-1)!), after / norm(lastHiddenState)]).toEqual([
      expect.closeTo(1, 3),
      expect.closeTo(1, 3),
    ]);
  });

  test('parameters: those of a layer, and of the whole model', () => {
    const facts = factsOf(read(typed));
    const [d, m, N, L] = [128, model.config.intermediateSize, model.config.numHiddenLayers, 77];
    const layer = 4 * (d * d + d) + 2 * (d * m) + m + d + 4 * d;
    expect(formulaText(filled('layer', 45, facts)[0])).toBe(`${layer} numbers in each layer`);
    const [all] = filled('stack', 53, facts);
    expect(chainValue(all)).toBe(model.config.vocabSize * d + L * d + N * layer + 2 * d);
  });

  test('length: the cosine of two places', () => {
    const facts = factsOf(read(typed));
    const d = model.config.hiddenSize;
    const table = weights.get(positionEmbeddingName)!;
    const [a, b] = [3, 5].map((place) => table.subarray(place * d, (place + 1) * d));
    const cosine = a.reduce((sum, x, c) => sum + x * b[c], 0) / Math.hypot(...a) / Math.hypot(...b);
    expect(chainValue(filled('length', 50, facts)[1])).toBeCloseTo(cosine, 3);
    const all = cosines(table, d);
    const L = table.length / d;
    expect(all[3 * L + 5]).toBeCloseTo(cosine, 6);
    expect(all[5 * L + 3]).toBe(all[3 * L + 5]);
    expect(cosineOf(table, 7, 7, d)).toBeCloseTo(1, 12);
    expect(cosineOf(new Float32Array(4), 0, 1, 2)).toBe(0);
  });

  test('pipeline: the model’s own sizes', () => {
    expect(JSON.stringify(filled('pipeline', 52, factsOf(read(typed)))[0])).toContain('"128"');
  });
});

describe('what a lesson’s button lets one see is so', () => {
  const d = () => model.config.hiddenSize;
  const row = (values: ArrayLike<number>, at: number) => Array.from({ length: d() }, (_, c) => values[at * d() + c]);
  const long = Array(30).fill('red blue circle').join(' ');

  test('pipeline: another word changes one token, and no row before it', () => {
    const [green, blue] = ['green', 'blue'].map((colour) => read(`a red circle left of a ${colour} square`).chunks[0]);
    const other = green.chunk.tokens.flatMap(({ id }, at) => (id === blue.chunk.tokens[at].id ? [] : [at]));
    expect(other).toHaveLength(1);
    const [a, b] = [green, blue].map(({ pass }) => encode(pass).lastHiddenState);
    for (let at = 0; at < other[0]; at++) expect(row(a, at)).toEqual(row(b, at));
    expect(row(a, other[0])).not.toEqual(row(b, other[0]));
  });

  test('tokens, length: ninety words fill a chunk, and A1111 and ComfyUI go on in another', () => {
    for (const syntax of ['a1111', 'comfy', 'compel'] as const) {
      const { chunks, texts } = read(long, defaultsOf(syntax));
      const { tokens } = chunks[0].chunk;
      expect([eosRow(tokens), tokens.some(({ kind }) => kind === 'pad')]).toEqual([tokens.length - 1, false]);
      expect([chunks.length, texts[0].cut.length]).toEqual(syntax === 'compel' ? [1, 15] : [2, 0]);
    }
  });

  test('PAD mask: by the lecture EOS and PAD have 0, all before them 1', () => {
    const { pass, chunk } = read(typed, { ...defaultOptions, mask: 'lecture' }).chunks[0];
    const eos = eosRow(chunk.tokens);
    expect(Array.from(pass.keyMask)).toEqual(chunk.tokens.map((_, at) => (at < eos ? 1 : 0)));
  });

  test('weighting: by the lecture a row is r times as long, and rows of weight 1 stand still; by A1111’s default none does', () => {
    const prompt = read(typed);
    const { before, applied } = factsOf(prompt).weighted!;
    const scaled = promptEmbeds(prompt, zOf, 'scale')[0];
    const original = promptEmbeds(prompt, zOf, 'original')[0];
    const norm = (values: ArrayLike<number>, at: number) => Math.hypot(...row(values, at));
    for (const [at, weight] of applied.entries()) {
      expect(norm(scaled, at) / norm(before, at)).toBeCloseTo(weight, 5);
      if (weight === 1) expect(row(scaled, at)).toEqual(row(before, at));
      expect(row(original, at)).not.toEqual(row(before, at));
    }
  });

  test('down-weighting: at 0.5 both have a half', () => {
    const prompt = read('a (red)0.5 circle left of a blue square', defaultsOf('compel'));
    const { parts } = explainRow('compel-mask', prompt.texts[0].weighted, 2, zOf);
    expect(parts.map(({ share }) => share)).toEqual([expect.closeTo(0.5, 12), expect.closeTo(0.5, 12)]);
    expect(parts[1].factor).toBeCloseTo(1, 12);
    expect(parts[1].without).toEqual([2]);
  });

  test('embedding: two “red” have one row of T, and two of X₀', () => {
    const { pass } = read('a red red circle').chunks[0];
    const tensorOf = matricesOf(pass, 0);
    expect(row(tensorOf('token_embedding'), 2)).toEqual(row(tensorOf('token_embedding'), 3));
    expect(row(tensorOf('hidden'), 2)).not.toEqual(row(tensorOf('hidden'), 3));
  });

  test('layer normalisation: rows of the stream grow from layer to layer, and are at a common measure after it', () => {
    const { pass, chunk } = read(typed).chunks[0];
    const { hiddenStates } = encode(pass);
    const rows = chunk.tokens.flatMap(({ kind }, at) => (kind === 'pad' ? [] : [at]));
    const norms = (values: ArrayLike<number>) => rows.map((at) => Math.hypot(...row(values, at)));
    const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    const grown = hiddenStates.map((state) => mean(norms(state)));
    for (const [at, length] of grown.entries()) if (at > 0) expect(length).toBeGreaterThan(grown[at - 1]);
    const spread = (values: number[]) => Math.max(...values) / Math.min(...values);
    const last = model.config.numHiddenLayers - 1;
    expect(spread(norms(matricesOf(pass, last)('layer_norm1')))).toBeLessThan(spread(norms(hiddenStates[last])));
  });

  test('softmax: shares come to 1, and a masked key’s is exactly 0; another head has others, and the same mask', () => {
    const { pass } = read(typed).chunks[0];
    const shares = matricesOf(pass, 0)('probabilities');
    const mask = attentionMask(pass);
    const L = pass.inputIds.length;
    for (let at = 0; at < L; at++)
      expect(shares.subarray(at * L, (at + 1) * L).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 10);
    for (const head of [0, 1])
      expect(shares.subarray(head * L * L, (head + 1) * L * L).map(Math.sign)).toEqual(Float64Array.from(mask));
    expect(shares.subarray(0, L * L)).not.toEqual(shares.subarray(L * L, 2 * L * L));
  });

  test('masks: without EOS as a key no row before it changes, and each from it on does', () => {
    const { pass, chunk } = read(typed).chunks[0];
    const eos = eosRow(chunk.tokens);
    const [own, masked] = [pass, withKeyMasked(pass, eos)].map((each) => encode(each).lastHiddenState);
    for (const at of chunk.tokens.keys())
      expect(row(own, at).every((value, c) => value === row(masked, at)[c])).toBe(at < eos);
  });

  test('MLP: most features are shut', () => {
    const { pass, chunk } = read(typed).chunks[0];
    const open = matricesOf(pass, 0)('quick_gelu');
    const m = model.config.intermediateSize;
    const own = Array.from(open.subarray(m, (eosRow(chunk.tokens) + 1) * m), Math.abs).sort((a, b) => a - b);
    expect(own[Math.floor(own.length / 2)]).toBeLessThan(0.2 * own[own.length - 1]);
  });

  test('layer: the last sum is the stream and the correction', () => {
    const tensorOf = matricesOf(read(typed).chunks[0].pass, model.config.numHiddenLayers - 1);
    const [sum, stream, correction] = (['residual2', 'residual1', 'fc2'] as const).map(tensorOf);
    expect(sum).toEqual(stream.map((value, at) => value + correction[at]));
  });

  test('stack: one layer less gives other rows of about the same lengths', () => {
    const { pass, chunk } = read(typed).chunks[0];
    const { hiddenStates, lastHiddenState } = encode(pass);
    const N = model.config.numHiddenLayers;
    const skipped = layerStages(model.config, weights, pass, N, hiddenStates[N - 1]).get('last_hidden_state')!;
    for (let at = 0; at <= eosRow(chunk.tokens); at++) {
      expect(row(skipped, at)).not.toEqual(row(lastHiddenState, at));
      const ratio = Math.hypot(...row(skipped, at)) / Math.hypot(...row(lastHiddenState, at));
      expect(Math.abs(Math.log(ratio))).toBeLessThan(0.25);
    }
  });

  test('temperature: at τ = 1 no share of a row is more than e² times another', () => {
    const extremes = Float64Array.of(1, -1, -1, 1);
    const { probabilities } = clipLoss(extremes, 2).textToImage;
    expect(probabilities[0] / probabilities[1]).toBeCloseTo(Math.E ** 2, 10);
  });
});
