import type { AlternateNode, Diagnostic, Range, ScheduledNode, SourceText, TextNode } from '../ast.ts';
import { holdScheduled } from '../bounds.ts';
import { deepest } from '../fragments.ts';
import { pythonSpace as space } from '../pythonText.ts';
import { joinSources, sliceSource, typedRange } from '../sourceText.ts';

/** A1111's `[before:after:when]`. */
export interface Scheduled extends ScheduledNode {
  readonly before: readonly ScheduleNode[];
  readonly after: readonly ScheduleNode[];
}

/** A1111's `[a|b|c]`. */
export interface Alternate extends AlternateNode {
  readonly options: readonly (readonly ScheduleNode[])[];
}

/** Brackets that weigh are text here: what a step leaves of the prompt is read for weights by `parseA1111`. */
export type ScheduleNode = TextNode | Scheduled | Alternate;

export interface ScheduleTree {
  readonly source: SourceText;
  readonly nodes: readonly ScheduleNode[];
  readonly diagnostics: readonly Diagnostic[];
}

export interface ScheduleOptions {
  /** Sampling steps of the first pass. */
  readonly steps: number;
  /** Numbers count as before A1111 1.6: one below 1 is a share of the steps, any other a step, with a point or without. */
  readonly useOldScheduling?: boolean;
}

export interface ScheduledText {
  /** The last step, counted from 1, that this text is for. */
  readonly endAtStep: number;
  readonly text: SourceText;
}

// Python's dot leaves out the line feed alone.
const plain = /(?:[^\\[\]():|]+|\\[^\n])/y;
const leadingSpace = new RegExp(`[${space}]+`, 'y');
const number = new RegExp(
  String.raw`^[${space}]*([+-]?(?:\d+e[+-]?\d+|(?:\d+\.\d*|\.\d+)(?:e[+-]?\d+)?|\d+))[${space}]*$`,
  'i',
);

/**
 * Scheduling and alternation of AUTOMATIC1111 1.6 to 1.10. Never throws. Where the original cannot read a prompt, all of it
 * is text. So it is here, too, where schedules nest more than 100 deep: the original's transformer overflows there.
 */
export function parseSchedule(source: SourceText): ScheduleTree {
  const reading = new ScheduleReader(source.text).read();
  const { failure, schedules } = reading;
  const range = (from: number, to: number) => typedRange(source, from, to)!;
  const tooDeep = schedules.find(({ depth }) => depth > deepest);
  if (failure || tooDeep) {
    const diagnostics: Diagnostic[] = [];
    if (failure && (failure.matters || schedules.length > 0)) {
      diagnostics.push(unreadable(failure.cause, range(failure.at, failure.at + 1)));
    } else if (tooDeep) diagnostics.push(tooDeeplyNested(range(tooDeep.start, tooDeep.end)));
    return { source, nodes: textNodes(source, 0, source.text.length), diagnostics };
  }
  const chosen = chooseItems(reading, schedules);
  const diagnostics = [
    ...schedules.filter((item) => !chosen.has(item)).map(({ start, end }) => hiddenSchedule(source, start, end)),
    ...reading.numberless.map(({ start, end }) => notASchedule(range(start, end))),
  ];
  return {
    source,
    nodes: buildNodes(source, [...chosen]),
    diagnostics: diagnostics.sort((a, b) => a.start - b.start),
  };
}

/** Brackets that make a schedule or an alternation if their closing one is not read as text. Places in the text. */
interface Item extends Range {
  /** Colons or bars. */
  readonly marks: readonly number[];
  /** The number as typed and where it stands; null for an alternation. */
  readonly when: (Range & { readonly typed: string }) | null;
  /** How many schedules and alternations lie around each other here, this one included. */
  readonly depth: number;
}

/** Why the original cannot read a prompt. */
interface Failure {
  readonly at: number;
  readonly cause: 'bar' | 'number' | 'backslash' | 'unclosed';
  /** Whether the brackets around it ask to be scheduled. */
  readonly matters: boolean;
}

