/** Measures a live run in pieces, so that its steps go on between them. */

import { contextLength } from '../tokens/clipVocabulary.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { type FoilKind, foilKinds } from '../world/description.ts';
import { pictureLength } from '../world/render.ts';
import { clipEmbedder, type EvaluationSet, evaluationSet, judgeRetrieval, type Retrieval } from './evaluation.ts';
import type { LiveRun, LiveSettings } from './liveRun.ts';

/** Scenes of pairs that training draws, and of such as it never draws. */
export interface LiveSets {
  readonly seen: EvaluationSet;
  readonly heldOut: EvaluationSet;
}

const liveScenes = 64;

/** The scenes that live runs are measured on; captions say as much as those of training. */
export function liveSets(tokenizer: Tokenizer, { captions }: Pick<LiveSettings, 'captions'>): LiveSets {
  const style = captions === 'brief' ? 'brief' : 'complete';
  return {
    seen: evaluationSet(tokenizer, 'seen', liveScenes, style),
    heldOut: evaluationSet(tokenizer, 'heldOut', liveScenes, style),
  };
}

export interface LiveMeasures {
  /** Steps that were done. */
  readonly step: number;
  readonly seen: Retrieval;
  readonly heldOut: Retrieval;
}

/** Inputs of one side, and room for their rows. */
interface Job {
  readonly inputs: Uint32Array | Float32Array;
  readonly count: number;
  readonly rows: Float64Array;
}

function jobsOf(set: EvaluationSet, E: number) {
  const job = (inputs: Job['inputs'], length: number): Job => {
    const count = inputs.length / length;
    return { inputs, count, rows: new Float64Array(count * E) };
  };
  const foils = Object.fromEntries(
    foilKinds.map((kind) => [kind, job(set.foils[kind].inputIds, contextLength)]),
  ) as Record<FoilKind, Job>;
  return { pictures: job(set.pictures, pictureLength), captions: job(set.inputIds, contextLength), foils };
}

/**
 * Starts to measure a run as it is now, whatever it learns meanwhile. Each call of `next`, between two steps, embeds as many inputs
 * as a batch has; the last of `pieces` calls returns the measures.
 */
export function startMeasuring(run: LiveRun, sets: LiveSets) {
  const { model, rows, settings, step } = run;
  const room = settings.batch;
  const embedder = clipEmbedder(model, rows, room);
  const { E } = embedder;
  const snapshot = model.parameters.values.slice();
  const jobs = { seen: jobsOf(sets.seen, E), heldOut: jobsOf(sets.heldOut, E) };
  const all = Object.values(jobs).flatMap(({ pictures, captions, foils }) => [
    pictures,
    captions,
    ...Object.values(foils),
  ]);
  const pieces = all.flatMap((job) =>
    Array.from({ length: Math.ceil(job.count / room) }, (_, i) => ({ job, from: i * room })),
  );
  const embed = ({ inputs, count, rows }: Job, from: number) => {
    const to = Math.min(count, from + room);
    const part =
      inputs instanceof Float32Array
        ? embedder.embedPictures(inputs.subarray(from * pictureLength, to * pictureLength))
        : embedder.embedTexts(inputs.subarray(from * contextLength, to * contextLength));
    rows.set(part, from * E);
  };
  const judged = (name: keyof LiveSets) => {
    const { pictures, captions, foils } = jobs[name];
    const foilRows = Object.fromEntries(foilKinds.map((kind) => [kind, foils[kind].rows])) as Record<
      FoilKind,
      Float64Array
    >;
    return judgeRetrieval({ pictures: pictures.rows, captions: captions.rows, foils: foilRows }, sets[name], E);
  };
  let done = 0;
  return {
    pieces: pieces.length,
    next(): LiveMeasures | null {
      const { values } = model.parameters;
      const learned = values.slice();
      values.set(snapshot);
      const { job, from } = pieces[done++];
      embed(job, from);
      values.set(learned);
      return done < pieces.length ? null : { step, seen: judged('seen'), heldOut: judged('heldOut') };
    },
  };
}
