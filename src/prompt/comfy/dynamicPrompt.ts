/**
 * ComfyUI's page changes a text before its server reads it (`processDynamicPrompt` of ComfyUI_frontend): comments are taken
 * out, one of `{a|b}` is chosen, and `\{`, `\|`, `\}` become characters. All of it takes time in proportion to the text.
 *
 * A comment runs from `//` to the end of its line, or from a slash and a star to the next star and slash; nothing escapes it.
 * A brace that is never closed chooses from all that follows. A backslash keeps the character after it from being read,
 * and stays, but before a brace or bar. One at the very end becomes `\undefined`.
 */

import type { ChoiceNode, CommentNode, PageChanges, Range, SourceText } from '../ast.ts';
import { joinSources, placesOf, sourceText } from '../sourceText.ts';

/** A part of a `{a|b}` in the text without comments. */
interface Option extends Range {
  /** The number of texts that can come of it. */
  readonly variants: number;
}

/** A `{a|b}` in the text without comments. */
export interface ChoiceGroup extends Range {
  readonly isClosed: boolean;
  readonly options: readonly Option[];
  /** The group whose option it is in. */
  readonly parent: ChoiceGroup | null;
  /** The number of texts that can come of the groups after it in the same option. */
  readonly variantsAfter: number;
}

/** A prompt with all its choices open. */
export interface OpenPrompt {
  readonly source: string;
  readonly comments: readonly CommentNode[];
  /** The text without comments, and the place of each of its units in the prompt; there may be more places than units. */
  readonly text: string;
  readonly places: readonly number[];
  /** By their beginnings, the outer before the inner. */
  readonly groups: readonly ChoiceGroup[];
  /** The number of texts that can come of it, each way to choose counted; from 2⁵³ on not exact, and perhaps infinite. */
  readonly variants: number;
}

/** A prompt as ComfyUI's page hands it on. */
export interface DynamicPrompt extends PageChanges {
  readonly text: SourceText;
  /** Whether the text is what was typed. */
  readonly isAsTyped: boolean;
  readonly open: OpenPrompt;
}

/** Gives the index of the option to choose. It is asked for one group after the other, `made` of which were asked for before. */
export type Choose = (group: ChoiceGroup, made: number) => number;

/** Makes the choices of one prompt. */
export type Chooser = (open: OpenPrompt) => Choose;

/** Chooses as a seed says, a whole number: each option as often as the others. */
export function seededChooser(seed: number): Chooser {
  return () =>
    ({ options }, made) =>
      Math.floor(random(seed, made) * options.length);
}

/**
 * Chooses what gives the text of this number, from 0. The texts are in the order of their options; the choices of the last
 * group change first. `otherwise` chooses where there are not as many.
 */
export function variantChooser(variant: number, otherwise: Chooser): Chooser {
  return (open) => {
    if (variant >= open.variants) return otherwise(open);
    /** The number that is left for the rest of an option. */
    const left = new Map<ChoiceGroup | null, number>([[null, variant]]);
    return (group) => {
      const { options, parent, variantsAfter } = group;
      const number = left.get(parent)!;
      left.set(parent, number % variantsAfter);
      let within = Math.floor(number / variantsAfter);
      let option = 0;
      while (within >= options[option].variants) within -= options[option++].variants;
      left.set(group, within);
      return option;
    };
  };
}

/** Chooses again what was chosen before, the first option where there is no such choice. */
export function sameChooser(choices: readonly Pick<ChoiceNode, 'chosen'>[]): Chooser {
  return () =>
    ({ options }, made) => {
      const chosen = choices[made]?.chosen ?? 0;
      return chosen < options.length ? chosen : 0;
    };
}