interface Reading {
  readonly text: string;
  /** [text.length + 1] Where the text or the well-formed brackets begin that end here; −1 where there are none. */
  readonly tiles: Int32Array;
  /** [text.length + 1] Where a run of literal brackets begins that takes in the one starting here as its last. */
  readonly literals: Int32Array;
  /** By their beginnings. */
  readonly schedules: readonly Item[];
  readonly numberless: readonly Range[];
  readonly failure: Failure | null;
}

/**
 * A list of places at which one kind of item begins, in the order in which lark's Earley parser holds those items. With each
 * character the parser takes the items from a stack, which reverses their order, and adds a new one as the first or second.
 * Only the ends and the size of the list are kept, as nothing else decides the next ends: 1, 2, 3 with 4 added as the second
 * is 3, 4, 2, 1.
 */
interface Order {
  readonly first: number;
  readonly last: number;
  readonly size: number;
}

const none: Order = { first: -1, last: -1, size: 0 };
const only = (place: number): Order => ({ first: place, last: place, size: 1 });

function turned({ first, last, size }: Order, added: number, as: 'first' | 'second'): Order {
  if (size === 0) return only(added);
  return {
    first: as === 'first' ? added : last,
    last: size === 1 && as === 'second' ? added : first,
    size: size + 1,
  };
}

/**
 * The turn of a rule at the next character. Runs of literal brackets wait for that character too, and the rule is worked off
 * before all of them, after all of them, or between the first and the last.
 */
type Turn = 'before' | 'among' | 'after';

/** From an opening bracket, or from a colon or bar in it, to the next of them: only whole items and text may stand here. */
interface Stretch {
  readonly form: 'top' | 'round' | 'round-after' | 'square' | 'square-after' | 'square-last' | 'options';
  readonly start: number;
  readonly open: number;
  /** Colons or bars so far. */
  readonly marks: number[];
  readonly outer: Stretch | null;
  /** The outer stretch's prompts and whether literals could stand there, at the opening bracket. */
  readonly outerPrompts: Order;
  readonly outerLive: boolean;
  /** How deep schedules nest in here. */
  depth: number;
  when: Item['when'];
}

const topStretch = (start: number): Stretch => ({
  form: 'top',
  start,
  open: -1,
  marks: [],
  outer: null,
  outerPrompts: none,
  outerLive: true,
  depth: 0,
  when: null,
});

/**
 * The grammar is unambiguous but for one thing: a bracket or colon may always be text, except within brackets that are not.
 * lark 1.3.1 then takes, from the end of the prompt backwards, text and well-formed brackets where they end, and else a run
 * of literal brackets that may reach back over the closing bracket of a schedule, which is text with it. How far back
 * depends on the order in which its Earley parser came to the derivations, which this follows: `[a:5]]` is a schedule and a
 * bracket, `[a:5]]]` is all text.
 */
class ScheduleReader {
  private readonly text: string;
  private readonly tiles: Int32Array;
  private readonly literals: Int32Array;
  private readonly schedules: Item[] = [];
  private readonly numberless: Range[] = [];
  /** The first failure, which is the one that is told. */
  private failure: Failure | null = null;
  private stretch = topStretch(0);
  /** Whether literal brackets may stand here: not after a bar. */
  private live = true;
  /** Runs of literal brackets that reach here, by where they begin. */
  private runs = only(0);
  /** Well-formed stretches that reach here, by where they begin. */
  private prompts = only(0);
  /** When the rule that closes or parts the innermost brackets gets its turn, and when the rules that open new ones do. */
  private closing: Turn = 'before';
  private opening: Turn = 'after';

  constructor(text: string) {
    this.text = text;
    this.tiles = new Int32Array(text.length + 1).fill(-1);
    this.literals = new Int32Array(text.length + 1).fill(-1);
  }

  read(): Reading {
    this.literals[0] = 0;
    let place = 0;
    while (place < this.text.length) {
      plain.lastIndex = place;
      let end = place;
      while (plain.test(this.text)) end = plain.lastIndex;
      if (end > place) {
        this.readText(place, end);
        place = end;
        continue;
      }
      this.readMark(this.text[place], place);
      place++;
    }
    if (!this.live) this.fail('unclosed');
    this.schedules.sort((a, b) => a.start - b.start);
    const { text, tiles, literals, schedules, numberless, failure } = this;
    return { text, tiles, literals, schedules, numberless, failure };
  }

