/** A recorded input of an original program, what has to be made of it, and what the original made. */
export interface ConformanceCase {
  /** Stable within a version of the suite: `a1111/parse/17`. */
  readonly id: string;
  readonly program: ConformanceProgram;
  readonly kind: ConformanceKind;
  /** Depends on the kind; docs/conformance.md and cases.schema.json say how. */
  readonly input: Readonly<Record<string, unknown>>;
  /** The result, in the form that the kind has; null where the original raises an error. */
  readonly expected: unknown;
}

/** The originals; `clip` are the tokenizers of openai/CLIP and transformers. */
export const conformancePrograms = ['a1111', 'compel', 'comfy', 'clip'] as const;
export type ConformanceProgram = (typeof conformancePrograms)[number];

export const conformanceKinds = [
  'parse',
  'schedule',
  'parts',
  'networks',
  'page',
  'tokenize',
  'chunk',
  'weigh',
] as const;
export type ConformanceKind = (typeof conformanceKinds)[number];

/** A case without what is expected: what an implementation is asked. */
export type ConformanceRequest = Omit<ConformanceCase, 'expected'>;

/** An implementation's answer: a result, a reason for giving none, or an error of its own. */
export type ConformanceAnswer = { readonly result: unknown } | { readonly skip: string } | { readonly error: string };

/** Rows of a conditioning that are compared: the first word, one in the middle, the end of a short prompt, and the last row. */
export const comparedRows = [1, 5, 8, 76];
