import { describe, expect, test } from 'vitest';
import { clipTiny } from '../../clip/config.ts';
import { passKey } from '../../clip/encoderPass.ts';
import { expectClose } from '../../clip/testing/recorded.ts';
import fc from '../../properties.ts';
import { referenceZ } from '../../road/testing/encodings.ts';
import { a1111, d, fakeZ, fragmentsWith, readers, someWeight } from '../../road/testing/prompts.ts';
import { applyMethod, methodPasses } from '../apply.ts';
import type { WeightedPrompt, ZOf } from '../method.ts';
import { type MethodName, methods } from '../methods.ts';
import { type Explanation, explainRow } from './explain.ts';

const names = Object.keys(methods) as MethodName[];

function value({ terms }: Explanation, symbol: string): number {
  const found = terms.filter((term) => term.symbol === symbol);
  expect(found, symbol).toHaveLength(1);
  return found[0].value;
}

/** Refuses what is not among the method's passes. */
function passesOf(name: MethodName, prompt: WeightedPrompt): ZOf {
  const asked = new Set(methodPasses(methods[name], prompt).map(passKey));
  return (pass) => {
    if (!asked.has(passKey(pass))) expect.fail(`not among the passes: ${pass.inputIds}`);
    return fakeZ(pass);
  };
}

const norm = (values: Iterable<number>) => Math.sqrt([...values].reduce((sum, x) => sum + x * x, 0));

