import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { createCpuEncoder } from '../cpu/cpuEncoder.ts';
import { compileKernels } from '../cpu/kernels.ts';
import { jsonObject } from '../files/jsonObject.ts';
import { openSafetensors } from '../files/safetensors.ts';
import { openCheckpoint } from '../models/openCheckpoint.ts';
import { hex, sha256, weightsHash } from '../models/weightsHash.ts';
import { denoiserFacts, readDenoiser } from '../pictures/denoiserFile.ts';
import { usualDrawing } from '../pictures/drawing.ts';
import { conditions, type Judged, pictureMetricRows, withJudged } from '../pictures/pictureCard.ts';
import { type DrawingOptions, evaluatePictures, type HearDrawn, pictureSet } from '../pictures/pictureEvaluation.ts';
import { createPromptReader } from '../pictures/promptReader.ts';
import { createFastDenoiser } from '../pictures/wasmPictureKernels.ts';
import {
  type Condition,
  judgeWeights,
  type MethodWeights,
  type WeighedWord,
  weighedScenes,
  weightFindings,
} from '../pictures/weightEvaluation.ts';
import { defaultOptions } from '../road/options.ts';
import { contextLength } from '../tokens/clipVocabulary.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import { inputIdsOf } from '../training/evaluation.ts';
import { comfy } from '../weighting/comfy.ts';
import { compelMask } from '../weighting/compelMask.ts';
import { compelRemove } from '../weighting/compelRemove.ts';
import { type MethodName, methodNames, methods } from '../weighting/methods.ts';
import { original } from '../weighting/original.ts';
import { scale } from '../weighting/scale.ts';
import { untouched } from '../worker/pictures/pictureMessages.ts';
import { takeConditioner } from '../worker/pictures/takeConditioner.ts';
import { fileSource } from './fileSource.ts';
import { jsonText, paths, UsageError, whole, write } from './trainingSession.ts';

const parts = ['seen', 'held-out', 'large', 'colour'] as const;
type Part = (typeof parts)[number];

/** Methods that act on a typed weight without being told more. */
const weighing = methodNames.filter((name) => methods[name].family !== 'plain');

/** Methods that are judged unless others are named, as each takes minutes: those of the three programs themselves. */
const usualMethods: readonly MethodName[] = [scale, original, compelMask, compelRemove, comfy].map(({ name }) => name);

const usage = `Judges a trained denoiser by its pictures, and writes what it finds into judged.json and README.md beside it.

  npm run judge-pictures -- [PART …] [options]

Parts, all of them unless some are named; others that were judged before stay:
  seen, held-out         captions of pairs that training had, or never had: what is right, fillers, where words are looked at from
  large, colour          weights of a word of two objects, by each method

  --model FOLDER         has the model.safetensors of the denoiser (public/small-pictures)
  --clip FOLDER          has that of the text encoder (public/small-clip)
  --captions N           captions of each kind (512); a quarter as many say everything
  --scenes N             scenes in which a word is weighed (24)
  --methods A,B          of ${weighing.join(',')}
                         (${usualMethods.join(',')})
  --steps N              calls of the denoiser (${usualDrawing.steps})
  --guidance X           (${usualDrawing.guidance})
`;

/** Pictures that are drawn side by side. */
const room = 16;

interface Request {
  readonly parts: readonly Part[];
  readonly model: string;
  readonly clip: string;
  readonly captions: number;
  readonly scenes: number;
  readonly methods: readonly MethodName[];
  readonly drawing: DrawingOptions;
}

