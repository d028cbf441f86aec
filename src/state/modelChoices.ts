import { expectedTensors } from '../clip/weights.ts';
import { type WeightDtype, weightBytes } from '../files/dtypes.ts';
import { elementCount } from '../files/tensorFile.ts';
import { keptSource } from '../models/library/modelSources.ts';
import type { StoredModel } from '../models/library/storage.ts';
import type { ModelInfo, ModelRequest } from '../worker/messages.ts';
import { type Facts, requestName } from './facts.ts';
import { memoised } from './memoised.ts';

/** The request that loads a stored model. */
export const requestFor = ({ id, name }: StoredModel): ModelRequest => ({ kind: 'stored', model: id, name });

/** A model that a person can choose to encode with. */
export interface ModelChoice {
  readonly value: string;
  readonly label: string;
  readonly request: ModelRequest;
}

const always: readonly ModelChoice[] = [
  { value: 'small', label: 'Small CLIP of shapes', request: { kind: 'small' } },
  { value: 'full', label: 'Made-up weights, full size', request: { kind: 'synthetic', size: 'full' } },
  { value: 'tiny', label: 'Made-up weights, tiny', request: { kind: 'synthetic', size: 'tiny' } },
];

function choiceValue(request: ModelRequest): string {
  switch (request.kind) {
    case 'synthetic':
      return request.size;
    case 'stored':
      return `stored ${request.model}`;
    default:
      return request.kind;
  }
}

const choices = memoised(
  (request: ModelRequest, file: File | null, stored: Facts['stored']): readonly ModelChoice[] => {
    const requests: ModelRequest[] = [];
    // The file in use may have been opened in a way of its own.
    if (file) requests.push(request.kind === 'file' && request.file === file ? request : { kind: 'file', file });
    for (const { id, name, complete } of stored?.models ?? [])
      if (complete) requests.push({ kind: 'stored', model: id, name });
    const names = new Set(stored?.models.map(({ name }) => name));
    const label = (request: ModelRequest) =>
      request.kind === 'file' && names.has(request.file.name)
        ? `${request.file.name} (from disk)`
        : requestName(request);
    const opened = requests.map((request) => ({ value: choiceValue(request), label: label(request), request }));
    const all = [...always, ...opened];
    // A model that was deleted can still be in use.
    if (!all.some(({ value }) => value === choiceValue(request)))
      all.push({ value: choiceValue(request), label: requestName(request), request });
    return all;
  },
);

const remembered = memoised((size: Facts['syntheticSize'], storedModel: Facts['storedModel']): ModelRequest => {
  if (storedModel) return { kind: 'stored', ...storedModel };
  return size === null ? { kind: 'small' } : { kind: 'synthetic', size };
});

/** The model that is being loaded, is in use, or will be loaded first. */
export const shownRequest = (
  facts: Pick<Facts, 'loading' | 'modelRequest' | 'syntheticSize' | 'storedModel'>,
): ModelRequest => facts.loading?.request ?? facts.modelRequest ?? remembered(facts.syntheticSize, facts.storedModel);

export function modelChoices(facts: Facts): readonly ModelChoice[] {
  const request = shownRequest(facts);
  return choices(request, request.kind === 'file' ? request.file : facts.file, facts.stored);
}

/** The value of the choice that is in use or being loaded. */
export function modelChoice(facts: Facts): string {
  return choiceValue(shownRequest(facts));
}

/** Stored models apart from the parts whose downloads are shown as such; the newest first. */
export const listedModels = ({ stored, downloads, keeping }: Facts): readonly StoredModel[] =>
  listed(stored, downloads, keeping?.source);

const listed = memoised(
  (stored: Facts['stored'], downloads: Facts['downloads'], kept: string | undefined): readonly StoredModel[] => {
    const sources = new Set([...[...downloads.values()].map(({ file }) => file.urls[0]), kept]);
    return (stored?.models ?? []).filter(({ complete, source }) => complete || !sources.has(source));
  },
);

/** The stored model that is in use, or that the file in use was kept as; undefined if neither. */
export function keptModel({ model: inUse, modelRequest, weightsHash, stored }: Facts): StoredModel | undefined {
  if ((modelRequest?.kind !== 'file' && modelRequest?.kind !== 'stored') || weightsHash === null) return undefined;
  const source = modelRequest.kind === 'file' ? keptSource(modelRequest.file, weightsHash, inUse?.hasProjection) : null;
  return stored?.models.find(
    (model) =>
      model.complete && (modelRequest.kind === 'stored' ? model.id === modelRequest.model : model.source === source),
  );
}

/** The file in use, where it can be kept and is not; null while one is being kept, and where that failed. */
export function fileToKeep(facts: Facts): File | null {
  const { modelRequest, weightsHash, stored, keeping } = facts;
  if (modelRequest?.kind !== 'file' || weightsHash === null || !stored || stored.place === 'memory' || keptModel(facts))
    return null;
  return keeping && (!keeping.failure || keeping.file === modelRequest.file) ? null : modelRequest.file;
}

/** Bytes that the encoder in use takes as a file of its own; null where its weights are of several types. */
export const encoderBytes = ({ model }: Facts): number | null => (model ? bytesOfEncoder(model) : null);

const bytesOfEncoder = memoised(({ config, dtype }: ModelInfo): number | null => {
  if (!Object.hasOwn(weightBytes, dtype)) return null;
  const elements = [...expectedTensors(config).values()].reduce((sum, shape) => sum + elementCount(shape), 0);
  return elements * weightBytes[dtype as WeightDtype];
});
