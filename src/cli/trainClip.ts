import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openSafetensors } from '../files/safetensors.ts';
import type { TensorFile } from '../files/tensorFile.ts';
import { hex, sha256 } from '../models/weightsHash.ts';
import { createTokenizer, type Tokenizer } from '../tokens/tokenizer.ts';
import { clipConfigJson, preprocessorJson, readParameters, writeClipModel } from '../training/clipFile.ts';
import {
  type ClipRun,
  clipCheckpoint,
  defaultRun,
  type RunSettings,
  type StepNumbers,
  startRun,
  trainStep,
} from '../training/clipRun.ts';
import {
  clipEmbedder,
  type Evaluation,
  type EvaluationSet,
  evaluate,
  evaluationSet,
  foilScenes,
  judgeFoils,
} from '../training/evaluation.ts';
import { metricRows, modelCard } from '../training/modelCard.ts';
import { restoreRun, runProgress, writeRunCheckpoint } from '../training/runCheckpoint.ts';
import { pictureSize } from '../world/render.ts';
import { fileSource } from './fileSource.ts';
import {
  jsonText,
  machineName,
  type NumberOptions,
  openFolder,
  optionHelp,
  paths,
  readArguments,
  readRate,
  readSettings,
  runSession,
  type Session,
  UsageError,
  type Values,
  whole,
  write,
} from './trainingSession.ts';

const numbers = {
  seed: ['seed', 0, 2 ** 31 - 1, 'one seed gives one file, to the bit'],
  steps: ['steps', 1, 1e6, 'steps of the whole run'],
  batch: ['batch', 2, 1024, 'pairs of a step'],
  'plain-steps': ['plainSteps', 0, 1e6, 'first steps, on one black object on a light ground'],
  'single-steps': ['singleSteps', 0, 1e6, 'next steps, on scenes of one object'],
  'look-steps': ['lookSteps', 0, 1e6, 'next steps, on everything'],
  'pair-steps': ['pairSteps', 0, 1e6, 'next steps, on scenes of two objects in plain words'],
  'word-steps': ['wordSteps', 0, 1e6, 'next steps, on everything'],
  'bind-steps': ['bindSteps', 0, 1e6, 'next steps, on two objects and everything about them'],
  'whole-steps': ['wholeSteps', 0, 1e6, 'next steps, on everything; the others have more twins'],
  'again-steps': ['againSteps', 0, 1e6, 'steps whose learning rate rises and falls once more'],
  'alike-steps': ['alikeSteps', 0, 1e6, 'first of these, on pairs of one colour; the others are on everything'],
  'last-steps': ['lastSteps', 0, 1e6, 'next steps, with a third rise and fall, on everything'],
  'tune-steps': ['tuneSteps', 0, 1e6, 'next steps, with a fourth, in which the text encoder stays as it is'],
  'polish-steps': ['polishSteps', 0, 1e6, 'next steps, with a fifth, from the parameters rounded to float16'],
  'turn-steps': ['turnSteps', 0, 1e6, 'next steps, with a sixth, again from float16: pairs that are turned'],
  'every-steps': ['everySteps', 0, 1e6, 'next steps, on everything'],
  'fit-steps': [
    'fitSteps',
    0,
    1e6,
    'last steps, with a seventh, from float16 as well: everything, with fewer twins that are turned',
  ],
  'pair-batch': ['pairBatch', 2, 1024, 'pairs of a step on plain words'],
  'warm-up': ['warmUp', 0, 1e6, 'steps in which the learning rate rises (a twentieth of the steps, 100 at most)'],
  width: ['width', 4, 512, 'text tower: numbers of a row'],
  layers: ['layers', 1, 24, 'text tower'],
  heads: ['heads', 1, 24, 'text tower'],
  'image-width': ['imageWidth', 4, 512, 'image tower: numbers of a row'],
  'image-layers': ['imageLayers', 1, 24, 'image tower'],
  'image-heads': ['imageHeads', 1, 24, 'image tower'],
  patch: ['patch', 4, pictureSize, 'side of a patch in pixels: 4, 5, 8, 10, 20 or 40'],
  'mlp-ratio': ['mlpRatio', 1, 8, 'width inside an MLP, in widths of a row'],
  embedding: ['embedding', 4, 512, 'numbers that a caption and a picture become'],
} as const satisfies NumberOptions<RunSettings>;