/** A number from 0 to below 1, the same for the same two numbers (the finaliser of MurmurHash3, A. Appleby). */
function random(seed: number, index: number): number {
  let hash = Math.imul(seed ^ Math.floor(seed / 2 ** 32), 0x9e3779b1) + Math.imul(index + 1, 0x85ebca77);
  for (let round = 0; round < 2; round++) {
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return (hash >>> 0) / 2 ** 32;
}

/** Reads a prompt as ComfyUI's page does. Never throws. */
export function readDynamicPrompt(source: string, chooser: Chooser): DynamicPrompt {
  const open = openPrompt(source);
  return chosenPrompt(open, chooser(open));
}

/** Takes out the comments and finds the choices. Never throws. */
export function openPrompt(source: string): OpenPrompt {
  const comments = commentsOf(source);
  const { text, starts } = comments.length === 0 ? placesOf(source) : joinSources(between(source, comments));
  return { source, comments, text, places: starts, ...groupsOf(text) };
}

function commentsOf(source: string): CommentNode[] {
  const comments: CommentNode[] = [];
  const opening = /\/[/*]/g;
  const lineEnd = /[\n\r\u2028\u2029]|$/g;
  let mayClose = true;
  for (let match = opening.exec(source); match; match = opening.exec(source)) {
    const start = match.index;
    let end = -1;
    if (match[0] === '//') {
      lineEnd.lastIndex = start;
      end = lineEnd.exec(source)!.index;
    } else if (mayClose) {
      const close = source.indexOf('*/', start + 2);
      mayClose = close >= 0;
      if (mayClose) end = close + 2;
    }
    if (end >= 0) comments.push({ type: 'comment', start, end });
    opening.lastIndex = end >= 0 ? end : start + 1;
  }
  return comments;
}

/** The text between ranges, and before and after them. */
function between(source: string, ranges: readonly Range[]): SourceText[] {
  const pieces: SourceText[] = [];
  let from = 0;
  for (const { start, end } of ranges) {
    pieces.push(sourceText(source, from, start));
    from = end;
  }
  return [...pieces, sourceText(source, from)];
}

/** A group while it is read: it is open until its end is found. */
interface OpenGroup extends ChoiceGroup {
  end: number;
  isClosed: boolean;
  readonly options: OpenOption[];
  readonly parent: OpenGroup | null;
  /** The option that it is in, or the whole prompt. */
  readonly within: OpenOption;
  variantsAfter: number;
}

/** An option while the text is read: it ends where the text does until its end is found. */
interface OpenOption extends Option {
  end: number;
  variants: number;
}

function groupsOf(text: string): Pick<OpenPrompt, 'groups' | 'variants'> {
  const groups: OpenGroup[] = [];
  const option = (start: number): OpenOption => ({ start, end: text.length, variants: 1 });
  const whole = option(0);
  let innermost: OpenGroup | null = null;
  for (let at = 0; at < text.length; at++) {
    const unit = text[at];
    if (unit === '\\') at++;
    else if (unit === '{') {
      const parent: OpenGroup | null = innermost;
      const within: OpenOption = parent ? parent.options[parent.options.length - 1] : whole;
      const options = [option(at + 1)];
      innermost = { start: at, end: text.length, isClosed: false, options, parent, within, variantsAfter: 1 };
      groups.push(innermost);
    } else if (innermost && (unit === '|' || unit === '}')) {
      innermost.options[innermost.options.length - 1].end = at;
      if (unit === '|') innermost.options.push(option(at + 1));
      else {
        innermost.end = at + 1;
        innermost.isClosed = true;
        innermost = innermost.parent;
      }
    }
  }
  // From the last to the first: the groups in a group, and those after it, have been counted before it.
  for (let i = groups.length - 1; i >= 0; i--) {
    const { options, within } = groups[i];
    groups[i].variantsAfter = within.variants;
    within.variants *= options.reduce((sum, { variants }) => sum + variants, 0);
  }
  return { groups, variants: whole.variants };
}

/** An option that was chosen, while it is read. */
interface ChosenOption {
  readonly group: ChoiceGroup;
  readonly option: Option;
  /** The chosen option that the group is in. */
  readonly outer: ChosenOption | null;
}

