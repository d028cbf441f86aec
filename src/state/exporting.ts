import type { EncoderPass } from '../clip/encoderPass.ts';
import type { MergedLora } from '../prompt/a1111/extraNetworks.ts';
import { sides } from '../prompt/side.ts';
import type { Slices } from '../prompt/slices.ts';
import { type AlignedFile, aligningFile } from '../road/export/alignedFile.ts';
import { type ConditioningComparison, comparingConditioning } from '../road/export/compareConditioning.ts';
import type { ConditioningFormat, StoredConditioning } from '../road/export/conditioningFile.ts';
import {
  type ConditioningPair,
  type ConditioningTensor,
  checkingFinite,
  exportingConditioning,
  exportMetadata,
  exportPasses,
  exportShapes,
  type PromptEmbedding,
  exportRefusal as pairRefusal,
  promptEmbeddings,
} from '../road/export/exportConditioning.ts';
import type { PromptOptions } from '../road/options.ts';
import type { PreparedPrompt } from '../road/preparedPrompt.ts';
import type { ZOf } from '../weighting/method.ts';
import { methodNames, methods } from '../weighting/methods.ts';
import type { ModelInfo } from '../worker/messages.ts';
import { encodedZ } from './encoded.ts';
import type { Facts } from './facts.ts';
import { mostChunksAtOnce, type SlicedWork } from './inSlices.ts';
import { openedLora } from './loraActions.ts';
import { memoised } from './memoised.ts';
import { loraUsage, prepared } from './reading.ts';

import { shared, writeShared } from './shared.ts';
import { shownConfig } from './shownSizes.ts';
import { tokenLabel } from './tokenLabels.ts';

const pairOf = memoised(
  (positive: PreparedPrompt, negative: PreparedPrompt, options: PromptOptions): ConditioningPair => ({
    positive,
    negative,
    options,
  }),
);

/** Both prompts, as they are exported; undefined until the tokenizer is loaded, and where one of them is not read. */
export function exportedPair(facts: Facts): ConditioningPair | undefined {
  const [positive, negative] = sides.map((side) => prepared(facts, side));
  if (!positive || !negative || exportRefusal(facts)) return undefined;
  return pairOf(positive, negative, facts.options);
}

/** Says why there is nothing to export: a prompt that is not read, or that is too long beside the other. Null where both are exported. */
export function exportRefusal(facts: Facts): string | null {
  const [positive, negative] = sides.map((side) => prepared(facts, side));
  const unread = positive?.refusal ?? negative?.refusal;
  if (unread) return unread;
  return positive && negative ? tooLongOf(pairOf(positive, negative, facts.options)) : null;
}

const tooLongOf = memoised(pairRefusal);
const passesOf = memoised(exportPasses);
const shapesOf = memoised(exportShapes);
const nothing: readonly EncoderPass[] = [];

/** The passes that an export has to have encoded. */
export function exportedPasses(facts: Facts): readonly EncoderPass[] {
  const pair = exportedPair(facts);
  return pair ? passesOf(pair) : nothing;
}

/** How many of the passes of an export are encoded. */
export function exportedCount(facts: Facts): number {
  return exportedPasses(facts).filter((pass) => encodedZ(facts, [pass])).length;
}

/** Names, types and shapes of the arrays that an exported file will hold. */
export function exportedShapes(facts: Facts) {
  const pair = exportedPair(facts);
  return pair && shapesOf(pair, shownConfig(facts).hiddenSize);
}

/** The arrays of an exported file, and whether all of their numbers are finite. */
export interface Exported {
  readonly pair: ConditioningPair;
  readonly tensors: readonly ConditioningTensor[];
  readonly isFinite: boolean;
}

const exportOf = memoised((pair: ConditioningPair, z: ZOf): SlicedWork<Exported> => {
  function* computing() {
    const tensors = yield* exportingConditioning(pair, z);
    return { pair, tensors, isFinite: yield* checkingFinite(tensors) };
  }
  return Object.assign(computing, { isLong: isLongPair(pair) });
});

const isLongPair = ({ positive, negative }: ConditioningPair) =>
  [positive, negative].some((side) => (side?.chunks.length ?? 0) > mostChunksAtOnce);

/** The work of computing the arrays of an exported file; null while not all that it takes is encoded. */
export function exportWork(facts: Facts): SlicedWork<Exported> | null {
  const pair = exportedPair(facts);
  const z = pair && encodedZ(facts, passesOf(pair));
  return pair && z ? exportOf(pair, z) : null;
}

const mergedOf = memoised((usage: ReadonlyMap<string, readonly number[]>): readonly MergedLora[] =>
  [...usage].flatMap(([name, multipliers]) => multipliers.map((multiplier) => ({ name, multiplier }))),
);

