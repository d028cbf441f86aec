/** The cases of the suite, made of the recordings that the tests of each room have. Reads from the repository's root. */
import { readFileSync } from 'node:fs';
import { clipTiny } from '../clip/config.ts';
import { readNpy } from '../files/npy.ts';
import { tokenizerFlavours } from '../tokens/tokenizerFlavours.ts';
import { type ConformanceCase, type ConformanceKind, type ConformanceProgram, comparedRows } from './cases.ts';

type Row = Readonly<Record<string, unknown>>;
type Pairs = Pick<ConformanceCase, 'input' | 'expected'>[];

const recorded = (path: string): Row[] => JSON.parse(readFileSync(`src/${path}.json`, 'utf8'));
const index = (name: string): Record<string, Row> =>
  JSON.parse(readFileSync(`src/weighting/recorded/index_${name}.json`, 'utf8'));

/** Undoes `[value, times]` runs. */
const unrun = (runs: unknown) =>
  (runs as [number, number][]).flatMap(([value, times]) => Array<number>(times).fill(value));

/** Names of the recorded tokenizers' ids. */
const columns: Readonly<Record<string, string>> = {
  'hf-slow-ftfy': 'hf_slow_ftfy',
  'hf-slow': 'hf_slow_noftfy',
  'hf-fast': 'hf_fast',
  'hf-v5': 'hf_v5',
  openai: 'openai',
};

const readers: readonly (readonly [ConformanceProgram, ConformanceKind, () => Pairs])[] = [
  [
    'a1111',
    'parse',
    () =>
      recorded('prompt/recorded/a1111_attention').map(({ prompt, result }) => ({
        input: { prompt },
        expected: result ?? null,
      })),
  ],
  [
    'a1111',
    'schedule',
    () =>
      recorded('prompt/recorded/a1111_schedule')
        .filter(({ hiresSteps }) => hiresSteps === null)
        .map(({ prompt, steps, useOldScheduling, result }) => ({
          input: { prompt, steps, useOldScheduling },
          expected: result,
        })),
  ],
  [
    'a1111',
    'parts',
    () =>
      recorded('prompt/recorded/a1111_multicond').map(({ prompt, flat, indexes }) => ({
        input: { prompt },
        expected: (indexes as [number, number][]).map(([at, weight]) => [(flat as string[])[at], weight]),
      })),
  ],
  [
    'a1111',
    'networks',
    () =>
      recorded('prompt/recorded/a1111_extra_networks').map(({ prompt, text, networks }) => {
        const byKind = Object.entries(networks as Record<string, { readonly items: string[] }[]>);
        const items = Object.fromEntries(byKind.map(([kind, list]) => [kind, list.map((one) => one.items)]));
        return { input: { prompt }, expected: { text, networks: items } };
      }),
  ],
  ['a1111', 'chunk', a1111Chunks],
  [
    'compel',
    'parse',
    () =>
      recorded('prompt/recorded/compel_parse').map(({ prompt, result }) => ({
        input: { prompt },
        expected: result ?? null,
      })),
  ],
  [
    'compel',
    'chunk',
    () =>
      recorded('tokens/recorded/compel_tokens').flatMap(({ prompt, prompts }) => {
        const rows = prompts as { readonly ids: number[]; readonly weights: number[] }[] | undefined;
        if (!rows?.length || (rows as unknown[]).includes('swap')) return [];
        return [{ input: { prompt }, expected: rows.map(({ ids, weights }) => ({ ids, weights })) }];
      }),
  ],
  [
    'comfy',
    'parse',
    () =>
      recorded('prompt/recorded/comfy_parse').map(({ prompt, token_weights: expected }) => ({
        input: { prompt },
        expected,
      })),
  ],
  [
    'comfy',
    'page',
    () =>
      recorded('prompt/recorded/comfy_dynamic').map(({ prompt, choices, text }) => ({
        input: { prompt, choices },
        expected: text,
      })),
  ],
  [
    'comfy',
    'chunk',
    () =>
      recorded('tokens/recorded/comfy_tokens').flatMap(({ prompt, tokens_2024: words, tokens_2025: segments }) => [
        { input: { prompt, version: '2024' }, expected: words },
        { input: { prompt, version: '2025' }, expected: segments },
      ]),
  ],
  [
    'clip',
    'tokenize',
    () =>
      [...recorded('tokens/recorded/tokenizer'), ...recorded('tokens/recorded/text_clean_up')].flatMap((row) =>
        tokenizerFlavours.flatMap((tokenizer) => {
          const expected = row[columns[tokenizer]];
          return expected ? [{ input: { text: row.text, tokenizer }, expected }] : [];
        }),
      ),
  ],
  ['a1111', 'weigh', () => weighings({ ...index('a1111'), ...index('a1111_rest') }, a1111Weighing)],
  ['compel', 'weigh', () => weighings({ ...index('compel'), ...index('compel221') }, compelWeighing)],
  ['comfy', 'weigh', () => weighings(index('comfy'), comfyWeighing)],
];

/** Vectors of the textual inversions that the recorded chunks were made with. */
const embeddings = { easynegative: 8, 'sks dog': 3, longone: 74, hugeone: 80 };

function a1111Chunks(): Pairs {
  return recorded('tokens/recorded/a1111_chunks').map((row) => {
    const { prompt, commaPaddingBacktrack, emphasis, textualInversion, tokenCount, chunks } = row;
    const input = {
      prompt,
      commaPaddingBacktrack,
      emphasis,
      embeddings: textualInversion ? embeddings : {},
    };
    if (!chunks) return { input, expected: null };
    const expected = (chunks as Row[]).map(({ tokens, multipliers, fixes }) => ({
      ids: unrun(tokens),
      weights: unrun(multipliers),
      embeddings: fixes,
    }));
    return { input, expected: { tokenCount, chunks: expected } };
  });
}

const a1111Weighing = ({ prompt, emphasis, clip_skip: clipSkip = 1 }: Row) => ({ prompt, emphasis, clipSkip });

function compelWeighing({ prompt, method, options, padding_attention_mask_value: padding, returned }: Row) {
  const isNormalised = String(method).includes('PENULTIMATE');
  return {
    prompt,
    downweight: options === 'remove' ? 'remove' : 'mask',
    paddingAttentionMaskValue: padding ?? 1,
    returned: isNormalised ? 'penultimate-normalized' : returned === 'penult' ? 'penultimate' : 'last',
  };
}

function comfyWeighing({ prompt, method, interpretation = 'comfy', normalization = 'none' }: Row) {
  const version = String(method).endsWith('c25') ? '2025' : '2024';
  return { prompt, version, interpretation, normalization };
}

/** Cases of the conditionings that were recorded on the tiny model, one prompt each. */
function weighings(records: Record<string, Row>, inputOf: (record: Row) => ConformanceCase['input']): Pairs {
  const { hiddenSize: d } = clipTiny;
  return Object.entries(records)
    .filter(([name, { prompt }]) => name.startsWith('tiny_') && prompt !== undefined)
    .map(([name, record]) => {
      const data = readNpy(readFileSync(`src/weighting/recorded/${name}.npy`)).data as Float32Array;
      const expected = comparedRows.map((row) =>
        Array.from(data.subarray(row * d, (row + 1) * d), (value) => Number(value.toPrecision(7))),
      );
      return { input: { ...inputOf(record), rows: comparedRows }, expected };
    });
}

/** Makes all cases. */
export function recordedCases(): ConformanceCase[] {
  return readers.flatMap(([program, kind, read]) =>
    read().map((pair, i) => ({ id: `${program}/${kind}/${i}`, program, kind, ...pair })),
  );
}