export const clipUsage = `Trains a small CLIP on pictures of coloured shapes, and writes it as files that transformers opens.

  npm run train -- clip --out FOLDER [options]

  --out FOLDER           gets model.safetensors, config.json, preprocessor_config.json, README.md (its card), log.jsonl and
                         checkpoint.safetensors
  --resume               goes on with the checkpoint in the folder, after Ctrl-C say
${optionHelp<RunSettings>(numbers, defaultRun)}
  --learning-rate X      its highest (${defaultRun.learningRate})
  --again-rate X         its highest in the steps --again-steps (${defaultRun.againRate})
  --last-rate X          its highest in the steps --last-steps (${defaultRun.lastRate})
  --tune-rate X          its highest in the steps --tune-steps (${defaultRun.tuneRate})
  --polish-rate X        its highest in the steps --polish-steps (${defaultRun.polishRate})
  --turn-rate X          its highest in the steps --turn-steps and --every-steps (${defaultRun.turnRate})
  --fit-rate X           its highest in the steps --fit-steps (${defaultRun.fitRate})
  --measure-every N      steps between measurements (100)
  --checkpoint-every N   steps between checkpoints (50)
  --foil-scenes N        scenes whose foils the card counts, besides those of its 400 (${foilScenes})
  --full-table           also writes the model with all of CLIP's ids in its token table, into FOLDER/full: for transformers with
                         CLIP's own tokenizer
`;

/** Reads what decides the model. Throws UsageError. */
function readClipSettings(values: Values): RunSettings {
  const settings: RunSettings = {
    ...readSettings<RunSettings>(values, numbers, defaultRun),
    againRate: readRate(values, 'again-rate', defaultRun.againRate),
    lastRate: readRate(values, 'last-rate', defaultRun.lastRate),
    tuneRate: readRate(values, 'tune-rate', defaultRun.tuneRate),
    polishRate: readRate(values, 'polish-rate', defaultRun.polishRate),
    turnRate: readRate(values, 'turn-rate', defaultRun.turnRate),
    fitRate: readRate(values, 'fit-rate', defaultRun.fitRate),
  };
  for (const [width, heads, what] of [
    [settings.width, settings.heads, ''],
    [settings.imageWidth, settings.imageHeads, 'image-'],
  ] as const)
    if (width % (4 * heads))
      throw new UsageError(
        `--${what}width ${width} is no multiple of 4 numbers for each of ${heads} heads; choose ${4 * heads} times something.`,
      );
  if (settings.embedding % 4) throw new UsageError(`--embedding is a multiple of 4, not ${settings.embedding}.`);
  if (pictureSize % settings.patch)
    throw new UsageError(
      `--patch divides the ${pictureSize} pixels of a picture's side, which ${settings.patch} does not.`,
    );
  return settings;
}

/** Starts a run, or goes on with a checkpoint. */
async function openRun(file: TensorFile | null, values: Values, tokenizer: Tokenizer) {
  if (!file) return { run: await startRun(readClipSettings(values), tokenizer), seconds: 0 };
  const { settings, seconds } = runProgress(file, defaultRun);
  const run = await startRun(settings, tokenizer);
  run.step = await restoreRun(clipCheckpoint(run), file);
  return { run, seconds };
}

/** The scenes that a model is measured on. */
interface Scenes {
  readonly seen: EvaluationSet;
  readonly heldOut: EvaluationSet;
}

/** Seen scenes, and those with pairs never trained. */
interface Metrics {
  readonly seen: Evaluation;
  readonly heldOut: Evaluation;
}

function measure({ model, rows, settings }: ClipRun, { seen, heldOut }: Scenes): Metrics {
  const embedder = clipEmbedder(model, rows, settings.batch);
  return { seen: evaluate(embedder, seen), heldOut: evaluate(embedder, heldOut) };
}

