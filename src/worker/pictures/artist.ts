import type { WeightSource } from '../../clip/weights.ts';
import { createCpuEncoder } from '../../cpu/cpuEncoder.ts';
import { compileKernels } from '../../cpu/kernels.ts';
import { openSafetensors } from '../../files/safetensors.ts';
import { elementCount } from '../../files/tensorFile.ts';
import type { GpuDevice } from '../../gpu/device.ts';
import { openCheckpoint } from '../../models/openCheckpoint.ts';
import { smallModelSource } from '../../models/smallModel.ts';
import { weightsHash } from '../../models/weightsHash.ts';
import { denoiserShapes } from '../../pictures/denoiserConfig.ts';
import { denoiserFacts } from '../../pictures/denoiserFile.ts';
import { type Draft, drawingOn, type PixelLooks } from '../../pictures/drawing.ts';
import { drawnLength, shownPicture } from '../../pictures/drawnPicture.ts';
import { NoPictureModelError, pictureModelSource } from '../../pictures/pictureModel.ts';
import { pictureVerdict, type SaidPrompt } from '../../pictures/pictureVerdict.ts';
import { atCalls } from '../../pictures/promptSteps.ts';
import { contextLength } from '../../tokens/clipVocabulary.ts';
import { createTokenizer } from '../../tokens/tokenizer.ts';
import type { Floats } from '../../training/products.ts';
import { colourShares, judgePicture } from '../../world/judge/judge.ts';
import { pictureBytes } from '../../world/pictureBytes.ts';
import { createEngines } from './pictureEngines.ts';
import type { DrawnPicture, ModelAddresses, PictureSettings, PictureTake } from './pictureMessages.ts';
import { type ConditionedTake, takeConditioner } from './takeConditioner.ts';

/** The world outside of a worker that draws. */
export interface PictureSurroundings {
  /** Text at an address. */
  fetchText(address: string): Promise<string>;
  /** Asks for the file of the small text model that comes with the page. */
  fetchSmallModel(signal: AbortSignal): Promise<Response>;
  /** Asks for the file of the picture model. */
  fetchPictureModel(address: string, signal: AbortSignal): Promise<Response>;
  /** Finds a GPU. Rejects with WebGpuUnavailableError. */
  findGpu(): Promise<GpuDevice>;
  /** Lets messages come in. */
  breathe(): Promise<void>;
}

/** Pictures that the denoiser sees at once at most, and rows that it is told with all of them. */
const drawnAtOnce = 8;
const rowsAtOnce = 2 * drawnAtOnce * contextLength;

/** Whether there is a picture in these numbers at all. */
const isAllFinite = (values: ArrayLike<number>) => Array.prototype.every.call(values, Number.isFinite);

function drawn(picture: Float32Array, said: SaidPrompt): DrawnPicture | null {
  if (!isAllFinite(picture)) return null;
  const seen = judgePicture(picture);
  return { bytes: pictureBytes(picture), seen, shares: colourShares(picture), verdict: pictureVerdict(said, seen) };
}

/** Copies picture i of many [·, 4, S, S], as it is shown: [3, S, S]. */
export const pictureAt = (pictures: ArrayLike<number>, i: number) =>
  shownPicture(
    Float32Array.from({ length: drawnLength }, (_, n) => pictures[i * drawnLength + n]),
    0,
  );

/** Rows of the longest conditioning, T. */
const longestOf = (drafts: readonly Draft[], d: number) =>
  Math.max(
    ...drafts.flatMap(({ steps }) =>
      steps.flatMap(({ parts, negative }) => [...parts, negative].map(({ rows }) => rows.length / d)),
    ),
  );

/** Pictures of takes, and what they were drawn from. */
export interface DrawnTakes {
  readonly drafts: readonly Draft[];
  readonly pictures: readonly (DrawnPicture | null)[];
}

/** Watches a drawing come. */
export interface DrawingWatch {
  /** Sums up what the pixels of each take look at. */
  readonly looks: readonly PixelLooks[];
  /** Hears the pictures [takes, 4, S, S] after each call: with their noise, and as the denoiser takes them to be clean. */
  hear(call: number, noisy: Floats, clean: ArrayLike<number>): void;
}

/** Whether the text encoder is the one whose rows the denoiser learned to look at. A page that is not secure cannot tell. */
async function isTrainedWith(textModel: WeightSource, expected: string): Promise<boolean> {
  if (!/^[0-9a-f]{64}$/.test(expected)) return true;
  const hash = await weightsHash(textModel);
  return !hash || hash === expected;
}

/** Both models; they are fetched when something is first drawn, and again where that failed. */
function modelLoader(surroundings: PictureSurroundings) {
  const { signal } = new AbortController();
  async function load({ merges, model }: ModelAddresses) {
    const source = await pictureModelSource((signal) => surroundings.fetchPictureModel(model, signal), signal);
    const file = await openSafetensors(source);
    const { config, clipSha256 } = denoiserFacts(file);
    const [text, textModel] = await Promise.all([
      surroundings.fetchText(merges),
      smallModelSource(surroundings.fetchSmallModel, signal).then(openCheckpoint),
    ]);
    if (!(await isTrainedWith(textModel, clipSha256)))
      throw new NoPictureModelError(
        'The picture model was trained with another small text encoder than the page has: both must come from one version of clipscope.',
      );
    const encoder = await createCpuEncoder(textModel, { threads: 1 });
    const condition = takeConditioner(encoder, createTokenizer(text));
    return { file, config, compiled: await compileKernels(false), condition };
  }
  let loading: ReturnType<typeof load> | undefined;
  return (settings: ModelAddresses) => {
    loading ??= load(settings).catch((error) => {
      loading = undefined;
      throw error;
    });
    return loading;
  };
}

/** Makes an artist. Its `draw` draws takes side by side; it is to be called again when it is done, not before. */
export function createArtist(surroundings: PictureSurroundings) {
  const loaded = modelLoader(surroundings);
  const engineFor = createEngines(() => surroundings.findGpu());

  async function draw(
    settings: PictureSettings,
    takes: readonly PictureTake[],
    signal: AbortSignal,
    watch?: DrawingWatch,
  ): Promise<DrawnTakes> {
    const breathe = async () => {
      await surroundings.breathe();
      signal.throwIfAborted();
    };
    signal.throwIfAborted();
    const models = await loaded(settings);
    const conditioned: ConditionedTake[] = [];
    for (const take of takes) conditioned.push(await models.condition(take, settings.embeddings, breathe));
    const { calls, sampler, guidance, onGpu } = settings;
    const drafts = conditioned.map(({ steps }, i) => ({ seed: takes[i].seed, steps: atCalls(steps, calls) }));
    const T = longestOf(drafts, models.config.contextWidth);
    const B = Math.max(1, Math.min(drawnAtOnce, Math.floor(rowsAtOnce / T)));
    const engine = await engineFor(models, { B, T }, onGpu);
    let pictures: Floats = new Float32Array();
    for await (const { step, x, clean } of drawingOn(engine, drafts, { sampler, guidance, looks: watch?.looks })) {
      pictures = x;
      watch?.hear(step, x, clean);
      await breathe();
    }
    return { drafts, pictures: conditioned.map(({ said }, i) => drawn(pictureAt(pictures, i), said)) };
  }

  /** Counts the numbers that the denoiser learned. */
  async function parameters(settings: ModelAddresses): Promise<number> {
    const { config } = await loaded(settings);
    return [...denoiserShapes(config).values()].reduce((sum, shape) => sum + elementCount(shape), 0);
  }

  return { draw, parameters };
}
