/** Running the suite against an implementation, and scoring it. */
import type {
  ConformanceAnswer,
  ConformanceCase,
  ConformanceKind,
  ConformanceProgram,
  ConformanceRequest,
} from './cases.ts';

export interface Tally {
  readonly right: number;
  readonly wrong: number;
  /** Cases that the implementation said it does not do. */
  readonly skipped: number;
  readonly total: number;
}

export interface KindScore extends Tally {
  readonly program: ConformanceProgram;
  readonly kind: ConformanceKind;
}

export interface ConformanceFailure extends ConformanceCase {
  /** The result that was given, or the error. */
  readonly answer: Exclude<ConformanceAnswer, { readonly skip: string }>;
}

export interface ConformanceScore extends Tally {
  /** By program and kind, in the suite's order. */
  readonly kinds: readonly KindScore[];
  readonly failures: readonly ConformanceFailure[];
}

/** Answers requests: each by itself, in any order. */
export type Implementation = (request: ConformanceRequest) => ConformanceAnswer | Promise<ConformanceAnswer>;

/** Numbers of conditionings may differ by as much: encoders round differently. */
const conditioningTolerance = 5e-5;
/** All other numbers by as much, relatively: a product of weights depends on its order. */
const relativeTolerance = 1e-9;

/**
 * Says whether a result is the expected one: the same texts, the same lengths and names, and numbers within `tolerance` and 1e-9 of
 * their size. Numbers that are not finite are the texts "inf", "-inf" and "nan".
 */
export function isSameResult(result: unknown, expected: unknown, tolerance = 0): boolean {
  if (typeof expected === 'number')
    return (
      typeof result === 'number' && Math.abs(result - expected) <= tolerance + relativeTolerance * Math.abs(expected)
    );
  if (Array.isArray(expected))
    return (
      Array.isArray(result) &&
      result.length === expected.length &&
      expected.every((one, i) => isSameResult(result[i], one, tolerance))
    );
  if (typeof expected !== 'object' || expected === null) return result === expected;
  if (typeof result !== 'object' || result === null || Array.isArray(result)) return false;
  const names = Object.keys(expected);
  return (
    Object.keys(result).length === names.length &&
    names.every((name) => isSameResult((result as never)[name], (expected as never)[name], tolerance))
  );
}

/**
 * Asks an implementation all cases and scores its answers; one that throws or rejects is wrong. `model` is the path of the
 * recorded model (`recordedModel`), without which no conditioning is asked for.
 */
export async function runConformance(
  cases: readonly ConformanceCase[],
  implementation: Implementation,
  model?: string,
): Promise<ConformanceScore> {
  const answers = await Promise.all(
    cases.map(async ({ expected: _, ...request }): Promise<ConformanceAnswer> => {
      const isWeighed = request.kind === 'weigh';
      if (isWeighed && model === undefined) return { skip: 'There is no model.' };
      try {
        return await implementation(isWeighed ? { ...request, input: { ...request.input, model } } : request);
      } catch (error) {
        return { error: error instanceof Error ? error.message : String(error) };
      }
    }),
  );
  const kinds = new Map<string, { program: ConformanceProgram; kind: ConformanceKind } & Record<keyof Tally, number>>();
  const failures: ConformanceFailure[] = [];
  for (const [i, one] of cases.entries()) {
    const { program, kind } = one;
    const name = `${program} ${kind}`;
    const score = kinds.get(name) ?? { program, kind, right: 0, wrong: 0, skipped: 0, total: 0 };
    kinds.set(name, score);
    score.total++;
    const answer = answers[i];
    if ('skip' in answer) score.skipped++;
    else if ('result' in answer && isRight(answer.result, one)) score.right++;
    else {
      score.wrong++;
      failures.push({ ...one, answer });
    }
  }
  const sum = (part: keyof Tally) => [...kinds.values()].reduce((all, score) => all + score[part], 0);
  return {
    right: sum('right'),
    wrong: sum('wrong'),
    skipped: sum('skipped'),
    total: sum('total'),
    kinds: [...kinds.values()],
    failures,
  };
}

function isRight(result: unknown, { kind, expected }: ConformanceCase): boolean {
  return isSameResult(result, expected, kind === 'weigh' ? conditioningTolerance : 0);
}
