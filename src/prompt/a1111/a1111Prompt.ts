/**
 * A whole prompt as AUTOMATIC1111 1.10 reads it, in its order: comments, networks, AND (in a positive prompt), then for each
 * part the schedule, and for each text of that the weights. Everything but the steps is read once an edit.
 */

import type { CommentNode, Diagnostic, Fragment, Node, ParsedPrompt, Range, SourceText, TextNode } from '../ast.ts';
import { byPlace, DistinctDiagnostics } from '../diagnostics.ts';
import { isWithinAny, sourceText } from '../sourceText.ts';
import { type PromptPart, splitParts } from './andParts.ts';
import { removeComments } from './comments.ts';
import { type A1111Options, parseA1111 } from './emphasis.ts';
import { keepNetworks, type Network, removeNetworks } from './extraNetworks.ts';
import {
  parseSchedule,
  resolveSchedule,
  type ScheduleOptions,
  type ScheduleTree,
  scheduleDiagnostics,
} from './promptSchedule.ts';

export interface ReadingOptions {
  /** Only a positive prompt is split at AND. */
  readonly role: 'positive' | 'negative';
}

export interface ScheduledPart extends PromptPart {
  readonly schedule: ScheduleTree;
}

export interface A1111Prompt extends ReadingOptions {
  readonly source: string;
  readonly comments: readonly CommentNode[];
  readonly networks: readonly Network[];
  readonly parts: readonly ScheduledPart[];
  /** One composite node if there are several parts, else that part's text, schedules and alternations. */
  readonly nodes: readonly Node[];
  readonly diagnostics: readonly Diagnostic[];
}

export interface StepOptions extends ScheduleOptions {
  /** False for A1111's emphasis mode "None": brackets are text. */
  readonly emphasis?: boolean;
  /** Weight of `[x]`, as `parseA1111` takes it. */
  readonly squareFactor?: number;
}

export interface PromptStep {
  /** The last step, counted from 1, that this is for. */
  readonly endAtStep: number;
  readonly text: SourceText;
  /** One object is shared by all steps with one text. */
  readonly parsed: ParsedPrompt;
}

export interface SteppedPrompt {
  /** The steps of each part. */
  readonly parts: readonly { readonly steps: readonly PromptStep[] }[];
  /** Diagnostics of the whole prompt and of all steps, sorted by place. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Never throws. A1111 takes networks and AND from the positive prompt alone; in the negative one they are text. */
export function readA1111Prompt(prompt: string, { role }: ReadingOptions): A1111Prompt {
  const commented = removeComments(sourceText(prompt));
  const tagged = role === 'positive' ? removeNetworks(commented.text) : keepNetworks(commented.text);
  const split = role === 'positive' ? splitParts(tagged.text) : { parts: [wholePart(tagged.text)], diagnostics: [] };
  const parts = split.parts.map((part) => ({ ...part, schedule: parseSchedule(part.text) }));
  const schedules = parts.flatMap(({ schedule }) => schedule.nodes).filter(({ type }) => type !== 'text');
  return {
    ...{ source: prompt, role },
    comments: commented.comments,
    networks: tagged.networks,
    parts,
    nodes: parts.length === 1 ? parts[0].schedule.nodes : compositeNodes(prompt, parts),
    diagnostics: [
      ...commented.diagnostics,
      ...tagged.diagnostics,
      ...tagged.networks.filter((network) => isWithinAny(network, schedules)).map(unscheduledNetwork),
      ...split.diagnostics,
      ...parts.flatMap(({ schedule }) => schedule.diagnostics),
    ].sort(byPlace),
  };
}

/** Reads the weights of a prompt at each step of the first pass. Throws PromptBoundError where its texts are too much together. */
export function stepA1111Prompt({ source, parts, diagnostics }: A1111Prompt, options: StepOptions): SteppedPrompt {
  const told = new DistinctDiagnostics();
  for (const diagnostic of diagnostics) told.add(diagnostic);
  const stepped = parts.map(({ schedule }) => {
    for (const diagnostic of scheduleDiagnostics(schedule, options)) told.add(diagnostic);
    const reading = { ...options, end: lastPlace(schedule.source) };
    const changing = schedule.nodes.filter(({ type }) => type !== 'text');
    const read = new Map<SourceText, ParsedPrompt>();
    const steps = resolveSchedule(schedule, options).map(({ endAtStep, text }): PromptStep => {
      const known = read.get(text);
      if (known) return { endAtStep, text, parsed: known };
      const parsed = parseText(text, reading);
      read.set(text, parsed);
      for (const diagnostic of parsed.diagnostics) {
        if (!isAnswered(diagnostic, source)) told.add(withLocalFix(diagnostic, changing));
      }
      return { endAtStep, text, parsed };
    });
    return { steps };
  });
  return { parts: stepped, diagnostics: told.all.sort(byPlace) };
}

function wholePart(text: SourceText): PromptPart {
  return { start: 0, end: text.ends.at(-1) ?? 0, text, weight: 1, number: null, encoding: 0 };
}

function compositeNodes(prompt: string, parts: readonly ScheduledPart[]): Node[] {
  return [
    {
      type: 'composite',
      start: 0,
      end: prompt.length,
      operator: 'AND',
      parts: parts.map(({ start, end, weight, schedule }) => ({
        children: schedule.nodes,
        weight,
        range: { start, end },
      })),
    },
  ];
}

/** The end of a part in the prompt, before any comments that follow it. */
function lastPlace({ starts, ends }: SourceText): number | undefined {
  let last = ends.length - 1;
  while (last > 0 && ends[last] - starts[last] !== 1) last--;
  return ends.at(last);
}

/** Reads the weights of a text without networks, AND and schedules. */
export const parseText = (
  text: SourceText,
  { emphasis = true, ...options }: Pick<StepOptions, 'emphasis'> & A1111Options,
): ParsedPrompt => (emphasis ? parseA1111(text, options) : unweighted(text));

function unweighted(source: SourceText): ParsedPrompt {
  const { text, starts, ends } = source;
  const range = { start: starts.at(0) ?? 0, end: ends.at(-1) ?? 0 };
  const fragment: Fragment = { kind: 'text', weight: 1, text, starts, ends, ...range };
  const node: TextNode = { type: 'text', text, starts, ends, ...range };
  return { source: text, nodes: text === '' ? [] : [node], fragments: [fragment], diagnostics: [] };
}

/** Whether the schedule makes it out of place: a number in square brackets, a backslash that keeps a mark from parting. */
function isAnswered({ code, end }: Diagnostic, prompt: string): boolean {
  return code === 'square-bracket-number' || (code === 'lone-backslash' && /[:|]/.test(prompt.charAt(end)));
}

/** Without a fix that closes, inside a schedule, brackets that open outside of it. */
function withLocalFix(diagnostic: Diagnostic, changing: readonly Range[]): Diagnostic {
  if (diagnostic.code !== 'break-in-brackets' || !isWithinAny(diagnostic, changing)) return diagnostic;
  const { fix, ...told } = diagnostic;
  return told;
}

function unscheduledNetwork({ start, end }: Network): Diagnostic {
  return {
    code: 'network-not-scheduled',
    severity: 'warning',
    start,
    end,
    message: 'A1111 takes networks out before it reads brackets, so this one is loaded for all steps.',
  };
}
