/** Readable links, `#v=1&prompt=a%20(red:1.3)%20car&view=attention&layer=5`, and the same parameters in messages of other pages. */

import { type Infotext, parseInfotext } from '../prompt/a1111/infotext.ts';
import { longestPrompt } from '../prompt/bounds.ts';
import { type Side, sides } from '../prompt/side.ts';
import { type Bounds, isWithin, optionValues, type PromptOptions, type TextBound } from '../road/options.ts';
import type { Facts } from './facts.ts';
import { asTyped } from './memory.ts';
import { defaultsOf } from './presets.ts';
import { type Shared, SharedError, shortened } from './shared.ts';
import { type View, viewTitles } from './view.ts';

/** A part of the page's facts that parameters name; what they do not name is missing. */
export interface Named {
  readonly prompts: Partial<Record<Side, string>>;
  readonly options: Partial<PromptOptions>;
  /** An infotext of A1111 that stands in the place of the prompt, where no negative prompt is beside it: it brings both prompts and the options. */
  readonly infotext: Infotext | null;
  readonly selection: Partial<Pick<Facts, 'side' | 'chunk' | 'layer' | 'head' | 'stage' | 'view'>>;
}

/** The version of the parameters. A reader knows the versions up to its own. */
const version = 1;
/** The most characters of a link that are read. */
const longest = 1 << 20;

/** Options that links call by other names. */
const linkNames: Partial<Record<keyof PromptOptions, string>> = { syntax: 'language', weighting: 'method' };
const optionNames = Object.keys(optionValues) as (keyof PromptOptions)[];
/** The options by their names in links. */
const options = new Map(optionNames.map((name) => [linkNames[name] ?? name, name]));
const promptNames: Readonly<Record<Side, string>> = { positive: 'prompt', negative: 'negative' };
/** Places that people count from 1. */
const places = ['chunk', 'layer', 'head'] as const;
const mostPlaces = 1_000;
/** Names of the analysis and the lesson on show, which their views read by themselves. */
export const namesOfViews: readonly string[] = ['analysis', 'lesson'];
/** Parameters that views read by themselves: those, and the objective lab's (see labLink.ts). */
const isOfView = (name: string) => name.startsWith('lab.') || namesOfViews.includes(name);

const listed = (values: readonly unknown[]) => values.join(', ');

function wholeNumber(name: string, text: string, { least, most }: Bounds): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (isWithin({ least, most }, value)) return value;
  throw new SharedError(`has “${shortened(text)}” for “${name}”, which takes a whole number from ${least} to ${most}`);
}

function oneOf<T>(name: string, text: string, values: readonly T[]): T {
  const found = values.find((value) => String(value) === text);
  if (found !== undefined) return found;
  throw new SharedError(`has “${shortened(text)}” for “${name}”, which takes one of ${listed(values)}`);
}

function textOf(name: string, text: string, longest: number): string {
  if (text.length <= longest) return text;
  throw new SharedError(`has more than ${longest} characters for “${name}”`);
}

function optionOf(name: keyof PromptOptions, given: string, text: string): unknown {
  const values: readonly unknown[] | Bounds | TextBound = optionValues[name];
  if ('longest' in values) return textOf(given, text, values.longest);
  return 'least' in values ? wholeNumber(given, text, values) : oneOf(given, text, values);
}

/** Every name that a parameter may have. */
export const parameterNames: readonly string[] = [
  'v',
  ...Object.values(promptNames),
  ...options.keys(),
  'view',
  'side',
  ...places,
  'stage',
];

/** Reads a prompt as an infotext; null where it is none. Throws where an option is beside one, but for the language of infotexts. */
function infotextOf(prompt: string | undefined, named: Partial<PromptOptions>): Infotext | null {
  const infotext = prompt === undefined ? null : parseInfotext(prompt);
  const beside = optionNames.find((name) => name in named && !(name === 'syntax' && named.syntax === 'a1111'));
  if (!infotext || beside === undefined) return infotext;
  const name = linkNames[beside] ?? beside;
  throw new SharedError(`has an infotext for its prompt, which brings its own options, and “${name}” beside it`);
}

