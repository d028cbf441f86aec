import { expect, test } from 'vitest';
import type { AnalysisSubject } from '../../state/promptAnalyses.ts';
import {
  ablationFinding,
  layersFinding,
  leakageFinding,
  sharesFinding,
  sinksFinding,
  unetFinding,
  variantsFinding,
  wordsFinding,
} from './analysisFindings.ts';

const range = { start: 0, end: 1 };
const subject = {
  items: [
    { text: 'red', rows: [1], range },
    { text: 'cat', rows: [2], range },
  ],
  tokens: [{ kind: 'bos' }, { kind: 'text' }, { kind: 'text' }, { kind: 'eos' }],
} as unknown as AnalysisSubject;
const rows = Float64Array.of(0);

test('findings say what is largest, and what there is not', () => {
  const shares = {
    shares: { bos: 0, text: 0.25, eos: 0.125, pad: 0.625 },
    total: 2,
    distances: rows,
    lengths: rows,
    turns: rows,
  };
  expect(sharesFinding(shares)).toContain('25 % lies in the rows of its words, 12.5 % in EOS and 62.5 % in PAD.');
  expect(sharesFinding({ ...shares, total: 0 })).toBe('This prompt gives the same rows as the empty one.');
  const effect = (hiddenTotal: number, firstTotal: number) => ({ hidden: rows, first: rows, hiddenTotal, firstTotal });
  expect(wordsFinding(subject, [effect(3, 0), effect(1, 4)])).toMatch(
    /^“red” changes .* by 3\.00 together\. Saying “cat” first would move them by 4\.00\.$/,
  );
  expect(wordsFinding(subject, [effect(3, 0)])).toMatch(/by 3\.00 together\.$/);
  const taken = [
    { length: 2, distance: 0, turn: 0, from: [0, 0] },
    { length: 2, distance: 1, turn: 0, from: [0.5, 0] },
  ];
  expect(leakageFinding(subject, taken)).toContain(
    '“cat” takes most from another word, from “red”: without it, its row moves by 25 %',
  );
  expect(leakageFinding(subject, taken.slice(0, 1))).toBe('No word here takes anything from another one.');
  const variant = (text: string, turn: number) => ({
    name: text,
    text,
    turns: Float64Array.of(0, turn),
    hasUnknown: false,
  });
  expect(variantsFinding([variant('a', 0.25), variant('b', 0.125), variant('', 0)])).toContain(
    '“b”: its EOS row has a cosine of 0.875',
  );
  const left = [1, 0.4, 0].map((share) => Float64Array.of(0, 0, 0, share));
  expect(layersFinding(subject, { left, attention: [], mlp: [], massive: [] })).toBe(
    'EOS comes within half its length of where it ends after layer 1 of 2. No number of the stream is massive.',
  );
  const head = (attention: number, adds: number) => ({ attention, weighted: 0, adds });
  expect(sinksFinding({ heads: [[head(0.9, 0.001), head(0.2, 0.4)]], valueLengths: [] })).toMatch(
    /^1 of 2 heads .*; 1 gives BOS/,
  );
  expect(sinksFinding({ heads: [], valueLengths: [] })).toBe(
    'The embeddings are what is read: no head comes before them.',
  );
  const off = (total: number | null) => ({ rows: [], total });
  expect(ablationFinding({ heads: [[off(1), off(2)]], mlps: [off(null)], length: 4 })).toBe(
    'Most depends on head 2 of layer 1: without it the rows move by 50 % of their length.',
  );
});

test('the U-Net’s lengths are compared in the mean of its layers', () => {
  const lengths = (bos: number, moved: number) => ({
    before: Float64Array.of(bos, 2, 2, 1),
    after: Float64Array.of(bos, 2, 2, 1),
    moved: Float64Array.of(0, 0, moved, 0),
  });
  const layer = (bos: number, moved: number) => ({
    ...{ name: 'mid', block: 'mid_block', channels: 8 },
    keys: lengths(bos, moved),
    values: lengths(bos / 2, 2 * moved),
  });
  const of = { tokens: subject.tokens, labels: ['BOS', 'red', 'cat', 'EOS'] };
  expect(unetFinding(of, { layers: [layer(4, 0.1), layer(8, 0.2)] })).toBe(
    'In the mean of its 2 layers, the U-Net’s key of BOS is 3.00 times and its value 1.50 times as long as those of the words; weights move “cat” most, its key by 15 % and its value by 30 % of their lengths.',
  );
  expect(unetFinding(of, { layers: [layer(4, 0)] })).toMatch(/; no weight moves a key or a value\.$/);
  const wordless = { tokens: [subject.tokens[0], subject.tokens[3]], labels: ['BOS', 'EOS'] };
  expect(unetFinding(wordless, { layers: [layer(4, 0)] })).toBe(
    'This chunk has no words that keys and values could be of.',
  );
  expect(unetFinding(of, { problem: 'There is none.' })).toBe('There is none.');
});