/** The LoRAs that are merged, for both prompts. */
const mergedLoras = (facts: Facts): readonly MergedLora[] => mergedOf(loraUsage(facts));

const metadataOf = memoised(
  (pair: ConditioningPair, { name, random }: ModelInfo, sha256: string | undefined, loras: readonly MergedLora[]) =>
    exportMetadata(pair, { name, random, sha256, loras }),
);

/** The metadata of an exported file; undefined while there is no model, and until its hash is known. */
export function exportedMetadata(facts: Facts): Readonly<Record<string, string>> | undefined {
  const pair = exportedPair(facts);
  const { model, weightsHash } = facts;
  return pair && model && weightsHash !== null ? metadataOf(pair, model, weightsHash, mergedLoras(facts)) : undefined;
}

/** Textual inversions and LoRAs that went into the numbers. */
export interface ExportedNetworks {
  readonly embeddings: readonly PromptEmbedding[];
  readonly loras: readonly LoadedLora[];
}

/** A LoRA that was merged, as diffusers loads it for the U-Net. */
export interface LoadedLora {
  readonly name: string;
  readonly file: string;
  /** Factor of what is added to the U-Net's weights. */
  readonly unet: number;
}

const networksOf = memoised(
  (
    { positive, negative }: ConditioningPair,
    merged: readonly MergedLora[],
    opened: Facts['loras'],
  ): ExportedNetworks => {
    const both = [positive, negative].flatMap((prepared) => (prepared ? promptEmbeddings(prepared) : []));
    const named = positive.loras.map(({ name, unet }) => ({ lora: openedLora(opened, name), unet }));
    return {
      embeddings: [...new Map(both.map((one) => [one.name, one])).values()],
      loras: [...new Set(merged.map(({ name }) => name))].map((name) => ({
        name,
        file: opened.get(name)!.file.name,
        unet: named.reduce((sum, { lora, unet }) => (lora === opened.get(name) ? sum + unet : sum), 0),
      })),
    };
  },
);

/** The networks of both prompts; undefined until the tokenizer is loaded. */
export function exportedNetworks(facts: Facts): ExportedNetworks | undefined {
  const pair = exportedPair(facts);
  return pair && networksOf(pair, mergedLoras(facts), facts.loras);
}

/** Lines by which the snippet reads a safetensors file. */
const safetensorsLines = [
  'from safetensors.torch import load_file\n',
  'embeds = load_file("conditioning.safetensors")\n',
];

/** Lines by which it reads other files, with NumPy. */
const numpyLines: Readonly<Record<Exclude<ConditioningFormat, 'safetensors'>, string>> = {
  npz: `arrays = numpy.load("conditioning.npz")
embeds = {name: torch.from_numpy(arrays[name]) for name in ("prompt_embeds", "negative_prompt_embeds")}
`,
  npy: `embeds = {"prompt_embeds": torch.from_numpy(numpy.load("conditioning.npy"))}
`,
};

/** Rewrites the snippet, which reads a safetensors file, for another format. An .npy has no negative prompt. */
export function snippetFor(format: ConditioningFormat, snippet: string): string {
  if (format === 'safetensors') return snippet;
  const [importing, loading] = safetensorsLines;
  const read = snippet
    .replace('import torch\n', 'import numpy\nimport torch\n')
    .replace(importing, '')
    .replace(loading, numpyLines[format]);
  return format === 'npz'
    ? read
    : read.replace(/^( *)negative_prompt_embeds=.*$/m, '$1negative_prompt="",  # an .npy holds the prompt alone');
}

/** Python's literal of a text: JSON's is one. */
const literal = (text: string) => JSON.stringify(text);

/**
 * Adds to the snippet what has to be loaded before the pipeline is called: the U-Net's part of each LoRA. The encoder's part is in
 * the numbers already, and so is all of a textual inversion.
 */