  /** Takes a bracket, colon, bar or backslash at `place`: it opens, parts or closes brackets, or is text. */
  private readMark(mark: string, place: number): void {
    const { form } = this.stretch;
    switch (mark) {
      case '(':
      case '[':
        this.enter(
          {
            form: mark === '(' ? 'round' : 'square',
            start: place + 1,
            open: place,
            marks: [],
            outer: this.stretch,
            outerPrompts: this.prompts,
            outerLive: this.live,
            depth: 0,
            when: null,
          },
          this.opening,
        );
        break;
      case ':':
        if (form === 'round') this.part('round-after', place);
        else if (form === 'square') this.part('square-after', place);
        else if (form === 'square-after') this.part('square-last', place);
        else {
          if (form === 'square-last') this.numberless.push({ start: this.stretch.open, end: place + 1 });
          if (!this.live) {
            if (form === 'options') this.fail('number', place);
            else this.fail('bar');
          }
          this.enter(topStretch(place + 1), 'before');
        }
        break;
      case '|':
        if (form === 'square' || form === 'options') {
          this.part('options', place);
          this.live = false;
        } else {
          this.fail('bar', place);
          this.enter(topStretch(place + 1), 'before');
        }
        break;
      case ')':
      case ']': {
        const closes =
          mark === ')'
            ? form === 'round' || form === 'round-after'
            : form === 'square' || form === 'options' || this.stretch.when !== null;
        if (closes) this.leave(place);
        else {
          if (mark === ']' && form.startsWith('square'))
            this.numberless.push({ start: this.stretch.open, end: place + 1 });
          if (!this.live) this.fail('bar');
          this.enter(topStretch(place + 1), 'before');
        }
        break;
      }
      default:
        this.fail('backslash', place);
        this.enter(topStretch(place + 1), 'before');
    }
  }

  /** Fails at a place; without one at the bar that rules out literal brackets here. */
  private fail(cause: Failure['cause'], at?: number): void {
    this.failure ??= {
      at: at ?? firstBar(this.stretch),
      cause,
      matters: !this.live || (cause !== 'backslash' && this.stretch.form.startsWith('square')),
    };
    this.live = true;
  }

  private reach(place: number, order: Order): void {
    this.runs = order;
    this.literals[place] = order.last;
  }

  /** Literals are first in turn here; what the bracket at `place - 1` has begun follows the first of them. */
  private turnAfterLiteral(): Turn {
    return this.runs.size === 1 ? 'after' : 'among';
  }

  private enter(next: Stretch, turn: Turn): void {
    this.stretch = next;
    if (!this.live) return;
    const then = turn === 'after' ? 'before' : this.turnAfterLiteral();
    this.closing = then;
    this.opening = then;
    this.reach(next.start, turned(this.runs, next.start, 'second'));
    this.prompts = only(next.start);
  }

  private readText(start: number, end: number): void {
    this.tiles[end] = start;
    const typed = this.text.slice(start, end);
    if (this.live) {
      leadingSpace.lastIndex = 0;
      const blank = leadingSpace.test(typed) ? leadingSpace.lastIndex : 0;
      if (blank > 0 && blank < typed.length) this.prompts = turned(this.prompts, start + blank, 'second');
      this.closing = this.prompts.last === this.stretch.start ? 'before' : 'after';
      this.opening = 'before';
      this.prompts = turned(this.prompts, end, 'second');
      this.reach(end, only(end));
    }
    if ((this.stretch.form === 'square-after' || this.stretch.form === 'square-last') && this.stretch.start === start) {
      const match = number.exec(typed);
      if (!match) return;
      const from = start + match[0].indexOf(match[1]);
      this.stretch.when = { start: from, end: from + match[1].length, typed: match[1] };
      this.closing = 'before';
    }
  }

  private part(form: Stretch['form'], place: number): void {
    const turn = this.stretch.form === 'square-after' ? 'before' : this.closing;
    this.stretch.marks.push(place);
    this.enter({ ...this.stretch, form, start: place + 1, when: null }, turn);
  }