/** Makes the choices of a prompt. */
export function chosenPrompt(open: OpenPrompt, choose: Choose): DynamicPrompt {
  const { source, comments, text, places, groups } = open;
  // A backslash stays where it is but before a brace or bar, and at the very end.
  if (comments.length === 0 && groups.length === 0 && !/\\(?:[{|}]|$)/.test(text))
    return { text: sourceText(source), isAsTyped: true, comments, choices: [], open };
  const written = new Output(groups.length);
  // Arrays that grow item by item take several times their memory.
  const choices: ChoiceNode[] = Array(groups.length);
  let choiceCount = 0;
  let innermost: ChosenOption | null = null;
  for (let at = 0, next = 0; ; ) {
    if (at >= (innermost?.option.end ?? text.length)) {
      if (!innermost) break;
      at = innermost.group.end;
      innermost = innermost.outer;
      written.leaveOption();
      continue;
    }
    // Groups in options that are not chosen are passed over.
    while (groups[next]?.start < at) next++;
    const group = groups[next];
    if (group?.start === at) {
      const chosen = choose(group, choiceCount);
      const option: Option = group.options[chosen];
      choices[choiceCount++] = choiceNode(open, group, chosen);
      innermost = { group, option, outer: innermost };
      written.enterOption(placeOf(open, option.start));
      at = option.start;
      continue;
    }
    written.write(text[at], places[at]);
    if (text[at] !== '\\') {
      at++;
      continue;
    }
    if (at + 1 < text.length) written.write(text[at + 1], places[at + 1]);
    else for (const letter of 'undefined') written.write(letter, places[at]);
    at += 2;
  }
  choices.length = choiceCount;
  const read = written.text();
  const isAsTyped = comments.length === 0 && choices.length === 0 && read.text === source;
  return { text: isAsTyped ? sourceText(source) : read, isAsTyped, comments, choices, open };
}

/** The text that comes of a prompt, unit by unit, with the places where it was typed. */
class Output {
  readonly #units: string[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  /** For each option that is being read, and before them the whole text, the place where it begins. */
  readonly #firsts: Uint32Array;
  /** The number of options that are being read. */
  #depth = 0;

  /** `deepest` is the largest number of options that lie in each other. */
  constructor(deepest: number) {
    this.#firsts = new Uint32Array(deepest + 1);
  }

  enterOption(place: number): void {
    this.#firsts[++this.#depth] = place;
  }

  leaveOption(): void {
    this.#depth--;
  }

  write(unit: string, place: number): void {
    const start = unit === '{' || unit === '|' || unit === '}' ? this.#dropEscapes(place) : place;
    this.#units.push(unit);
    this.#starts.push(start);
    this.#ends.push(place + 1);
  }

  text(): SourceText {
    return { text: this.#units.join(''), starts: this.#starts, ends: this.#ends };
  }

  /**
   * Drops a backslash before a brace or bar for each option around it, and one for the whole text: the original takes the
   * escapes out of a chosen option, then again out of the text that it is put into. A backslash outside of an option is
   * not seen while that option is read. Gives the place where the first of them was typed, else `place`.
   */
  #dropEscapes(place: number): number {
    let start = place;
    for (let level = this.#depth; level >= 0 && this.#units.at(-1) === '\\'; ) {
      level = Math.min(level, this.#levelOf(this.#ends.at(-1)! - 1)) - 1;
      this.#units.pop();
      this.#ends.pop();
      start = this.#starts.pop()!;
    }
    return start;
  }

  /** The innermost of the options being read that the unit typed at a place is in. */
  #levelOf(place: number): number {
    let [low, high] = [0, this.#depth + 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#firsts[middle] <= place) low = middle;
      else high = middle;
    }
    return low;
  }
}

/** The place at which a unit of the text without comments was typed; the end of the prompt for the end of that text. */
function placeOf({ source, places }: OpenPrompt, at: number): number {
  return places[at] ?? source.length;
}

function choiceNode(open: OpenPrompt, group: ChoiceGroup, chosen: number): ChoiceNode {
  const { source, places } = open;
  const options = group.options.map(({ start, end }) => ({ start: places[start - 1] + 1, end: placeOf(open, end) }));
  const marks = options.map(({ start }) => ({ start: start - 1, end: start }));
  const { end: close } = options[options.length - 1];
  if (group.isClosed) marks.push({ start: close, end: close + 1 });
  const end = group.isClosed ? close + 1 : source.length;
  return { type: 'choice', start: marks[0].start, end, marks, options, chosen };
}