/** Reads parameters by their names. Throws SharedError, which says in one sentence what is wrong: "has …". */
export function readParameters(given: Iterable<readonly [string, string]>): Named {
  const named = { prompts: {} as Record<string, unknown>, options: {} as Record<string, unknown> };
  const selection: Record<string, unknown> = {};
  const seen = new Set<string>();
  for (const [name, text] of given) {
    if (isOfView(name)) continue;
    if (seen.has(name)) throw new SharedError(`has “${name}” twice`);
    seen.add(name);
    const side = sides.find((side) => promptNames[side] === name);
    const option = options.get(name);
    if (name === 'v') {
      if (wholeNumber(name, text, { least: 1, most: 1e9 }) > version)
        throw new SharedError('was made by a newer version');
    } else if (side) named.prompts[side] = asTyped(textOf(name, text, longestPrompt));
    else if (option) named.options[option] = optionOf(option, name, text);
    else if (name === 'view') selection.view = oneOf(name, text, Object.keys(viewTitles) as View[]);
    else if (name === 'side') selection.side = oneOf(name, text, sides);
    else if (name === 'stage')
      selection.stage = text === 'last' ? text : wholeNumber(name, text, { least: 0, most: mostPlaces });
    else if ((places as readonly string[]).includes(name))
      selection[name] = wholeNumber(name, text, { least: 1, most: mostPlaces }) - 1;
    else
      throw new SharedError(`has “${shortened(name)}”, which is not known here; known are ${listed(parameterNames)}`);
  }
  const { prompts, options: others } = named as Pick<Named, 'prompts' | 'options'>;
  const infotext = prompts.negative === undefined ? infotextOf(prompts.positive, others) : null;
  return { prompts, options: others, infotext, selection };
}

/** Writes what a link holds as parameters: the prompt and the language, and whatever else is not as it is without being named. */
export function parametersOf({ work, selection }: Shared, view: View): Record<string, string> {
  const { prompts, options: now } = work;
  const own = defaultsOf(now.syntax);
  const changed = optionNames.filter((name) => name === 'syntax' || now[name] !== own[name]);
  const { side, stage } = selection;
  // A prompt that reads as an infotext is one where no negative prompt is beside it.
  const isNegativeNamed = prompts.negative !== '' || parseInfotext(prompts.positive) !== null;
  return {
    v: String(version),
    [promptNames.positive]: prompts.positive,
    ...(isNegativeNamed && { [promptNames.negative]: prompts.negative }),
    ...Object.fromEntries(changed.map((name) => [linkNames[name] ?? name, String(now[name])])),
    view,
    ...(side !== 'positive' && { side }),
    ...Object.fromEntries(places.filter((name) => selection[name] > 0).map((name) => [name, `${selection[name] + 1}`])),
    ...(stage !== 'last' && { stage: String(stage) }),
  };
}

/** Encodes a value so that it stays readable: a `+` is encoded too, because some programs make a space of it. */
function encoded(text: string): string {
  // Half a pair of surrogates has no encoding.
  return encodeURIComponent(text.replace(/\p{Surrogate}/gu, '\ufffd'))
    .replaceAll('%3A', ':')
    .replaceAll('%2C', ',')
    .replaceAll('%2F', '/');
}

/** Writes a readable link, from `#` on. */
export function writeReadableLink(contents: Shared, view: View): string {
  const parameters = Object.entries(parametersOf(contents, view));
  return `#${parameters.map(([name, text]) => `${name}=${encoded(text)}`).join('&')}`;
}

function decoded(name: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new SharedError(`has a % in “${shortened(name)}” that encodes nothing (a percent sign is written %25)`);
  }
}

/** The contents of a readable link: as of one that was packed, or an infotext of A1111 that stands in the place of the prompt. */
export type ReadableLink =
  | { readonly kind: 'shared'; readonly shared: Shared }
  | { readonly kind: 'infotext'; readonly infotext: Infotext; readonly selection: Omit<Named['selection'], 'view'> };

/** Reads a readable link. What it does not name is as the program of its language has it by itself. Throws SharedError. */
export function readReadableLink(hash: string): ReadableLink {
  if (hash.length > longest) throw new SharedError('is far too long');
  const pairs = hash
    .slice(1)
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair): [string, string] => {
      const [, name, text] = /^([^=]*)=?(.*)$/s.exec(pair)!;
      return [name, decoded(name, text)];
    });
  const { prompts, options: named, infotext, selection } = readParameters(pairs);
  const { positive, negative } = prompts;
  if (positive === undefined) throw new SharedError('holds no prompt');
  if (infotext) return { kind: 'infotext', infotext, selection: withoutView(selection) };
  return {
    kind: 'shared',
    shared: {
      work: {
        prompts: { positive, negative: negative ?? '' },
        options: { ...defaultsOf(named.syntax ?? 'a1111'), ...named },
      },
      selection: { side: 'positive', chunk: 0, layer: 0, head: 0, stage: 'last', ...withoutView(selection) },
    },
  };
}

/** The view of a link is shown as that of any address. */
function withoutView({ view: _, ...selection }: Named['selection']): Omit<Named['selection'], 'view'> {
  return selection;
}