  private leave(place: number): void {
    const { form, open, marks, outerPrompts, outerLive, when } = this.stretch;
    const outer = this.stretch.outer!;
    const end = place + 1;
    let { depth } = this.stretch;
    this.tiles[end] = open;
    if (when || form === 'options') {
      depth++;
      this.schedules.push({ start: open, end, marks, when, depth });
    }
    outer.depth = Math.max(outer.depth, depth);
    outer.when = null;
    if (form === 'options') {
      this.live = outerLive;
      this.runs = none;
    }
    this.stretch = outer;
    if (!this.live) return;
    const whole = outerPrompts.last === outer.start;
    if (this.runs.size === 0 || this.closing === 'after') {
      this.closing = whole ? 'before' : this.runs.size === 0 ? 'after' : 'among';
      this.opening = 'before';
      this.prompts = turned(outerPrompts, end, 'second');
      this.reach(end, turned(this.runs, end, 'first'));
    } else {
      this.closing = this.closing === 'before' ? 'after' : 'among';
      this.opening = this.turnAfterLiteral();
      this.prompts = turned(outerPrompts, end, 'first');
      this.reach(end, turned(this.runs, end, 'second'));
    }
  }
}

/** The first bar of the outermost alternation around a place where no literal bracket can stand. */
function firstBar(stretch: Stretch): number {
  let bar = -1;
  for (let at: Stretch | null = stretch; at; at = at.outer) if (at.form === 'options') bar = at.marks[0];
  return bar;
}

/** The items whose closing brackets do not belong to a run of literals. */
function chooseItems({ tiles, literals, text }: Reading, schedules: readonly Item[]): Set<Item> {
  const kept: Range[] = [];
  for (let end = text.length; end > 0; ) {
    const start = tiles[end] >= 0 ? tiles[end] : literals[end - 1];
    if (tiles[end] >= 0) kept.push({ start, end });
    end = start;
  }
  const chosen = new Set<Item>();
  let tile = kept.pop();
  for (const item of schedules) {
    while (tile && tile.end <= item.start) tile = kept.pop();
    if (tile && tile.start <= item.start && item.end <= tile.end) chosen.add(item);
  }
  return chosen;
}

function textNodes(source: SourceText, from: number, to: number): TextNode[] {
  const range = typedRange(source, from, to);
  return range ? [{ type: 'text', ...sliceSource(source, from, to), ...range }] : [];
}

/** `items` by their beginnings, none crossing another, nested no more than `deepest`. */
function buildNodes(source: SourceText, items: readonly Item[]): ScheduleNode[] {
  let next = 0;
  function build(from: number, to: number): ScheduleNode[] {
    const nodes: ScheduleNode[] = [];
    let place = from;
    while (next < items.length && items[next].start < to) {
      const item = items[next++];
      nodes.push(...textNodes(source, place, item.start), buildItem(item));
      place = item.end;
    }
    nodes.push(...textNodes(source, place, to));
    return nodes;
  }
  function buildItem({ start, end, marks, when }: Item): Scheduled | Alternate {
    const range = typedRange(source, start, end)!;
    const ends = when ? marks : [...marks, end - 1];
    const parts = ends.map((mark, i) => build(i === 0 ? start + 1 : ends[i - 1] + 1, mark));
    if (!when) return { type: 'alternate', ...range, options: parts };
    const [before, after] = parts.length === 2 ? parts : [[], parts[0]];
    return {
      type: 'scheduled',
      ...range,
      before,
      after,
      withoutBefore: parts.length === 1,
      when: typedRange(source, when.start, when.end)!,
      number: when.typed,
    };
  }
  return build(0, source.text.length);
}

/**
 * The texts of a pass one after the other, as the original lists them: one for each stretch of steps between two that some
 * schedule or alternation names, though they may read the same. Throws PromptBoundError where they are too much together.
 */