/** Reads arguments; null where help is asked for. Throws UsageError. */
function readRequest(args: readonly string[]): Request | null {
  const text = { type: 'string' } as const;
  const options = {
    ...{ model: text, clip: text, captions: text, scenes: text, methods: text, steps: text, guidance: text },
    help: { type: 'boolean' },
  } as const;
  let read: ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>;
  try {
    read = parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split('.')[0]}; see --help.`);
  }
  const { values, positionals } = read;
  if (values.help) return null;
  const unknown = positionals.find((name) => !parts.some((part) => part === name));
  if (unknown !== undefined) throw new UsageError(`There is no part "${unknown}": name some of ${parts.join(', ')}.`);
  const methods = values.methods?.split(',') ?? usualMethods;
  const strange = methods.find((name) => !weighing.some((method) => method === name));
  if (strange !== undefined) throw new UsageError(`"${strange}" is no method; they are ${weighing.join(', ')}.`);
  const guidance = Number(values.guidance ?? usualDrawing.guidance);
  if (!(guidance >= 0 && guidance <= 10))
    throw new UsageError(`--guidance is a number from 0 to 10, not "${values.guidance}".`);
  return {
    parts: parts.filter((part) => positionals.length === 0 || positionals.includes(part)),
    model: values.model ?? 'public/small-pictures',
    clip: values.clip ?? 'public/small-clip',
    captions: whole('captions', values.captions ?? '512', 1, 4096),
    scenes: whole('scenes', values.scenes ?? '24', 1, 1024),
    methods: methods as MethodName[],
    drawing: { ...usualDrawing, guidance, steps: whole('steps', values.steps ?? `${usualDrawing.steps}`, 1, 1000) },
  };
}

/** Both models. Throws UsageError, and what reading throws. */
async function openModels({ model, clip }: Request) {
  const file = await openSafetensors(fileSource(paths(model).model));
  const { config, clipSha256 } = denoiserFacts(file);
  const text = () => openCheckpoint(fileSource(paths(clip).model));
  if ((await weightsHash(await text())) !== clipSha256)
    throw new UsageError(
      `The denoiser in "${model}" was trained with another text encoder than that in "${clip}"; give its folder with --clip.`,
    );
  const compiled = await compileKernels(false);
  const denoiser = await createFastDenoiser(compiled, config, { B: room, T: contextLength });
  await readDenoiser(file, denoiser);
  const tokenizer = createTokenizer(await readFile('public/clip-merges.txt', 'utf8'));
  const reader = async () => createPromptReader(compiled, await text(), room);
  const encoder = async () => createCpuEncoder(await text(), { threads: 1 });
  return { denoiser, tokenizer, reader, encoder };
}

type Models = Awaited<ReturnType<typeof openModels>>;

/** Conditions prompts by the page's own road. */
async function conditionOf({ encoder, tokenizer }: Models): Promise<Condition> {
  const condition = takeConditioner(await encoder(), tokenizer);
  return async (positive, weighting) => {
    const options = { ...defaultOptions, weighting, steps: 1 };
    const take = { prompts: { positive, negative: '' }, options, seed: 0, ...untouched };
    const { steps } = await condition(take, [], async () => {});
    return steps[0];
  };
}

/** Judges one part. */
async function judgePart(part: Part, models: Models, request: Request, hear: HearDrawn): Promise<Partial<Judged>> {
  const { denoiser, tokenizer, reader } = models;
  const { captions, scenes, methods, drawing } = request;
  switch (part) {
    case 'seen':
    case 'held-out': {
      const read = await reader();
      const pairs = part === 'seen' ? 'seen' : 'heldOut';
      const set = pictureSet(tokenizer, read, pairs, captions);
      const emptyRows = read.read(inputIdsOf(tokenizer, ['']));
      return { [pairs]: { ...evaluatePictures(denoiser, set, emptyRows, drawing, hear), captions } };
    }
    case 'large':
    case 'colour': {
      const condition = await conditionOf(models);
      const drawn = weighedScenes(tokenizer, scenes);
      return {
        [part]: { scenes, methods: await judgeWeights(denoiser, part, drawn, methods, condition, drawing, hear) },
      };
    }
    default:
      return part satisfies never;
  }
}

function printWeights(word: WeighedWord, found: readonly MethodWeights[]): void {
  const measure = word === 'large' ? 'area' : 'purity';
  for (const { method, points, meanSpearman, spearmanOfMeans, otherChanged, otherResized, findings } of found) {
    const curve = points.map(({ weight, value, whole }) => `${weight}: ${value.toFixed(3)} (${whole.toFixed(2)})`);
    console.log(
      `  ${method.padEnd(18)}ρ ${meanSpearman.toFixed(3)}, of means ${spearmanOfMeans.toFixed(3)}; other changed ${otherChanged.toFixed(3)}, resized ${otherResized?.toFixed(3)}`,
    );
    console.log(`    ${measure} (share of whole pictures) at ${curve.join(', ')}`);
    for (const [name, { says }] of Object.entries(weightFindings[word]))
      console.log(`    ${says}: ${findings?.[name] ? 'yes' : 'no'}`);
  }
}

function printJudged(part: Part, judged: Partial<Judged>): void {
  const captions = part === 'seen' ? judged.seen : part === 'held-out' ? judged.heldOut : undefined;
  if (captions)
    for (const [name, share] of pictureMetricRows(captions)) console.log(`  ${name.padEnd(64)}${share.toFixed(4)}`);
  for (const word of ['large', 'colour'] as const)
    if (part === word && judged[word]) printWeights(word, judged[word].methods);
}

/** Finds what was judged before, of this very file, drawn in this way. */
async function judgedBefore(path: string, facts: object): Promise<object> {
  const before = jsonObject(await readFile(path, 'utf8').catch(() => '')) ?? {};
  const isSame = Object.entries(facts).every(([name, fact]) => JSON.stringify(before[name]) === JSON.stringify(fact));
  return isSame ? before : {};
}

/** Puts a part into judged.json and the card, beside what others may have put there meanwhile. */
async function keep(folder: string, facts: { readonly drawing: DrawingOptions }, part: Partial<Judged>): Promise<void> {
  const { card, judged: path } = paths(folder);
  const judged = { ...(await judgedBefore(path, facts)), ...facts, conditions, ...part };
  await write(path, jsonText(judged));
  const text = await readFile(card, 'utf8').catch(() => null);
  if (text !== null) await write(card, withJudged(text, judged));
}

/** Says how many pictures are drawn, on one line of a terminal. */
function counter(part: Part) {
  let drawn = 0;
  return {
    hear: (pictures: number) => {
      drawn += pictures;
      if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${part}: ${drawn} pictures`);
    },
    drawn: () => drawn,
  };
}

async function judge(request: Request): Promise<void> {
  const models = await openModels(request);
  const facts = {
    sha256: hex((await sha256(new Uint8Array(await readFile(paths(request.model).model))))!),
    drawing: request.drawing,
  };
  for (const part of request.parts) {
    const { hear, drawn } = counter(part);
    const start = performance.now();
    const judged = await judgePart(part, models, request, hear);
    const seconds = (performance.now() - start) / 1000;
    if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
    console.log(`${part}: ${drawn()} pictures in ${seconds.toFixed(0)} s`);
    printJudged(part, judged);
    await keep(request.model, facts, judged);
  }
}

/** Returns the exit code of `npm run judge-pictures`. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const request = readRequest(args);
    if (request) await judge(request);
    else console.log(usage);
    return 0;
  } catch (error) {
    console.error((error as Error).message);
    return 1;
  }
}