/** Prints both sides by side. */
function printMetrics({ seen, heldOut }: Metrics): void {
  const other = metricRows(heldOut);
  for (const [i, [name, share]] of metricRows(seen).entries())
    console.log(`  ${name.padEnd(52)}seen ${share.toFixed(3)}   never trained ${other[i][1].toFixed(3)}`);
}

/** Writes the model, reads it again, and writes a card with what is measured on the file's own numbers. */
async function writeModel(
  run: ClipRun,
  tokenizer: Tokenizer,
  scenes: Scenes,
  foilCount: number,
  seconds: number,
  out: string,
  fullTable: boolean,
) {
  const { model, tokenIds, rows, settings } = run;
  const at = paths(out);
  const bytes = writeClipModel(model, tokenIds, { dtype: 'F16' });
  await write(at.model, bytes);
  await write(at.config, jsonText(clipConfigJson(model.config, tokenIds)));
  await write(at.preprocessor, jsonText(preprocessorJson(model.config)));
  if (fullTable) {
    const full = paths(join(out, 'full'));
    await mkdir(join(out, 'full'), { recursive: true });
    await write(full.model, writeClipModel(model, tokenIds, { dtype: 'F16', fullTable: rows }));
    await write(full.config, jsonText(clipConfigJson(model.config)));
    await write(full.preprocessor, jsonText(preprocessorJson(model.config)));
  }
  await readParameters(await openSafetensors(fileSource(at.model)), model.config, model.parameters);
  const metrics = measure(run, scenes);
  const embedder = clipEmbedder(model, rows, settings.batch);
  const foilsOf = (pairs: 'seen' | 'heldOut') => judgeFoils(embedder, evaluationSet(tokenizer, pairs, foilCount));
  const facts = {
    settings,
    seconds,
    ...metrics,
    foils: { scenes: foilCount, seen: foilsOf('seen'), heldOut: foilsOf('heldOut') },
    parameters: model.parameters.values.length,
    machine: machineName(),
    sha256: hex((await sha256(bytes))!),
    bytes: bytes.length,
    words: tokenIds.length,
  };
  await write(at.card, modelCard(facts));
  console.log(`Wrote ${at.model}: ${bytes.length} bytes, SHA-256 ${facts.sha256}`);
  printMetrics(metrics);
}

/** Returns the exit code. Throws UsageError and the errors of the run's files. */
export async function trainClip(args: readonly string[]): Promise<number> {
  const read = readArguments(
    args,
    [...Object.keys(numbers), 'again-rate', 'last-rate', 'tune-rate', 'polish-rate', 'turn-rate', 'fit-rate'],
    { 'full-table': { type: 'boolean' }, 'foil-scenes': { type: 'string' } },
    100,
  );
  if (!read) {
    console.log(clipUsage);
    return 0;
  }
  const { request, values } = read;
  const foilCount = whole('foil-scenes', String(values['foil-scenes'] ?? foilScenes), 1, 100_000);
  // Settings are read before a folder is made for them.
  if (!request.resume) readClipSettings(values);
  const tokenizer = createTokenizer(await readFile('public/clip-merges.txt', 'utf8'));
  const { run, seconds } = await openRun(await openFolder(request), values, tokenizer);
  console.log(`${run.model.parameters.values.length} parameters, step ${run.step} of ${run.settings.steps}`);
  const scenes = { seen: evaluationSet(tokenizer, 'seen'), heldOut: evaluationSet(tokenizer, 'heldOut') };
  const session: Session<StepNumbers, Metrics> = {
    steps: run.settings.steps,
    secondsBefore: seconds,
    done: () => run.step,
    train: () => trainStep(run),
    describe: ({ loss, temperature }) => `loss ${loss.toFixed(4)}, τ ${temperature.toFixed(4)}`,
    measure: () => measure(run, scenes),
    printMetrics,
    checkpoint: (sofar) => writeRunCheckpoint(clipCheckpoint(run), sofar),
    finish: (taken) => writeModel(run, tokenizer, scenes, foilCount, taken, request.out, values['full-table'] === true),
  };
  return runSession(session, request);
}