export function resolveSchedule(tree: ScheduleTree, options: ScheduleOptions): ScheduledText[] {
  const { steps } = options;
  const ends = new Set([steps]);
  let alternates = false;
  walk(tree.nodes, (node) => {
    if (node.type === 'alternate') alternates = true;
    else if (lastStepBefore(node, options) >= 1) ends.add(lastStepBefore(node, options));
  });
  if (alternates) for (let step = 1; step <= steps; step++) ends.add(step);
  const texts: { readonly nodes: readonly TextNode[]; readonly text: SourceText }[] = [];
  // One text is as long as the prompt at most, whose length is bounded already.
  const hold = ends.size > 1 ? holdScheduled : () => {};
  let stretches = 0;
  let characters = 0;
  return [...ends]
    .sort((a, b) => a - b)
    .map((endAtStep) => {
      const chosen = nodesAtStep(tree, endAtStep, options);
      stretches += chosen.length;
      hold(stretches);
      const known = texts.find(({ nodes }) => sameNodes(nodes, chosen));
      if (known) return { endAtStep, text: known.text };
      characters += chosen.reduce((sum, { text }) => sum + text.length, 0);
      hold(characters);
      const text = joinTexts(chosen);
      texts.push({ nodes: chosen, text });
      return { endAtStep, text };
    });
}

function sameNodes(a: readonly TextNode[], b: readonly TextNode[]): boolean {
  return a.length === b.length && a.every((node, i) => node === b[i]);
}

/** The text that is encoded for a step, counted from 1. */
export function textAtStep(tree: ScheduleTree, step: number, options: ScheduleOptions): SourceText {
  return joinTexts(nodesAtStep(tree, step, options));
}

function joinTexts(nodes: readonly TextNode[]): SourceText {
  const { text, starts, ends } = joinSources(nodes);
  return { text, starts, ends };
}

/**
 * The entry the sampler uses for its model call `call`, counted from 0: it compares that with steps counted from 1, so
 * that an entry that ends at step 5 lasts for six calls.
 */
export function entryAtCall<T extends { readonly endAtStep: number }>(entries: readonly T[], call: number): T {
  return entries.find(({ endAtStep }) => call <= endAtStep) ?? entries[entries.length - 1];
}

/** The last step, counted from 1, with the text before: none if less than 1, all if the number of steps. */
function lastStepBefore({ number: typed }: Scheduled, options: ScheduleOptions): number {
  const step = isShare(typed, options) ? Number(typed) * options.steps : Number(typed);
  return Math.min(options.steps, Math.trunc(step));
}

/** Whether a typed number is a share of the steps. */
function isShare(typed: string, { useOldScheduling = false }: ScheduleOptions): boolean {
  return useOldScheduling ? Number(typed) < 1 : typed.includes('.');
}

function nodesAtStep(tree: ScheduleTree, step: number, options: ScheduleOptions): TextNode[] {
  const chosen: TextNode[] = [];
  function choose(nodes: readonly ScheduleNode[]): void {
    for (const node of nodes) {
      if (node.type === 'text') chosen.push(node);
      else if (node.type === 'alternate') choose(node.options[(step - 1) % node.options.length]);
      else choose(step <= lastStepBefore(node, options) ? node.before : node.after);
    }
  }
  choose(tree.nodes);
  return chosen;
}

/** Visits schedules and alternations, outer ones before inner ones. */
function walk(nodes: readonly ScheduleNode[], visit: (node: Scheduled | Alternate) => void): void {
  for (const node of nodes) {
    if (node.type === 'text') continue;
    visit(node);
    for (const children of node.type === 'alternate' ? node.options : [node.before, node.after]) walk(children, visit);
  }
}

/** Warns of numbers that may surprise with this many steps in the first pass: never reached, at once, meant as weights. */
export function scheduleDiagnostics(tree: ScheduleTree, options: ScheduleOptions): Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  walk(tree.nodes, (node) => {
    if (node.type !== 'scheduled') return;
    const last = lastStepBefore(node, options);
    const share = isShare(node.number, options);
    const { start, end } = node.when;
    if (!Number.isFinite(Number(node.number))) {
      diagnostics.push({
        code: 'schedule-number-too-large',
        severity: 'error',
        start,
        end,
        message: `“${node.number}” is too large a number and stops A1111 with an error; here it is never reached.`,
      });
    } else if (node.withoutBefore && node.number.includes('.')) {
      diagnostics.push(notAWeight(node, last, share, options.steps));
    } else if (last < 1) {
      diagnostics.push({
        code: 'switches-at-once',
        severity: 'warning',
        start,
        end,
        message: node.withoutBefore
          ? `“${node.number}” is before the first step, so the text in these brackets is there from the first on: write a share such as 0.5, or a step from 1.`
          : `“${node.number}” is before the first step, so what stands before it is never used: write a share such as 0.5, or a step from 1.`,
      });
    } else if (last >= options.steps) {
      diagnostics.push(neverSwitches(node, share, options.steps));
    }
  });
  return diagnostics;
}