export function snippetWith(snippet: string, { embeddings, loras }: ExportedNetworks): string {
  const lines: string[] = [];
  if (loras.length > 0) {
    // PEFT takes no full stop in the names of adapters.
    const adapters = loras.map((_, i) => `"lora_${i + 1}"`);
    lines.push(
      '# The text encoder had these LoRAs merged, so their part of it is in the numbers; the U-Net needs them loaded.',
      ...loras.map(
        ({ file }, i) => `pipe.load_lora_weights(".", weight_name=${literal(file)}, adapter_name=${adapters[i]})`,
      ),
      `pipe.set_adapters([${adapters.join(', ')}], [${loras.map(({ unet }) => unet).join(', ')}])`,
    );
  }
  if (embeddings.length > 0) {
    const named = embeddings.map(({ name }) => literal(name)).join(', ');
    lines.push(
      `# The vectors of ${named} are in the numbers: only a prompt given as text needs pipe.load_textual_inversion.`,
    );
  }
  return snippet.replace(/^image = pipe\(/m, (call) => [...lines, call].join('\n'));
}

const checkedLabels = methodNames.filter((name) => methods[name].isChecked).map((name) => methods[name].label);

/** Lists names in a sentence: "a, b and c". */
function listed(names: readonly string[]): string {
  return `${names.slice(0, -1).join(', ')} and ${names[names.length - 1]}`;
}

/** Why `check.py` cannot recompute what is exported, in one sentence; null where it can. */
export function whyUnchecked({ options, positive, negative }: ConditioningPair): string | null {
  const { weighting, mask } = options;
  const { isChecked, label, means } = methods[weighting];
  if (!isChecked) return `It recomputes ${listed(checkedLabels)}, not the weighting chosen now.`;
  if (mask === 'none') return 'It cannot recompute what is encoded without a mask.';
  const texts = [...positive.texts, ...(negative?.texts ?? [])];
  if (texts.some(({ operator }) => operator === 'and' || operator === 'blend'))
    return 'It does not recompute Compel’s .and() and .blend().';
  const isShared = options.syntax === 'compel' && options.clsTokens !== 'own';
  if (isShared && texts.some(({ chunks }) => chunks.length > 1))
    return 'It does not recompute EOS rows that chunks share.';
  if (means && texts.some(({ weighted }) => weighted.batch?.length))
    return `It does not recompute “${label}” where the texts of a schedule share a mean.`;
  return null;
}

/** Names the files that `check.py` has to be given besides, in one sentence; null where there are none. */
export function checkedFiles({ embeddings, loras }: ExportedNetworks): string | null {
  const given = [
    ...loras.map(({ file }) => `--lora ${file}`),
    ...embeddings.map(({ name }) => `--embedding and the file with “${name}”`),
  ];
  return given.length === 0 ? null : `These numbers have more in them than the model: add ${given.join(', ')}.`;
}

/** A file's conditioning minus the page's, with the rows of one token paired; or the sentence that says why there is none. */
export type FileComparison = string | (ConditioningComparison & { readonly aligned: AlignedFile | null });

const comparisonOf = memoised(
  (stored: StoredConditioning, own: SlicedWork<Exported>, metadata: ReadonlyMap<string, string>) => {
    function* comparing(): Slices<{ readonly comparison: FileComparison }> {
      const { tensors } = yield* own();
      yield;
      const comparison = yield* comparingConditioning(stored, tensors);
      if (typeof comparison === 'string') return { comparison };
      yield;
      return { comparison: { ...comparison, aligned: yield* aligningFile(metadata, stored, comparison) } };
    }
    return Object.assign(comparing, { isLong: own.isLong });
  },
);

/** The work of comparing a conditioning of the opened file with that of the page; null while the page's is not encoded. */
export function comparisonWork(
  facts: Facts,
  index: number,
): SlicedWork<{ readonly comparison: FileComparison }> | null {
  const stored = facts.compared?.conditionings[index];
  const own = exportWork(facts);
  return stored && own ? comparisonOf(stored, own, facts.compared!.metadata) : null;
}

/** Whether all that a saved session holds is there: it has the tokens of both prompts, and the hash of the weights. */
export function isSessionWhole(facts: Facts): boolean {
  return facts.weightsHash !== null && sides.every((side) => prepared(facts, side) !== undefined);
}

/**
 * JSON: what a saved prompt holds, and so opens as one, with the texts that ComfyUI's page makes of the prompts, where it
 * changes them, both prompts' tokens, chunk by chunk, the names of textual
 * inversions in them and of LoRAs merged, and the model's name and hash.
 */
export function writeSession(facts: Facts): string {
  if (facts.tokenizer.phase !== 'ready') return writeShared(shared(facts), 2);
  const { tokenizer } = facts.tokenizer;
  const tokens = sides.map((side) => [
    side,
    prepared(facts, side)?.chunks.map(({ chunk, text, index }) => ({
      text,
      index,
      tokens: chunk.tokens
        .filter(({ kind }) => kind !== 'pad')
        .map((token) => ({ id: token.id, token: tokenLabel(token, tokenizer), weight: token.weight })),
    })),
  ]);
  const read = sides.flatMap((side) => {
    const dynamic = prepared(facts, side)?.dynamic;
    return dynamic && !dynamic.isAsTyped ? [[side, dynamic.text.text]] : [];
  });
  const { model, weightsHash } = facts;
  const networks = exportedNetworks(facts);
  return JSON.stringify(
    {
      ...JSON.parse(writeShared(shared(facts))),
      model: model && { name: model.name, sha256: weightsHash ?? undefined, random: model.random },
      loras: mergedLoras(facts),
      embeddings: networks?.embeddings ?? [],
      ...(read.length > 0 && { read: Object.fromEntries(read) }),
      tokens: Object.fromEntries(tokens),
    },
    null,
    2,
  );
}
