import { jsonObject } from '../files/jsonObject.ts';
import { excerpt } from '../files/tensorFile.ts';

/** Settings of a text encoder's adapter that PEFT keeps beside its matrices, in `adapter_config.json`. */
export interface PeftConfig {
  /**
   * alpha / r of a module whose matrices have this rank (null where they have none), alpha / √r where it is rank-stabilised;
   * null if the settings do not say.
   */
  scale(module: string, rank: number | null): number | null;
  readonly oft: OftSettings;
}

/** How PEFT makes orthogonal matrices out of skew-symmetric ones. */
export interface OftSettings {
  /** Terms of Neumann's series that stand for the inverse; null for the inverse itself. */
  readonly terms: number | null;
  /** Bound of the norms of the blocks; null for none. */
  readonly bound: number | null;
}

/** Diffusers keeps the settings of all parts of a pipeline in one object. */
const ownPrefix = 'text_encoder.';

/** Whether the text of a file is PEFT's `adapter_config.json`. */
export const isPeftConfig = (json: string): boolean => jsonObject(json)?.peft_type !== undefined;

/**
 * Reads the settings in the text of an `adapter_config.json`, or where there is none those that Diffusers writes into a file's
 * metadata (`lora_adapter_metadata`, JSON), as its `_load_lora_into_text_encoder` hands them to PEFT. Null if there are none
 * that can be read. Calls `fail` for a pattern that cannot be read.
 */
export function peftConfig(
  metadata: ReadonlyMap<string, string>,
  adapterConfig: string | undefined,
  fail: (why: string) => never,
): PeftConfig | null {
  const settings = jsonObject(adapterConfig ?? metadata.get('lora_adapter_metadata'));
  if (!settings) return null;
  const hasPrefix = Object.keys(settings).some((key) => key.startsWith(ownPrefix));
  const setting = (name: string) => settings[hasPrefix ? ownPrefix + name : name];
  const isStabilised = setting('use_rslora') === true;
  const [alphas, ranks] = ['alpha_pattern', 'rank_pattern'].map((name) => readPatterns(setting(name), fail));
  return {
    scale(module, rank) {
      // LoHa and LoKr call it alpha.
      const alpha = patterned(alphas, module) ?? setting('lora_alpha') ?? setting('alpha');
      const r = rank ?? patterned(ranks, module) ?? setting('r');
      if (!isNumber(alpha) || !isNumber(r) || r <= 0) return null;
      return alpha / (isStabilised ? Math.sqrt(r) : r);
    },
    oft: readOft(setting),
  };
}

/** Reads the settings of OFT; PEFT 0.17's defaults stand for those that are missing. */
function readOft(setting: (name: string) => unknown): OftSettings {
  const terms = setting('num_cayley_neumann_terms') ?? 5;
  const bound = setting('eps') ?? 6e-5;
  return {
    terms: setting('use_cayley_neumann') === false || !isNumber(terms) ? null : terms,
    bound: setting('coft') === true && isNumber(bound) ? bound : null,
  };
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** Values for the modules whose names an expression matches. */
type Patterns = readonly (readonly [RegExp, unknown])[];

const mostPatterns = 1000;
const longestExpression = 500;
/** Most groups and quantifiers of a key, and of all keys: so many can be tried at every character of all names in a second. */
const mostChoices = { ofKey: 3, ofAll: 150 };

/** Reads the keys of a pattern as regular expressions, which they are to PEFT. */
function readPatterns(patterns: unknown, fail: (why: string) => never): Patterns {
  if (!isObject(patterns)) return [];
  const entries = Object.entries(patterns);
  let choices = 0;
  return entries.map(([key, value]) => {
    const own = key.replace(/\\./g, '').match(/[(*+?{]/g)?.length ?? 0;
    choices += own;
    // A quantifier of a group may take for ever.
    const isRead =
      entries.length <= mostPatterns &&
      key.length <= longestExpression &&
      own <= mostChoices.ofKey &&
      choices <= mostChoices.ofAll &&
      !/\)[*+?{]/.test(key);
    const expression = isRead ? expressionOf(key) : null;
    return [
      expression ?? fail(`has settings of PEFT for the modules ${excerpt(key)}, an expression that is not read here`),
      value,
    ];
  });
}

function expressionOf(key: string): RegExp | null {
  try {
    return new RegExp(`(?:${key})$`, 'y');
  } catch {
    return null;
  }
}

/** Finds the value of the first key that means this module, as PEFT's `get_pattern_key` does. */
function patterned(patterns: Patterns, module: string): unknown {
  // transformers 5 has the names without `text_model`.
  const names = [module, module.replace(/^text_model\./, '')];
  return patterns.find(([expression]) => names.some((name) => isNamed(name, expression)))?.[1];
}

/** Whether an expression matches the whole of a name, or all that follows one of its dots. */
function isNamed(name: string, expression: RegExp): boolean {
  for (let start = 0; ; ) {
    expression.lastIndex = start;
    if (expression.test(name)) return true;
    start = name.indexOf('.', start) + 1;
    if (start === 0) return false;
  }
}