describe.each(names)('%s', (name) => {
  test('comes to the row of the conditioning, from the passes of the method', () => {
    const reader = fc.constantFrom(...Object.values(readers));
    fc.assert(
      fc.property(fragmentsWith(someWeight), reader, fc.nat(), (fragments, read, place) => {
        const prompt = read(fragments);
        const embeds = applyMethod(methods[name], prompt, fakeZ);
        const row = place % (embeds.length / d);
        fc.pre(embeds.every(Number.isFinite));
        const explanation = explainRow(name, prompt, row, passesOf(name, prompt));
        const { values, parts, terms, formula, filled, source } = explanation;
        const expected = embeds.subarray(row * d, (row + 1) * d);
        expectClose('row', Float32Array.from(values), expected, 1e-5, 1e-6);
        expect(terms.every((term) => Number.isFinite(term.value) && term.meaning !== '')).toBe(true);
        expect(new Set(terms.map(({ symbol }) => symbol)).size).toBe(terms.length);
        expect([formula, filled, source].every((text) => text.length > 0)).toBe(true);
        if (parts.length > 0) expect(parts.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
        const factors = parts.reduce((sum, part) => sum + part.factor, 0);
        for (const { share, factor } of parts) expect(share).toBeCloseTo(factor / factors, 9);
      }),
      { numRuns: 60 },
    );
  });

  test('a prompt without weights is left as it is', () => {
    const prompt = a1111('a cat');
    const { values, parts } = explainRow(name, prompt, 2, passesOf(name, prompt));
    expect([...values]).toEqual([...fakeZ(prompt.chunks[0].pass).subarray(2 * d, 3 * d)]);
    expect(parts.length).toBeLessThanOrEqual(1);
  });
});

describe('the row again, from nothing but the terms and what the encoder gave', () => {
  const prompt = a1111('a (red:1.5) car and (a dog:0.25)');
  const z = [...fakeZ(prompt.chunks[0].pass)];
  const e = [...fakeZ(prompt.empty)];
  const rows = [0, 1, 2, 5, 6, 76];
  const at = (values: readonly number[], row: number) => values.slice(row * d, (row + 1) * d);

  test.each(rows)('row %i', (row) => {
    const explain = (name: MethodName) => explainRow(name, prompt, row, fakeZ);
    const embeds = (name: MethodName) => at([...applyMethod(methods[name], prompt, fakeZ)], row);

    const scale = explain('scale');
    expectClose(
      'scale',
      at(z, row).map((x) => value(scale, 'w') * x),
      embeds('scale'),
      1e-6,
    );
    expectClose('norm', [Math.abs(value(scale, 'w')) * value(scale, '‖z‖')], [value(scale, '‖z′‖')], 1e-9);

    for (const name of ['original', 'adv-a1111'] as const) {
      const by = explain(name);
      const [w, before, after] = ['w', 'mean(z)', 'mean(z′)'].map((symbol) => value(by, symbol));
      expect(before).toBeCloseTo(z.reduce((sum, x) => sum + x, 0) / z.length, 12);
      expectClose(
        name,
        at(z, row).map((x) => (w * x * before) / after),
        embeds(name),
        1e-5,
      );
      expect(value(by, 'mean(z) / mean(z′)')).toBeCloseTo(before / after, 12);
      expect(value(by, '‖z″‖')).toBeCloseTo(norm(embeds(name)), 4);
    }

    const comfy = explain('comfy');
    const w = value(comfy, 'w');
    expectClose(
      'comfy',
      at(z, row).map((x, i) => at(e, row)[i] + w * (x - at(e, row)[i])),
      embeds('comfy'),
      1e-5,
    );
    expect(value(comfy, '‖z − e‖')).toBeCloseTo(norm(at(z, row).map((x, i) => x - at(e, row)[i])), 9);
    expect(value(comfy, '‖z′‖')).toBeCloseTo(norm(embeds('comfy')), 4);
  });
});

test('Compel: λ of each light fragment, its share, and where it is', () => {
  const prompt = a1111('a (red:0.5) car and (a dog:0.25)');
  for (const name of ['compel-mask', 'compel-remove'] as const) {
    const explanation = explainRow(name, prompt, 2, fakeZ);
    const second = Math.tan(0.375 * Math.PI);
    expect(value(explanation, 'λ₁')).toBeCloseTo(1, 12);
    expect(value(explanation, 'λ₂')).toBeCloseTo(second, 12);
    expect(value(explanation, 'Σ λ')).toBeCloseTo(1 + second, 12);
    const sum = 2 + second;
    expectClose(
      'shares',
      explanation.parts.map(({ share }) => share),
      [1 / sum, 1 / sum, second / sum],
      1e-12,
    );
    expect(explanation.parts.map(({ symbol, without }) => [symbol, without])).toEqual([
      ['E₀', []],
      ['B₁', [2]],
      ['B₂', [5, 6]],
    ]);
    expect(explanation.filled).toBe('z′ = 0.2265 · E₀ + 0.2265 · B₁ + 0.5469 · B₂,  E₀ = e + 0.5 · (z − e)');
  }
});

test('ADV: a share for each distinct weight, with what is replaced', () => {
  const prompt = a1111('(pears:0.2) and (apples:0.5)');
  const { parts, filled } = explainRow('adv-compel', prompt, 1, fakeZ);
  expectClose(
    'shares',
    parts.map(({ share }) => share),
    [0.2, 0.3, 0.5],
    1e-12,
  );
  expect(parts.map(({ symbol, without }) => [symbol, without])).toEqual([
    ['E₀', []],
    ['E₁', [1]],
    ['E₂', [1, 3]],
  ]);
  expect(parts[1].meaning).toBe('the prompt with + in the place of what weighs less than 0.5');
  expect(filled).toBe('z′ = 0.2 · E₀ + 0.3 · E₁ + 0.5 · E₂');
});

test('ADV down_weight: the weight after division by the largest', () => {
  const prompt = a1111('a (cat:2)');
  const explanation = explainRow('adv-down-weight', prompt, 1, fakeZ);
  expect([value(explanation, 'w'), value(explanation, 'max(w)'), value(explanation, 'u')]).toEqual([1, 2, 0.5]);
  expect(value(explainRow('adv-down-weight', prompt, 0, fakeZ), 'u')).toBe(1);
  expect(explanation.parts.map(({ without }) => without)).toEqual([[], [1]]);
});

test('ADV comfy++: what a heavy word does to its own row', () => {
  const prompt = a1111('a (cat:1.5)');
  const explanation = explainRow('adv-comfy++', prompt, 2, fakeZ);
  const word = value(explanation, '‖z − Eᵥ‖');
  const row = applyMethod(methods['adv-comfy++'], prompt, fakeZ).subarray(2 * d, 3 * d);
  const z = fakeZ(prompt.chunks[0].pass).subarray(2 * d, 3 * d);
  expect(0.5 * word).toBeCloseTo(norm(row.map((x, i) => x - z[i])), 5);
  expect(explanation.filled).toBe('z′ = E₀ + 0.5 · (z − Eᵥ)');
  expect(explainRow('adv-comfy++', prompt, 1, fakeZ).terms.map(({ symbol }) => symbol)).toEqual(['w', '‖z‖', '‖z′‖']);
});

test('the numbers are in the formulas', () => {
  const zOf: ZOf = ({ inputIds }) => Float32Array.from(inputIds, (_, row) => (row === 1 ? 3 : row === 2 ? -1 : 0));
  const filled = (name: MethodName, text: string) => explainRow(name, a1111(text), 2, zOf).filled;
  expect(filled('none', 'a (cat:2)')).toBe('z′ = z');
  expect(filled('scale', 'a (cat:-2)')).toBe('z′ = (−2) · z');
  expect(filled('original', 'a (cat:2)')).toBe('z″ = 2 · z · 0.02597 / 0.01299 = 4 · z');
  expect(filled('original', 'a (cat:3)')).toBe('z″ = 3 · z · 0.02597 / 0 = ∞ · z');
  expect(filled('comfy', 'a (cat:1.25)')).toBe('z′ = e + 1.25 · (z − e)');
  expect(filled('comfy', 'a cat')).toBe('z′ = z');
  expect(filled('compel-mask', 'a (cat:1.25)')).toBe('z′ = E₀ = e + 1.25 · (z − e)');
  expect(filled('adv-compel', 'a (cat:1.25)')).toBe('z′ = E₀ = e + 1.25 · (z − e)');
  expect(filled('adv-compel', 'a (cat:0.5)')).toBe('z′ = 0.5 · E₀ + 0.5 · E₁');
  const many = Array.from({ length: 6 }, (_, i) => `(cat:0.${i + 1})`).join(' ');
  expect(filled('compel-mask', many)).toMatch(/^z′ = ([\d.]+ · .. \+ ){4}…, {2}E₀ = e \+ 0\.2 · \(z − e\)$/);
});

test('a ratio that is not finite is told', () => {
  const zOf: ZOf = ({ inputIds }) => Float32Array.from(inputIds, (_, row) => (row === 1 || row === 2 ? 1 : 0));
  const explanation = explainRow('original', a1111('a (cat:-1)'), 2, zOf);
  expect(value(explanation, 'mean(z′)')).toBe(0);
  expect(value(explanation, 'mean(z) / mean(z′)')).toBe(Number.POSITIVE_INFINITY);
  expect([...explanation.values]).toEqual([Number.NEGATIVE_INFINITY]);
});

test('means are those of the chunk, of its batch, or of all chunks', () => {
  const prompt = { ...a1111('a (cat:1.5) BREAK a dog'), batch: [a1111('a (red:0.5) car').chunks] };
  const about = (name: MethodName, row: number) =>
    explainRow(name, prompt, row, passesOf(name, prompt)).terms.find(({ symbol }) => symbol === 'mean(z)')!;
  expect(about('original', 2).meaning).toBe('over this chunk of all texts of the batch');
  expect(about('original', 79).meaning).toBe('over this chunk');
  expect(about('adv-a1111', 2).meaning).toBe('over all chunks together');
  const [first, second] = prompt.chunks.map(({ pass }) => fakeZ(pass).reduce((sum, x) => sum + x, 0) / (77 * d));
  expect(about('original', 79).value).toBeCloseTo(second, 12);
  expect(about('adv-a1111', 2).value).toBeCloseTo((first + second) / 2, 12);
});

test('rows that only the batch has, and rows that are not there', () => {
  const prompt = { ...a1111('a cat'), batch: [a1111('a BREAK a (dog:0.5)').chunks] };
  for (const name of names) {
    const { values } = explainRow(name, prompt, 80, passesOf(name, prompt));
    expectClose(name, values, applyMethod(methods[name], prompt, fakeZ).subarray(80 * d, 81 * d), 1e-6);
  }
  expect(() => explainRow('scale', prompt, 154, fakeZ)).toThrow('no row 154 to explain: take one from 0 to 153.');
});

test('on the tiny encoder', async () => {
  const zOf = (await referenceZ(clipTiny))(1);
  const prompt = a1111('a photo of a (cat:0.5) on (grass:1.3)');
  for (const name of names)
    for (const row of [0, 5, 7, 8, 76]) {
      const embeds = applyMethod(methods[name], prompt, zOf);
      const { hiddenSize } = clipTiny;
      const { values } = explainRow(name, prompt, row, zOf);
      expectClose(name, values, embeds.subarray(row * hiddenSize, (row + 1) * hiddenSize), 1e-6);
    }
});