function neverSwitches({ number: typed, when: { start, end } }: Scheduled, share: boolean, steps: number): Diagnostic {
  const diagnostic = { code: 'never-switches', severity: 'warning', start, end } as const;
  if (!share) {
    const message = `There are ${steps} steps, so the first pass never comes to what follows step ${Number(typed)}: write an earlier step, or a share such as 0.5.`;
    return { ...diagnostic, message };
  }
  const message = `With a point in it “${typed}” is a share of the steps, and the first pass never comes to what follows it: write less than 1.0, or a step without a point.`;
  const step = String(Math.trunc(Number(typed)));
  if (Number(step) < 2 || Number(step) >= steps) return { ...diagnostic, message };
  return { ...diagnostic, message, fix: { label: `Write ${step}`, edits: [{ start, end, insert: step }] } };
}

/** `[x:0.8]`, which many take for a weight. */
function notAWeight(
  { start, end, number: typed, when }: Scheduled,
  last: number,
  share: boolean,
  steps: number,
): Diagnostic {
  const consequence =
    last < 1
      ? 'the text in the brackets is there from the first step'
      : last >= steps
        ? 'the text in the brackets would come after the last step, so it is not encoded'
        : `the text in the brackets comes in after step ${last} of ${steps}`;
  const diagnostic: Diagnostic = {
    code: 'schedule-not-weight',
    severity: last < 1 || last >= steps ? 'warning' : 'info',
    start,
    end,
    message: `A1111 takes “${typed}” for ${share ? 'a share of the steps' : 'a step'}, not a weight: ${consequence}; write (…:${typed}) for a weight.`,
  };
  if (!/^[+-]?[\d.]+$/.test(typed) || when.end - when.start !== typed.length) return diagnostic;
  return {
    ...diagnostic,
    fix: {
      label: `Write (…:${typed})`,
      edits: [
        { start, end: start + 1, insert: '(' },
        { start: end - 1, end, insert: ')' },
      ],
    },
  };
}

function unreadable(cause: Failure['cause'], { start, end }: Range): Diagnostic {
  const causes = {
    bar: 'A1111 reads “|” in square brackets alone, with no colon beside it',
    number: 'A1111 takes no colon in an alternation',
    backslash: 'A1111 cannot read a backslash that ends a line or the prompt',
    unclosed: 'This alternation is never closed',
  };
  const character = cause === 'backslash' ? '\\' : cause === 'number' ? ':' : '|';
  return {
    code: 'schedule-unreadable',
    severity: 'warning',
    start,
    end,
    message: `${causes[cause]}, so nothing in this prompt is scheduled and all its brackets are read for weights alone: remove it or type “\\${character}” for the character.`,
    fix: { label: `Type “\\${character}”`, edits: [{ start, end: start, insert: '\\' }] },
  };
}

function tooDeeplyNested(range: Range): Diagnostic {
  return {
    code: 'schedule-too-deep',
    severity: 'error',
    ...range,
    message: `Schedules more than ${deepest} deep stop A1111 with an error; here nothing in this prompt is scheduled: nest them less.`,
  };
}

function hiddenSchedule(source: SourceText, start: number, end: number): Diagnostic {
  const range = typedRange(source, start, end)!;
  return {
    code: 'schedule-hidden',
    severity: 'warning',
    ...range,
    message:
      'A1111 takes the last bracket of this schedule for text together with those after it, and all of it with that: put a space after it.',
    fix: { label: 'Put a space after it', edits: [{ start: range.end, end: range.end, insert: ' ' }] },
  };
}

function notASchedule(range: Range): Diagnostic {
  return {
    code: 'not-a-schedule',
    severity: 'info',
    ...range,
    message:
      'A1111 schedules [before:after:number] and [after:number] alone, so these brackets weigh 0.909 and their colons are encoded as text.',
  };
}
